"""The process driver with real processes: start, exit, stop, daemons, and a zone process that was killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import AT_ONCE_S, eventually
from tests.zonebox_process_support import driver_for, processes_of, spec_for, write_image
from zonebox.drivers import process_table
from zonebox.drivers.base import DriverError, GuestState
from zonebox.drivers.process import ProcessDriver, mark_of

SLEEPER = "import time\nopen('started', 'w').close()\ntime.sleep(600)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('started', 'w').close()\ntime.sleep(600)"
)
POLITE = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (open('goodbye', 'w').close(), sys.exit(0)))\n"
    "open('started', 'w').close()\ntime.sleep(600)"
)
DAEMONISER = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        open('daemon', 'w').write(str(os.getpid()))\n"
    "        time.sleep(600)\n"
    "    os._exit(0)\n"
    "os.wait()\ntime.sleep(600)"
)
REPORTER = (
    "import json, os\n"
    "report = [dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid()]\n"
    "open('report', 'w').write(json.dumps(report))"
)


def _ignore(_: int) -> None:
    """Nobody is told."""


async def test_a_guest_runs_in_its_root_and_session_with_a_small_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_ZONE", "hunter2")
    image = write_image(tmp_path, REPORTER, {"EXTRA": "yes", "VM_ID": "spoofed"})
    spec = spec_for(tmp_path / "vm", image=image)
    ended: list[int] = []
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually(lambda: ended, "the guest ends by itself")
    environment, folder, leads = json.loads((tmp_path / "vm/root/report").read_text())
    assert ended == [7]
    assert leads
    assert folder == str(tmp_path / "vm/root")
    environment.pop("LC_CTYPE", None)
    assert environment == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path / "vm/root"),
        "EXTRA": "yes",
        "VM_ID": mark_of(spec),
        "VM_ROOT": str(tmp_path / "vm/root"),
        "VM_CONTEXT": str(tmp_path / "vm/context"),
        "VM_ADDRESS": "127.99.1.7",
    }


async def test_what_a_guest_prints_is_in_its_console(tmp_path: Path) -> None:
    image = write_image(tmp_path, "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)")
    spec = spec_for(tmp_path / "vm", image=image)
    ended: list[int] = []
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually(lambda: ended, "the guest ends by itself")
    assert (tmp_path / "vm/console.log").read_text() == "out\nerr\n"


async def test_a_stopped_guest_may_say_goodbye_and_nobody_is_told_that_it_ended(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, POLITE))
    ended: list[int] = []
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually((tmp_path / "vm/root/started").exists, "the guest starts")
        await driver.stop(7, hard=False)
        assert (tmp_path / "vm/root/goodbye").exists()
        assert processes_of(spec) == []
    assert ended == []


async def test_a_guest_that_ignores_sigterm_is_ended_after_its_grace(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, STUBBORN))
    async with driver_for(spec, grace_s=0.2) as driver:
        await driver.start(spec, _ignore)
        await eventually((tmp_path / "vm/root/started").exists, "the guest starts")
        await driver.stop(7, hard=False)
        assert processes_of(spec) == []
    assert "still running 0.2 s after SIGTERM" in (tmp_path / "vm/console.log").read_text()


async def test_a_hard_stop_asks_nobody(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, POLITE))
    async with driver_for(spec) as driver:
        await driver.start(spec, _ignore)
        await eventually((tmp_path / "vm/root/started").exists, "the guest starts")
        await driver.stop(7, hard=True)
        assert processes_of(spec) == []
    assert not (tmp_path / "vm/root/goodbye").exists()


async def test_a_daemon_that_left_the_session_dies_with_its_vm(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, DAEMONISER))
    async with driver_for(spec) as driver:
        await driver.start(spec, _ignore)
        pid_file = tmp_path / "vm/root/daemon"
        await eventually(lambda: pid_file.exists() and pid_file.read_text(), "the daemon starts")
        daemon = int(pid_file.read_text())
        assert daemon in processes_of(spec)
        await driver.stop(7, hard=False)
        assert process_table.started_ticks(daemon) is None


async def test_when_the_first_process_ends_the_rest_of_the_vm_ends_too(tmp_path: Path) -> None:
    first_process_ends_after_the_fork = DAEMONISER.rsplit("\n", 1)[0]
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, first_process_ends_after_the_fork))
    ended: list[int] = []
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually(lambda: ended, "the first process ends")
        assert processes_of(spec) == []


async def test_a_process_that_cleared_its_environment_is_found_by_its_session(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nif os.fork() == 0:\n"
        "    os.execve(sys.executable, [sys.executable, '-I', '-c', "
        '\'import os, time; open("bare", "w").write(str(os.getpid())); time.sleep(600)\'], {})\n'
        "time.sleep(600)"
    )
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, program))
    async with driver_for(spec) as driver:
        await driver.start(spec, _ignore)
        pid_file = tmp_path / "vm/root/bare"
        await eventually(lambda: pid_file.exists() and pid_file.read_text(), "the bare process starts")
        await driver.stop(7, hard=True)
        assert process_table.started_ticks(int(pid_file.read_text())) is None


async def test_a_start_ends_only_when_the_guest_can_be_found_by_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of a new process may read empty for some microseconds; here, for three looks."""
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, SLEEPER))
    looks: list[bool] = []
    really_carries = process_table.carries

    def sees_it_late(pid: int, mark: str) -> bool:
        if not really_carries(pid, mark):
            return False
        looks.append(len(looks) >= 3)
        return looks[-1]

    async with driver_for(spec) as driver:
        monkeypatch.setattr(process_table, "carries", sees_it_late)
        await driver.start(spec, _ignore)
        assert looks == [False, False, False, True]


