"""federation up, down and status: which stacks are touched in which order, and when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flower_federation.errors import InputError, ToolError
from flower_federation.operations import Operations, choose
from flower_federation.stacks import Changes, StackFile

CENTRAL = StackFile(name="centre", kind="central", zone="madrid", central=None, trusted=("one", "two"))
ONE = StackFile(name="one", kind="zone", zone="berlin", central="centre")
TWO = StackFile(name="two", kind="zone", zone="paris", central="centre")
FILES = (CENTRAL, ONE, TWO)
NO_CHANGE = Changes(created=0, updated=0, replaced=0, deleted=0, unchanged=1)


class World:
    """Stacks and a SuperLink in memory: a centre's up registers what the zones have brought by then."""

    def __init__(self, nodes: Mapping[str, list[str]], *, online_after: int = 0) -> None:
        self.nodes = nodes
        self.up_zones: list[str] = []
        self.registered: list[str] | None = None
        self.done: list[str] = []
        self.asked = 0
        self.online_after = online_after
        self.now = 0.0
        self.lines: list[str] = []
        self.unreachable = False

    def outputs(self, stack: StackFile) -> dict[str, Any] | None:
        if stack.kind == "central":
            if self.registered is None:
                return None
            return {
                "superlink_control_endpoint": "10.0.0.1:9093",
                "ca_certificate": "pem",
                "registered_nodes": [{"name": name, "fingerprint": name} for name in self.registered],
            }
        if stack.name not in self.up_zones:
            return None
        return {"nodes": [{"name": name, "fingerprint": name} for name in self.nodes[stack.name]]}

    def up(self, stack: StackFile) -> Changes:
        self.done.append(f"up {stack.name}")
        if stack.kind == "central":
            self.registered = [name for zone in self.up_zones for name in self.nodes[zone]]
        elif stack.name not in self.up_zones:
            self.up_zones.append(stack.name)
        return NO_CHANGE

    def destroy(self, stack: StackFile, *, remove: bool) -> Changes | None:
        self.done.append(f"destroy {stack.name}{' and remove' if remove else ''}")
        if stack.kind == "central":
            self.registered = None
        elif stack.name in self.up_zones:
            self.up_zones.remove(stack.name)
        else:
            return None
        return NO_CHANGE

    def node_states(self, *, endpoint: str, ca_certificate: str) -> Mapping[str, str]:
        if self.unreachable:
            raise ToolError(given=endpoint, rule="answers", reason="r", remedy="m")
        self.asked += 1
        state = "online" if self.asked > self.online_after else "registered"
        return dict.fromkeys(self.registered or (), state)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    @property
    def operations(self) -> Operations:
        return Operations(
            stacks=self,
            node_states=self.node_states,
            say=self.lines.append,
            clock=lambda: self.now,
            wait=self.wait,
        )


def up(world: World, *names: str) -> tuple[str, ...]:
    federation, chosen = choose(FILES, names)
    return world.operations.up(federation, chosen)


def down(world: World, *names: str, remove: bool = False) -> None:
    federation, chosen = choose(FILES, names)
    world.operations.down(federation, chosen, remove=remove)


def test_from_nothing_it_is_centre_zones_and_the_centre_again_for_their_keys() -> None:
    world = World({"one": ["a", "b"], "two": ["c"]})

    assert up(world) == ("a", "b", "c")
    assert world.done == ["up centre", "up one", "up two", "up centre"]


def test_a_second_time_the_centre_is_not_run_twice() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    up(world)
    world.done.clear()

    assert up(world) == ("a", "c")
    assert world.done == ["up centre", "up one", "up two"]


def test_one_zone_alone_is_brought_up_and_enrolled() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    up(world, "centre")
    world.done.clear()

    assert up(world, "one") == ("a",)
    assert world.done == ["up one", "up centre"]


def test_a_zone_cannot_come_before_its_centre() -> None:
    world = World({"one": ["a"], "two": []})

    up(world, "one")
    assert world.done == ["up centre", "up one", "up centre"]


def test_it_waits_until_every_node_is_online_and_tells_so() -> None:
    world = World({"one": ["a"], "two": []}, online_after=7)

    assert up(world) == ("a",)
    assert any("nodes online: 0 of 1" in line for line in world.lines)


def test_a_node_that_stays_away_ends_the_waiting_with_its_name_and_state() -> None:
    world = World({"one": ["a"], "two": []}, online_after=10**6)

    with pytest.raises(ToolError) as error:
        up(world)

    assert "a (registered)" in error.value.given
    assert "FL_ERROR" in error.value.remedy
    assert world.now >= 180


