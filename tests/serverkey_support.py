"""What a stack makes of a signing request of the SuperLink's VM, for tests of the appliance alone."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.appliance_support import Authority


def sign(authority: Authority, request_pem: str, *, end: datetime | None = None) -> str:
    """What the stack makes of a request; by default it ends with its CA."""
    request = x509.load_pem_x509_csr(request_pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.certificate.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.certificate.not_valid_before_utc)
        .not_valid_after(end or authority.certificate.not_valid_after_utc)
        .add_extension(names, False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