def test_an_environment_that_is_empty_for_a_moment_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [b"", b"", b"A=1\0VM_ID=mine\0"]
    monkeypatch.setattr(process_table, "_environment", lambda _: looks.pop(0))
    assert process_table.carries(1, "mine")
    assert looks == []
    monkeypatch.setattr(process_table, "_environment", lambda _: b"")
    assert not process_table.carries(1, "mine")


async def test_start_and_stop_can_be_repeated(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, SLEEPER))
    async with driver_for(spec) as driver:
        await driver.start(spec, _ignore)
        (pid,) = processes_of(spec)
        await driver.start(spec, _ignore)
        assert processes_of(spec) == [pid]
        await driver.stop(7, hard=True)
        await driver.stop(7, hard=True)
        await driver.start(spec, _ignore)
        assert len(processes_of(spec)) == 1


async def test_a_vm_without_an_image_idles_until_it_is_stopped(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm")
    async with driver_for(spec) as driver:
        await driver.start(spec, _ignore)
        assert "idles" in (tmp_path / "vm/console.log").read_text()
        await driver.close()
        assert await driver.reattach(spec, _ignore) is GuestState.RUNNING
        await driver.stop(7, hard=False)
        assert await driver.reattach(spec, _ignore) is GuestState.LOST


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    image = tmp_path / "image.json"
    image.write_text(json.dumps({"format": "zonebox-process/1", "command": ["no-such-program"]}))
    spec = spec_for(tmp_path / "vm", image=image)
    async with driver_for(spec) as driver:
        with pytest.raises(DriverError, match=r"program no-such-program: No such file.*change command"):
            await driver.start(spec, _ignore)


async def test_a_frozen_guest_goes_on_when_it_is_thawed_and_a_killed_one_is_reported(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, SLEEPER))
    ended: list[int] = []

    def state() -> str:
        return Path(f"/proc/{processes_of(spec)[0]}/stat").read_text().rpartition(")")[2].split()[0]

    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually((tmp_path / "vm/root/started").exists, "the guest starts")
        driver.freeze(7)
        await eventually(lambda: state() == "T", "the guest halts")
        driver.thaw(7)
        await eventually(lambda: state() == "S", "the guest goes on")
        driver.kill(7)
        await eventually(lambda: ended, "its end is reported")


