"""The zone's own certificate authority and server certificate, made at first start. It trusts nobody and renews nothing
that is still good for a month.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zonebox.errors import ConfigError

_CA_DAYS, _SERVER_DAYS, _RENEW_DAYS = 3650, 397, 30
_PUBLIC_MODE = 0o644


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on; it is there whole, or not at all."""
    _write(path, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
    partial.replace(path)


def server_context(state: Path, name: str, hosts: list[str], now: dt.datetime) -> ssl.SSLContext:
    """A server's TLS context, with certificates made where they are missing, old, or for other addresses.

    Args:
        state: the zone's folder; gets `ca.crt`, `ca.key`, `server.crt`, `server.key` (keys 0600).
        name: the zone's name, in the certificates' subjects.
        hosts: addresses and names that the server is reached at.
        now: the time.

    Raises:
        ConfigError: the certificate authority's files do not belong together, or are none.
    """
    ca_cert, ca_key = _authority(state, name, now)
    certificate = state / "server.crt"
    if not _still_good(certificate, ca_cert, hosts, now):
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _server_certificate(name, hosts, now, key=key, ca_cert=ca_cert, ca_key=ca_key)
        write_private(state / "server.key", _key_bytes(key))
        _write(certificate, signed.public_bytes(serialization.Encoding.PEM), _PUBLIC_MODE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, state / "server.key")
    return context


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _authority(state: Path, name: str, now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert_path, key_path = state / "ca.crt", state / "ca.key"
    if cert_path.exists() and key_path.exists():
        return _loaded_authority(cert_path, key_path)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"zonebox {name} CA")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _key_bytes(key))
    _write(cert_path, certificate.public_bytes(serialization.Encoding.PEM), _PUBLIC_MODE)
    return certificate, key


def _loaded_authority(cert_path: Path, key_path: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    reason = "they are of two authorities"
    try:
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(cert_path.read_bytes())
        if isinstance(loaded, ec.EllipticCurvePrivateKey) and certificate.public_key() == loaded.public_key():
            return certificate, loaded
    except ValueError as error:
        reason = f"one cannot be read ({error})"
    raise ConfigError(
        f"{cert_path} and {key_path.name}",
        "they must be the certificate and the key of one authority, in PEM",
        reason,
        "Put the right files back; without both the zone makes a new authority, and clients need the new ca.crt.",
    )


def _server_certificate(
    name: str,
    hosts: list[str],
    now: dt.datetime,
    *,
    key: ec.EllipticCurvePrivateKey,
    ca_cert: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"zonebox {name}")]))
        .issuer_name(ca_cert.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_SERVER_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _still_good(path: Path, ca_cert: x509.Certificate, hosts: list[str], now: dt.datetime) -> bool:
    if not path.exists() or not path.with_name("server.key").exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(path.with_name("server.key").read_bytes(), password=None)
    except ValueError:
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        certificate.issuer == ca_cert.subject
        # The last process may have died between writing the one and the other.
        and certificate.public_key() == key.public_key()
        and certificate.not_valid_after_utc > now + dt.timedelta(days=_RENEW_DAYS)
        and set(names) == {_general_name(host) for host in hosts}
    )
