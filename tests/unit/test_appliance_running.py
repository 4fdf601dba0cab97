"""The appliance from boot on, with services that are only noted: what it says of a machine, and when no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flower_appliance import appliance as running
from flower_appliance.appliance import Appliance
from flower_appliance.checks import HandshakeCheck, HealthCheck, KeyCheck
from flower_appliance.enrolment import Enrolment
from flower_appliance.errors import Problem
from flower_appliance.guest import Guest
from flower_appliance.onegate import OneGate, OneGateAccess
from flower_appliance.publisher import Publisher, encoded
from flower_appliance.readiness import Verdict, readable_by, run_checks
from flower_appliance.shellvars import render_assignments
from flower_appliance.supervisor import Finished, Listener, Program, UnitStatus
from flower_appliance.unit import Unit
from tests.appliance_support import NOW, TOKEN, FakeOneGate, make_authority, superlink_values, supernode_values
from tests.patience import AT_ONCE_S, PATIENCE_S

CA = make_authority()
ID_LINE = "INFO :      SuperNode ID: 5"


class Noted:
    """Services that run because it is said so; like systemd, they tell of their starts and ends only later."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.running: set[str] = set()
        self.restarts: list[str] = []
        self.words: list[str] = []
        """Of the command lines that run."""

    def begin(self) -> None: ...

    def set_log_level(self, level: str) -> None: ...

    async def reconcile(self, units: Sequence[Unit], *, changed: Sequence[str]) -> None:
        self.running = {unit.name for unit in units}
        self.words = [word for unit in units for word in unit.argv]
        self.restarts += changed

    async def restart(self, name: str) -> None:
        self.restarts.append(name)

    async def reload(self, name: str) -> bool:
        return True

    async def mount(self, name: str) -> str:
        return ""

    async def run_once(self, program: Program) -> Finished:
        return Finished(status=0, output="")

    async def stop(self) -> None:
        self.running = set()

    def status(self, name: str) -> UnitStatus:
        up = name in self.running
        return UnitStatus(pid=1 if up else None, starts=int(up), last_exit=None, running_s=1.0)

    def has_child(self, name: str, program: str) -> bool:
        return True


class Booted:
    """One machine: its CONTEXT, its OneGate, and the appliance on it. Checks pass unless a test says otherwise."""

    def __init__(self, folder: Path, onegate: FakeOneGate, values: dict[str, str]) -> None:
        self.folder, self.onegate, self.values = folder, onegate, values
        self.services: Noted
        self.verdicts: Callable[[Any], list[Any]] = lambda checks: []
        (folder / "context").mkdir()
        self.write(values)
        guest = Guest(
            vm_mark="x", root=folder / "root", context_folder=folder / "context", address="10.0.0.5", bin_dir=folder
        )
        access = OneGateAccess(endpoint=onegate.url, vm_id="7", token=TOKEN, ca_file=None)

        def services(logs: Path, listener: Listener) -> Noted:
            self.services = Noted(listener)
            return self.services

        self.appliance = Appliance(
            guest,
            onegate=OneGate(access, sleep=lambda _: None),
            make_services=services,
            now=lambda: NOW,
            pause=self.never,
        )
        self.task: asyncio.Task[None] | None = None

    async def never(self, _: float) -> None:
        await asyncio.Event().wait()

    def write(self, values: dict[str, str]) -> None:
        (self.folder / "context/context.sh").write_text(render_assignments(values))

    def start(self) -> None:
        self.task = asyncio.create_task(self.appliance.run())

    async def until(self, what: Callable[[], object]) -> None:
        """Wait for something; the appliance must live meanwhile."""
        assert self.task is not None

        async def look() -> None:
            while not what():
                assert self.task is not None
                if self.task.done():
                    await self.task
                    raise AssertionError("the appliance has ended")
                await asyncio.sleep(0.02)

        await asyncio.wait_for(look(), PATIENCE_S)

    async def stop(self) -> None:
        self.appliance.ask_to_stop()
        if self.task is not None:
            await asyncio.wait_for(self.task, PATIENCE_S)


Boot = Callable[[dict[str, str]], Booted]


@pytest.fixture
def onegate() -> Iterator[FakeOneGate]:
    with FakeOneGate(names={"7": "supernode_0_(service_1)"}) as fake:
        yield fake


