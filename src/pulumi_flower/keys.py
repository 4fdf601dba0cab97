"""Public keys of SuperNodes: OpenSSH line in, SPKI PEM for Flower and a fingerprint for people out.

It refuses everything that Flower 1.41.0 refuses as a node key (flwr.supercore.primitives.asymmetric, read 2026-11-24:
ECDSA on a NIST curve only), never touches a private key, and quotes none that it is handed by mistake.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from pulumi_flower.errors import InvalidInputError

_QUOTED_CHARACTERS = 32
_RULE = "must be one OpenSSH line of an ECDSA key on a NIST curve (ecdsa-sha2-nistp256, -nistp384 or -nistp521)"
_REASON = "a Flower SuperLink knows its SuperNodes by such keys and answers any other with code 22"
_REMEDY = "Give the FL_NODE_PUBKEY that the node published, or make a key with `ssh-keygen -t ecdsa -b 384`"


@dataclass(frozen=True, kw_only=True)
class NodeKey:
    """A SuperNode's public key.

    Attributes:
        openssh: `<algorithm> <base64>`, without a comment.
        spki_pem: the same key as Flower stores it; byte for byte what the SuperNode will present.
        fingerprint: `SHA256:<base64>`, as `ssh-keygen -l` prints it.
    """

    openssh: str
    spki_pem: bytes
    fingerprint: str


def parse_openssh(line: str, *, property_name: str = "publicKey") -> NodeKey:
    """Read one OpenSSH public key line; a comment at its end is ignored.

    Raises:
        InvalidInputError: it is no ECDSA key on a NIST curve, or no single public key line.
    """
    text = line.strip()
    if "PRIVATE KEY" in text:
        raise _refusal(property_name, "a private key (not shown)")
    if "\n" in text:
        raise _refusal(property_name, f"{len(text.splitlines())} lines of text")
    try:
        key = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as err:
        raise _refusal(property_name, _quote(text)) from err
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _refusal(property_name, f"a key of type {text.split()[0]}")
    return _describe(key)


def parse_spki_pem(pem: bytes) -> NodeKey | None:
    """Read a key as the SuperLink lists it; None where it is none that `parse_openssh` would have let through."""
    try:
        key = load_pem_public_key(pem)
        return _describe(key) if isinstance(key, ec.EllipticCurvePublicKey) else None
    except (ValueError, UnsupportedAlgorithm):
        return None


def _describe(key: ec.EllipticCurvePublicKey) -> NodeKey:
    openssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    digest = hashlib.sha256(base64.b64decode(openssh.split()[1])).digest()
    return NodeKey(
        openssh=openssh,
        spki_pem=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        fingerprint="SHA256:" + base64.b64encode(digest).decode().rstrip("="),
    )


def _quote(text: str) -> str:
    if not text:
        return "an empty text"
    return repr(text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…")


def _refusal(property_name: str, value: str) -> InvalidInputError:
    return InvalidInputError(
        property_name=property_name,
        value=f"{property_name} is {value}",
        rule=_RULE,
        reason=_REASON,
        remedy=f"{_REMEDY}, and set it as `{property_name}`",
    )
