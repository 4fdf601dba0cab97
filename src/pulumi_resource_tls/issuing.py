"""Signs a certificate from a description. Decides no policy: the callers' rules have spoken before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from pulumi_resource_tls.sources import SigningKey
from pulumi_resource_tls.usages import extended_key_usage, key_usage

# The digest that Go's crypto/x509 pairs with each curve, so that both plugins sign alike.
_DIGESTS: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


@dataclass(frozen=True, kw_only=True)
class Blank:
    """A certificate before it is signed."""

    subject: x509.Name
    public_key: CertificateIssuerPublicKeyTypes
    names: Sequence[x509.GeneralName]
    uses: Sequence[str]
    validity_hours: int
    is_ca: bool
    max_path_length: int | None
    subject_key_id: bool
    """Whether to write a subject key identifier; a CA always gets one."""


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Who signs."""

    name: x509.Name
    key: SigningKey
    key_id: bytes | None
    """What to write as authority key identifier; None writes none."""


def digest_for(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The digest to sign with; Ed25519 brings its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    return (
        _DIGESTS.get(key.curve.name, hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else hashes.SHA256()
    )


def key_id_of(issued: x509.Certificate) -> bytes | None:
    """A certificate's subject key identifier, or None where it has none."""
    try:
        return issued.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def is_authority(issued: x509.Certificate) -> bool:
    """Whether a certificate may sign others, by its basic constraints."""
    try:
        return issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def issue(blank: Blank, issuer: Issuer, *, now: datetime, serial_number: int) -> x509.Certificate:
    """Sign a certificate that is valid from `now` (whole seconds: X.509 has no finer time)."""
    start = now.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(blank.subject)
        .issuer_name(issuer.name)
        .public_key(blank.public_key)
        .serial_number(serial_number)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(hours=blank.validity_hours))
    )
    path_length = blank.max_path_length if blank.is_ca else None
    builder = builder.add_extension(x509.BasicConstraints(ca=blank.is_ca, path_length=path_length), critical=True)
    if usage := key_usage(blank.uses):
        builder = builder.add_extension(usage, critical=True)
    if extended := extended_key_usage(blank.uses):
        builder = builder.add_extension(extended, critical=False)
    if blank.is_ca or blank.subject_key_id:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(blank.public_key), critical=False)
    if issuer.key_id is not None:
        authority = x509.AuthorityKeyIdentifier(issuer.key_id, None, None)
        builder = builder.add_extension(authority, critical=False)
    if blank.names:
        # RFC 5280, 4.2.1.6: critical where nothing else says whose certificate it is.
        alternative = x509.SubjectAlternativeName(blank.names)
        builder = builder.add_extension(alternative, critical=not list(blank.subject))
    return builder.sign(issuer.key, digest_for(issuer.key))
