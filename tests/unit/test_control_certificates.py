"""Client certificates of the Control API: what FederationPKI issues, to whom it refuses, and what becomes of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from components.errors import RefusalError
from components.federation_pki import FederationPKI
from components.people import ROLES, STACK_NAME, Person, check_people, client_hours
from flower_appliance.roles import Role, person_of
from flower_federation.certificate_source import from_outputs, names
from flower_federation.control_certificate import check_lifetime, read_folder, write_folder
from flower_federation.errors import InputError
from tests.unit.test_federation_pki import CertifyingEngine, arguments

ADA, EVE = Person(name="Ada Lovelace", role="researcher"), Person(name="Zoë O'Neill", role="auditor")


@dataclass(frozen=True)
class Issued:
    """What a program got."""

    ca: str
    outputs: dict[str, Any]
    secret: bool
    engine: CertifyingEngine


@pytest.fixture(scope="module")
def issued() -> Issued:
    asyncio.set_event_loop(asyncio.new_event_loop())
    engine, kept = CertifyingEngine(), {}
    pulumi.runtime.set_mocks(engine, project="flower-federation", stack="test")

    def program() -> Any:
        pki = FederationPKI("pki", arguments(people=[ADA, EVE]))
        outputs = {
            "operator_certificate": pki.stack_operator.output(),
            "control_certificates": pulumi.Output.secret(
                {name: certificate.output() for name, certificate in pki.people.items()}
            ),
            "ca_certificate": pki.ca_certificate,
            "superlink_control_endpoint": "10.0.0.5:9093",
        }

        async def look() -> None:
            kept["secret"] = await outputs["operator_certificate"].is_secret()
            kept["outputs"] = await pulumi.Output.all(**outputs).future()
            kept["ca"] = await pki.control_ca_certificate.future()

        return pulumi.Output.from_input(look())

    pulumi.runtime.test(program)()
    return Issued(kept["ca"], kept["outputs"], kept["secret"], engine)


def test_each_person_and_the_stack_get_a_certificate_that_the_gateway_reads_as_that_role(issued: Issued) -> None:
    found = [from_outputs(issued.outputs, name=name).facts for name in (None, *names(issued.outputs))]
    assert [(facts.name, facts.role) for facts in found] == [
        (STACK_NAME, "operator"),
        ("Ada Lovelace", "researcher"),
        ("Zoë O'Neill", "auditor"),
    ]
    for facts in found:
        # As Go's crypto/x509 prints it: the last attribute first.
        person = person_of(f"CN={facts.name},OU={facts.role},O=tests", "tests")
        assert person is not None
        assert (person.name, person.role) == (facts.name, facts.role)


def test_client_certificates_come_from_a_ca_of_their_own_and_are_good_for_clients_only(issued: Issued) -> None:
    control, server_ca = (
        x509.load_pem_x509_certificate(pem.encode()) for pem in (issued.ca, issued.outputs["ca_certificate"])
    )
    certificate = x509.load_pem_x509_certificate(from_outputs(issued.outputs, name="Ada Lovelace").certificate.encode())
    certificate.verify_directly_issued_by(control)
    with pytest.raises(ValueError, match="match"):
        certificate.verify_directly_issued_by(server_ca)
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert [attribute.oid._name for attribute in certificate.subject] == [
        "organizationName",
        "organizationalUnitName",
        "commonName",
    ]


def test_peoples_certificates_live_a_week_and_the_stacks_a_month_and_are_renewed_in_their_last_third(
    issued: Issued,
) -> None:
    hours = {
        name: (inputs["validityPeriodHours"], inputs["earlyRenewalHours"])
        for name, inputs in issued.engine.inputs.items()
        if name in ("pki-control-stack", "pki-control-Ada Lovelace")
    }
    assert hours == {"pki-control-stack": (720, 240), "pki-control-Ada Lovelace": (168, 56)}


def test_certificates_leave_the_stack_as_secrets_and_their_keys_are_secret_inputs(issued: Issued) -> None:
    assert issued.secret
    assert "pki-control-Ada Lovelace-request.privateKeyPem" in {
        f"{name}.{path}" for name, paths in issued.engine.secrets.items() for path in paths
    }


def test_every_name_that_is_let_through_has_resources_of_its_own(issued: Issued) -> None:
    """The engine refuses two resources of one type and name; names that are near to ours are let through."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    engine = CertifyingEngine()
    declared: list[tuple[str, str]] = []
    answer = engine.new_resource

    def record(args: Any) -> Any:
        declared.append((args.typ, args.name))
        return answer(args)

    engine.new_resource = record  # type: ignore[method-assign]
    pulumi.runtime.set_mocks(engine, project="flower-federation", stack="test")
    near = [
        Person(name=name, role="auditor") for name in ("Stack", "ca-key", "stack-key", "stack-request", "x", "x-key")
    ]
    pulumi.runtime.test(lambda: FederationPKI("pki", arguments(people=near)).control_ca_certificate)()

    assert len(set(declared)) == len(declared) > 6 * 3


