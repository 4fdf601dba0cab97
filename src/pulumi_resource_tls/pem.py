"""Keys, requests and certificates out of PEM text; refuses what cannot be parsed, encrypted keys and unsigned requests.

Messages describe a PEM text by its label and length and never quote it.
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.sources import SigningKey

_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----")


def describe(pem: str) -> str:
    """What may be said about a PEM text in a message: its label and length."""
    found = _LABEL.search(pem)
    return f"a PEM block '{found.group(1)}' of {len(pem)} characters" if found else f"{len(pem)} characters without PEM"


def signing_key(name: str, pem: str) -> SigningKey:
    """The private key in `pem` (PKCS#8, PKCS#1 or SEC1, not encrypted).

    Raises:
        InvalidPropertyError: not a private key, an encrypted one, or one of another kind than RSA, ECDSA and Ed25519.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidPropertyError(
            name,
            value=describe(pem),
            rule="an unencrypted private key in PEM (PKCS#8, PKCS#1 or SEC1)",
            reason=f"it could not be read ({type(error).__name__})",
            remedy="pass private_key_pem of a tls.PrivateKey, or decrypt the key with `openssl pkey` first",
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise InvalidPropertyError(
            name,
            value=f"a key of type {type(key).__name__}",
            rule="RSA, ECDSA or Ed25519",
            reason="TLS servers and the official provider take no other",
            remedy="make the key with tls.PrivateKey, or `openssl genpkey -algorithm EC`",
        )
    return key


def algorithm_of(key: SigningKey) -> str:
    """The provider's name of a key's algorithm: RSA, ECDSA or ED25519."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def certificate(name: str, pem: str) -> x509.Certificate:
    """The certificate in `pem`.

    Raises:
        InvalidPropertyError: it is not exactly one readable certificate.
    """
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise InvalidPropertyError(
            name,
            value=describe(pem),
            rule="exactly one X.509 certificate in PEM",
            reason=f"it could not be read as one ({type(error).__name__})",
            remedy="pass cert_pem of a tls.SelfSignedCert, or the one certificate that signs, without its chain",
        ) from None
    return found


def certificate_request(name: str, pem: str) -> x509.CertificateSigningRequest:
    """The certificate request in `pem`, its own signature verified.

    Raises:
        InvalidPropertyError: unreadable, or not signed by the key that it asks a certificate for.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        genuine = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPropertyError(
            name,
            value=describe(pem),
            rule="a PKCS#10 certificate request in PEM",
            reason=f"it could not be read ({type(error).__name__})",
            remedy="pass cert_request_pem of a tls.CertRequest, or the output of `openssl req -new`",
        ) from None
    except InvalidSignature:
        genuine = False
    if not genuine:
        raise InvalidPropertyError(
            name,
            value=f"{describe(pem)} for {request.subject.rfc4514_string() or 'an empty subject'}",
            rule="its signature verifies with the public key inside it",
            reason="a request altered on its way, or for somebody else's key, must not get a certificate",
            remedy="make a new request where the private key lives and carry it here unchanged",
        )
    return request


def encode(thing: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """PEM with a newline at its end, as the official provider writes it."""
    return thing.public_bytes(Encoding.PEM).decode()


def same_public_key(key: SigningKey, issued: x509.Certificate) -> bool:
    """Whether a certificate is for this private key."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == issued.public_key().public_bytes(*form)
