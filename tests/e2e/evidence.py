"""Everything of a running federation that people or programs get to read, and what must not be found in it.

Files that exist to hold a credential (one_auth, private keys, passphrases) are no evidence: their modes are looked at
instead. CONTEXT is evidence of its own, because some keys may be in it: one that a stack makes, or that comes with an
own CA's certificate.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import CENTRAL, Project, processes_of

MARKER = b"PRIVATE KEY"
_ALIGNMENTS = 3
_FORMATS = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
_LEAST_BITS = 32
"""Of a secret number in a line: fewer are no help to anybody, and would be found by chance."""


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
    """A private key: its secret numbers in bytes, hex, decimal and base64; its PEM as files and CONTEXT have it.

    Of the PEM's lines those count that hold a part of a secret number, whatever else is in them. A line without one is
    public, and may stand elsewhere by an accident of lengths: private keys end with their public key, and so do
    certificates (`tests/unit/test_e2e_evidence.py` makes such a certificate).
    """
    load = load_ssh_private_key if b"OPENSSH" in pem else load_pem_private_key
    key = load(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey), type(key)
    numbers = secret_numbers(key)
    spellings: set[bytes] = set()
    for raw in numbers:
        number = int.from_bytes(raw, "big")
        spellings |= {raw, raw.hex().encode(), raw.hex().upper().encode(), str(number).encode(), *base64_spellings(raw)}
    others = (key.private_bytes(Encoding.PEM, form, NoEncryption()) for form in _FORMATS)
    for text in (pem.strip(), *(other.strip() for other in others)):
        spellings |= secret_lines(text, numbers)
        spellings |= base64_spellings(text)
    return Secret(name=name, spellings=frozenset(spellings))


def vm_keys(project: Project) -> list[Path]:
    """Files with the private keys of VMs."""
    certs = "vms/*/root/etc/flower/certs/*.key"
    return [path for zone in project.zones.values() for path in sorted(zone.state.glob(certs))]


def keys_of_the_state(project: Project) -> dict[str, bytes]:
    """Private keys that the centre's state holds, encrypted: those of the CA and of whatever else the stack makes."""
    pulumi = project.layout.bin / "pulumi"
    export = project.succeed(pulumi, "stack", "export", "-s", CENTRAL, "--show-secrets", stack=CENTRAL, keep=False)
    return {
        item["urn"].rpartition("::")[2]: str(json.loads(item["outputs"]["privateKeyPem"]["plaintext"])).encode()
        for item in json.loads(export)["deployment"]["resources"]
        if item["type"] == "tls:index/privateKey:PrivateKey"
    }


def private_keys(project: Project) -> list[Secret]:
    """Every private key of a federation that exists now, and what betrays one that no longer does."""
    found = [marker()]
    found += [key_secret(f"key in {path.relative_to(project.folder)}", path.read_bytes()) for path in vm_keys(project)]
    found += [key_secret(f"key {name} of the state", pem) for name, pem in keys_of_the_state(project).items()]
    return found


def secret_numbers(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> list[bytes]:
    """What nobody else may know of a key, big-endian and of the length in which files hold it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")]
    found = key.private_numbers()
    return [
        number.to_bytes((number.bit_length() + 7) // 8, "big")
        for number in (found.d, found.p, found.q, found.dmp1, found.dmq1, found.iqmp)
    ]


def secret_lines(pem: bytes, numbers: list[bytes]) -> set[bytes]:
    """Lines of a private key's PEM that hold at least 32 bits of one of its secret numbers."""
    lines = pem.splitlines()[1:-1]
    encoded = b"".join(lines)
    content = base64.b64decode(encoded)
    places = []
    for number in numbers:
        # OpenSSH leaves leading zeros out.
        bare = number.lstrip(b"\0")
        start = content.find(bare)
        if start >= 0:  # OpenSSH leaves two of RSA's six out
            places.append((8 * start, 8 * (start + len(bare))))
    assert len(places) > len(numbers) / 2, "a private key's file holds its secret numbers"
    found, begin = set(), 0
    for line in lines:
        end = begin + len(line)
        for first, last in places:
            if min(6 * end, last) - max(6 * begin, first) >= _LEAST_BITS:
                found.add(line)
        begin = end
    return found


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


def contexts(project: Project) -> Iterator[tuple[str, bytes]]:
    """What VMs are told: CONTEXT as their disk has it, and as oned shows it of them and of their templates."""
    for name, zone in project.zones.items():
        view = ZoneView(zone)
        for vm_id in view.vms():
            yield f"VM {vm_id} of {name}, its CONTEXT among it", view.call("vm.info", vm_id).encode()
            disk = zone.state / "vms" / str(vm_id) / "context" / "context.sh"
            yield f"CONTEXT on the disk of VM {vm_id} of {name}", disk.read_bytes()
        for template in view.pool("templatepool", -2, -1, -1):
            id_ = int(template.findtext("ID") or "")
            yield f"template {id_} of {name}", view.call("template.info", id_).encode()


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