ZONE_PROCESS = """
import asyncio, sys
from pathlib import Path
from tests.zonebox_process_support import spec_for
from zonebox.drivers.process import ProcessDriver
from dataclasses import replace

async def main():
    folder, image, uuid = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    spec = replace(spec_for(folder, image=image), uuid=uuid)
    await ProcessDriver().start(spec, print)
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def _killed_zone_process(folder: Path, image: Path, uuid: str) -> None:
    """Start a guest from another process, and kill that process with -9."""
    command = [sys.executable, "-c", ZONE_PROCESS, str(folder), str(image), uuid]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as zone:
        assert zone.stdout is not None
        assert zone.stdout.readline() == b"started\n"
        zone.send_signal(signal.SIGKILL)


async def test_a_guest_outlives_its_zone_process_and_is_found_again(tmp_path: Path) -> None:
    image = write_image(tmp_path, SLEEPER)
    spec = spec_for(tmp_path / "vm", image=image)
    ended: list[int] = []
    async with driver_for(spec) as driver:
        _killed_zone_process(spec.folder, image, spec.uuid)
        (pid,) = processes_of(spec)
        assert await driver.reattach(spec, ended.append) is GuestState.RUNNING
        assert processes_of(spec) == [pid]
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: ended, "the end of a guest that is no child of ours is seen")


async def test_a_guest_whose_record_was_not_written_yet_is_found_by_its_mark(tmp_path: Path) -> None:
    image = write_image(tmp_path, DAEMONISER)
    spec = spec_for(tmp_path / "vm", image=image)
    async with driver_for(spec) as driver:
        _killed_zone_process(spec.folder, image, spec.uuid)
        await eventually((tmp_path / "vm/root/daemon").exists, "the daemon starts")
        (spec.folder / "guest.json").unlink()
        assert await driver.reattach(spec, _ignore) is GuestState.RUNNING
        await driver.stop(7, hard=False)
        assert processes_of(spec) == []


async def test_a_guest_that_ended_while_the_zone_was_away_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    image = write_image(tmp_path, DAEMONISER)
    spec = spec_for(tmp_path / "vm", image=image)
    async with driver_for(spec) as driver:
        _killed_zone_process(spec.folder, image, spec.uuid)
        await eventually((tmp_path / "vm/root/daemon").exists, "the daemon starts")
        first = json.loads((spec.folder / "guest.json").read_text())["pid"]
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: process_table.started_ticks(first) is None, "the first process ends")
        assert await driver.reattach(spec, _ignore) is GuestState.STOPPED
        assert processes_of(spec) == []


async def test_a_reused_pid_is_not_taken_for_the_guest(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm")
    spec.folder.mkdir()
    record = {"mark": mark_of(spec), "pid": os.getpid(), "started_ticks": 1}
    (spec.folder / "guest.json").write_text(json.dumps(record))
    async with driver_for(spec) as driver:
        assert await driver.reattach(spec, _ignore) is GuestState.STOPPED


async def test_a_vm_that_was_never_started_is_lost(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm")
    async with driver_for(spec) as driver:
        assert await driver.reattach(spec, _ignore) is GuestState.LOST


async def test_closing_the_driver_leaves_guests_alone(tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, SLEEPER))
    async with driver_for(spec) as driver:
        first = ProcessDriver()
        await first.start(spec, _ignore)
        pids = processes_of(spec)
        await first.close()
        assert processes_of(spec) == pids
        assert await driver.reattach(spec, _ignore) is GuestState.RUNNING


async def test_a_start_that_is_broken_off_leaves_no_guest_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(tmp_path / "vm", image=write_image(tmp_path, SLEEPER))
    reached = asyncio.Event()

    async def never_marked(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("zonebox.drivers.process._carries_mark", never_marked)
    async with driver_for(spec) as driver:
        starting = asyncio.get_running_loop().create_task(driver.start(spec, _ignore))
        await reached.wait()
        await eventually(lambda: processes_of(spec), "the guest's process")
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert processes_of(spec) == []


async def test_a_guest_that_only_idles_can_be_ended_as_by_a_crash(tmp_path: Path) -> None:
    spec, ended = spec_for(tmp_path / "vm"), list[int]()
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        driver.kill(spec.vm_id)
        assert ended == [spec.vm_id]
        await driver.start(spec, ended.append)
        assert await driver.reattach(spec, ended.append) is GuestState.RUNNING


async def test_a_guest_that_is_killed_while_it_is_asked_to_end_keeps_nobody_waiting(tmp_path: Path) -> None:
    spec, ended = spec_for(tmp_path / "vm", image=write_image(tmp_path, STUBBORN)), list[int]()
    async with driver_for(spec) as driver:
        await driver.start(spec, ended.append)
        await eventually((tmp_path / "vm/root/started").exists, "the guest ignores SIGTERM")
        stopping = asyncio.get_running_loop().create_task(driver.stop(spec.vm_id, hard=False))
        await asyncio.sleep(0)
        driver.kill(spec.vm_id)
        await asyncio.wait_for(stopping, AT_ONCE_S)
    assert (processes_of(spec), ended) == ([], [])
