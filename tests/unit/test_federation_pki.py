"""FederationPKI over a mock engine that makes real certificates with the tls plugin's own functions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from pulumi.runtime import MockCallArgs, MockResourceArgs

from components import join_bundle
from components.errors import RefusalError
from components.federation_pki import FederationPKI, FederationPKIArgs
from components.pki_rules import certificate_fingerprint
from pulumi_resource_tls.properties import check_shape, with_defaults
from pulumi_resource_tls.provider import KINDS
from tests.components_support import reveal
from tests.tls_support import CERT_REQUEST, LOCALLY_SIGNED, PRIVATE_KEY, SELF_SIGNED, fixed_sources

COMPONENT = "flower:index:FederationPKI"


@dataclass
class CertifyingEngine(pulumi.runtime.Mocks):
    """Makes what a program declares, and remembers it."""

    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name, in plain."""
    types: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, list[str]] = field(default_factory=dict)
    """Paths of the secret inputs, by name."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        plain, secret = reveal(dict(args.inputs))
        self.inputs[args.name], self.types[args.name], self.secrets[args.name] = plain, args.typ, secret
        if args.typ not in KINDS:
            return None, dict(args.inputs)
        kind = KINDS[args.typ]
        whole = {name: int(value) if isinstance(value, float) else value for name, value in plain.items()}
        problems = [*check_shape(kind.properties, whole), *kind.rules(with_defaults(kind.properties, whole))]
        assert not problems
        created = kind.make(with_defaults(kind.properties, whole), fixed_sources())
        return created.id, {**plain, **created.outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"FederationPKI calls no function, but {args.token} was called")


@dataclass(frozen=True)
class Outcome:
    engine: CertifyingEngine
    values: Mapping[str, Any]
    secret: frozenset[str]


@dataclass(frozen=True)
class Later:
    """An address that the program only has as an output."""

    address: str


def arguments(
    *, names: Any = ("superlink.example",), addresses: Any = ("127.10.1.10",), **more: Any
) -> FederationPKIArgs:
    """Arguments with what a test gives, and good values for the rest."""
    known = [pulumi.Output.from_input(each.address) if isinstance(each, Later) else each for each in addresses]
    return FederationPKIArgs(
        federation="tests", server_names=names, server_addresses=known, **{"server_key": "stack", **more}
    )


OUTPUTS = ("ca_certificate", "ca_fingerprint", "server_certificate", "server_key", "bundle_certificate", "bundle_key")


def declare(
    *,
    opts: pulumi.ResourceOptions | None = None,
    **more: Any,
) -> Outcome:
    """Run a program that declares one FederationPKI, and wait for its outputs."""
    engine, values, secret = CertifyingEngine(), {}, set()
    pulumi.runtime.set_mocks(engine, project="flower-federation", stack="test")

    def program() -> pulumi.Output[Any]:
        pki = FederationPKI("pki", arguments(**more), opts)
        return pulumi.Output.all(*(watch(pki, name) for name in OUTPUTS))

    def watch(pki: FederationPKI, name: str) -> pulumi.Output[Any]:
        output = getattr(pki, name)

        async def look() -> None:
            values[name] = await output.future()
            if await output.is_secret():
                secret.add(name)

        return pulumi.Output.from_input(look())

    pulumi.runtime.test(program)()
    return Outcome(engine, values, frozenset(secret))


@pytest.fixture(scope="module", autouse=True)
def event_loop_for_mocks() -> None:
    """Pulumi's mocks ask for the thread's current loop, and pytest-asyncio leaves none behind after its tests."""
    asyncio.set_event_loop(asyncio.new_event_loop())


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return declare()


def test_it_declares_two_cas_and_their_certificates_with_keys_of_their_own(outcome: Outcome) -> None:
    assert outcome.engine.types == {
        "pki": COMPONENT,
        "pki-ca-key": PRIVATE_KEY,
        "pki-ca": SELF_SIGNED,
        "pki-server-key": PRIVATE_KEY,
        "pki-server-request": CERT_REQUEST,
        "pki-server": LOCALLY_SIGNED,
        "pki-bundle-key": PRIVATE_KEY,
        "pki-bundle-request": CERT_REQUEST,
        "pki-bundle": LOCALLY_SIGNED,
        "pki-control-ca-key": PRIVATE_KEY,
        "pki-control-ca": SELF_SIGNED,
        "pki-control-stack-key": PRIVATE_KEY,
        "pki-control-stack-request": CERT_REQUEST,
        "pki-control-stack": LOCALLY_SIGNED,
    }


def test_every_key_is_on_p384(outcome: Outcome) -> None:
    for name in ("pki-ca-key", "pki-server-key", "pki-bundle-key", "pki-control-ca-key", "pki-control-stack-key"):
        assert outcome.engine.inputs[name] == {"algorithm": "ECDSA", "ecdsaCurve": "P384"}


def test_the_server_certificate_chains_to_the_ca_and_belongs_to_the_server_key(outcome: Outcome) -> None:
    ca = x509.load_pem_x509_certificate(outcome.values["ca_certificate"].encode())
    server = x509.load_pem_x509_certificate(outcome.values["server_certificate"].encode())
    server.verify_directly_issued_by(ca)
    assert load_pem_private_key(outcome.values["server_key"].encode(), None).public_key() == server.public_key()
    assert ca.subject.rfc4514_string() == "CN=Flower federation CA,O=tests"


def test_the_server_is_vouched_for_under_its_names_its_address_and_loopback(outcome: Outcome) -> None:
    server = x509.load_pem_x509_certificate(outcome.values["server_certificate"].encode())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["superlink.example", "localhost", "127.10.1.10", "127.0.0.1"]


def test_the_fingerprint_is_that_of_the_ca(outcome: Outcome) -> None:
    assert outcome.values["ca_fingerprint"] == certificate_fingerprint(outcome.values["ca_certificate"])


def test_of_its_outputs_exactly_the_keys_are_secret(outcome: Outcome) -> None:
    assert outcome.secret == {"server_key", "bundle_key"}


def test_the_signer_of_bundles_is_certified_for_bundles_and_for_no_server(outcome: Outcome) -> None:
    ca = x509.load_pem_x509_certificate(outcome.values["ca_certificate"].encode())
    signer = x509.load_pem_x509_certificate(outcome.values["bundle_certificate"].encode())
    signer.verify_directly_issued_by(ca)
    assert load_pem_private_key(outcome.values["bundle_key"].encode(), None).public_key() == signer.public_key()
    purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert signer.subject.rfc4514_string() == "CN=Flower join bundles,O=tests"


def test_a_bundle_that_it_signs_can_be_read_by_the_zone(outcome: Outcome) -> None:
    signer = x509.load_pem_x509_certificate(outcome.values["bundle_certificate"].encode())
    names = ("federation", "superlink_fleet_endpoint", "flower_version")
    said = dict(zip(names, ("tests", "superlink.example:9092", "1.41.0"), strict=True))
    facts = join_bundle.make_facts(
        outputs=said | {name: outcome.values[name] for name in ("ca_certificate", "ca_fingerprint")},
        zone="berlin",
        now=signer.not_valid_before_utc + timedelta(hours=1),
        validity=timedelta(days=14),
        signer_pem=outcome.values["bundle_certificate"],
    )

    text = join_bundle.sign(
        facts, signer_pem=outcome.values["bundle_certificate"], key_pem=outcome.values["bundle_key"]
    )

    assert join_bundle.read(text).facts == facts


def test_keys_reach_the_resources_as_secrets_only(outcome: Outcome) -> None:
    with_keys = {
        f"{name}.{path}"
        for name, inputs in outcome.engine.inputs.items()
        for path, value in inputs.items()
        if "PRIVATE KEY" in str(value)
    }
    assert with_keys == {f"{name}.{path}" for name, paths in outcome.engine.secrets.items() for path in paths}
    assert with_keys == {
        "pki-ca.privateKeyPem",
        "pki-server-request.privateKeyPem",
        "pki-server.caPrivateKeyPem",
        "pki-bundle-request.privateKeyPem",
        "pki-bundle.caPrivateKeyPem",
        "pki-control-ca.privateKeyPem",
        "pki-control-stack-request.privateKeyPem",
        "pki-control-stack.caPrivateKeyPem",
    }


def test_default_lifetimes_are_five_years_and_ninety_days_renewed_thirty_days_early(outcome: Outcome) -> None:
    ca, server = outcome.engine.inputs["pki-ca"], outcome.engine.inputs["pki-server"]
    assert ca["validityPeriodHours"] == 5 * 365 * 24
    assert (server["validityPeriodHours"], server["earlyRenewalHours"]) == (90 * 24, 30 * 24)


def test_the_ca_is_renewed_before_a_leaf_could_outlive_it() -> None:
    engine = declare(leaf_validity=timedelta(days=10), early_renewal=timedelta(days=2)).engine
    assert engine.inputs["pki-ca"]["earlyRenewalHours"] == engine.inputs["pki-server"]["validityPeriodHours"] == 240


def test_an_address_that_comes_as_an_output_ends_up_in_the_certificate() -> None:
    engine = declare(addresses=["127.10.1.10", Later("192.0.2.44")]).engine
    assert engine.inputs["pki-server-request"]["ipAddresses"] == ["127.10.1.10", "192.0.2.44", "127.0.0.1"]


def test_a_callers_aliases_do_not_reach_the_resources() -> None:
    seen: dict[str, Any] = {}

    def look(args: pulumi.ResourceTransformationArgs) -> None:
        seen[args.name] = (args.opts.aliases, type(args.opts.parent).__name__)

    declare(opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="older")], transformations=[look]))
    assert seen.pop("pki")[0]
    assert set(seen.values()) == {(None, "FederationPKI")}
    assert len(seen) == 13


@pytest.mark.parametrize(
    ("bad", "value"),
    [
        ({"leaf_validity": timedelta(days=91)}, "91 days"),
        ({"ca_validity": timedelta(days=3651)}, "3651 days"),
        ({"leaf_validity": timedelta(days=80), "ca_validity": timedelta(days=80)}, "80 days"),
        ({"early_renewal": timedelta(days=90)}, "90 days"),
        ({"leaf_validity": timedelta(hours=30, minutes=1)}, "1 day, 6:01:00"),
        ({"names": [], "addresses": []}, "[]"),
        ({"names": ["*.example"]}, "'*.example'"),
        ({"names": ["super_link.example"]}, "'super_link.example'"),
        ({"addresses": ["superlink.example"]}, "'superlink.example'"),
        ({"names": ["a..b"], "addresses": [Later("192.0.2.44")]}, "'a..b'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_declared(bad: dict[str, Any], value: str) -> None:
    engine = CertifyingEngine()
    pulumi.runtime.set_mocks(engine, project="flower-federation", stack="test")
    with pytest.raises(RefusalError) as refusal:
        FederationPKI("pki", arguments(**bad))
    assert value in refusal.value.value
    assert "central stack" in refusal.value.remedy
    assert engine.inputs == {}
