"""SHA256SUMS over a folder of images, signed with an Ed25519 key, and their verification. It makes and keeps no key.

The file is what `sha256sum --check` reads. The signature beside it, SHA256SUMS.sig, is the 64 bytes that
`openssl pkeyutl -verify -rawin` reads; a signature over one small file vouches for every image that the file names.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from flower_federation.errors import InputError

SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.sig"
_LINE = re.compile(r"([0-9a-f]{64})  ([!-.0-\[\]-~](?:[ -.0-\[\]-~]*[!-.0-\[\]-~])?)")
"""Checksum and name: printable ASCII without slash and backslash, which sha256sum would write in another form."""
_COVERED = ("*.qcow2", "*.cdx.json")


def sha256_of(path: Path) -> str:
    """The file's SHA-256, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> Path:
    """Write SHA256SUMS for every image and bill of materials in a folder; a signature of older sums is removed."""
    content = "".join(f"{sha256_of(path)}  {path.name}\n" for path in _covered(folder)).encode()
    sums = folder / SUMS
    if not sums.exists() or sums.read_bytes() != content:
        (folder / SIGNATURE).unlink(missing_ok=True)
        sums.write_bytes(content)
    return sums


def _covered(folder: Path) -> list[Path]:
    return sorted(path for pattern in _COVERED for path in folder.glob(pattern))


def read_sums(text: str) -> dict[str, str]:
    """Name -> SHA-256 of a SHA256SUMS file.

    Raises:
        InputError: A line is of another form, a name stands there twice, or there is no line.
    """
    sums: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in sums:
            raise InputError(
                given=f"a line of {SUMS}: {line[:100]!r}",
                rule="it must be 64 hex digits, two spaces and a file name without folders, each name once",
                reason="what else it says cannot be checked",
                remedy="take the file as scripts/image build wrote it",
            )
        sums[found[2]] = found[1]
    return sums


def signing_key(key_file: Path) -> Ed25519PrivateKey:
    """The key to sign with.

    Raises:
        InputError: The file holds none.
    """
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _bad_key(key_file, type(error).__name__) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(key_file, "a key of another kind")
    return key


def sign(folder: Path, key_file: Path) -> Path:
    """Sign a folder's SHA256SUMS; the signature's path.

    Args:
        folder: Where SHA256SUMS is.
        key_file: An Ed25519 private key, PEM without a password (`openssl genpkey -algorithm ed25519`).

    Raises:
        InputError: The key cannot be used, or there is no SHA256SUMS.
    """
    key = signing_key(key_file)
    signature = folder / SIGNATURE
    signature.write_bytes(key.sign(_read(folder / SUMS)))
    return signature


def verify(folder: Path, key_file: Path | None, *, only: str | None = None) -> dict[str, str]:
    """Check the signature, where a key is given, and then the files; the sums of those that were checked.

    Args:
        folder: Images and SHA256SUMS.
        key_file: The Ed25519 public key of whoever signed them, PEM; None: only sums are checked.
        only: Name of the one file that matters; None: every file that SHA256SUMS names, and every image in the folder
            must be one of these.

    Raises:
        InputError: A file is missing, differs or is not vouched for, or the signature is not of this key.
    """
    text = _read(folder / SUMS)
    if key_file is not None:
        _verify_signature(folder, text, key_file)
    sums = read_sums(text.decode("ascii", errors="replace"))
    unnamed = sorted({path.name for path in _covered(folder)} if only is None else {only})
    if strangers := [name for name in unnamed if name not in sums]:
        raise InputError(
            given=f"{folder / strangers[0]}: not in {SUMS}",
            rule=f"{folder / SUMS} names it",
            reason="a file that nobody vouches for is not handed on",
            remedy="give the image as scripts/image build wrote it, in its folder, or move it out of this one",
        )
    if only is not None:
        sums = {only: sums[only]}
    for name, expected in sums.items():
        path = folder / name
        found = sha256_of(path) if path.is_file() else "missing"
        if found != expected:
            raise InputError(
                given=f"{path}: {found}",
                rule=f"its SHA-256 must be {expected}",
                reason="an image that was changed on the way would run with every right that a VM of yours has",
                remedy="delete it and fetch or build it again",
            )
    return sums


def _verify_signature(folder: Path, text: bytes, key_file: Path) -> None:
    try:
        key = load_pem_public_key(key_file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _bad_key(key_file, type(error).__name__) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _bad_key(key_file, "a key of another kind")
    try:
        key.verify(_read(folder / SIGNATURE), text)
    except InvalidSignature as error:
        raise InputError(
            given=f"{folder / SIGNATURE}",
            rule=f"it must be the signature of {SUMS} by {key_file}",
            reason="somebody else made these sums, or they were changed afterwards",
            remedy="fetch both files again, and compare the key with the one that the images' maker published",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            given=f"{path}: {error.strerror}",
            rule="it must be there and readable",
            reason="images are vouched for by it",
            remedy="name the folder that scripts/image build wrote to, with --sign-key where a signature is wanted",
        ) from error


def _bad_key(key_file: Path, detail: str) -> InputError:
    return InputError(
        given=f"{key_file}: {detail}",
        rule="it must be an Ed25519 key in PEM, without a password",
        reason="signatures of images are made and checked with no other kind",
        remedy="make one with: openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout",
    )
