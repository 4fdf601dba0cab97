"""federation invite, answer and accept: who may be invited, what has to be told, what is enrolled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from components import join_bundle, zone_answer
from components.errors import RefusalError
from components.exchange_files import in_groups
from components.roster import read_roll
from flower_federation.errors import InputError
from flower_federation.joining import check_told, invited, judge_answer, parse_span, write_answer, write_bundle
from flower_federation.stacks import StackFile, read_stack_files
from flower_federation.trusted import TrustedZone, answered_fingerprints
from tests.join_support import NOW, answer_text, ec_key, facts, key_pem, node, pem, root, signer

FINGERPRINT = root().fingerprint(hashes.SHA256()).hex()
CENTRAL = StackFile(
    name="madrid-central",
    kind="central",
    zone="madrid",
    central=None,
    trusted=("paris-lab",),
    invited=(TrustedZone(name="berlin", stack=None, answer=Path("answers/berlin.json"), max_nodes=2),),
)


def outputs(**changes: Any) -> dict[str, Any]:
    said = facts()
    return {
        "federation": said.federation,
        "superlink_fleet_endpoint": said.superlink_fleet_endpoint,
        "ca_certificate": said.ca_certificate,
        "ca_fingerprint": said.ca_fingerprint,
        "flower_version": said.flower_version,
        "bundle_certificate": pem(signer()),
        **changes,
    }


def refused(act: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as error:
        act()
    return error.value


def test_an_invitation_can_be_read_by_the_zone_it_is_for() -> None:
    text = write_bundle(outputs(), key_pem=key_pem(ec_key(3)), zone="berlin", now=NOW, validity=timedelta(days=3))

    assert join_bundle.read(text).facts.expires_at == "2026-11-27T12:00:00Z"


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"bundle_certificate": None}, key_pem(ec_key(3))), ({}, None), ({"ca_certificate": None}, key_pem(ec_key(3)))],
)
def test_a_centre_without_a_signer_invites_nobody(changes: dict[str, Any], key: str | None) -> None:
    error = refused(
        lambda: write_bundle(outputs(**changes), key_pem=key, zone="berlin", now=NOW, validity=timedelta(days=3))
    )
    assert "federation up" in error.remedy
    assert "PRIVATE" not in str(error)


def test_a_centre_that_contradicts_itself_writes_no_bundle() -> None:
    with pytest.raises(RefusalError):
        write_bundle(
            outputs(ca_fingerprint="ab" * 32),
            key_pem=key_pem(ec_key(3)),
            zone="berlin",
            now=NOW,
            validity=timedelta(days=3),
        )


@pytest.mark.parametrize("zone", ["paris", "rome"])
def test_only_a_zone_that_is_listed_without_a_stack_is_invited(zone: str) -> None:
    error = refused(lambda: invited(CENTRAL, zone))
    assert zone in error.given
    assert f"- name: {zone}" in error.remedy


@pytest.mark.parametrize(("text", "span"), [("14d", timedelta(days=14)), ("12h", timedelta(hours=12))])
def test_a_time_is_days_or_hours(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "14", "0d", "-1d", "1.5d", "2w", "99999d"])
def test_another_time_is_refused_as_it_was_given(text: str) -> None:
    assert text in refused(lambda: parse_span(text)).given


def zone_outputs(**changes: Any) -> dict[str, Any]:
    return {
        "federation": "demo",
        "zone": "berlin",
        "flower_version": "1.41.0",
        "ca_fingerprint": FINGERPRINT,
        "nodes": [node("berlin", 0), node("berlin", 1)],
        "pool_size": 2,
        **changes,
    }


def accept(text: str, others: list[Any] | None = None, **changes: Any) -> Any:
    return judge_answer(text, what="file", central=replace(CENTRAL, **changes), outputs=outputs(), others=others or [])


def test_what_a_zone_answers_the_centre_accepts() -> None:
    accepted = accept(write_answer(zone_outputs(), stack="berlin-hospital", now=NOW))

    assert [entry.name for entry in accepted.nodes] == ["berlin/supernode-0", "berlin/supernode-1"]


@pytest.mark.parametrize("found", [None, {}, zone_outputs(nodes=[])])
def test_a_zone_without_nodes_does_not_answer(found: dict[str, Any] | None) -> None:
    error = refused(lambda: write_answer(found, stack="berlin-hospital", now=NOW))
    assert "pulumi up -s berlin-hospital" in error.remedy


def test_an_answer_holds_no_address_and_no_password() -> None:
    text = write_answer(zone_outputs(password="letmein"), stack="berlin-hospital", now=NOW)

    assert "letmein" not in text
    assert set(json.loads(text)["facts"]) == {
        *("federation", "zone", "flower_version", "ca_fingerprint", "written_at", "nodes")
    }


def test_more_nodes_than_the_zone_may_bring_are_refused() -> None:
    text = answer_text(nodes=[node("berlin", number) for number in range(3)])

    with pytest.raises(RefusalError, match="nodes of berlin: 3"):
        accept(text)


def test_a_zone_that_was_not_invited_is_refused() -> None:
    assert "rome" in refused(lambda: accept(answer_text("rome"))).given


@pytest.mark.parametrize(("key", "partition", "what"), [(1, 1000, "key"), (5, 1, "partition")])
def test_a_key_or_partition_of_another_zone_is_refused(key: int, partition: int, what: str) -> None:
    taken = node("paris", 0, key=key, partition=partition)
    roll = read_roll(zone="paris", stack="paris", max_nodes=5, outputs={"zone": "paris", "nodes": [taken]})

    with pytest.raises(RefusalError, match=what):
        accept(answer_text(), [roll])


def test_a_new_answer_of_the_same_zone_takes_the_place_of_its_old_one() -> None:
    old = accept(answer_text()).answer
    roll = read_roll(zone="berlin", stack="b", max_nodes=2, outputs={"zone": "berlin", "nodes": list(old.nodes)})

    assert accept(answer_text(), [roll]).nodes


def test_the_fingerprint_may_be_typed_as_it_is_printed() -> None:
    answer = zone_answer.read(answer_text())

    check_told(in_groups(answer.digest).upper(), answer)


@pytest.mark.parametrize("told", [None, "", "ab" * 32, "12"])
def test_an_answer_whose_fingerprint_nobody_told_is_not_accepted(told: str | None) -> None:
    answer = zone_answer.read(answer_text())

    assert "telephone" in refused(lambda: check_told(told, answer)).remedy
    assert refused(lambda: check_told(answer.digest[:-1], answer))


def write_central(folder: Path, zones: str) -> StackFile:
    (folder / "stacks").mkdir(exist_ok=True)
    text = f"config:\n  flower-federation:kind: central\n  flower-federation:zones:{zones}"
    (folder / "stacks" / "Pulumi.centre.yaml").write_text(text)
    (central,) = read_stack_files(folder)
    return central


def test_zones_with_and_without_a_stack_stand_side_by_side_in_the_centres_file(tmp_path: Path) -> None:
    central = write_central(
        tmp_path,
        "\n    - {name: paris, stack: organization/x/paris-lab, maxNodes: 1}\n    - {name: berlin, maxNodes: 2}",
    )

    assert central.trusted == ("paris-lab",)
    assert [(zone.name, zone.answer) for zone in central.invited] == [("berlin", tmp_path / "answers" / "berlin.json")]


def test_accepted_nodes_count_as_brought_and_broken_answers_do_not(tmp_path: Path) -> None:
    central = write_central(
        tmp_path, "\n    - {name: berlin, maxNodes: 2}\n    - {name: rome, answer: rome.json, maxNodes: 2}"
    )
    assert answered_fingerprints(central.invited) == ()

    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "berlin.json").write_text(answer_text())
    (tmp_path / "rome.json").write_text("broken")
    assert answered_fingerprints(central.invited) == tuple(node("berlin", n)["fingerprint"] for n in (0, 1))


def test_nodes_of_an_answer_that_the_centre_has_revoked_are_not_waited_for(tmp_path: Path) -> None:
    central = write_central(tmp_path, "\n    - {name: berlin, maxNodes: 2}")
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "berlin.json").write_text(answer_text())
    first, second = (node("berlin", number) for number in (0, 1))

    for entry in (first["name"], first["fingerprint"]):
        assert answered_fingerprints(central.invited, revoked=[entry]) == (second["fingerprint"],)
