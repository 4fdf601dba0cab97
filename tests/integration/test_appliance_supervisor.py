"""The supervisor with real processes. It runs in a process of its own, because it waits for every child it has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.appliance_support import marked_processes, wait_until, whole_lines
from tests.patience import PATIENCE_S

PROGRAM = """
import asyncio, json, signal, sys
from pathlib import Path
from flower_appliance.supervisor import Listener, Supervisor
from flower_appliance.unit import Unit

def say(*words):
    print(json.dumps(words), flush=True)

async def main(folder, mark, units):
    folder = Path(folder)
    (folder / "env").write_text('FROM_FILE="yes"\\n')
    base = {"VM_ID": mark, "PATH": "/usr/bin:/bin"}
    listener = Listener(
        on_start=lambda unit: say("start", unit, supervisor.status(unit).pid),
        on_line=lambda unit, line: say("line", unit, line),
        on_exit=lambda unit, status: say("exit", unit, status),
    )
    supervisor = Supervisor(logs=folder, base_environment=base, listener=listener, secrets=["swordfish-42"])
    def make(name, script, **rest):
        return Unit(name=name, description=name, argv=("/bin/sh", "-c", script), environment_file=str(folder / "env"),
                    working_folder=str(folder), restart_first_s=0.05, restart_most_s=0.2, **rest)
    units = [make(**unit) for unit in units]
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(supervisor.reconcile(units, changed=["b.service"])))
    async def restart_and_stop():
        await supervisor.restart("b.service")
        await supervisor.stop()
        stop.set()
    loop.add_signal_handler(signal.SIGUSR1, lambda: loop.create_task(restart_and_stop()))
    supervisor.begin()
    await supervisor.reconcile(units, changed=[])
    await stop.wait()
    await supervisor.stop()

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
"""


@dataclass
class Run:
    """One supervisor at work."""

    folder: Path
    mark: str
    process: subprocess.Popen[bytes]

    def events(self) -> list[list[Any]]:
        return [json.loads(line) for line in whole_lines(self.folder / "events")]

    def of(self, kind: str, unit: str = "a.service") -> list[Any]:
        return [event[2] for event in self.events() if event[:2] == [kind, unit]]

    def wait_for(self, kind: str, count: int = 1, unit: str = "a.service") -> list[Any]:
        return wait_until(
            lambda: found if len(found := self.of(kind, unit)) >= count else [], f"{count} x {kind} of {unit}"
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


class Starter:
    """Starts supervisors and makes sure that nothing of theirs survives the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run: Run | None = None

    def __call__(self, **scripts: str) -> Run:
        units = [{"name": f"{name}.service", "script": script} for name, script in scripts.items()]
        mark = f"test-{os.getpid()}-{self.folder.name}"
        with (self.folder / "events").open("wb") as events:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self.folder), mark, json.dumps(units)],
                stdout=events,
                start_new_session=True,
            )
        self.run = Run(self.folder, mark, process)
        return self.run

    def close(self) -> None:
        if self.run is not None:
            self.run.process.kill()
            self.run.process.wait()
            for pid in marked_processes(self.run.mark):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.close()


def test_a_unit_that_ends_with_success_is_started_again(supervise: Starter) -> None:
    run = supervise(a="exit 0")

    assert run.wait_for("exit", 3)[:3] == [0, 0, 0]


def test_a_unit_that_is_killed_is_started_again(supervise: Starter) -> None:
    run = supervise(a="exec sleep 1000")
    (first,) = run.wait_for("start")
    os.kill(first, signal.SIGKILL)

    assert run.wait_for("start", 2)[1] != first
    assert run.of("exit") == [-9]


def test_a_program_that_does_not_exist_does_not_stop_the_others(supervise: Starter) -> None:
    run = supervise(a="exec /does/not/exist", b="exec sleep 1000")

    assert run.wait_for("exit", 2)[:2] == [127, 127]
    assert run.of("exit", "b.service") == []


def test_what_a_unit_leaves_behind_in_a_session_of_its_own_is_ended_before_it_starts_anew(supervise: Starter) -> None:
    run = supervise(a="setsid sleep 1000 & echo child $!; exec sleep 1000")
    (line,) = run.wait_for("line")
    child = int(line.split()[1])
    wait_until(lambda: child in marked_processes(run.mark), "the child's own environment")
    os.kill(run.of("start")[0], signal.SIGKILL)
    run.wait_for("start", 2)

    assert child not in marked_processes(run.mark)


def test_a_leftover_that_ignores_sigterm_is_killed(supervise: Starter) -> None:
    run = supervise(a="setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done' & exec sleep 1000")
    run.wait_for("line")
    run.stop()

    assert marked_processes(run.mark) == []


def test_leftovers_of_one_unit_are_ended_without_touching_the_other(supervise: Starter) -> None:
    run = supervise(a="exec sleep 1000", b="setsid sleep 1000 & echo child $!; wait")
    run.wait_for("start")
    child = int(run.wait_for("line", unit="b.service")[0].split()[1])
    wait_until(lambda: child in marked_processes(run.mark), "the child's own environment")
    os.kill(run.of("start")[0], signal.SIGKILL)
    run.wait_for("start", 2)

    assert run.of("exit", "b.service") == []
    assert child in marked_processes(run.mark)


def test_sigterm_stops_everything_and_lets_units_say_goodbye(supervise: Starter) -> None:
    run = supervise(a="trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done", b="exec sleep 1000")
    run.wait_for("line")
    run.stop()

    assert run.process.returncode == 0
    assert run.of("line")[-1] == "bye"
    assert len(run.of("start")) == 1
    assert marked_processes(run.mark) == []


def test_only_changed_units_are_restarted(supervise: Starter) -> None:
    run = supervise(a="exec sleep 1000", b="exec sleep 1000")
    run.wait_for("start", unit="b.service")
    run.process.send_signal(signal.SIGHUP)
    run.wait_for("start", 2, unit="b.service")

    assert len(run.of("start", "a.service")) == 1


def test_a_unit_that_is_stopped_while_it_is_restarted_does_not_come_back(supervise: Starter) -> None:
    run = supervise(a="exec sleep 1000", b="exec sleep 1000")
    run.wait_for("start", unit="b.service")
    run.process.send_signal(signal.SIGUSR1)
    run.process.wait(PATIENCE_S)

    assert run.process.returncode == 0
    assert marked_processes(run.mark) == []


def test_output_goes_to_the_units_log_without_secrets(supervise: Starter) -> None:
    run = supervise(a="echo password is swordfish-42 $FROM_FILE; echo err >&2; exec sleep 1000")
    run.wait_for("line", 2)
    log = run.folder / "a.log"

    assert wait_until(lambda: log.read_text().splitlines()[:2] if "err" in log.read_text() else [], "log") == [
        "password is (redacted) yes",
        "err",
    ]


def test_a_unit_gets_nothing_of_the_supervisors_own_environment(supervise: Starter, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    run = supervise(a="echo [$PYTHONPATH] [$HOME]; exec sleep 1000")

    assert run.wait_for("line") == ["[] []"]


def test_a_log_that_cannot_be_written_stops_neither_its_unit_nor_its_restarts(supervise: Starter) -> None:
    """A full disk does the same: what a unit prints must be read on, or it would block, or end for good."""
    (supervise.folder / "a.log").mkdir()
    run = supervise(a="i=0; while [ $i -lt 40 ]; do printf '%04096d\\n' $i; i=$((i+1)); done; echo done $$; exit 3")

    assert run.wait_for("exit", 2)[:2] == [3, 3]
    assert len([line for line in run.of("line") if line.startswith("done")]) >= 2
