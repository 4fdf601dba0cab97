"""The node's own key: EC P-384 in OpenSSH format, made where it is used. The private half is written nowhere else.

flower-supernode takes NIST EC keys in OpenSSH format only (1.41.0: SEC1 and PKCS8 PEM, RSA and Ed25519 are refused).
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flower_appliance.errors import NodeKeyError, Problem
from flower_appliance.files import Owner, write_file


def ensure_node_key(path: Path, *, owner: Owner | None = None) -> str:
    """Generate the key where it is missing; the public key line (OpenSSH, without a comment) in either case.

    Raises:
        NodeKeyError: a file is there that is not such a key. It is never overwritten: the key may be enrolled.
    """
    if not path.exists():
        key = ec.generate_private_key(ec.SECP384R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write_file(path, private, mode=0o600, owner=owner)
    return public_key(path)


def public_key(path: Path) -> str:
    """The public key line of the key at `path`.

    Raises:
        NodeKeyError: not an EC key in OpenSSH format without a password.
    """
    line = load_node_key(path).public_key()
    return line.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")


def load_node_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key itself, for signing.

    Raises:
        NodeKeyError: not an EC key in OpenSSH format without a password.
    """
    try:
        key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (ValueError, UnsupportedAlgorithm, OSError) as error:
        raise NodeKeyError(str(_refusal(path, type(error).__name__))) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NodeKeyError(str(_refusal(path, "not an EC key")))
    return key


def _refusal(path: Path, detail: str) -> Problem:
    return Problem(
        given=f"{path.name} cannot be used as the node's key ({detail})",
        rule="it must be an EC P-384 private key in OpenSSH format without a password",
        reason="flower-supernode takes no other format",
        remedy="Remove the file to have a new key made; the node must then be enrolled again under it",
    )
