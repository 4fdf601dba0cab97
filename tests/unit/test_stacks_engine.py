"""Interrupting the engine, locks that it left, and the lines that tell what it is doing."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi.automation import CommandError, EngineEvent

from flower_federation.environment import Layout
from flower_federation.errors import ToolError
from flower_federation.operations_engine import InterruptibleCommand
from flower_federation.operations_locks import process_alive, remove_stale_locks
from flower_federation.operations_progress import OperationProgress
from flower_federation.stacks import StackFile, Stacks
from tests.patience import PATIENCE_S

STACK = "organization/flower-federation/madrid-central"


def fake_engine(folder: Path, body: str, *, grace_s: float = PATIENCE_S) -> InterruptibleCommand:
    """A `pulumi` that answers `version` and otherwise does what `body` says."""
    path = folder / "bin" / "pulumi"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo v3.259.0; exit; fi\n{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return InterruptibleCommand(venv=folder, environment={"PATH": os.environ["PATH"]}, grace_s=grace_s)


def interrupt_when(exists: Path) -> threading.Thread:
    """Interrupt the main thread once a file exists."""

    def wait() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not exists.exists() and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_output_is_handed_on_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    result = fake_engine(tmp_path, "echo one; echo two >&2; echo three").run(
        ["up"], str(tmp_path), {}, on_output=lines.append
    )

    assert lines == ["one", "three"]
    assert result.stderr == "two"


def test_a_failed_command_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such thing"):
        fake_engine(tmp_path, "echo no such thing >&2; exit 3").run(["up"], str(tmp_path), {})


def test_an_interrupt_reaches_the_engine_once_and_is_waited_for(tmp_path: Path) -> None:
    started, log = tmp_path / "started", tmp_path / "log"
    body = f"trap 'echo interrupted >> {log}; exit 1' INT\ntouch {started}\nwhile :; do sleep 0.05; done"
    thread = interrupt_when(started)

    with pytest.raises(KeyboardInterrupt):
        fake_engine(tmp_path, body).run(["up"], str(tmp_path), {})
    thread.join()

    assert log.read_text() == "interrupted\n"


def test_an_engine_that_ignores_the_interrupt_is_killed_after_its_grace(tmp_path: Path) -> None:
    started, pid = tmp_path / "started", tmp_path / "pid"
    body = f"trap '' INT\necho $$ > {pid}\ntouch {started}\nwhile :; do sleep 0.05; done"
    thread = interrupt_when(started)

    with pytest.raises(KeyboardInterrupt):
        fake_engine(tmp_path, body, grace_s=0.5).run(["up"], str(tmp_path), {})
    thread.join()

    assert not process_alive(int(pid.read_text()))


def write_lock(backend: Path, *, pid: int, hostname: str) -> Path:
    folder = backend / ".pulumi" / "locks" / STACK
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pid}.json"
    path.write_text(
        json.dumps({"pid": pid, "username": "u", "hostname": hostname, "timestamp": "2026-11-24T00:00:00Z"})
    )
    return path


@pytest.mark.parametrize(
    ("hostname", "alive", "removed"), [("here", False, True), ("here", True, False), ("elsewhere", False, False)]
)
def test_a_lock_goes_only_if_its_process_ran_here_and_is_gone(
    tmp_path: Path, hostname: str, alive: bool, removed: bool
) -> None:
    path = write_lock(tmp_path, pid=4711, hostname=hostname)

    found = remove_stale_locks(tmp_path, STACK, hostname="here", alive=lambda _: alive)

    assert (len(found) == 1) is removed
    assert path.exists() is not removed


def test_a_lock_that_is_half_written_is_left_alone(tmp_path: Path) -> None:
    path = write_lock(tmp_path, pid=1, hostname="here")
    path.write_text('{"pid": ')

    assert remove_stale_locks(tmp_path, STACK, hostname="here", alive=lambda _: False) == ()
    assert path.exists()


URN = "urn:pulumi:berlin::flower-federation::flower:index:Pool$opennebula:index/service:Service::berlin-service"


def event(kind: str, **content: object) -> EngineEvent:
    metadata = {"op": "create", "urn": URN, "type": "t", "provider": "p"}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: content or {"metadata": metadata}})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def progress_at(clock: Callable[[], float], lines: list[str]) -> OperationProgress:
    return OperationProgress("berlin", lines.append, clock)


def test_what_takes_long_is_told_while_it_runs_and_when_it_ends() -> None:
    clock, lines = Clock(), list[str]()
    progress = progress_at(clock, lines)

    progress.on_event(event("resourcePreEvent"))
    clock.now = 7.0
    progress.heartbeat.tick()
    clock.now = 9.0
    progress.on_event(event("resOutputsEvent"))
    progress.heartbeat.tick()

    assert lines == [
        "berlin: waiting for Service berlin-service (7 s)",
        "berlin: created Service berlin-service (9.0 s)",
    ]


def test_what_is_quick_gets_no_line() -> None:
    clock, lines = Clock(), list[str]()
    progress = progress_at(clock, lines)

    progress.on_event(event("resourcePreEvent"))
    clock.now = 1.0
    progress.heartbeat.tick()
    progress.on_event(event("resOutputsEvent"))

    assert lines == []


def test_a_component_is_not_waited_for_besides_what_it_holds() -> None:
    clock, lines = Clock(), list[str]()
    progress = progress_at(clock, lines)

    component = {"op": "create", "urn": URN, "type": "flower:index:FlowerSupernodePool", "provider": "p"}
    progress.on_event(event("resourcePreEvent", metadata=component))
    clock.now = 60.0
    progress.heartbeat.tick()

    assert lines == ["berlin: working (60 s)"]


def test_what_has_just_begun_is_not_what_takes_long() -> None:
    clock, lines = Clock(), list[str]()
    progress = progress_at(clock, lines)

    clock.now = 1.5
    progress.on_event(event("resourcePreEvent"))
    clock.now = 2.0
    progress.heartbeat.tick()

    assert lines == ["berlin: working (2 s)"]


def test_an_engine_that_says_nothing_yet_is_told_to_work_after_two_seconds_and_then_every_five() -> None:
    clock, lines = Clock(), list[str]()
    progress = progress_at(clock, lines)

    for second in range(14):
        clock.now = float(second)
        progress.heartbeat.tick()

    assert lines == [f"berlin: engine and program start ({seconds} s)" for seconds in (2, 7, 12)]


def test_warnings_are_shown_and_errors_are_kept_without_colours() -> None:
    lines: list[str] = []
    progress = progress_at(Clock(), lines)
    for severity, message in (
        ("info", "paris: stack does not exist yet"),
        ("info", "eliding undecryptable secrets for stack reference"),
        ("error", "<{%reset%}>supernodes: 0<{%reset%}>\n"),
        ("error", "<{%reset%}>supernodes: 0<{%reset%}>\n"),
    ):
        progress.on_event(
            event("diagnosticEvent", message=message, severity=severity, color="never", urn=URN, prefix="")
        )

    assert lines == ["berlin: paris: stack does not exist yet"]
    assert progress.errors == ["supernodes: 0"]


def test_a_stack_that_another_command_works_on_is_told_with_its_process_and_to_wait(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: flower-federation\nruntime: python\n")
    (tmp_path / "stacks" / "Pulumi.here.yaml").write_text("config: {}\n")
    said = "error: the stack is currently locked by 1 lock(s). created by root@host (pid 4711)"
    (tmp_path / ".venv").mkdir()
    fake_engine(tmp_path / ".venv", f"case \"$*\" in *' up '*) echo out; echo '{said}' >&2; exit 255;; esac")
    stacks = Stacks(layout=Layout(project=tmp_path), environment=dict(os.environ), say=lambda _: None, clock=Clock())

    with pytest.raises(ToolError, match=r"pid 4711[\s\S]*wait until the process") as refused:
        stacks.up(StackFile(name="here", kind="zone", zone="berlin", central=None))
    assert refused.value.given == f"pulumi up of here failed:\n{said}"
