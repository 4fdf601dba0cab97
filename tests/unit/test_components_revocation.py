"""Who is no longer let in, and when a node makes a new key."""

from __future__ import annotations

import pytest

from components.errors import RefusalError
from components.node_keys import parse_epochs, render_epochs
from components.revocation import check_revoked, keys_of, without_revoked
from components.roster import Node, ZoneRoll, make_node
from tests.components_support import node_key

FIRST, SECOND = (
    make_node(name=f"berlin/supernode-{number}", public_key=node_key(number), partition_id=number)
    for number in range(2)
)
ROLL = ZoneRoll(zone="berlin", max_nodes=5, nodes=(FIRST, SECOND))


@pytest.mark.parametrize("entry", [SECOND.name, SECOND.fingerprint])
def test_a_node_is_kept_out_by_its_name_or_by_its_key(entry: str) -> None:
    assert without_revoked(ROLL, [entry]) == ZoneRoll(zone="berlin", max_nodes=5, nodes=(FIRST,))


def test_a_name_keeps_out_a_node_with_a_new_key_and_a_fingerprint_does_not() -> None:
    rekeyed = make_node(name=SECOND.name, public_key=node_key(7), partition_id=SECOND.partition_id)
    roll = ZoneRoll(zone="berlin", max_nodes=5, nodes=(FIRST, rekeyed))

    assert without_revoked(roll, [SECOND.name]).nodes == (FIRST,)
    assert without_revoked(roll, [SECOND.fingerprint]).nodes == (FIRST, rekeyed)


def test_keys_are_told_from_names() -> None:
    assert keys_of([FIRST.name, SECOND.fingerprint]) == (SECOND.fingerprint,)


def test_nobody_else_is_touched() -> None:
    def names(nodes: tuple[Node, ...]) -> list[str]:
        return [node.name for node in nodes]

    assert names(without_revoked(ROLL, []).nodes) == names(ROLL.nodes)
    assert names(without_revoked(ROLL, ["berlin/supernode-9", "SHA256:" + "A" * 43]).nodes) == names(ROLL.nodes)


@pytest.mark.parametrize("entry", ["supernode-1", "paris/supernode-1", "berlin/", "SHA256:short", "SHA1:" + "A" * 43])
def test_an_entry_that_would_keep_nobody_out_is_refused(entry: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_revoked(entry, zone="berlin", where="zones[0].revoked")
    assert repr(entry) in refusal.value.value
    assert "registered_nodes" in refusal.value.remedy


def test_epochs_are_read_and_written_in_the_order_of_names() -> None:
    epochs = parse_epochs(["supernode-2:3", "supernode-0:1"], where="nodeKeyEpochs", role="supernode")

    assert epochs == {"supernode-2": 3, "supernode-0": 1}
    assert render_epochs(epochs) == "supernode-0:1 supernode-2:3"


@pytest.mark.parametrize(
    "entry", ["supernode-1", "supernode-1:0", "supernode-1:-1", "berlin/supernode-1:1", "x:1", ":"]
)
def test_a_malformed_epoch_is_refused(entry: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_epochs([entry], where="nodeKeyEpochs", role="supernode")
    assert refusal.value.value == f"nodeKeyEpochs: {entry!r}"


def test_a_node_that_is_there_twice_is_refused() -> None:
    with pytest.raises(RefusalError, match="supernode-1:2"):
        parse_epochs(["supernode-1:1", "supernode-1:2"], where="nodeKeyEpochs", role="supernode")
