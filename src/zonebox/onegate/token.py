"""The token by which a VM proves to OneGate which VM it is. It knows no VM; callers bring its facts.

Base64 of AES-256 in CBC mode with a zero IV, keyed with the first 32 characters of the owner's TOKEN_PASSWORD, over
`<vm id>:<start time>` (observed on OpenNebula 7.0.1; tests hold it to a recorded token).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

_BLOCK_BITS: Final = 128
_KEY_CHARACTERS: Final = 32


def _cipher(token_password: str) -> Cipher[CBC]:
    key = token_password[:_KEY_CHARACTERS].encode().ljust(_KEY_CHARACTERS, b"\0")
    return Cipher(AES(key), CBC(bytes(_BLOCK_BITS // 8)))


def issue(vm_id: int, start_time_s: int, token_password: str) -> str:
    """The token for a VM: what goes into token.txt.

    Args:
        vm_id: the VM.
        start_time_s: its STIME.
        token_password: TOKEN_PASSWORD of the user who made it.
    """
    padder = PKCS7(_BLOCK_BITS).padder()
    content = padder.update(f"{vm_id}:{start_time_s}".encode()) + padder.finalize()
    encryptor = _cipher(token_password).encryptor()
    return base64.b64encode(encryptor.update(content) + encryptor.finalize()).decode()


def proves(token: str, vm_id: int, start_time_s: int, token_password: str) -> bool:
    """Whether a token was issued for this VM.

    Args:
        token: what the VM sent.
        vm_id: the VM that it claims to be.
        start_time_s: that VM's STIME.
        token_password: TOKEN_PASSWORD of the user who made that VM.
    """
    try:
        decryptor = _cipher(token_password).decryptor()
        padded = decryptor.update(base64.b64decode(token)) + decryptor.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        content = unpadder.update(padded) + unpadder.finalize()
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(content, f"{vm_id}:{start_time_s}".encode())