def test_nodes_of_a_zone_that_the_centre_does_not_trust_do_not_run_it_again() -> None:
    lonely = StackFile(name="centre", kind="central", zone="madrid", central=None, trusted=("one",))
    federation, chosen = choose((lonely, ONE, TWO), ())
    world = World({"one": [], "two": ["c"]})
    world.registered = []

    world.up_zones.append("two")
    assert world.operations.unenrolled(federation) is False
    assert chosen == (lonely, ONE, TWO)


def test_down_takes_zones_before_the_centre() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    up(world)
    world.done.clear()

    down(world, remove=True)
    assert world.done == ["destroy one and remove", "destroy two and remove", "destroy centre and remove"]


def test_a_zone_that_goes_alone_has_its_keys_revoked() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    up(world)
    world.done.clear()

    down(world, "one")
    assert world.done == ["destroy one", "up centre"]
    assert world.registered == ["c"]


def test_a_centre_that_goes_alone_is_told_who_stays_behind() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    up(world)

    down(world, "centre")
    assert any("one, two: still up" in line for line in world.lines)


def test_down_of_nothing_is_no_error() -> None:
    world = World({"one": [], "two": []})

    down(world)
    assert any("no such stack" in line for line in world.lines)


def test_status_tells_stacks_and_nodes_and_changes_nothing() -> None:
    world = World({"one": ["a"], "two": []})
    up(world)
    world.done.clear()
    federation, _ = choose(FILES, ())

    status = world.operations.status(federation)

    assert [(entry.stack.name, entry.outputs is not None) for entry in status.stacks] == [
        ("centre", True),
        ("one", True),
        ("two", True),
    ]
    assert status.nodes == {"a": "online"}
    assert world.done == []


def test_status_of_a_superlink_that_does_not_answer_says_so_instead_of_failing() -> None:
    world = World({"one": ["a"], "two": []})
    up(world)
    world.unreachable = True
    federation, _ = choose(FILES, ())

    status = world.operations.status(federation)

    assert status.nodes == {}
    assert "10.0.0.1:9093" in (status.trouble or "")


def test_an_unknown_stack_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InputError) as refusal:
        choose(FILES, ["rome"])

    assert "rome" in refusal.value.given
    assert "centre, one, two" in refusal.value.rule


@pytest.mark.parametrize("files", [(), (CENTRAL, CENTRAL, ONE)])
def test_a_federation_has_one_centre_or_is_zones_alone(files: tuple[StackFile, ...]) -> None:
    with pytest.raises(InputError, match="kind central"):
        choose(files, ())


def test_zones_whose_centre_others_run_come_up_alone_and_ask_nobody() -> None:
    world = World({"one": ["a"], "two": ["c"]})
    federation, chosen = choose((ONE, TWO), ())

    assert world.operations.up(federation, chosen) == ()
    assert world.done == ["up one", "up two"]
    assert world.asked == 0


def test_a_zone_that_joined_by_a_bundle_does_not_bring_up_the_centre_of_the_clone_it_came_with() -> None:
    invited = StackFile(name="one", kind="zone", zone="berlin", central=None)
    world = World({"one": ["a"], "two": []})
    federation, chosen = choose((CENTRAL, invited, TWO), ["one"])

    assert world.operations.up(federation, chosen) == ()
    assert world.done == ["up one"]


def test_a_zone_that_joined_by_a_bundle_is_enrolled_where_its_centre_is_up_here() -> None:
    invited = StackFile(name="one", kind="zone", zone="berlin", central=None)
    world = World({"one": ["a"], "two": []})
    federation, chosen = choose((CENTRAL, invited, TWO), ["one"])
    world.up(CENTRAL)
    world.done.clear()

    assert world.operations.up(federation, chosen) == ("a",)
    assert world.done == ["up one", "up centre"]


def test_zones_alone_go_and_leave_word_for_their_centre() -> None:
    world = World({"one": ["a"], "two": []})
    federation, chosen = choose((ONE, TWO), ())
    world.operations.up(federation, chosen)
    world.done.clear()

    world.operations.down(federation, chosen, remove=False)
    assert world.done == ["destroy one", "destroy two"]
    assert any("not in this clone" in line for line in world.lines)


def test_status_of_zones_alone_tells_their_stacks() -> None:
    world = World({"one": ["a"], "two": []})
    federation, chosen = choose((ONE, TWO), ())
    world.operations.up(federation, chosen)

    status = world.operations.status(federation)

    assert [(entry.stack.name, entry.outputs is not None) for entry in status.stacks] == [("one", True), ("two", True)]
    assert (status.nodes, status.trouble, status.central_outputs) == ({}, None, None)


def test_what_needs_the_centre_says_that_it_is_not_in_this_clone() -> None:
    federation, _ = choose((ONE, TWO), ())

    with pytest.raises(InputError, match="kind central: none"):
        _ = federation.central
