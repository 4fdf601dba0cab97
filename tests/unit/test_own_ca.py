"""A federation with a CA that is not ours: settings, checks, what is declared and what is exported."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from components.errors import RefusalError, SeveralRefusalsError
from components.federation_pki import FederationPKI, FederationPKIArgs
from components.own_ca import OwnCertificates, check_own_certificates
from components.pki_rules import ServerIdentities
from infra import central
from infra.central_settings import CentralSettings
from infra.settings import RawConfig, load
from tests.components_support import TEMPLATE, RecordingCloud, run_and_resolve, run_program
from tests.infra_support import as_texts, machine, stack_values
from tests.join_support import (
    ADDRESSES,
    NAMES,
    NOW,
    Wish,
    ec_key,
    issue,
    key_pem,
    key_usage,
    pem,
    root,
    server,
    signer,
)

IDENTITIES = ServerIdentities(dns_names=NAMES, addresses=ADDRESSES)
DAY = timedelta(days=1)
SERVER_KEY, BUNDLE_KEY = key_pem(ec_key(2)), key_pem(ec_key(3))
ISSUING = issue(
    Wish(
        name="issuing",
        key=ec_key(4),
        ca=True,
        usage=key_usage("key_cert_sign"),
        purposes=(),
        end=NOW + 500 * DAY,
    ),
    issuer="root",
    issuer_key=ec_key(1),
)


@pytest.fixture(autouse=True)
def event_loop_for_mocks() -> None:
    """Pulumi's mocks ask for the thread's current loop, and pytest-asyncio leaves none behind after its tests."""
    asyncio.set_event_loop(asyncio.new_event_loop())


def own(**changes: Any) -> OwnCertificates:
    given = OwnCertificates(
        ca_certificate=pem(root()),
        chain=pem(ISSUING),
        server_certificate=pem(server(4, issuer="issuing")),
        server_key=SERVER_KEY,
        bundle_certificate=pem(signer()),
        bundle_key=BUNDLE_KEY,
        checked_at=NOW,
    )
    return replace(given, **changes)


def refused(certificates: OwnCertificates) -> RefusalError:
    with pytest.raises(RefusalError) as refusal:
        check_own_certificates(certificates, IDENTITIES)
    return refusal.value


def test_certificates_that_fit_together_are_taken_without_a_word() -> None:
    assert check_own_certificates(own(), IDENTITIES) == ()
    assert check_own_certificates(own(bundle_certificate=None, bundle_key=None), IDENTITIES) == ()


def test_each_of_them_warns_from_thirty_days_before_its_end_and_is_refused_after() -> None:
    leaf, bundle = server(4, issuer="issuing", end=NOW + 31 * DAY), signer(end=NOW + 40 * DAY)
    given = own(server_certificate=pem(leaf), bundle_certificate=pem(bundle))

    def warnings(days: int) -> list[str]:
        found = check_own_certificates(replace(given, checked_at=NOW + days * DAY), IDENTITIES)
        return [text.partition(": expires at ")[0] for text in found]

    assert warnings(0) == []
    assert warnings(1) == ["server certificate of the SuperLink"]
    assert warnings(10) == ["server certificate of the SuperLink", "certificate for join bundles"]
    (said,) = check_own_certificates(replace(given, checked_at=NOW + DAY), IDENTITIES)
    assert "in 30 days. Have it signed again, put it into its file, and run pulumi up" in said
    ended = refused(replace(given, checked_at=NOW + 31 * DAY))
    assert ended.value.startswith("ca.serverCertificate: CN=Flower SuperLink, valid from")


def test_a_ca_that_nears_its_end_is_told() -> None:
    old = root(end=NOW + 85 * DAY)
    given = own(ca_certificate=pem(old), checked_at=NOW + 56 * DAY)

    assert [text.partition(":")[0] for text in check_own_certificates(given, IDENTITIES)] == [
        *("CA certificate", "server certificate of the SuperLink", "certificate for join bundles")
    ]


@pytest.mark.parametrize("name", ["ca_certificate", "chain", "server_certificate", "bundle_certificate"])
def test_a_key_beside_a_certificate_is_refused_wherever_it_stands(name: str) -> None:
    given = own()
    refusal = refused(replace(given, **{name: getattr(given, name) + key_pem(ec_key(1))}))

    assert "and a private key (not shown)" in refusal.value
    assert "PRIVATE KEY-" not in str(refusal)


@pytest.mark.parametrize("left_out", ["bundle_certificate", "bundle_key"])
def test_a_certificate_for_bundles_comes_with_its_key(left_out: str) -> None:
    assert "only one of them is set" in refused(own(**{left_out: None})).value


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"server_key": BUNDLE_KEY}, "serverKey: "),
        ({"bundle_key": SERVER_KEY}, "bundleKey: "),
        ({"chain": ""}, "ca.chain: CN=Flower SuperLink, followed by CN=root"),
        ({"ca_certificate": pem(root(9))}, "ca.chain: CN=issuing, followed by CN=root"),
        ({"bundle_certificate": pem(signer(9))}, "ca.bundleCertificate: "),
    ],
)
def test_what_does_not_fit_is_refused_with_the_setting_that_names_it(changes: dict[str, str], where: str) -> None:
    assert refused(own(**changes)).value.startswith(where)


OTHER_ROOT = root(9, name="root 2")
OTHER_SERVER = server(9, issuer="root 2")
BOTH = pem(root()) + pem(OTHER_ROOT)


@pytest.mark.parametrize("ca", [BOTH, pem(OTHER_ROOT) + pem(root())])
def test_while_a_root_takes_over_from_another_either_of_them_may_have_signed(ca: str) -> None:
    old, new = own(ca_certificate=ca), own(ca_certificate=ca, server_certificate=pem(OTHER_SERVER), chain="")

    assert check_own_certificates(old, IDENTITIES) == check_own_certificates(new, IDENTITIES) == ()


def test_a_root_that_did_not_sign_does_not_help_and_each_must_be_one() -> None:
    alone = own(ca_certificate=pem(OTHER_ROOT), server_certificate=pem(OTHER_SERVER), chain="")
    assert refused(alone).value.startswith("ca.bundleCertificate"), "a signer of bundles goes with its root"
    assert refused(own(ca_certificate=BOTH + pem(root(8)))).value.startswith("ca.certificate: ")
    assert "2 different ones" in refused(own(ca_certificate=pem(root()) * 2)).rule
    for wrong in (ISSUING, root(9, end=NOW)):
        assert refused(own(ca_certificate=pem(root()) + pem(wrong))).value.startswith("ca.certificate: ")


def test_no_key_is_in_the_representation_of_what_was_read() -> None:
    assert "PRIVATE" not in repr(own())


def arguments(given: OwnCertificates) -> FederationPKIArgs:
    return FederationPKIArgs(
        federation="tests", server_names=["superlink.example"], server_addresses=["127.10.1.10"], own=given
    )


def test_the_component_makes_no_ca_and_no_server_key_then() -> None:
    cloud = RecordingCloud()
    run_program(cloud, lambda: FederationPKI("pki", arguments(own())))

    names = {declared.name for declared in cloud.declared if declared.type.startswith("tls:")}
    assert names == {f"pki-control-{what}" for what in ("ca-key", "ca", "stack-key", "stack-request", "stack")}, (
        "the Control API's clients have a CA of their own in any case"
    )


def test_the_component_tells_both_roots_and_both_fingerprints_while_one_takes_over() -> None:
    def program() -> dict[str, Any]:
        pki = FederationPKI("pki", arguments(own(ca_certificate=BOTH)))
        return {"ca": pki.ca_certificate, "fingerprint": pki.ca_fingerprint}

    outputs = run_and_resolve(RecordingCloud(), program)

    assert outputs["ca"] == BOTH
    assert outputs["fingerprint"].split() == [each.fingerprint(hashes.SHA256()).hex() for each in (root(), OTHER_ROOT)]


def test_the_component_presents_the_chain_and_keeps_the_keys_secret() -> None:
    secret: dict[str, bool] = {}

    def program() -> dict[str, Any]:
        pki = FederationPKI("pki", arguments(own()))
        found = {
            name: getattr(pki, name)
            for name in ("ca_certificate", "server_certificate", "server_key", "bundle_key", "ca_fingerprint")
        }

        async def look() -> str:
            secret.update({name: await output.is_secret() for name, output in found.items()})
            return ""

        return {**found, "looked": look()}

    outputs = run_and_resolve(RecordingCloud(), program)

    given = own()
    assert outputs["server_certificate"].split("\n\n") == [outputs["server_certificate"]], (
        "one file that gateways can read, without empty lines"
    )
    assert outputs["server_certificate"].strip().endswith(given.chain.strip())
    assert outputs["ca_certificate"] == given.ca_certificate
    assert outputs["ca_fingerprint"] == root().fingerprint(hashes.SHA256()).hex()
    assert {name for name, is_secret in secret.items() if is_secret} == {"server_key", "bundle_key"}


def test_a_preview_tells_that_a_certificate_nears_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text, *_: told.append(text))

    run_program(RecordingCloud(), lambda: FederationPKI("pki", arguments(own(checked_at=NOW + 60 * DAY))))

    assert {text.partition(": expires at ")[0] for text in told} == {
        *("server certificate of the SuperLink", "certificate for join bundles")
    }


def test_a_certificate_that_is_refused_leaves_nothing_declared() -> None:
    cloud = RecordingCloud()

    with pytest.raises(RefusalError):
        run_program(cloud, lambda: FederationPKI("pki", arguments(own(chain=""))))

    assert cloud.declared == []


FILES = {
    "certificate": "root.pem",
    "chain": "chain.pem",
    "serverCertificate": "server.pem",
    "bundleCertificate": "b.pem",
}


def settings(folder: Path, *, secret: tuple[str, ...] = ("serverKey", "bundleKey"), **changes: Any) -> CentralSettings:
    given = own()
    texts = (given.ca_certificate, given.chain, given.server_certificate, given.bundle_certificate)
    for name, text in zip(FILES.values(), texts, strict=True):
        (folder / name).write_text(str(text))
    keys = {"serverKey": SERVER_KEY, "bundleKey": BUNDLE_KEY}
    values = {**stack_values("madrid-central"), "ca": FILES, **keys, **changes}
    kept = {key: value for key, value in values.items() if value is not None}
    raw = RawConfig(stack="madrid-central", values=as_texts(kept), secret_keys=frozenset(secret))
    found = load(raw, machine(folder, zones=("madrid",)))
    assert isinstance(found, CentralSettings)
    return found


def test_a_centre_passes_on_what_the_files_hold_and_its_vm_gets_the_whole_chain(tmp_path: Path) -> None:
    cloud = RecordingCloud()
    outputs = run_and_resolve(cloud, lambda: central.declare(settings(tmp_path), now=NOW))

    assert outputs["ca_fingerprint"] == root().fingerprint(hashes.SHA256()).hex()
    assert outputs["bundle_signing_key"].strip() == BUNDLE_KEY.strip()
    template = cloud.one(TEMPLATE)
    presented = base64.b64decode(template.inputs["context"]["FL_SERVER_CERT"]).decode()
    assert presented.count("BEGIN CERTIFICATE") == 2
    with_keys = {name for name, value in outputs.items() if "PRIVATE KEY" in str(value)}
    assert with_keys == {"bundle_signing_key", "operator_certificate"}


@pytest.mark.parametrize(
    ("changes", "value", "remedy"),
    [
        ({"certificates": {"serverDays": 60}}, "certificates", "left out where ca is set"),
        ({"caRollover": {"generation": 2, "stage": "steady"}}, "caRollover", "left out where ca is set"),
        ({"ca": None}, "serverKey", "set together with ca"),
        ({"ca": {**FILES, "chain": "none.pem"}}, "none.pem", "a PEM file that can be read"),
        ({"ca": {**FILES, "key": "ca.key"}}, "key", "ca"),
        ({"serverKey": None}, "serverKey", "serverKey"),
    ],
    ids=["lifetimes", "rollover", "keys without a CA", "no such file", "the CA's key has no setting", "no key"],
)
def test_settings_that_contradict_an_own_ca_are_refused(
    tmp_path: Path, changes: dict[str, Any], value: str, remedy: str
) -> None:
    with pytest.raises(SeveralRefusalsError) as refusal:
        settings(tmp_path, **changes)
    assert value in str(refusal.value)
    assert remedy in str(refusal.value)
    assert "PRIVATE" not in str(refusal.value)


def test_a_key_in_plain_text_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SeveralRefusalsError) as refusal:
        settings(tmp_path, secret=("bundleKey",))
    assert "serverKey: in plain text (not shown)" in str(refusal.value)
    assert "make a new key and request" in str(refusal.value)
    assert "PRIVATE" not in str(refusal.value)
