"""CertRequest, SelfSignedCert and LocallySignedCert of the tls plugin: contents and refusals."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue

from pulumi_resource_tls.values import UNKNOWN, Plain
from tests.tls_support import (
    CERT_REQUEST,
    LOCALLY_SIGNED,
    NOON,
    SELF_SIGNED,
    Plugin,
    authority,
    ca_inputs,
    key,
    key_pem,
    leaf_inputs,
    parsed,
    urn,
    wrapped,
)


async def test_a_request_carries_subject_and_names_and_its_own_signature() -> None:
    plugin = Plugin()
    inputs: dict[str, Plain] = {
        "privateKeyPem": await key_pem(plugin),
        "subject": {"organization": "Tests", "country": "ES", "commonName": "server", "streetAddresses": ["Calle 1"]},
        "dnsNames": ["a.example", "b.example"],
        "ipAddresses": ["192.0.2.7", "2001:db8::7"],
        "uris": ["https://a.example/x"],
    }
    outputs = await plugin.made(CERT_REQUEST, inputs)
    request = x509.load_pem_x509_csr(str(outputs["certRequestPem"]).encode())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=server,STREET=Calle 1,O=Tests,C=ES"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "b.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.0.2.7"), ip_address("2001:db8::7")]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["https://a.example/x"]
    assert outputs["keyAlgorithm"] == "ECDSA"


async def test_a_self_signed_authority_verifies_itself_and_has_the_extensions_of_one() -> None:
    plugin = Plugin()
    inputs = {**ca_inputs(await key_pem(plugin, "P384")), "setAuthorityKeyId": True, "maxPathLength": 0}
    issued = parsed(await plugin.made(SELF_SIGNED, inputs))
    issued.verify_directly_issued_by(issued)
    extensions = issued.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)
    own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == own


async def test_a_locally_signed_certificate_chains_to_its_authority() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    outputs = await plugin.made(LOCALLY_SIGNED, inputs)
    leaf, ca = parsed(outputs), x509.load_pem_x509_certificate(str(inputs["caCertPem"]).encode())
    leaf.verify_directly_issued_by(ca)
    assert leaf.subject.rfc4514_string() == "CN=server"
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    ca_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == ca_id
    assert outputs["caKeyAlgorithm"] == "ECDSA"


async def test_validity_is_counted_from_the_clock_in_whole_seconds() -> None:
    plugin = Plugin()
    identifier, outputs = await plugin.create(LOCALLY_SIGNED, await leaf_inputs(plugin))
    leaf = parsed(outputs)
    assert leaf.not_valid_before_utc == NOON.replace(microsecond=0)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(hours=100)
    assert outputs["validityStartTime"] == "2026-11-24T12:00:00Z"
    assert outputs["validityEndTime"] == "2026-11-28T16:00:00Z"
    assert outputs["readyForRenewal"] is False
    assert identifier == str(leaf.serial_number)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("RSA", hashes.SHA256),
        ("P224", hashes.SHA256),
        ("P256", hashes.SHA256),
        ("P384", hashes.SHA384),
        ("P521", hashes.SHA512),
        ("ED25519", None),
    ],
)
async def test_each_kind_of_key_signs_with_the_digest_of_the_official_provider(
    name: str, digest: type[hashes.HashAlgorithm] | None
) -> None:
    plugin = Plugin()
    algorithm = name if name in ("RSA", "ED25519") else "ECDSA"
    made = await plugin.made(
        "tls:index/privateKey:PrivateKey",
        {"algorithm": algorithm, **({"ecdsaCurve": name} if algorithm == "ECDSA" else {})},
    )
    outputs = await plugin.made(SELF_SIGNED, ca_inputs(str(made["privateKeyPem"])))
    issued = parsed(outputs)
    issued.verify_directly_issued_by(issued)
    used = issued.signature_hash_algorithm
    assert (None if used is None else type(used)) is digest
    assert outputs["keyAlgorithm"] == algorithm


async def test_names_are_critical_where_the_subject_is_empty() -> None:
    plugin = Plugin()
    inputs: dict[str, Plain] = {
        "privateKeyPem": await key_pem(plugin),
        "dnsNames": ["a.example"],
        "allowedUses": [],
        "validityPeriodHours": 1,
    }
    issued = parsed(await plugin.made(SELF_SIGNED, inputs))
    assert issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    with pytest.raises(x509.ExtensionNotFound):
        issued.extensions.get_extension_for_class(x509.KeyUsage)


async def test_a_request_from_elsewhere_is_signed_for_its_own_key_without_its_mail_addresses() -> None:
    plugin = Plugin()
    names = [x509.RFC822Name("ops@vm.example"), x509.DNSName("vm.example")]
    request = (
        x509.CertificateSigningRequestBuilder(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key("P521"), hashes.SHA512())
    )
    inputs = {**await leaf_inputs(plugin), "certRequestPem": request.public_bytes(Encoding.PEM).decode()}
    leaf = parsed(await plugin.made(LOCALLY_SIGNED, inputs))
    assert leaf.public_key() == key("P521").public_key()
    copied = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(copied) == [x509.DNSName("vm.example")]


async def test_an_altered_request_is_refused() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    der = bytearray(x509.load_pem_x509_csr(str(inputs["certRequestPem"]).encode()).public_bytes(Encoding.DER))
    at = der.index(b"localhost")
    der[at : at + 9] = b"otherhost"
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    problems = await plugin.problems(LOCALLY_SIGNED, {**inputs, "certRequestPem": forged})
    assert list(problems) == ["certRequestPem"]
    assert "CN=server" in problems["certRequestPem"]
    assert "make a new request" in problems["certRequestPem"].split("To fix:")[1]


async def test_a_key_of_another_authority_is_refused() -> None:
    plugin = Plugin()
    inputs = {**await leaf_inputs(plugin), "caPrivateKeyPem": await key_pem(plugin, "P521")}
    problems = await plugin.problems(LOCALLY_SIGNED, inputs)
    assert list(problems) == ["caPrivateKeyPem"]
    assert "O=Tests" in problems["caPrivateKeyPem"]


async def test_signing_by_a_certificate_that_is_no_authority_is_refused() -> None:
    plugin = Plugin()
    ca_key, _ = await authority(plugin)
    outputs = await plugin.made(SELF_SIGNED, {**ca_inputs(ca_key), "isCaCertificate": False})
    problems = await plugin.problems(LOCALLY_SIGNED, {**await leaf_inputs(plugin), "caCertPem": outputs["certPem"]})
    assert list(problems) == ["caCertPem"]
    assert "is_ca_certificate=True" in problems["caCertPem"]


async def test_an_encrypted_key_is_refused_without_being_quoted() -> None:
    pem = key("P256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")).decode()
    problems = await Plugin().problems(SELF_SIGNED, ca_inputs(pem))
    assert list(problems) == ["privateKeyPem"]
    assert "ENCRYPTED PRIVATE KEY" in problems["privateKeyPem"]
    assert pem.splitlines()[1] not in problems["privateKeyPem"]


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"allowedUses": ["server-auth"]}, "allowedUses", "'server-auth'"),
        ({"allowedUses": ["encipher_only"]}, "allowedUses", "encipher_only"),
        ({"validityPeriodHours": -1}, "validityPeriodHours", "-1"),
        ({"validityPeriodHours": 10**9}, "validityPeriodHours", "1000000000"),
        ({"validityPeriodHours": 1.5}, "validityPeriodHours", "type float"),
        ({"earlyRenewalHours": -2}, "earlyRenewalHours", "-2"),
        ({"maxPathLength": -2}, "maxPathLength", "-2"),
        ({"subject": {}}, "subject", "empty"),
        ({"subject": {"country": "Spain"}}, "subject.country", "'Spain'"),
        ({"subject": {"common_name": "x"}}, "subject.common_name", "given"),
        ({"dnsNames": ["münchen.example"]}, "dnsNames", "'münchen.example'"),
        ({"ipAddresses": ["10.0.0.0/8"]}, "ipAddresses", "'10.0.0.0/8'"),
        ({"privateKeyPem": "secret words"}, "privateKeyPem", "12 characters without PEM"),
        ({"privateKeyPemWo": "x"}, "privateKeyPemWo", "given"),
    ],
)
async def test_bad_input_is_refused_by_name_with_its_value(change: dict[str, Plain], name: str, value: str) -> None:
    plugin = Plugin()
    problems = await plugin.problems(SELF_SIGNED, {**ca_inputs(await key_pem(plugin)), **change})
    assert list(problems) == [name]
    assert value in problems[name]
    assert "To fix:" in problems[name]


async def test_an_authority_key_id_needs_a_subject_key_id() -> None:
    plugin = Plugin()
    inputs: dict[str, Plain] = {
        **ca_inputs(await key_pem(plugin)),
        "isCaCertificate": False,
        "setSubjectKeyId": False,
        "setAuthorityKeyId": True,
    }
    assert list(await plugin.problems(SELF_SIGNED, inputs)) == ["setAuthorityKeyId"]


async def test_unknown_inputs_pass_the_check_and_give_unknown_outputs() -> None:
    plugin = Plugin()
    inputs: dict[str, Plain] = {
        "certRequestPem": UNKNOWN,
        "caCertPem": UNKNOWN,
        "caPrivateKeyPem": UNKNOWN,
        "allowedUses": ["server_auth"],
        "validityPeriodHours": 5,
    }
    assert await plugin.problems(LOCALLY_SIGNED, inputs) == {}
    _, outputs = await plugin.create(LOCALLY_SIGNED, inputs, preview=True)
    assert (outputs["certPem"], outputs["validityEndTime"]) == (UNKNOWN, UNKNOWN)
    assert outputs["validityPeriodHours"] == 5


async def test_the_key_of_a_certificate_stays_secret_even_if_the_program_passed_it_in_clear() -> None:
    plugin = Plugin()
    inputs = ca_inputs(await key_pem(plugin))
    checked = (await plugin.check(SELF_SIGNED, inputs)).inputs or {}
    created = (await plugin.raw_create(SELF_SIGNED, inputs)).properties
    assert checked["privateKeyPem"].is_secret
    assert [name for name, value in created.items() if value.is_secret] == ["privateKeyPem"]


async def test_what_the_program_calls_secret_is_secret_in_the_state_too() -> None:
    plugin = Plugin()
    names = PropertyValue([PropertyValue("hidden.example", is_secret=True)])
    properties = {**wrapped(ca_inputs(await key_pem(plugin))), "dnsNames": names}
    response = await plugin.provider.create(engine.CreateRequest(urn(SELF_SIGNED), properties, 0.0, preview=False))
    assert {name for name, value in response.properties.items() if value.is_secret} == {"privateKeyPem", "dnsNames"}
