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


def ensure_node_key(path: Path, *, epoch: int = 0, owner: Owner | None = None) -> str:
    """Generate the key where it is missing, or of an earlier epoch; the public key line (OpenSSH) in either case.

    Args:
        path: Where the key is; its epoch is kept beside it.
        epoch: How often the node was told to make a new key. Only when this grows is a key given up that is there.
        owner: Of the files; None: whoever runs this.

    Raises:
        NodeKeyError: a file is there that is not such a key. It is not overwritten: the key may be enrolled.
        OSError: the file system refuses.
    """
    if not path.exists() or epoch > _epoch_of(path):
        key = ec.generate_private_key(ec.SECP384R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write_file(path, private, mode=0o600, owner=owner)
        write_file(_epoch_file(path), f"{epoch}\n".encode(), mode=0o600, owner=owner)
    return public_key(path)


def _epoch_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.epoch")


def _epoch_of(path: Path) -> int:
    """Epoch of the key that is there; a key without one was made before anybody counted."""
    try:
        return int(_epoch_file(path).read_text())
    except (OSError, ValueError):
        return 0


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
    except (ValueError, TypeError, UnsupportedAlgorithm, OSError) as error:  # TypeError: it has a password
        raise NodeKeyError(unusable(path, type(error).__name__)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NodeKeyError(unusable(path, "not an EC key"))
    return key


def unusable(path: Path, detail: str) -> Problem:
    """What to say of a key that cannot be used, and why."""
    return Problem(
        given=f"{path.name} cannot be used as the node's key ({detail})",
        rule="it must be an EC P-384 private key in OpenSSH format without a password",
        reason="flower-supernode takes no other format",
        remedy="Remove the file to have a new key made; the node must then be enrolled again under it",
    )
