"""The appliance beside systemd: where the CONTEXT is, what entries of the journal mean, what systemctl is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flower_appliance.errors import ApplianceError
from flower_appliance.journal import Exited, Line, Started, follow_command, read_entry
from flower_appliance.machine_guest import MachineGuest, runs_systemd
from flower_appliance.supervisor import Listener
from flower_appliance.systemd import Systemd
from flower_appliance.unit import Unit

NODE = "flower-supernode.service"
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
EXITED = "98e322203f7a4ed290d09fe03c09fe15"
ENDED_WELL = "7ad2d189f7e94e70a38c781354912448"


def entry(**fields: object) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": "1000", **fields})


def by_systemd(message_id: str, **fields: object) -> str:
    return entry(UNIT=NODE, _PID="1", MESSAGE_ID=message_id, MESSAGE="in any language", **fields)


def test_the_journal_tells_a_start_a_line_and_an_end_apart() -> None:
    assert read_entry(by_systemd(STARTING)) == Started(unit=NODE, at_us=1000)
    assert read_entry(entry(_SYSTEMD_UNIT=NODE, MESSAGE="hello")) == Line(unit=NODE, at_us=1000, text="hello")
    assert read_entry(by_systemd(EXITED, EXIT_CODE="exited", EXIT_STATUS="3")) == Exited(
        unit=NODE, at_us=1000, status=3
    )
    assert read_entry(by_systemd(EXITED, EXIT_CODE="killed", EXIT_STATUS="9")) == Exited(
        unit=NODE, at_us=1000, status=-9
    )
    assert read_entry(by_systemd(ENDED_WELL)) == Exited(unit=NODE, at_us=1000, status=0)


def test_a_line_with_colours_comes_as_bytes_and_is_read() -> None:
    raw = list(b"\x1b[92mINFO\x1b[0m: go")
    assert read_entry(entry(_SYSTEMD_UNIT=NODE, MESSAGE=raw)) == Line(
        unit=NODE, at_us=1000, text="\x1b[92mINFO\x1b[0m: go"
    )


@pytest.mark.parametrize(
    "line", ["", "no json", "{}", "[]", '{"__REALTIME_TIMESTAMP": "x"}', entry(MESSAGE="whose?"), by_systemd("other")]
)
def test_what_is_no_entry_about_a_unit_is_passed_over(line: str) -> None:
    assert read_entry(line) is None


def test_a_guest_that_lies_about_the_unit_is_not_believed() -> None:
    """Any process may write a UNIT field; only process 1's counts."""
    forged = entry(UNIT=NODE, _PID="77", MESSAGE_ID=EXITED, EXIT_STATUS="0", _SYSTEMD_UNIT=NODE, MESSAGE="x")
    assert read_entry(forged) == Line(unit=NODE, at_us=1000, text="x")


def test_the_whole_boot_is_followed_so_that_a_restarted_appliance_knows_what_runs() -> None:
    assert {"--follow", "--boot", "--lines=all", f"--unit={NODE}"} <= set(follow_command([NODE]))


def put(root: Path, place: str, text: str) -> Path:
    path = root / place.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_context_disk_comes_before_a_bound_folder_and_both_before_the_copy_of_one_context(tmp_path: Path) -> None:
    with pytest.raises(ApplianceError, match=r"none of .*CONTEXT section"):
        MachineGuest.find(root=tmp_path)
    found = []
    for place in ("/run/one-context/context.sh.local", "/context/context.sh", "/run/flower/context/context.sh"):
        put(tmp_path, place, f"ETH0_IP='10.0.0.{len(found)}'\n")
        found.append(MachineGuest.find(root=tmp_path).machine("").address)
    assert found == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]


def test_a_machine_of_its_own_binds_its_real_loopback_and_has_a_service_user(tmp_path: Path) -> None:
    put(tmp_path, "/context/context.sh", "ETH0_IP='10.0.0.9'\n")
    put(tmp_path, "/context/token.txt", "abc\n")
    guest = MachineGuest.find(root=tmp_path)
    machine = guest.machine("supernode_1_(service_2)")
    assert (machine.loopback, machine.address, machine.service_user) == ("127.0.0.1", "10.0.0.9", "flower")
    assert guest.token() == "abc"


def test_a_network_that_gives_no_address_in_the_context_still_yields_one(tmp_path: Path) -> None:
    put(tmp_path, "/context/context.sh", "ETH0_IP=''\n")
    assert MachineGuest.find(root=tmp_path).machine("").address.count(".") == 3


def test_a_process_vm_is_none_even_where_its_host_runs_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VM_ROOT", raising=False)
    assert runs_systemd(tmp_path)
    assert not runs_systemd(tmp_path / "absent")
    monkeypatch.setenv("VM_ROOT", "/vms/1/root")
    assert not runs_systemd(tmp_path)


@dataclass
class FakeSystemctl:
    """systemctl over a set of active units."""

    active: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> str:
        verb, *names = argv[1:]
        if verb == "show":
            return (
                f"ActiveState={'active' if names[-1] in self.active else 'inactive'}\nMainPID=4\nNRestarts=2\n"
                "ExecMainStatus=0\nActiveEnterTimestampMonotonic=5000000\n"
            )
        self.asked.append(" ".join([verb, *names]))
        if verb == "stop":
            self.active -= set(names)
        else:
            self.active |= set(names)
        return ""


