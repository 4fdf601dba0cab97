"""Everything of a running federation that people or programs get to read, and what must not be found in it.

Files that exist to hold a credential (one_auth, private keys, passphrases, CONTEXT disks) are no evidence: their modes
are looked at instead.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import Project, processes_of

MARKER = b"PRIVATE KEY"
_ALIGNMENTS = 3
_FORMATS = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
_LINE_FLOOR = 24


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Something that must not be read, in every spelling in which it could be."""

    name: str
    spellings: frozenset[bytes] = field(repr=False)


def marker() -> Secret:
    """The words that begin every private key in PEM, as they are and in base64."""
    return Secret(name="the words PRIVATE KEY", spellings=frozenset({MARKER, *base64_spellings(MARKER)}))


def text_secret(name: str, text: str) -> Secret:
    """A password or passphrase, as it is and in base64."""
    return Secret(name=name, spellings=frozenset({text.encode(), *base64_spellings(text.encode())}))


def key_secret(name: str, pem: bytes) -> Secret:
    """A private key: its secret number in bytes, hex, decimal and base64; its PEM as files and CONTEXT have it."""
    load = load_ssh_private_key if b"OPENSSH" in pem else load_pem_private_key
    key = load(pem, password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        number, size = key.private_numbers().private_value, (key.key_size + 7) // 8
    else:
        assert isinstance(key, rsa.RSAPrivateKey), type(key)
        number, size = key.private_numbers().d, key.key_size // 8
    raw = number.to_bytes(size, "big")
    spellings = {raw, raw.hex().encode(), raw.hex().upper().encode(), str(number).encode(), *base64_spellings(raw)}
    others = (key.private_bytes(Encoding.PEM, form, NoEncryption()) for form in _FORMATS)
    public = public_bytes(key)
    for text in (pem.strip(), *(other.strip() for other in others)):
        # A line of its own may be cut off from the others; the first one of an OpenSSH key is the same in all keys.
        lines = [line for line in text.splitlines()[2:-1] if len(line) >= _LINE_FLOOR]
        # Private keys end with their public key, and a certificate may have the same lines by an accident of lengths.
        spellings |= {line for line in lines if base64.b64decode(line) not in public}
        spellings |= base64_spellings(text)
    return Secret(name=name, spellings=frozenset(spellings))


def public_bytes(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """What everybody may know of a key."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_key().public_numbers().n.to_bytes(key.key_size // 8, "big")


def base64_spellings(secret: bytes) -> set[bytes]:
    """What base64 of a text that contains `secret` contains, wherever in it the secret begins."""
    found = set()
    for before in range(_ALIGNMENTS):
        encoded = base64.b64encode(b"\0" * before + secret)
        # The first characters mix with what stands before, the last one with what comes after.
        start = -(-before * 8 // 6)
        end = (before + len(secret)) * 8 // 6
        found.add(encoded[start:end])
    return found


def found_in(content: bytes, secrets: list[Secret]) -> set[str]:
    """Names of the secrets that can be read in it."""
    return {secret.name for secret in secrets if any(spelling in content for spelling in secret.spellings)}


def public_evidence(project: Project) -> Iterator[tuple[str, bytes]]:
    """Where from, and what: all that must hold no secret at all."""
    for stack in project.stacks:
        yield f"stack export of {stack}", project.pulumi("stack export", stack=stack).text.encode()
    for label, output in project.outputs:
        yield f"what `{label}` printed", output.encode()
    for folder in (project.layout.backend, project.folder / "pulumi-home", project.layout.flwr_home):
        for path in _files(folder):
            yield str(path.relative_to(project.folder)), _content(path)
    for path in _files(project.layout.state / "zones"):
        if path.suffix == ".log" or "log" in path.relative_to(project.folder).parts:
            yield str(path.relative_to(project.folder)), _content(path)
    for pid, command in processes_of(project.folder).items():
        yield f"command line of process {pid}", command.encode()
    for zone in project.zones.values():
        yield from _zone_evidence(ZoneView(zone))


def _zone_evidence(view: ZoneView) -> Iterator[tuple[str, bytes]]:
    name = view.zone.name
    for path in ("/service", "/service_template"):
        documents = view.documents(path)
        yield f"OneFlow of {name}, {path}", str(documents).encode()
        for id_ in documents:
            yield f"OneFlow of {name}, {path}/{id_}", str(view.flow(f"{path}/{id_}")).encode()
    for label, answer in view.onegate_answers():
        yield label, answer.encode()


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and "plugins" not in path.parts]


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