def test_roles_are_those_of_the_gateway() -> None:
    assert set(ROLES) == {role.value for role in Role}


@pytest.mark.parametrize(
    ("people", "value", "remedy"),
    [
        ([Person(name="", role="operator")], "''", "spell the name"),
        ([Person(name=" Ada", role="operator")], "' Ada'", "spell the name"),
        ([Person(name="x,OU=operator", role="auditor")], "'x,OU=operator'", "spell the name"),
        ([Person(name="a+b", role="auditor")], "'a+b'", "spell the name"),
        ([Person(name="../x", role="auditor")], "'../x'", "spell the name"),
        ([Person(name="x\n", role="auditor")], "'x\\n'", "spell the name"),
        ([Person(name="x" * 65, role="auditor")], "x" * 65, "spell the name"),
        ([Person(name="Ada", role="root")], "'root'", "correct the role of Ada"),
        ([Person(name="Ada", role="operator"), Person(name="ADA", role="auditor")], "'ADA'", "tells the two apart"),
        ([Person(name="Central Stack", role="auditor")], "'Central Stack'", "tells the two apart"),
        (
            [Person(name="Zo\u00eb", role="operator"), Person(name="Zoe\u0308", role="auditor")],
            "Zo",
            "tells the two apart",
        ),
        ([Person(name="stack", role="operator")], "'stack'", "full name"),
        ([Person(name="ca", role="auditor")], "'ca'", "full name"),
    ],
)
def test_a_person_that_a_certificate_cannot_name_safely_is_refused(
    people: list[Person], value: str, remedy: str
) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_people(people)
    assert value in refusal.value.value
    assert remedy in refusal.value.remedy


@pytest.mark.parametrize(
    "validity", [timedelta(days=31), timedelta(hours=2), timedelta(hours=5, minutes=1), -timedelta(1)]
)
def test_a_lifetime_out_of_bounds_is_refused_with_the_setting_to_change(validity: timedelta) -> None:
    with pytest.raises(RefusalError) as refusal:
        client_hours(validity)
    assert "clientCertificateDays" in refusal.value.remedy


def test_an_exported_folder_is_its_owners_alone_and_comes_back_whole(issued: Issued, tmp_path: Path) -> None:
    certificate = from_outputs(issued.outputs, name="Ada Lovelace")
    files = write_folder(tmp_path / "ada", certificate)

    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "ada").stat().st_mode & 0o777 == 0o700
    assert read_folder(tmp_path / "ada") == certificate
    assert "PRIVATE KEY" not in repr(certificate)


def test_a_folder_or_a_key_that_others_can_read_is_refused(issued: Issued, tmp_path: Path) -> None:
    certificate = from_outputs(issued.outputs, name="Ada Lovelace")
    write_folder(tmp_path / "ada", certificate)
    (tmp_path / "ada/key.pem").chmod(0o640)
    with pytest.raises(InputError, match="mode 0640"):
        read_folder(tmp_path / "ada")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(InputError, match="chmod 700"):
        write_folder(tmp_path / "open", certificate)
    assert list((tmp_path / "open").iterdir()) == []


def test_somebody_without_a_certificate_is_told_who_has_one(issued: Issued) -> None:
    with pytest.raises(InputError, match=r"there are Ada Lovelace, Zoë O'Neill") as refusal:
        from_outputs(issued.outputs, name="Grace")
    assert "people" in refusal.value.remedy


def test_an_expired_certificate_is_refused_with_what_to_ask_for(issued: Issued) -> None:
    facts = from_outputs(issued.outputs, name="Ada Lovelace").facts
    check_lifetime(facts, now=facts.not_after - timedelta(seconds=1))
    with pytest.raises(InputError, match="federation certificate export"):
        check_lifetime(facts, now=datetime.now(UTC) + timedelta(days=4000))


def test_a_folder_that_cannot_be_made_is_refused_and_the_key_is_written_nowhere(issued: Issued, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    certificate = from_outputs(issued.outputs, name=None)
    with pytest.raises(InputError, match="Not a directory"):
        write_folder(tmp_path / "file" / "ada", certificate)