@pytest.fixture
def boot(tmp_path: Path, onegate: FakeOneGate, monkeypatch: pytest.MonkeyPatch) -> Boot:
    monkeypatch.setattr("flower_appliance.pace.CHECK_LATER_S", 0.05)
    monkeypatch.setattr("flower_appliance.pace.CHECK_SOON_S", 0.05)
    monkeypatch.setattr("flower_appliance.pace.CHECK_FAILING_S", 0.05)
    monkeypatch.setattr("flower_appliance.pace.ASK_ENROLMENT_S", 0.05)
    monkeypatch.setattr("flower_appliance.publisher.HEARTBEAT_S", 0.05)

    def make(values: dict[str, str]) -> Booted:
        booted = Booted(tmp_path, onegate, values)
        monkeypatch.setattr(running, "run_checks", lambda checks, **_: booted.verdicts(checks))
        return booted

    return make


async def test_what_an_earlier_boot_claimed_is_taken_back_although_onegate_was_away_at_first(
    boot: Boot, onegate: FakeOneGate
) -> None:
    onegate.attributes["7"] = {"READY": "YES", "FL_ERROR": encoded("of yesterday"), "FL_NODE_ID": "5"}
    onegate.failures = [500] * 6
    machine = boot(superlink_values(CA))

    check = KeyCheck(path="/k")
    machine.verdicts = lambda _: [Verdict(check=check, problem=Problem(given="a", rule="b", reason="c", remedy="d"))]
    machine.start()
    await machine.until(lambda: onegate.of(7).get("READY") == "NO")
    machine.verdicts = lambda _: []
    await machine.until(lambda: onegate.of(7).get("READY") == "YES")
    await machine.until(lambda: "FL_ERROR" not in onegate.of(7) and "FL_NODE_ID" not in onegate.of(7))
    await machine.stop()


async def test_a_node_learns_its_name_late_where_onegate_was_away_at_first(boot: Boot, onegate: FakeOneGate) -> None:
    onegate.failures = [500] * 6
    machine = boot({**supernode_values(CA), "FL_PARTITION_ID": "3"})
    machine.start()
    await machine.until(lambda: any("node='berlin/supernode-0'" in word for word in machine.services.words))
    await machine.stop()


async def test_an_attribute_that_somebody_removed_by_hand_holds_up_nothing(boot: Boot, onegate: FakeOneGate) -> None:
    machine = boot(superlink_values(CA))
    machine.values["FL_LOG_LEVEL"] = "LOUD"
    machine.write(machine.values)
    machine.start()
    await machine.until(lambda: "LOUD" in onegate.error_of(7))
    del onegate.attributes["7"]["FL_ERROR"]
    onegate.attributes["7"]["FL_NODE_ID"] = "5"
    machine.write({**machine.values, "FL_LOG_LEVEL": "INFO"})
    await machine.until(lambda: onegate.of(7).get("FL_READY") == "YES")
    asked = len(onegate.requests)
    await machine.until(lambda: len(onegate.requests) > asked + 10)
    withdrawn = [body for method, path, body in onegate.requests[asked + 5 :] if path.endswith("type=2")]
    assert "FL_ERROR" not in withdrawn
    await machine.stop()


async def test_a_value_that_onegate_would_mangle_keeps_no_other_from_it(boot: Boot, onegate: FakeOneGate) -> None:
    machine = boot(superlink_values(CA))
    machine.appliance._publisher.set({"FL_X": "a,b"})
    machine.start()
    await machine.until(lambda: onegate.of(7).get("READY") == "YES")
    assert "FL_X" not in onegate.of(7)
    await machine.stop()
    assert onegate.of(7)["FL_STATE"] == "offline"


