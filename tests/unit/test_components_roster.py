"""The roster: whose nodes the centre lets in, and what makes it refuse all of them."""

from __future__ import annotations

from typing import Any

import pytest

from components.errors import RefusalError
from components.roster import ZoneRoll, check_renamed, enrol, make_node, read_roll
from tests.components_support import node_key

STACK = "organization/flower-federation/berlin-hospital"


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"berlin/supernode-{number}",
        "public_key": node_key(number),
        "fingerprint": "as exported",
        "partition_id": float(number),
        **changes,
    }


def roll(entries: list[Any], *, zone: str = "berlin", max_nodes: int = 5) -> ZoneRoll:
    return read_roll(zone="berlin", stack=STACK, max_nodes=max_nodes, outputs={"zone": zone, "nodes": entries})


def test_a_zone_without_a_stack_or_with_an_empty_one_brings_no_nodes() -> None:
    for outputs in (None, {}):
        assert read_roll(zone="berlin", stack=STACK, max_nodes=2, outputs=outputs).nodes == ()


def test_nodes_come_sorted_by_name_with_fingerprints_computed_from_their_keys() -> None:
    first, second = enrol([roll([entry(2), entry(0)])])

    assert (first.name, second.name) == ("berlin/supernode-0", "berlin/supernode-2")
    assert first.fingerprint.startswith("SHA256:")
    assert second.partition_id == 2


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        ([entry(0), entry(1), entry(2)], "nodes of berlin: 3"),
        ([entry(0), entry(0, public_key=node_key(1), partition_id=7)], "name berlin/supernode-0"),
        ([entry(0), entry(1, public_key=node_key(0))], "key SHA256:"),
        ([entry(0), entry(1, partition_id=0)], "partition 0"),
    ],
)
def test_too_many_nodes_or_anything_twice_refuses_the_whole_roster(entries: list[Any], value: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        enrol([roll(entries, max_nodes=2)])

    assert value in refusal.value.value
    assert refusal.value.remedy


def test_partitions_collide_across_zones_too() -> None:
    paris = make_node(name="paris/supernode-0", public_key=node_key(9), partition_id=1)

    with pytest.raises(RefusalError) as refusal:
        enrol([roll([entry(1)]), ZoneRoll(zone="paris", max_nodes=1, nodes=(paris,))])

    assert "berlin/supernode-1" in refusal.value.value
    assert "paris/supernode-0" in refusal.value.value
    assert "partitionBase" in refusal.value.remedy


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        (["text"], "'text'"),
        ([entry(0, partition_id="0")], "berlin/supernode-0"),
        ([entry(0, partition_id=True)], "berlin/supernode-0"),
        ([entry(0, partition_id=0.5)], "berlin/supernode-0"),
        ([entry(0, partition_id=-1)], "berlin/supernode-0"),
        ([entry(0, partition_id=float("inf"))], "berlin/supernode-0"),
        ([entry(0, partition_id=float("nan"))], "berlin/supernode-0"),
        ([entry(0, name="paris/supernode-0")], "paris/supernode-0"),
        ([entry(0, name="berlin/supernode-00")], "berlin/supernode-00"),
        ([entry(0, name="berlin/süpernode-0")], "berlin/süpernode-0"),
        ([entry(0, public_key="ssh-rsa AAAA")], "ssh-rsa AAAA"),
    ],
)
def test_what_another_operator_wrote_is_not_trusted_to_be_well_formed(entries: list[Any], value: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        roll(entries)

    assert value in refusal.value.value


def test_a_stack_of_another_zone_is_refused() -> None:
    with pytest.raises(RefusalError, match="lisbon"):
        roll([], zone="lisbon")


def test_a_stack_that_says_nothing_of_nodes_is_refused_since_it_would_put_out_those_that_are_in() -> None:
    """As a centre named by mistake, or an output that a later program calls otherwise or keeps secret."""
    with pytest.raises(RefusalError) as refusal:
        read_roll(zone="berlin", stack=STACK, max_nodes=2, outputs={"zone": "berlin", "pool_size": 2})

    assert refusal.value.value == f"nodes of {STACK}: no such output, or a secret one"
    assert "`zones`" in refusal.value.remedy


def test_a_key_that_is_registered_keeps_its_name() -> None:
    """The SuperLink would refuse it in the middle of an update."""
    first, second = enrol([roll([entry(0), entry(1)])])
    known = {"name": "berlin/supernode-0", "fingerprint": first.fingerprint, "node_id": "7"}
    check_renamed([first, second], [known])
    check_renamed([second], [known, {"name": second.name, "fingerprint": "SHA256:an older key of its"}])

    with pytest.raises(RefusalError) as refusal:
        check_renamed([first, second], [{**known, "name": "berlin-mitte/supernode-0"}])
    assert first.fingerprint in refusal.value.value
    assert "berlin-mitte/supernode-0 again" in refusal.value.remedy
    assert "nodeKeyEpochs" in refusal.value.remedy
