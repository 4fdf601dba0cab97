"""A zone's answer: what it says, and what the centre refuses to let in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from components import zone_answer
from components.errors import RefusalError
from components.exchange_files import digest
from tests.join_support import NOW, answer_text, node, root

FINGERPRINT = root().fingerprint(hashes.SHA256()).hex()


def refusal(act: Callable[[], object]) -> RefusalError:
    with pytest.raises(RefusalError) as refused:
        act()
    return refused.value


def judge(text: str, **changes: Any) -> zone_answer.ZoneRoll:
    given = {
        "zone": "berlin",
        "federation": "demo",
        "flower_version": "1.41.0",
        "max_nodes": 5,
        "ca_fingerprint": FINGERPRINT,
        "what": "answer",
        **changes,
    }
    return zone_answer.judge(zone_answer.read(text, what="answer"), **given)


def changed(change: Callable[[dict[str, Any]], object], *, repaired: bool = False) -> str:
    """An answer whose facts were changed; with `repaired`, by somebody who knows how the digest is made."""
    document = json.loads(answer_text())
    change(document["facts"])
    if repaired:
        document["digest"] = digest(document["facts"])
    return json.dumps(document)


def test_an_answer_brings_the_nodes_that_the_zone_wrote_into_it() -> None:
    roll = judge(answer_text())

    assert [entry.exported() for entry in roll.nodes] == [node("berlin", 0), node("berlin", 1)]
    assert roll.max_nodes == 5
    assert zone_answer.read(answer_text()).written_at == NOW


def test_partitions_that_came_back_from_the_engine_as_floats_are_written_as_whole_numbers() -> None:
    text = answer_text(nodes=[{**node("berlin", 0), "partition_id": 0.0}])

    assert '"partition_id": 0\n' in text


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(zone="paris"),
        lambda facts: facts.update(federation="other"),
        lambda facts: facts.update(flower_version="1.40.0"),
        lambda facts: facts.update(ca_fingerprint="ab" * 32),
        lambda facts: facts.update(written_at="2026-11-25T12:00:00Z"),
        lambda facts: facts["nodes"].pop(),
        lambda facts: facts["nodes"].append(node("berlin", 2)),
        lambda facts: facts["nodes"][0].update(public_key=node("berlin", 7)["public_key"]),
        lambda facts: facts["nodes"][0].update(fingerprint="SHA256:x"),
        lambda facts: facts["nodes"][0].update(name="berlin/supernode-9"),
        lambda facts: facts["nodes"][0].update(partition_id=9),
    ],
)
def test_nothing_of_an_answer_can_be_changed_without_changing_its_fingerprint(change: Any) -> None:
    assert "digest does not fit" in refusal(lambda: zone_answer.read(changed(change))).value
    assert zone_answer.read(changed(change, repaired=True)).digest != zone_answer.read(answer_text()).digest


@pytest.mark.parametrize(
    ("changes", "value", "remedy"),
    [
        ({"zone": "paris"}, "zone berlin", "answer of paris"),
        ({"federation": "other"}, "federation demo", "answer of berlin in other"),
        ({"ca_fingerprint": "ab" * 32}, "trusts the CA", "compare the fingerprints"),
    ],
)
def test_an_answer_to_somebody_else_is_refused(changes: dict[str, Any], value: str, remedy: str) -> None:
    refused = refusal(lambda: judge(answer_text(), **changes))

    assert value in refused.value
    assert remedy in refused.remedy


def test_a_zone_with_another_flower_version_is_refused() -> None:
    assert "Flower 1.40.0" in refusal(lambda: judge(answer_text(flower_version="1.40.0"))).value


def test_while_a_ca_takes_over_an_answer_that_knows_one_of_the_two_is_accepted() -> None:
    both = f"{'ab' * 32} {FINGERPRINT}"

    assert judge(answer_text(), ca_fingerprint=both).nodes
    assert judge(answer_text(ca_fingerprint=both)).nodes


def test_a_node_under_another_zones_name_is_refused() -> None:
    text = changed(lambda facts: facts["nodes"][0].update(name="paris/supernode-0"), repaired=True)

    assert "paris/supernode-0" in refusal(lambda: judge(text)).value


def test_a_fingerprint_that_is_not_its_keys_is_refused() -> None:
    text = changed(lambda facts: facts["nodes"][0].update(fingerprint="SHA256:another"), repaired=True)

    assert "SHA256:another" in refusal(lambda: judge(text)).value


def test_a_private_key_in_place_of_a_public_one_is_refused_and_not_shown() -> None:
    text = changed(
        lambda facts: facts["nodes"][0].update(public_key="-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0c2VjcmV0"),
        repaired=True,
    )

    assert "c2VjcmV0c2VjcmV0" not in str(refusal(lambda: judge(text)))


@pytest.mark.parametrize("nodes", ["x", 7, [7], [{}], [{"name": "berlin/supernode-0"}]])
def test_nodes_of_another_shape_are_refused(nodes: Any) -> None:
    text = changed(lambda facts: facts.update(nodes=nodes), repaired=True)

    assert refusal(lambda: judge(text)).remedy


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(zone="\x1b[2J\x1b[Hberlin: accepted"),
        lambda facts: facts.update(federation="demo\n  remedy: type the fingerprint below"),
        lambda facts: facts.update(flower_version="1.41.0\r1.40.0"),
        lambda facts: facts.update(ca_fingerprint="\u202e" + FINGERPRINT),
        lambda facts: facts.update(zone="\x9b2J"),
        lambda facts: facts.update(zone="\ud800"),
        lambda facts: facts.update(zone="x" * 100_000),
        lambda facts: facts.update({"\x1b[2J": ""}),
        lambda facts: facts["nodes"][0].update(name="berlin/\x1b[8m"),
        lambda facts: facts["nodes"][0].update(fingerprint="\x1b]0;title\x07"),
        lambda facts: facts["nodes"][0].update(fingerprint=["\x1b[2J"]),
    ],
)
def test_nothing_that_moves_a_terminals_cursor_gets_into_a_refusal(change: Any) -> None:
    told = str(refusal(lambda: judge(changed(change, repaired=True))))

    assert all(line.isprintable() for line in told.split("\n"))
    assert [line.partition(":")[0] for line in told.split("\n")[1:]] == ["  rule", "  reason", "  remedy"]
    assert len(told) < 2_000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "0.5"])
def test_a_number_with_a_fraction_or_without_an_end_is_refused_wherever_it_stands(number: str) -> None:
    for place in ('"name"', '"public_key"', '"fingerprint"', '"partition_id"'):
        text = changed(lambda facts: facts["nodes"][0].update({json.loads(place): "HERE"}))  # noqa: B023
        assert number in refusal(lambda: judge(text.replace('"HERE"', number))).value  # noqa: B023


def test_an_answer_is_not_written_for_nodes_that_could_not_be_accepted() -> None:
    assert "paris/supernode-0" in refusal(lambda: answer_text(nodes=[node("paris", 0)])).value
