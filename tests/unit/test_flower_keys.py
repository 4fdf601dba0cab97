"""Which public keys are taken as node keys, and what is said of the others."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pulumi_flower.errors import InvalidInputError
from pulumi_flower.keys import parse_openssh, parse_spki_pem
from tests.flower_support import node_key

NIST_CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


@pytest.mark.parametrize("curve", NIST_CURVES, ids=lambda curve: curve.name)
def test_a_nist_key_survives_the_way_to_flowers_form_and_back(curve: ec.EllipticCurve) -> None:
    key = parse_openssh(node_key(curve)[1])
    assert key.spki_pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert parse_spki_pem(key.spki_pem) == key


def test_a_comment_and_white_space_do_not_make_another_key() -> None:
    line = node_key()[1]
    assert parse_openssh(f"  {line} root@berlin\n") == parse_openssh(line)


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints() -> None:
    # Made by `ssh-keygen -t ecdsa -b 384` and printed by `ssh-keygen -l` of OpenSSH 9.2p1 on 2026-11-24.
    line = (
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBFn4Oxlr9E6amkXeNh0WzU2wWSAcOfhXBmLb"
        "zXgfKXLKaeKXP0Li+0rpN+9cUrmzfbaRBkglSIKFVXQe8tv4QXcWwdy8NNvEOTjBd1QopfTIITTha0zp/wF4kkXQVTmRrw=="
    )
    assert parse_openssh(line).fingerprint == "SHA256:M7FIAmvdYR9v5/4FWwyrftc116SjxuIEMWuzDPFY5gA"


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ed25519.Ed25519PrivateKey.generate().public_key(), "ssh-ed25519"),
        (rsa.generate_private_key(65537, 2048).public_key(), "ssh-rsa"),
    ],
    ids=["ed25519", "rsa"],
)
def test_a_key_of_another_kind_is_refused_with_its_kind_and_the_remedy(
    key: ed25519.Ed25519PublicKey | rsa.RSAPublicKey, kind: str
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        parse_openssh(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    assert kind in str(refusal.value)
    assert "ssh-keygen -t ecdsa -b 384" in str(refusal.value)


def test_a_private_key_is_refused_and_not_quoted() -> None:
    private = node_key()[0]
    with pytest.raises(InvalidInputError) as refusal:
        parse_openssh(private)
    assert "a private key (not shown)" in str(refusal.value)
    assert private.splitlines()[1][:20] not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384 AAAA", "what is this"])
def test_a_text_that_is_no_key_is_refused_with_the_property_to_change(text: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        parse_openssh(text)
    assert refusal.value.property_name == "publicKey"


def test_two_lines_are_refused_even_where_each_is_a_key() -> None:
    with pytest.raises(InvalidInputError, match="2 lines"):
        parse_openssh(f"{node_key()[1]}\n{node_key()[1]}")


def test_a_listed_key_of_another_kind_is_none_rather_than_an_error() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    assert parse_spki_pem(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)) is None
    assert parse_spki_pem(b"no key") is None
