"""Certificates as facts: PEM parsing, fingerprints, names that a certificate covers. Reads no file, trusts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, kw_only=True)
class ServerIdentity:
    """A server's key and chain, as given."""

    chain: tuple[x509.Certificate, ...]
    """Leaf first."""
    key: PrivateKeyTypes

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own certificate."""
        return self.chain[0]

    def key_matches(self) -> bool:
        """Whether the key belongs to the leaf."""
        return self.key.public_key().public_bytes(*_PUBLIC) == self.leaf.public_key().public_bytes(*_PUBLIC)


def load_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM text.

    Raises:
        ValueError: none, or one that does not parse or has a key of a kind that nobody here knows.
    """
    certificates = tuple(x509.load_pem_x509_certificates(pem))
    if not certificates:
        raise ValueError("no certificate")
    for certificate in certificates:
        try:
            certificate.public_key()  # parsed only now; whoever asks for it later expects no error
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
    return certificates


def load_key(pem: bytes) -> PrivateKeyTypes:
    """The private key of a PEM text without a password.

    Raises:
        ValueError: not a key, one of a kind that nobody here knows, or one that needs a password.
    """
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("the key has a password") from error
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def fingerprint(certificate: x509.Certificate) -> str:
    """sha256 of the certificate's DER, lower-case hex, as FL_CA_FINGERPRINT gives it."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def issued_by(chain: tuple[x509.Certificate, ...], authority: x509.Certificate) -> bool:
    """Whether each certificate is signed by the next, and the last by `authority`."""
    issuers = (*chain[1:], authority)
    try:
        for certificate, issuer in zip(chain, issuers, strict=True):
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_valid_at(certificate: x509.Certificate, instant: datetime) -> bool:
    """Whether `instant` (aware) lies within the certificate's validity."""
    return certificate.not_valid_before_utc <= instant <= certificate.not_valid_after_utc


def named_hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    """Names and addresses in the SAN; none where it cannot be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)
