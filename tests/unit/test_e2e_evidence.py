"""The search for private keys: it finds every line that holds a part of one, and takes nothing public for one.

An end-to-end run once flagged a line as part of a key of the centre's state. Searching for every line of a key's PEM
does that: its last lines are the public key, which a certificate has too, in the same line where lengths are so.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from hashlib import sha384

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.e2e.evidence import found_in, key_secret, secret_lines, secret_numbers

START = datetime(2026, 11, 24, tzinfo=UTC)
FORMATS = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def keys() -> list[Key]:
    """One of each kind that is about, each with a leading zero byte as well where the curve allows."""
    small = ec.derive_private_key(int.from_bytes(sha384(b"small").digest()[:47], "big"), ec.SECP384R1())
    return [ec.generate_private_key(ec.SECP384R1()), small, ec.generate_private_key(ec.SECP256R1())]


def pem_of(key: Key, form: PrivateFormat) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def certificate(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A self-signed certificate; the length of the name moves the public key in it."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
    )
    return builder.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("form", FORMATS)
def test_each_line_with_a_part_of_the_secret_number_is_found_alone_and_no_other_line_is(form: PrivateFormat) -> None:
    for key in (*keys(), rsa.generate_private_key(65537, 2048)):
        pem = pem_of(key, form)
        secret = key_secret("it", pem)
        lines = pem.splitlines()[1:-1]
        telling = {line for line in lines if found_in(b"a log: " + line + b" and more", [secret])}

        assert telling == secret_lines(pem, secret_numbers(key))
        assert telling
        # Without them the file's content lacks the whole number.
        kept = b"".join(line if line not in telling else b"/" * len(line) for line in lines)
        for number in secret_numbers(key):
            assert all(part not in base64.b64decode(kept) for part in (number[:8], number[8:16], number[-8:]))


def test_no_certificate_request_or_public_key_of_a_key_is_taken_for_the_key() -> None:
    for key in keys():
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        secrets = [key_secret(str(form), pem_of(key, form)) for form in FORMATS]
        public = key.public_key()
        texts = [
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            base64.b64encode(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
            *(certificate(key, "n" * length) for length in range(1, 49)),
        ]
        assert [found_in(text, secrets) for text in texts] == [set()] * len(texts)


def test_a_search_for_every_line_would_take_some_certificates_for_their_key() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    every_line = set(pem_of(key, PrivateFormat.PKCS8).splitlines()[2:-1])
    flagged = [n for n in range(1, 49) if every_line & set(certificate(key, "n" * n).splitlines())]
    assert flagged, "the public key's lines stand in a certificate as they stand in the private key's file"


def test_a_key_in_base64_or_within_other_text_is_found_whatever_stands_before_it() -> None:
    key = keys()[0]
    pem = pem_of(key, PrivateFormat.PKCS8)
    secret = key_secret("it", pem)
    for before in range(4):
        assert found_in(base64.b64encode(b"x" * before + pem), [secret])
        (number,) = secret_numbers(key)
        assert found_in(base64.b64encode(b"x" * before + number), [secret])
        assert found_in(b"x" * before + number.hex().encode(), [secret])
