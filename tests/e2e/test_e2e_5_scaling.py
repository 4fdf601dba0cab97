"""A federation in operation: nothing to do, one node more, a SuperLink that is killed, two nodes less."""

from __future__ import annotations

import os
import re
import signal

import pytest

from pulumi_flower.control import NodeState
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, STACKS, Project, wait_until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

FOUR_NODES = {"berlin/supernode-0", "berlin/supernode-1", "berlin/supernode-2", "paris/supernode-0"}


def summary(text: str) -> list[str]:
    """The lines below `Resources:`, such as `13 unchanged`."""
    lines = text.partition("Resources:")[2].strip().splitlines()
    return [line.strip() for line in lines if re.match(r"\s+[~+-]* ?\d+ ", f"  {line}")]


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_up_says_unchanged(federation: Project, stack: str) -> None:
    lines = summary(federation.up(stack))
    assert len(lines) == 1, lines
    assert re.fullmatch(r"\d+ unchanged", lines[0])


def test_a_third_supernode_is_one_update_in_place_in_the_preview(federation: Project) -> None:
    federation.set_supernodes(BERLIN, 3)

    ended = federation.pulumi("preview", "--diff", stack=BERLIN)

    assert ended.returncode == 0, ended.text
    lines = summary(ended.stdout)
    assert lines[0] == "~ 1 to update", ended.text
    assert re.fullmatch(r"\d+ unchanged", lines[1]), lines
    assert len(lines) == 2, lines
    assert len(re.findall(r"^ *~ opennebula:index/service:Service: \(update\)", ended.stdout, re.MULTILINE)) == 1
    assert re.search(r"cardinality\W+2 => 3", ended.stdout), ended.text


@pytest.fixture(scope="module")
def four_nodes(federation: Project) -> Project:
    """Berlin with three SuperNodes, enrolled and online."""
    federation.set_supernodes(BERLIN, 3)
    federation.up(BERLIN)
    federation.up(CENTRAL)
    federation.wait_online(federation.control(), FOUR_NODES)
    return federation


def test_a_superlink_that_is_killed_comes_back_with_its_nodes_and_the_next_run_trains_on_all_four(
    four_nodes: Project,
) -> None:
    control = four_nodes.control()
    ids = {node.node_id for node in control.list_nodes()}
    madrid = ZoneView(four_nodes.zones["madrid"])
    (vm_id,) = madrid.vms()
    (killed,) = madrid.processes(vm_id, "/flower-superlink ")

    os.kill(killed, signal.SIGKILL)

    def restarted() -> bool:
        return bool(set(madrid.processes(vm_id, "/flower-superlink ")) - {killed})

    wait_until(restarted, timeout_s=PATIENCE_S, what=lambda: "the supervisor starts another SuperLink")
    four_nodes.wait_online(control, FOUR_NODES)
    assert {node.node_id for node in control.list_nodes()} == ids, "nodes keep their registrations"
    result = four_nodes.train(rounds=1, nodes=4)
    assert result["status"] == "finished:completed"
    assert [each["nodes"] for each in result["rounds"]] == [4]


def test_from_three_to_one_the_two_oldest_go_with_their_keys_and_the_last_keeps_name_and_partition(
    four_nodes: Project,
) -> None:
    before = {node["name"]: node for node in four_nodes.stack_outputs(BERLIN)["nodes"]}
    berlin = ZoneView(four_nodes.zones["berlin"])
    vms = berlin.vms()
    youngest = max(vms)
    four_nodes.set_supernodes(BERLIN, 1)

    four_nodes.up(BERLIN)
    four_nodes.up(CENTRAL)

    assert berlin.vms() == {youngest: vms[youngest]}
    assert four_nodes.stack_outputs(BERLIN)["nodes"] == [before["berlin/supernode-2"]]
    assert before["berlin/supernode-2"]["partition_id"] == 2
    control = four_nodes.control()
    revoked = {
        node.key.fingerprint for node in control.list_nodes() if node.key and node.state is NodeState.UNREGISTERED
    }
    assert revoked == {before["berlin/supernode-0"]["fingerprint"], before["berlin/supernode-1"]["fingerprint"]}
    four_nodes.wait_online(control, {"berlin/supernode-2", "paris/supernode-0"})
    # They train in test_e2e_5_signed_apps.py, whose runs are the next.