async def test_a_disk_that_was_full_while_a_new_context_came_heals_by_itself(
    boot: Boot, onegate: FakeOneGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = boot(superlink_values(CA))
    machine.start()
    await machine.until(lambda: onegate.of(7).get("READY") == "YES")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr("flower_appliance.apply.write_if_changed", full)
        machine.write({**machine.values, "FL_CONTEXT_REVISION": "r2"})
        machine.appliance.ask_to_reconfigure()
        await machine.until(lambda: "No space left" in onegate.error_of(7))
        assert onegate.of(7)["FL_READY"] == "NO"
    await machine.until(lambda: onegate.of(7).get("FL_CONTEXT_REVISION") == "r2")
    await machine.until(lambda: onegate.of(7).get("FL_READY") == "YES" and "FL_ERROR" not in onegate.of(7))
    await machine.stop()


async def test_what_cannot_be_looked_at_is_an_error_of_the_machine_and_not_its_end(
    boot: Boot, onegate: FakeOneGate
) -> None:
    machine = boot(supernode_values(CA))

    def gone(_: Any) -> list[Any]:
        raise OSError(5, "Input/output error")

    machine.verdicts = gone
    machine.start()
    await machine.until(lambda: "Input/output error" in onegate.error_of(7))
    assert onegate.of(7).get("READY") is None
    machine.verdicts = lambda _: []
    await machine.until(lambda: onegate.of(7).get("READY") == "YES" and "FL_ERROR" not in onegate.of(7))
    await machine.stop()


async def test_a_new_context_is_in_effect_only_once_the_restarted_node_is_back(
    boot: Boot, onegate: FakeOneGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ask_enrolment", lambda *_, **__: Enrolment.ENROLLED)
    machine = boot({**supernode_values(CA), "FL_CONTEXT_REVISION": "r1"})
    machine.start()
    await machine.until(lambda: onegate.of(7).get("READY") == "YES" and machine.services.running)
    node = "flower-supernode.service"
    machine.services.listener.on_start(node)
    machine.services.listener.on_line(node, ID_LINE)
    await machine.until(lambda: onegate.of(7).get("FL_CONTEXT_REVISION") == "r1")

    machine.write({**machine.values, "FL_NUM_PARTITIONS": "4", "FL_CONTEXT_REVISION": "r2"})
    machine.appliance.ask_to_reconfigure()
    await machine.until(lambda: machine.services.restarts.count(node))
    seen = len(onegate.requests)
    await machine.until(lambda: len(onegate.requests) > seen + 8)
    assert onegate.of(7)["FL_CONTEXT_REVISION"] == "r1"
    assert onegate.of(7)["FL_STATE"] != "online"

    machine.services.listener.on_exit(node, 0)
    machine.services.listener.on_start(node)
    machine.services.listener.on_line(node, ID_LINE)
    await machine.until(lambda: onegate.of(7).get("FL_CONTEXT_REVISION") == "r2")
    assert onegate.of(7)["FL_STATE"] == "online"
    await machine.stop()


async def test_a_change_at_the_very_moment_of_the_end_does_not_keep_the_publisher_from_ending() -> None:
    publisher = Publisher(None, unix_time_s=lambda: 0.0)
    task = asyncio.create_task(publisher.run())
    for _ in range(5):
        await asyncio.sleep(0)  # it waits for a change now
    publisher.set({"READY": "YES"})
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=AT_ONCE_S)
    task.cancel()

    assert done


async def test_services_are_stopped_although_a_part_of_the_appliance_had_ended(
    boot: Boot, onegate: FakeOneGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("flower_appliance.publisher.Publisher.run", ends)
    machine = boot(superlink_values(CA))
    machine.start()
    await machine.until(lambda: machine.services.running)
    await machine.stop()
    assert machine.services.running == set()


def test_a_link_in_the_data_that_leads_nowhere_or_in_a_circle_is_unreadable_data(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")

    assert not readable_by(tmp_path / "nowhere", "root")
    assert not readable_by(tmp_path / "circle", "root")
    assert not readable_by(tmp_path / "never", "root")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_ca_certificate_that_is_gone_or_damaged_is_a_problem_with_a_remedy(tmp_path: Path, damaged: bool) -> None:
    path = tmp_path / "ca.crt"
    if damaged:
        path.write_text("no certificate")
    checks = [
        HandshakeCheck(host="127.0.0.1", port=1, ca=str(path), subject="the SuperLink"),
        HealthCheck(host="127.0.0.1", port=1, ca=str(path)),
        KeyCheck(path=str(tmp_path / "node.key")),
    ]
    *of_ca, of_key = (verdict.problem for verdict in run_checks(checks, has_child=lambda *_: True))

    for problem in of_ca:
        assert problem is not None
        assert str(path) in problem.given
        assert "restart the VM" in problem.remedy
    assert of_key is not None
    assert "enrolled again" in of_key.remedy