@dataclass
class Heard:
    """What a listener was told."""

    events: list[tuple[str, str]] = field(default_factory=list)

    def listener(self) -> Listener:
        return Listener(
            on_start=lambda unit: self.events.append(("start", unit)),
            on_line=lambda _, line: self.events.append(("line", line)),
            on_exit=lambda _, status: self.events.append(("exit", str(status))),
        )


def unit(name: str) -> Unit:
    return Unit(name=name, description="d", argv=("/bin/true",), environment_file="/e", working_folder="/")


def machine(tmp_path: Path, systemctl: FakeSystemctl, heard: Heard | None = None, **more: object) -> Systemd:
    for folder in ("logs", "etc/systemd/system", "run/flower"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    listener = (heard or Heard()).listener()
    return Systemd(logs=tmp_path / "logs", listener=listener, root=tmp_path, run=systemctl, clock=lambda: 65.0, **more)  # type: ignore[arg-type]


async def test_only_what_changed_is_restarted_and_what_is_gone_is_stopped(tmp_path: Path) -> None:
    systemctl = FakeSystemctl(active={"flower-superlink.service", "flower-gateway.service", "flower-supernode.service"})
    services = machine(tmp_path, systemctl)
    for name in (*systemctl.active, "flower-appliance.service"):
        (tmp_path / "etc/systemd/system" / name).touch()
    systemctl.active.add("flower-appliance.service")
    wanted = [unit("flower-superlink.service"), unit("flower-gateway.service"), unit("flower-audit.service")]
    await services.reconcile(wanted, changed=["flower-gateway.service", "flower-audit.service"])
    await services.stop()
    assert systemctl.asked == [
        "daemon-reload",
        "stop flower-supernode.service",
        "restart flower-gateway.service",
        "start flower-audit.service",
    ]


async def test_a_second_look_at_the_same_plan_asks_systemd_for_nothing(tmp_path: Path) -> None:
    systemctl = FakeSystemctl(active={NODE})
    services = machine(tmp_path, systemctl)
    await services.reconcile([unit(NODE)], changed=[])
    await services.stop()
    assert systemctl.asked == []


def test_a_running_unit_has_a_process_a_count_of_starts_and_an_age(tmp_path: Path) -> None:
    status = machine(tmp_path, FakeSystemctl(active={NODE})).status(NODE)
    assert (status.pid, status.starts, status.running_s) == (4, 3, 60.0)
    assert machine(tmp_path, FakeSystemctl()).status(NODE).starts == 0


def test_a_child_is_looked_for_in_the_units_control_group_only(tmp_path: Path) -> None:
    group = tmp_path / "cgroups" / NODE
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("1\n")
    services = machine(tmp_path, FakeSystemctl(), cgroups=tmp_path / "cgroups")
    assert not services.has_child(NODE, "flower-superexec")
    assert not services.has_child("other.service", "flower-superexec")


def test_lines_reach_the_log_without_colours_and_secrets_and_the_listener_hears_them(tmp_path: Path) -> None:
    heard = Heard()
    services = machine(tmp_path, FakeSystemctl(), heard, secrets=("s3cret-value",))
    services.take(Line(unit=NODE, at_us=5, text="\x1b[92mINFO\x1b[0m : s3cret-value"))
    services.take(Exited(unit=NODE, at_us=6, status=1))
    assert (tmp_path / "logs/flower-supernode.log").read_text() == "INFO : (redacted)\n"
    assert heard.events == [("line", "INFO : (redacted)"), ("exit", "1")]


def test_a_restarted_appliance_hears_the_past_again_but_logs_it_once(tmp_path: Path) -> None:
    first, heard = machine(tmp_path, FakeSystemctl()), Heard()
    first.take(Line(unit=NODE, at_us=5, text="SuperNode ID: 7"))

    async def replay() -> None:
        second = machine(tmp_path, FakeSystemctl(), heard)
        second.begin()
        second.take(Line(unit=NODE, at_us=5, text="SuperNode ID: 7"))
        second.take(Line(unit=NODE, at_us=6, text="new"))
        await second.stop()

    asyncio.run(replay())
    assert heard.events == [("line", "SuperNode ID: 7"), ("line", "new")]
    assert (tmp_path / "logs/flower-supernode.log").read_text() == "SuperNode ID: 7\nnew\n"


def test_lines_below_the_level_are_heard_but_not_logged(tmp_path: Path) -> None:
    heard = Heard()
    services = machine(tmp_path, FakeSystemctl(), heard)
    services.set_log_level("WARNING")
    services.take(Line(unit=NODE, at_us=5, text="INFO : SuperNode ID: 7"))
    assert heard.events == [("line", "INFO : SuperNode ID: 7")]
    assert (tmp_path / "logs/flower-supernode.log").read_text() == ""


def test_a_log_that_was_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    """The gateway's user may write to the folder, and root writes the logs."""
    heard, victim = Heard(), tmp_path / "shadow"
    services = machine(tmp_path, FakeSystemctl(), heard)
    victim.write_text("")
    (tmp_path / "logs/flower-supernode.log").symlink_to(victim)
    services.take(Line(unit=NODE, at_us=5, text="root::0:0"))
    assert victim.read_text() == ""
