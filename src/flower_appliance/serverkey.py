"""The server's own key: made in this VM, named by how often a new one was asked for, with the signing request for it.

The private half is written to its file and nowhere else; what leaves the VM is the request. A key is given up only once
the certificate of a later one is in use, so that what is served goes on while a new key waits to be signed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from flower_appliance import pem
from flower_appliance.files import Owner, write_file
from flower_appliance.machine import CERTS, Machine

COMMON_NAME = "Flower SuperLink"
"""Of the server's certificate, whoever makes its key."""
_KEY_FILE = re.compile(r"server-([0-9]+)\.key")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A key of the VM's own, and what its certificate is asked for."""

    names: tuple[str, ...]
    """DNS names and addresses."""
    organization: str
    epoch: int
    """How often a new key was asked for; each number has a key of its own."""
    answer: str
    """Written back through OneGate beside the request, so that whoever asked knows the answer from an older one."""

    @property
    def key_path(self) -> str:
        """Guest path of the key."""
        return f"{CERTS}/server-{self.epoch}.key"

    @property
    def request_path(self) -> str:
        """Guest path of the signing request, PEM."""
        return f"{CERTS}/server-{self.epoch}.csr"


def held_keys(machine: Machine) -> dict[str, str]:
    """Guest paths of the server keys that this machine has made, by `key_name`; damaged files are none."""
    folder = machine.path(CERTS)
    found: dict[str, str] = {}
    for path in sorted(folder.glob("server-*.key")):
        key = _load(path) if _KEY_FILE.fullmatch(path.name) else None
        if key is not None:
            found[key_name(key.public_key())] = f"{CERTS}/{path.name}"
    return found


def certificate_key_name(certificate_pem: str) -> str:
    """`key_name` of the key that a certificate chain was issued for; empty for no chain."""
    return key_name(pem.load_certificates(certificate_pem.encode())[0].public_key()) if certificate_pem else ""


def key_name(public: PublicKeyTypes) -> str:
    """sha256 of a public key (SubjectPublicKeyInfo, DER), hex."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()


def ensure_request(machine: Machine, wanted: Wanted, *, owner: Owner | None = None) -> str:
    """Make key and request where they are missing, damaged, or no longer what is wanted.

    A key that is good is kept, whatever happens to its request: a certificate may be on its way.

    Returns:
        The signing request, PEM. The same as before while nothing changes: signatures of EC keys are random, and
        another text would be another certificate.

    Raises:
        OSError: the file system refuses.
    """
    key_file, request_file = machine.path(wanted.key_path), machine.path(wanted.request_path)
    key = _load(key_file)
    if key is None:
        key = ec.generate_private_key(ec.SECP384R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key_file.parent.mkdir(parents=True, exist_ok=True)
        write_file(key_file, private, mode=0o600, owner=owner)
    try:
        text = request_file.read_text(encoding="ascii")
        if _asks_for(x509.load_pem_x509_csr(text.encode()), wanted, key):
            return text
    except (OSError, ValueError):
        pass  # made anew below
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(wanted))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted.names]), critical=False)
        .sign(key, hashes.SHA384())
    )
    encoded = request.public_bytes(serialization.Encoding.PEM)
    write_file(request_file, encoded, mode=0o644, owner=owner)
    return encoded.decode("ascii")


def stale_keys(held: Mapping[str, str], *, used: Sequence[str]) -> tuple[str, ...]:
    """Guest paths of keys, and of their requests, that nothing uses any more.

    Args:
        held: from `held_keys`.
        used: guest paths of keys that are served or wait to be signed.
    """
    gone = [path for path in held.values() if path not in used]
    return tuple(name for path in gone for name in (path, f"{path.removesuffix('.key')}.csr"))


def _asks_for(request: x509.CertificateSigningRequest, wanted: Wanted, key: ec.EllipticCurvePrivateKey) -> bool:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return (
        list(names) == [_general_name(name) for name in wanted.names]
        and request.subject == _subject(wanted)
        and key_name(request.public_key()) == key_name(key.public_key())
    )


def _subject(wanted: Wanted) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, wanted.organization),
            x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME),
        ]
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key: PrivateKeyTypes = pem.load_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
