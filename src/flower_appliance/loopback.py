"""The SuperLink's own key and certificate, for connections that never leave the machine. Nobody else ever trusts them.

The gateway alone holds the federation's server certificate. Behind it, on loopback, the SuperLink serves this pair: so
a renewed server certificate, or another CA, is the gateway's affair, which takes it without a restart, while
flower-superlink 1.41.0 would have to be restarted and fail every run.

It does not expire: whoever could misuse it can read the machine's memory already. The key of the CA that signs it is
forgotten at once, so that there will never be a second certificate of that CA.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flower_appliance import pem
from flower_appliance.files import Owner, write_file

NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
"""Long past, for machines whose clock is not set yet when they boot."""
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""What RFC 5280, 4.1.2.5, provides for certificates without a well-defined end."""
_CURVE = ec.SECP256R1()


@dataclass(frozen=True, kw_only=True)
class LoopbackFiles:
    """Where the three files are."""

    ca: Path
    certificate: Path
    key: Path


def ensure_loopback_identity(files: LoopbackFiles, hosts: Sequence[str], *, owner: Owner | None = None) -> str:
    """Make the pair where it is missing, damaged, or does not cover `hosts`.

    Args:
        files: Where it is, or will be; the key gets the mode 0600.
        hosts: Names and addresses that local clients dial.
        owner: Of the files; None: whoever runs this.

    Returns:
        Fingerprint of the certificate: sha256, hex.
    """
    found = _usable(files, hosts)
    if found is None:
        found = _make(files, hosts, owner)
    return pem.fingerprint(found)


def _usable(files: LoopbackFiles, hosts: Sequence[str]) -> x509.Certificate | None:
    try:
        (authority,) = pem.load_certificates(files.ca.read_bytes())
        (certificate,) = pem.load_certificates(files.certificate.read_bytes())
        key = pem.load_key(files.key.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    identity = pem.ServerIdentity(chain=(certificate,), key=key)
    good = identity.key_matches() and pem.issued_by((certificate,), authority)
    return certificate if good and set(hosts) <= set(pem.named_hosts(certificate)) else None


def _make(files: LoopbackFiles, hosts: Sequence[str], owner: Owner | None) -> x509.Certificate:
    ca_key, key = ec.generate_private_key(_CURVE), ec.generate_private_key(_CURVE)
    ca_name = _name("Loopback CA of this SuperLink")
    authority = (
        _builder(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name("Flower SuperLink on loopback"), ca_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    encoded_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.key.parent.mkdir(parents=True, exist_ok=True)
    # The certificate last: without it the pair counts as missing, whatever was interrupted before.
    write_file(files.key, encoded_key, mode=0o600, owner=owner)
    write_file(files.ca, authority.public_bytes(serialization.Encoding.PEM), mode=0o644, owner=owner)
    write_file(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644, owner=owner)
    return certificate


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
