"""A server key of the VM's own: what is asked for, what is signed, what is refused; and nothing secret is declared."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.errors import RefusalError
from components.federation_pki import FederationPKI
from components.pki_rules import ServerIdentities
from components.published_keys import PublishedVm
from components.server_key import (
    REQUEST,
    OwnServerKey,
    check_place,
    check_request,
    published_request,
    request_variables,
)
from components.superlink import FlowerSuperLink
from flower_appliance.serverkey import COMMON_NAME
from tests.components_support import LIVE, TEMPLATE, RecordingCloud, authority, request_tags, run_program
from tests.unit.test_components_superlink import arguments
from tests.unit.test_federation_pki import CertifyingEngine
from tests.unit.test_federation_pki import arguments as pki_arguments

NAMES = ServerIdentities(dns_names=("fl.example", "localhost"), addresses=("10.66.0.10", "127.0.0.1"))
WANTED = request_variables(NAMES, federation="demo", epoch=0)
Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def request(
    *,
    names: Sequence[str] = (*NAMES.dns_names, *NAMES.addresses),
    common_name: str = COMMON_NAME,
    organization: str = "demo",
    curve: ec.EllipticCurve | None = None,
    more_names: Sequence[x509.GeneralName] = (),
    extensions: Extensions = (),
) -> str:
    """A signing request as a VM, or somebody in its place, could make it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
            ]
        )
    )
    general: list[x509.GeneralName] = [*more_names]
    for name in names:
        address = name.replace(".", "").isdigit()
        general.append(x509.IPAddress(ipaddress.ip_address(name)) if address else x509.DNSName(name))
    builder = builder.add_extension(x509.SubjectAlternativeName(general), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(ec.generate_private_key(curve or ec.SECP384R1()), hashes.SHA384())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def signed_by_another(pem: str) -> str:
    """The request with a signature that is not its key's."""
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def published(number: int = 0, **attributes: str) -> PublishedVm:
    return PublishedVm(name=f"superlink_{number}_(service_15)", attributes=attributes)


def test_what_the_appliance_asks_for_is_signed() -> None:
    tags = request_tags(WANTED)

    pem = published_request([published(**tags)], wanted=WANTED)

    assert check_request(pem, NAMES, organization="demo") == pem
    assert len(tags["FL_SERVER_CSR"]) < 1200, "it goes through OneGate, whose other values are of this size"


def test_the_order_of_names_does_not_matter() -> None:
    assert check_request(
        request(names=("127.0.0.1", "localhost", "10.66.0.10", "fl.example")), NAMES, organization="demo"
    )


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: request(names=("fl.example", "localhost", "10.66.0.10", "127.0.0.1", "evil.example")), "evil.example"),
        (lambda: request(names=("fl.example", "localhost", "127.0.0.1")), "the names fl.example"),
        (lambda: request(more_names=[x509.RFC822Name("root@fl.example")]), "neither DNS names nor addresses"),
        (lambda: request(common_name="Flower join bundles"), "CN=Flower join bundles"),
        (lambda: request(organization="another"), "O=another"),
        (lambda: request(curve=ec.SECP256R1()), "not EC P-384"),
        (
            lambda: request(extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)]),
            "extensions besides its names",
        ),
        (lambda: signed_by_another(request()), "a signature of another key"),
        (lambda: authority().pem, "no signing request"),
        (lambda: "", "no signing request"),
    ],
)
def test_a_request_for_anything_else_is_refused_with_what_it_asked_for(make: Callable[[], str], found: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_request(make(), NAMES, organization="demo")
    assert found in refusal.value.value
    assert "appliance.log" in refusal.value.remedy


@pytest.mark.parametrize(
    ("vms", "shown"),
    [
        ([], "no VM"),
        ([published(**{REQUEST: "of an older request", "FL_SERVER_CSR": "AAAA"})], "of an older request"),
        ([published(), published(1, **request_tags(WANTED))], "superlink_1_(service_15)"),
        ([published(**{REQUEST: "\x1b[2J", "FL_SERVER_CSR": "AAAA"})], r"'\x1b[2J'"),
        ([published(**{REQUEST: WANTED[REQUEST], "FL_SERVER_CSR": "=broken="})], "no base64"),
        ([published(**{REQUEST: WANTED[REQUEST], "FL_SERVER_CSR": "äöü="})], "no base64"),
    ],
)
def test_only_the_one_vms_answer_to_this_very_request_counts(vms: list[PublishedVm], shown: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        published_request(vms, wanted=WANTED)
    assert shown in refusal.value.value
    assert "run pulumi up again" in refusal.value.remedy


def test_another_name_another_federation_and_another_key_are_other_requests() -> None:
    others = [
        request_variables(replace(NAMES, dns_names=("localhost",)), federation="demo", epoch=0),
        request_variables(NAMES, federation="other", epoch=0),
        request_variables(NAMES, federation="demo", epoch=1),
    ]
    assert len({found[REQUEST] for found in (WANTED, *others)}) == 4


@pytest.mark.parametrize(("place", "own_ca", "remedy"), [("cloud", False, "leave it out"), ("vm", True, "remove")])
def test_a_place_that_cannot_be_is_refused(place: str, own_ca: bool, remedy: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_place(place, own_ca=own_ca, where="superlink.serverKey")
    assert place in refusal.value.value
    assert remedy in refusal.value.remedy


def superlink_with_own_key(epoch: int = 0) -> RecordingCloud:
    cloud = RecordingCloud()
    run_program(
        cloud,
        lambda: FlowerSuperLink(
            "madrid",
            arguments(
                server=OwnServerKey(
                    identities=pulumi.Output.from_input(NAMES),
                    epoch=epoch,
                    sign=lambda pem: pem.apply(lambda text: authority(len(text) % 2).pem),
                )
            ),
        ),
    )
    return cloud


def test_the_vm_is_told_what_to_ask_for_and_given_the_certificate_while_it_runs() -> None:
    cloud = superlink_with_own_key()
    (asked,) = [each for each in cloud.of(LIVE) if each.inputs["acknowledgement"] == REQUEST]
    (live,) = [each for each in cloud.of(LIVE) if each.inputs["acknowledgement"] == "FL_CONTEXT_REVISION"]
    template = cloud.one(TEMPLATE).inputs["context"]

    assert asked.inputs["variables"] == WANTED
    assert (
        {name: template[name] for name in WANTED} == {name: live.inputs["variables"][name] for name in WANTED} == WANTED
    )
    assert "FL_SERVER_CERT" not in template
    assert "BEGIN CERTIFICATE" in base64.b64decode(live.inputs["variables"]["FL_SERVER_CERT"]).decode()
    assert live.inputs["variables"]["FL_CONTEXT_REVISION"] != template["FL_CONTEXT_REVISION"]


def test_no_key_is_in_anything_that_is_declared_and_no_context_is_secret_any_more() -> None:
    cloud = superlink_with_own_key()

    declared = json.dumps([each.inputs for each in cloud.declared])
    assert 'FL_SERVER_KEY"' not in declared and "PRIVATE KEY" not in declared
    assert [each.type for each in cloud.declared if each.secrets] == ["pulumi:providers:opennebula"]


def test_a_new_key_is_another_request_to_the_vm() -> None:
    before, after = (superlink_with_own_key(epoch).of(LIVE)[0].inputs["variables"] for epoch in (0, 1))
    assert before[REQUEST] != after[REQUEST]
    assert (before["FL_SERVER_KEY_EPOCH"], after["FL_SERVER_KEY_EPOCH"]) == ("0", "1")


def test_the_pki_makes_no_server_key_and_signs_the_request_under_the_name_of_the_certificate_it_replaces() -> None:
    engine, signed = CertifyingEngine(), dict[str, Any]()
    pulumi.runtime.set_mocks(engine, project="flower-federation", stack="test")
    names = ("superlink.example", "localhost", "127.10.1.10", "127.0.0.1")
    pem = request(names=names, organization="tests")

    def program() -> pulumi.Output[Any]:
        pki = FederationPKI("pki", pki_arguments(server_key=None))
        assert pki.server_key is None and pki.server_certificate is None
        certificate = pki.sign_server(pulumi.Output.from_input(pem))
        return pulumi.Output.all(certificate, pki.ca_certificate).apply(
            lambda pems: signed.update(server=pems[0], ca=pems[1])
        )

    pulumi.runtime.test(program)()

    server, ca = (x509.load_pem_x509_certificate(signed[name].encode()) for name in ("server", "ca"))
    server.verify_directly_issued_by(ca)
    assert server.public_key() == x509.load_pem_x509_csr(pem.encode()).public_key()
    covered = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(each.value) for each in covered} == set(names)
    assert "pki-server-key" not in engine.types and "pki-server-request" not in engine.types
    assert engine.inputs["pki-server"]["certRequestPem"] == pem
