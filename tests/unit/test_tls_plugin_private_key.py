"""PrivateKey of the tls plugin: the forms of a key, and what is refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
    ssh_key_fingerprint,
)

from pulumi_resource_tls.private_key import PRIVATE_KEY as KIND
from pulumi_resource_tls.values import Plain
from tests.tls_support import PRIVATE_KEY, Plugin, key

KINDS: dict[str, dict[str, Plain]] = {
    "RSA": {"algorithm": "RSA"},
    "P256": {"algorithm": "ECDSA", "ecdsaCurve": "P256"},
    "P384": {"algorithm": "ECDSA", "ecdsaCurve": "P384"},
    "P521": {"algorithm": "ECDSA", "ecdsaCurve": "P521"},
    "ED25519": {"algorithm": "ED25519"},
}
LABELS = {
    "RSA": "RSA PRIVATE KEY",
    "P256": "EC PRIVATE KEY",
    "P384": "EC PRIVATE KEY",
    "P521": "EC PRIVATE KEY",
    "ED25519": "PRIVATE KEY",
}


@pytest.mark.parametrize("name", KINDS)
async def test_every_form_holds_the_same_key(name: str) -> None:
    outputs = await Plugin().made(PRIVATE_KEY, KINDS[name])
    text = {form: str(value).encode() for form, value in outputs.items()}
    public = key(name).public_key()
    assert load_pem_private_key(text["privateKeyPem"], None).public_key() == public
    assert load_pem_private_key(text["privateKeyPemPkcs8"], None).public_key() == public
    assert load_ssh_private_key(text["privateKeyOpenssh"], None).public_key() == public
    assert load_pem_public_key(text["publicKeyPem"]) == public
    assert load_ssh_public_key(text["publicKeyOpenssh"]) == public


@pytest.mark.parametrize("name", KINDS)
async def test_labels_and_final_newlines_are_those_of_the_official_provider(name: str) -> None:
    outputs = await Plugin().made(PRIVATE_KEY, KINDS[name])
    assert str(outputs["privateKeyPem"]).startswith(f"-----BEGIN {LABELS[name]}-----\n")
    assert str(outputs["privateKeyPemPkcs8"]).startswith("-----BEGIN PRIVATE KEY-----\n")
    assert str(outputs["publicKeyPem"]).endswith("-----END PUBLIC KEY-----\n")
    assert str(outputs["publicKeyOpenssh"]).endswith("\n")
    assert len(str(outputs["publicKeyOpenssh"]).split()) == 2


@pytest.mark.parametrize("name", KINDS)
async def test_fingerprints_are_those_that_ssh_shows(name: str) -> None:
    outputs = await Plugin().made(PRIVATE_KEY, KINDS[name])
    public = load_ssh_public_key(str(outputs["publicKeyOpenssh"]).encode())
    sha256 = base64.b64encode(ssh_key_fingerprint(public, hashes.SHA256())).decode().rstrip("=")
    assert outputs["publicKeyFingerprintSha256"] == f"SHA256:{sha256}"
    assert outputs["publicKeyFingerprintMd5"] == ssh_key_fingerprint(public, hashes.MD5()).hex(":")


async def test_p224_is_the_default_curve_and_has_no_openssh_forms() -> None:
    outputs = await Plugin().made(PRIVATE_KEY, {"algorithm": "ECDSA"})
    assert outputs["ecdsaCurve"] == "P224"
    assert load_pem_private_key(str(outputs["privateKeyPem"]).encode(), None).key_size == 224
    for form in (
        "privateKeyOpenssh",
        "publicKeyOpenssh",
        "publicKeyFingerprintMd5",
        "publicKeyFingerprintSha256",
    ):
        assert outputs[form] == ""


async def test_the_id_is_the_sha1_of_the_public_key() -> None:
    identifier, outputs = await Plugin().create(PRIVATE_KEY, KINDS["P384"])
    body = "".join(str(outputs["publicKeyPem"]).splitlines()[1:-1])
    assert identifier == hashlib.sha1(base64.b64decode(body)).hexdigest()


async def test_private_forms_are_secret_and_public_ones_are_not() -> None:
    response = await Plugin().raw_create(PRIVATE_KEY, KINDS["P256"])
    secret = {name for name, value in response.properties.items() if value.is_secret}
    assert secret == {"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}


async def test_a_preview_makes_no_key() -> None:
    identifier, outputs = await Plugin().create(PRIVATE_KEY, KINDS["P256"], preview=True)
    assert not identifier
    assert {repr(outputs[out.name]) for out in KIND.outputs} == {"unknown"}


@pytest.mark.parametrize(
    ("inputs", "name", "value", "remedy"),
    [
        ({"algorithm": "ecdsa"}, "algorithm", "'ecdsa'", "capitals"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P-384"}, "ecdsaCurve", "'P-384'", "ecdsa_curve"),
        ({"algorithm": "RSA", "rsaBits": 512}, "rsaBits", "512", "2048"),
        ({"algorithm": "RSA", "rsaBits": "2048"}, "rsaBits", "type str", "require_int"),
        ({}, "algorithm", "absent", "set algorithm"),
        ({"algorithm": "RSA", "rsa_bits": 2048}, "rsa_bits", "given", "spell it"),
    ],
)
async def test_bad_input_is_refused_with_value_and_remedy(
    inputs: dict[str, Plain], name: str, value: str, remedy: str
) -> None:
    problems = await Plugin().problems(PRIVATE_KEY, inputs)
    assert list(problems) == [name]
    assert value in problems[name]
    assert remedy in problems[name].split("To fix:")[1]
