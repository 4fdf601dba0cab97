"""`federation demo`, what scripts/demo calls: interrupted in the middle, run again to its end, and taken away."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_flower.control import NodeState
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import (
    BERLIN,
    CENTRAL,
    FEDERATION_COMMAND,
    PARIS,
    STACKS,
    Project,
    Timing,
    processes_of,
    wait_until,
)
from tests.patience import PATIENCE_S
from tests.yardstick import Slowdown

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

DEMO_LIMIT_S = 180.0
"""What the demo may take on two cores that do nothing else, with caches warm."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, timings: list[Timing]) -> Iterator[Project]:
    """A clone of the demo's own, as it is before the first run."""
    project = Project(folder=tmp_path_factory.mktemp("demo"), timings=timings).prepare()
    try:
        yield project
    finally:
        project.close()


@pytest.fixture(scope="module")
def interrupted(demo: Project) -> Project:
    """A demo that got Ctrl-C while berlin's SuperNodes were booting."""
    log = demo.folder / "interrupted.log"
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [demo.layout.bin / "python", FEDERATION_COMMAND, demo.folder, "demo"],
            cwd=demo.folder,
            env=demo.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(
                lambda: process.poll() is not None or vms_of(demo, "berlin") > 0,
                timeout_s=PATIENCE_S,
                what=lambda: f"VMs in berlin\n{log.read_text()}",
            )
            process.send_signal(signal.SIGINT)
            returncode = process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    demo.timings.append(Timing(what="federation demo, interrupted", seconds=time.monotonic() - started))
    assert returncode == 130, log.read_text()
    return demo


@pytest.fixture(scope="module")
def result(interrupted: Project) -> dict[str, Any]:
    """What the second run of the demo reported."""
    with Slowdown() as machine:
        ended = interrupted.federation("demo", "--json")
    assert ended.returncode == 0, ended.text
    assert ended.seconds < DEMO_LIMIT_S * machine.factor, machine.seen
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def vms_of(demo: Project, zone: str) -> int:
    """How many VMs a zone has; none where it does not answer yet."""
    embedded = demo.zones[zone]
    return len(ZoneView(embedded).vms()) if (embedded.state / "endpoints.json").exists() else 0


def locks_of(demo: Project) -> list[Path]:
    """The engine's locks on stacks."""
    return list((demo.layout.backend / ".pulumi" / "locks").rglob("*.json"))


def test_a_demo_that_is_interrupted_leaves_no_lock_no_engine_and_stack_files_as_they_were(interrupted: Project) -> None:
    assert locks_of(interrupted) == []
    # Its plugins were told to end, and may need a moment for that.
    wait_until(lambda: engines(interrupted) == [], timeout_s=PATIENCE_S, what=lambda: f"gone: {engines(interrupted)}")
    assert all("encryptionsalt" not in interrupted.stack_file(stack).read_text() for stack in STACKS)
    pending = json.loads(checkpoint(interrupted, BERLIN))["checkpoint"]["latest"].get("pending_operations")
    assert not pending, "the engine waited for what was under way"


def engines(demo: Project) -> list[str]:
    """Command lines of the engine's programs."""
    return [command for command in processes_of(demo.folder).values() if "pulumi" in command.partition(" ")[0]]


def checkpoint(demo: Project, stack: str) -> str:
    """A stack's state as the backend has it."""
    return (demo.layout.backend / ".pulumi" / "stacks" / "flower-federation" / f"{stack}.json").read_text()


def test_the_second_run_goes_on_and_ends_with_three_good_rounds_on_three_nodes(result: dict[str, Any]) -> None:
    assert result["status"] == "finished:completed"
    assert [each["number"] for each in result["rounds"]] == [1, 2, 3]
    assert [each["nodes"] for each in result["rounds"]] == [3, 3, 3]
    assert result["rounds"][-1]["accuracy"] > 0.93


def test_the_second_run_left_nothing_twice(interrupted: Project, result: dict[str, Any]) -> None:
    assert result["status"] == "finished:completed"
    for zone, names in {"madrid": ["superlink"], "berlin": ["supernodes"], "paris": ["supernodes"]}.items():
        objects = ZoneView(interrupted.zones[zone]).objects()
        for kind in ("templatepool", "/service", "/service_template"):
            assert list(objects[kind].values()) == [f"flower-{name}-{zone}" for name in names], (zone, kind)
    assert vms_of(interrupted, "madrid") == 1
    assert vms_of(interrupted, "berlin") == 2
    assert vms_of(interrupted, "paris") == 1


def test_up_by_the_plain_command_line_finds_nothing_to_do_where_the_demo_was(
    interrupted: Project, result: dict[str, Any]
) -> None:
    assert result["status"] == "finished:completed"
    for stack in (CENTRAL, BERLIN):
        text = interrupted.up(stack)
        lines = [line.strip() for line in text.partition("Resources:")[2].splitlines() if line.strip()]
        assert lines[0].endswith(" unchanged"), text
        assert lines[1].startswith("Duration:"), text


def test_nothing_lies_beside_a_checkpoint_that_is_written_in_place(interrupted: Project) -> None:
    """Who reads a stack while it is written would meet a half-written file."""
    files = [path for path in (interrupted.layout.backend / ".pulumi" / "stacks").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.suffix == ".attrs"]


def test_a_zone_that_leaves_has_its_keys_revoked_and_the_others_stay_online(
    interrupted: Project, result: dict[str, Any]
) -> None:
    assert result["status"] == "finished:completed"

    ended = interrupted.federation("down", PARIS)

    assert ended.returncode == 0, ended.text
    assert vms_of(interrupted, "paris") == 0
    states = {node.name: node.state for node in interrupted.control().list_nodes()}
    assert states == {
        "berlin/supernode-0": NodeState.ONLINE,
        "berlin/supernode-1": NodeState.ONLINE,
        "paris/supernode-0": NodeState.UNREGISTERED,
    }
    status = interrupted.federation("status", "--json")
    assert status.returncode == 0, status.text
    found = json.loads(status.stdout)
    assert {stack["name"]: stack["state"] for stack in found["stacks"]} == {
        CENTRAL: "up",
        BERLIN: "up",
        PARIS: "destroyed",
    }
    assert [node["name"] for node in found["nodes"]] == ["berlin/supernode-0", "berlin/supernode-1"]


def test_down_leaves_nothing_behind(interrupted: Project, result: dict[str, Any]) -> None:
    assert result["status"] == "finished:completed"
    before = {path.name for path in interrupted.folder.iterdir()}

    ended = interrupted.federation("demo", "--down")

    assert ended.returncode == 0, ended.text
    interrupted.wait_gone()
    assert {path.name for path in interrupted.folder.iterdir()} == before - {".federation"}
    again = interrupted.federation("demo", "--down")
    assert again.returncode == 0, again.text
