"""Join bundles: what is signed, and how every change, wrong reader and wrong moment is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from components import join_bundle
from components.bundle_facts import BundleFacts
from components.errors import RefusalError
from components.exchange_files import in_groups, read_instant, write_instant
from components.join_bundle import JoinFacts
from tests.join_support import NOW, bundle_text, ec_key, facts, key_pem, pem, root, server, signer

PIN = root().fingerprint(hashes.SHA256()).hex()


def source(path: Path, **changes: Any) -> BundleFacts:
    given: dict[str, Any] = {
        "zone": "berlin",
        "ca_fingerprint": PIN,
        "now": NOW + timedelta(days=1),
        "joined_with": None,
        "tell": lambda _: None,
    }
    return BundleFacts(path=path, **{**given, **changes})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "berlin.bundle.json"
    path.write_text(bundle_text())
    return path


def refusal(read: Callable[[], object]) -> RefusalError:
    with pytest.raises(RefusalError) as refused:
        read()
    return refused.value


def test_a_bundle_gives_the_facts_that_a_zone_needs(bundle: Path) -> None:
    found = source(bundle).read()

    assert asdict(found).items() <= asdict(facts()).items()


def test_a_bundle_holds_no_private_key_and_nothing_but_public_facts(bundle: Path) -> None:
    document = json.loads(bundle.read_text())

    assert "PRIVATE" not in bundle.read_text()
    assert set(document) == {"format", "facts", "signer", "signature"}
    assert set(document["facts"]) == {
        *("federation", "zone", "superlink_fleet_endpoint", "ca_certificate", "ca_fingerprint", "flower_version"),
        *("issued_at", "expires_at"),
    }


def test_the_zones_operator_is_told_what_to_compare_by_telephone(bundle: Path) -> None:
    told: list[str] = []
    source(bundle, tell=told.append).read()

    assert len(told) == 1
    assert in_groups(PIN) in told[0]
    assert "telephone" in told[0]


def other_value(name: str) -> str:
    """A value that could stand there and is not the one that was signed."""
    others = {
        "superlink_fleet_endpoint": "127.66.6.6:9092",
        "ca_certificate": pem(root(9)),
        "ca_fingerprint": root(9).fingerprint(hashes.SHA256()).hex(),
        "issued_at": "2026-11-23T12:00:00Z",
        "expires_at": "2026-12-23T12:00:00Z",
    }
    return others.get(name, "other")


@pytest.mark.parametrize("name", list(JoinFacts.__dataclass_fields__))
def test_no_fact_can_be_changed_after_signing(bundle: Path, name: str) -> None:
    document = json.loads(bundle.read_text())
    assert document["facts"][name] != other_value(name)
    document["facts"][name] = other_value(name)
    bundle.write_text(json.dumps(document))

    refused = refusal(source(bundle, zone="other" if name == "zone" else "berlin").read)

    assert refused.value.startswith(("join bundle berlin.bundle.json: ", "ca_certificate: "))
    assert "ask" in refused.remedy


def test_ca_and_fingerprint_exchanged_together_still_contradict_the_signature(bundle: Path) -> None:
    document = json.loads(bundle.read_text())
    document["facts"] |= {name: other_value(name) for name in ("ca_certificate", "ca_fingerprint")}
    bundle.write_text(json.dumps(document))

    assert "its signer is not certified by its CA" in refusal(source(bundle).read).value


def test_a_whole_bundle_of_another_centre_is_refused_by_the_pin_alone(bundle: Path) -> None:
    forged = join_bundle.sign(facts(9), signer_pem=pem(signer(9)), key_pem=key_pem(ec_key(3)))
    bundle.write_text(forged)

    refused = refusal(source(bundle).read)

    assert in_groups(PIN) in refused.value
    assert in_groups(root(9).fingerprint(hashes.SHA256()).hex()) in refused.rule
    assert "telephone" in refused.remedy


def test_while_one_ca_takes_over_from_another_the_pin_names_both_of_the_bundles(bundle: Path) -> None:
    new = root(9).fingerprint(hashes.SHA256()).hex()
    both = {"ca_certificate": pem(root()) + pem(root(9)), "ca_fingerprint": f"{PIN} {new}"}
    for number in (1, 9):
        said = replace(facts(), **both)
        signed = join_bundle.sign(said, signer_pem=pem(signer(number)), key_pem=key_pem(ec_key(3)))
        bundle.write_text(signed)

        assert source(bundle, ca_fingerprint=f"{new} {PIN}").read().ca_fingerprint.split() == [PIN, new]
        for half in (PIN, new):
            refused = refusal(source(bundle, ca_fingerprint=half).read)
            assert f"its CA is {in_groups(f'{PIN} {new}')}" in refused.rule
            assert "the pin names both" in refused.remedy


def test_without_a_pin_nothing_is_joined_and_the_message_says_what_to_compare(bundle: Path) -> None:
    refused = refusal(source(bundle, ca_fingerprint=None).read)

    assert in_groups(PIN) in refused.value
    assert "set central.caFingerprint" in refused.remedy


def test_another_zones_bundle_is_refused(bundle: Path) -> None:
    refused = refusal(source(bundle, zone="paris").read)

    assert "zone: paris" in refused.value
    assert "federation invite paris" in refused.remedy


def test_an_expired_bundle_is_refused_to_the_second(bundle: Path) -> None:
    end = NOW + timedelta(days=14)

    assert source(bundle, now=end - timedelta(seconds=1)).read()
    refused = refusal(source(bundle, now=end).read)
    assert "expired at 2026-12-08T12:00:00Z" in refused.value
    assert "federation invite berlin" in refused.remedy


def test_a_zone_that_has_joined_with_a_bundle_keeps_working_after_its_end(bundle: Path) -> None:
    digest = source(bundle).load().digest

    assert source(bundle, now=NOW + timedelta(days=99), joined_with=digest).read()
    assert refusal(source(bundle, now=NOW + timedelta(days=99), joined_with="another").read)


def test_a_bundle_from_the_future_is_refused_beyond_the_tolerance_of_clocks(bundle: Path) -> None:
    assert source(bundle, now=NOW - timedelta(minutes=5)).read()
    refused = refusal(source(bundle, now=NOW - timedelta(minutes=5, seconds=1)).read)
    assert "still to come" in refused.value
    assert "clock" in refused.remedy


@pytest.mark.parametrize(
    ("certificate", "number"),
    [
        (server(), 2),
        (signer(purposes=()), 3),
        (signer(purposes=(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH)), 3),
        (signer(name="somebody"), 3),
        (signer(9), 3),
        (signer(end=NOW + timedelta(days=13)), 3),
        (signer(begin=NOW + timedelta(minutes=6)), 3),
    ],
    ids=[
        "the SuperLink's own certificate",
        "no purpose",
        "a second purpose",
        "another name",
        "another CA",
        "ends before the bundle",
        "begins after it",
    ],
)
def test_no_other_certificate_can_sign_a_bundle(bundle: Path, certificate: Any, number: int) -> None:
    bundle.write_text(join_bundle.sign(facts(), signer_pem=pem(certificate), key_pem=key_pem(ec_key(number))))

    assert "its CA certifies for bundles" in refusal(source(bundle).read).rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"format": "flower-federation-join-bundle/2"}',
        '{"format": "flower-federation-join-bundle/1", "facts": {}}',
        '{"format": "a", "format": "flower-federation-join-bundle/1"}',
        "[" * 100_000,
        " " * 1_000_001,
    ],
)
def test_a_text_that_is_no_bundle_is_refused_with_four_parts(bundle: Path, text: str) -> None:
    bundle.write_text(text)

    refused = refusal(source(bundle).read)
    assert refused.value.startswith("join bundle")
    assert refused.rule
    assert refused.reason
    assert "again" in refused.remedy


@pytest.mark.parametrize("part", ["signer", "signature", "facts"])
@pytest.mark.parametrize("value", [None, 7, "garbage", {"a": 1}])
def test_parts_of_another_kind_are_refused(bundle: Path, part: str, value: Any) -> None:
    bundle.write_text(json.dumps({**json.loads(bundle.read_text()), part: value}))

    assert refusal(source(bundle).read).remedy


def test_a_fact_too_many_is_refused_even_though_the_signature_could_be_made_to_ignore_it(bundle: Path) -> None:
    document = json.loads(bundle.read_text())
    document["facts"]["discount"] = "free"
    bundle.write_text(json.dumps(document))

    assert "discount" in refusal(source(bundle).read).value


def test_a_missing_bundle_is_refused_with_its_path(tmp_path: Path) -> None:
    refused = refusal(source(tmp_path / "none.json").read)

    assert str(tmp_path / "none.json") in refused.value
    assert "central.bundle" in refused.remedy


@pytest.mark.parametrize("validity", [timedelta(minutes=59), timedelta(days=30, seconds=1)])
def test_an_invitation_is_neither_for_a_moment_nor_for_ever(validity: timedelta) -> None:
    given = {"outputs": {}, "zone": "berlin", "now": NOW, "validity": validity, "signer_pem": pem(signer())}

    refused = refusal(lambda: join_bundle.make_facts(**given))
    assert str(validity) in refused.value
    assert "--expires" in refused.remedy


def test_a_bundle_that_would_outlive_its_signer_is_not_made() -> None:
    short = pem(signer(end=NOW + timedelta(days=13)))
    given = {"outputs": {}, "zone": "berlin", "now": NOW, "validity": timedelta(days=14), "signer_pem": short}

    assert "federation up" in refusal(lambda: join_bundle.make_facts(**given)).remedy


@pytest.mark.parametrize("key", [key_pem(ec_key(2)), "garbage", ""])
def test_a_key_that_is_not_the_signers_is_refused_and_not_shown(key: str) -> None:
    refused = refusal(lambda: join_bundle.sign(facts(), signer_pem=pem(signer()), key_pem=key))

    assert "not shown" in refused.value
    assert not key or key not in str(refused)


def test_instants_are_utc_to_the_second_whatever_zone_the_clock_is_in() -> None:
    east = datetime.fromisoformat("2026-11-24T14:00:00.999999+02:00")

    assert write_instant(east) == "2026-11-24T12:00:00Z"
    assert read_instant(write_instant(east), what="east") == NOW
