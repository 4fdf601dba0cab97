"""The init of a process machine: keeps units running, as systemd does elsewhere. It knows nothing of Flower or OneGate.

A unit that ends, for whatever reason and with whatever status, is started again after a growing pause. What a unit
leaves behind (Flower starts `flower-superexec` in a session of its own) is adopted by this process and ended before the
unit starts anew, and when the machine stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flower_appliance.logfile import LevelGate, LineSplitter, RotatingLog
from flower_appliance.processes import (
    adopt_orphans,
    descendants,
    process_table,
    runs_program,
    send_signal,
    send_signal_to_group,
)
from flower_appliance.redaction import Redactor
from flower_appliance.unit import Unit, read_environment

LOG = logging.getLogger(__name__)

STABLE_AFTER_S = 30.0
"""A unit that ran this long starts again after the shortest pause."""
RELOAD_TIMEOUT_S = 15.0
LEFTOVER_GRACE_S = 2.0
LEFTOVER_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class UnitStatus:
    """What is known of one unit."""

    pid: int | None
    starts: int
    """How often it was started since the supervisor began."""
    last_exit: int | None
    """Exit status; negative for a signal."""
    running_s: float
    """How long its process has been running; 0 without one."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """Something that runs to its end, beside the services."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    timeout_s: float
    user: str = ""
    """Under systemd: run as this user, with the devices, in a unit of its own; empty: as the appliance."""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended, and what it printed."""

    status: int
    output: str


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told what happens to units; called in the event loop, must not block."""

    on_start: Callable[[str], None]
    on_line: Callable[[str, str], None]
    on_exit: Callable[[str, int], None]


def restart_pause_s(unit: Unit, short_runs: int) -> float:
    """Pause before the next start after `short_runs` starts in a row that did not last."""
    return min(unit.restart_most_s, unit.restart_first_s * 2.0 ** min(max(short_runs - 1, 0), 20))


@dataclass
class _Running:
    unit: Unit
    task: asyncio.Task[None] | None = None
    pid: int | None = None
    starts: int = 0
    began: float = 0.0
    last_exit: int | None = None
    stopping: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Cuts a restart pause short."""


class Supervisor:
    """Runs units until told to stop. One per process: it waits for every child that this process has."""

    def __init__(
        self,
        *,
        logs: Path,
        base_environment: Mapping[str, str],
        listener: Listener,
        log_level: str = "INFO",
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Run units with logs under the folder `logs`.

        Args:
            base_environment: what every unit gets, below its own environment file.
            log_level: lines below it are passed to the listener but not written.
            secrets: texts that never reach a log.
        """
        self._logs = logs
        self._base = dict(base_environment)
        self._listener = listener
        self._log_level = log_level
        self._secrets = tuple(secrets)
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._sweep = asyncio.Lock()
        self._unlogged: set[str] = set()
        """Units whose latest line could not be written."""

    def begin(self) -> None:
        """Become the parent of orphans and watch for children that end; call it once, in the event loop."""
        adopt_orphans()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def set_log_level(self, level: str) -> None:
        """Level for services that are started from now on."""
        self._log_level = level

    async def reconcile(self, units: Sequence[Unit], *, changed: Sequence[str]) -> None:
        """Make exactly these units run: start new ones, restart the changed, stop those that are gone."""
        wanted = {unit.name: unit for unit in units}
        stale = [name for name in self._running if name not in wanted or name in changed]
        starts = {name: self._running[name].starts for name in stale}
        await asyncio.gather(*(self._stop(name) for name in stale))
        for name, unit in wanted.items():
            if name not in self._running:
                self._begin_unit(unit, starts.get(name, 0))

    async def restart(self, name: str) -> None:
        """Stop a unit and start it again."""
        running = self._running[name]
        await self._stop(name)
        self._begin_unit(running.unit, running.starts)

    async def reload(self, name: str) -> bool:
        """Let a running unit take its changed files; one that is about to start anyway needs no help."""
        running = self._running[name]
        if running.pid is None:
            return True
        try:
            pid, output = self._spawn(running.unit, running.unit.reload_argv)
        except OSError as error:
            LOG.error("%s cannot be reloaded: %s", name, error)
            return False
        reader = asyncio.create_task(self._capture(running.unit, output))
        try:
            status = await asyncio.wait_for(asyncio.shield(self._exits[pid]), RELOAD_TIMEOUT_S)
        except TimeoutError:
            send_signal_to_group(pid, signal.SIGKILL)
            status = await self._exits[pid]
        del self._exits[pid]
        await reader
        if status != 0:
            LOG.error("%s could not be reloaded: status %d, see its log", name, status)
        return status == 0

    async def run_once(self, program: Program) -> Finished:
        """Run a program to its end, with this process's user and devices.

        Raises:
            OSError: it cannot be started.
        """
        # Not subprocess.run: `_reap` would take the exit status away from it.
        pid, output = _start(program.argv, {**self._base, **program.environment}, program.folder)
        exited = self._exits[pid] = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(asyncio.to_thread(_read_all, output))
        try:
            status = await asyncio.wait_for(asyncio.shield(exited), program.timeout_s)
        except TimeoutError:
            send_signal_to_group(pid, signal.SIGKILL)
            status = await exited
        finally:
            if not exited.done():
                send_signal_to_group(pid, signal.SIGKILL)
            del self._exits[pid]
        return Finished(status=status, output=await reader)

    async def mount(self, name: str) -> str:
        """Refuse: a process VM has no init that could mount, and no right to."""
        return f"{name}: a process VM cannot mount; its zone shares folders instead, which FL_DATA_PATH names"

    async def stop(self) -> None:
        """Stop every unit, and then whatever is left below this process."""
        await asyncio.gather(*(self._stop(name) for name in list(self._running)))
        await self._end_leftovers()

    def status(self, name: str) -> UnitStatus:
        """What is known of a unit; an unknown one was never started."""
        running = self._running.get(name)
        if running is None:
            return UnitStatus(pid=None, starts=0, last_exit=None, running_s=0.0)
        running_s = self._clock() - running.began if running.pid is not None else 0.0
        return UnitStatus(pid=running.pid, starts=running.starts, last_exit=running.last_exit, running_s=running_s)

    def has_child(self, name: str, program: str) -> bool:
        """Whether a unit has a living descendant that runs `program`."""
        pid = self.status(name).pid
        return pid is not None and any(runs_program(child, program) for child in descendants(pid, process_table()))

    def _begin_unit(self, unit: Unit, starts: int) -> None:
        running = self._running[unit.name] = _Running(unit=unit, starts=starts)
        running.task = asyncio.create_task(self._keep(running), name=unit.name)

    async def _keep(self, running: _Running) -> None:
        short_runs = 0
        while not running.stopping:
            running.began = self._clock()
            running.wake.clear()
            await self._run_once(running)
            if running.stopping:
                return
            short_runs = 0 if self._clock() - running.began >= STABLE_AFTER_S else short_runs + 1
            pause_s = restart_pause_s(running.unit, max(short_runs, 1))
            LOG.warning(
                "%s ended with status %s; start number %d follows in %.0f s",
                running.unit.name,
                running.last_exit,
                running.starts + 1,
                pause_s,
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(running.wake.wait(), pause_s)

    async def _run_once(self, running: _Running) -> None:
        unit = running.unit
        running.starts += 1
        try:
            pid, output = self._spawn(unit, unit.argv)
        except OSError as error:
            LOG.error("%s cannot be started: %s", unit.name, error)
            running.last_exit = 127
            self._listener.on_exit(unit.name, 127)
            return
        running.pid = pid
        self._listener.on_start(unit.name)
        reader = asyncio.create_task(self._capture(unit, output))
        running.last_exit = await self._exits[pid]
        del self._exits[pid]
        running.pid = None
        await self._end_leftovers()
        # Every writer is gone now: the pipe ends, unless something escaped even the sweep.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader, 1.0)
        self._listener.on_exit(unit.name, running.last_exit)

    def _spawn(self, unit: Unit, argv: tuple[str, ...]) -> tuple[int, int]:
        environment = {**self._base, **read_environment(Path(unit.environment_file).read_text()), **unit.environment}
        pid, output = _start(argv, environment, unit.working_folder)
        self._exits[pid] = asyncio.get_running_loop().create_future()
        return pid, output

    def _reap(self) -> None:
        """Collect every child that ended, adopted orphans included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            future = self._exits.get(pid)
            if future is not None and not future.done():
                future.set_result(os.waitstatus_to_exitcode(status))

    async def _capture(self, unit: Unit, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
        )
        splitter, redactor, gate = LineSplitter(), Redactor(self._secrets), LevelGate(self._log_level)
        log = RotatingLog(self._logs / f"{unit.name.removesuffix('.service')}.log")
        try:
            while chunk := await stream.read(65_536):
                self._take(unit, splitter.feed(chunk), redactor, gate, log)
        finally:
            self._take(unit, splitter.close(), redactor, gate, log)
            transport.close()
            log.close()

    def _take(self, unit: Unit, lines: list[str], redactor: Redactor, gate: LevelGate, log: RotatingLog) -> None:
        for line in lines:
            cleaned = redactor.line(line)
            self._listener.on_line(unit.name, cleaned)
            if gate.passes(cleaned):
                try:
                    log.write(cleaned)
                except OSError as error:
                    # The output must be read on all the same: a pipe that nobody reads stops who writes into it.
                    if unit.name not in self._unlogged:
                        LOG.error("lines of %s are not written to its log: %s", unit.name, error)
                    self._unlogged.add(unit.name)
                else:
                    self._unlogged.discard(unit.name)

    async def _stop(self, name: str) -> None:
        running = self._running[name]
        running.stopping = True
        running.wake.set()
        exited = self._exits.get(running.pid) if running.pid is not None else None
        if running.pid is not None and exited is not None:
            send_signal_to_group(running.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(exited), running.unit.stop_timeout_s)
            except TimeoutError:
                LOG.warning("%s did not end within %.0f s and is killed", name, running.unit.stop_timeout_s)
                send_signal_to_group(running.pid, signal.SIGKILL)
        if running.task is not None:
            await running.task
        self._running.pop(name, None)

    async def _end_leftovers(self) -> None:
        """End what descends from this process and belongs to no running unit."""
        async with self._sweep:
            for number, grace_s in ((signal.SIGTERM, LEFTOVER_GRACE_S), (signal.SIGKILL, LEFTOVER_GRACE_S)):
                left = self._leftovers()
                send_signal(left, number)
                for _ in range(int(grace_s / LEFTOVER_POLL_S)):
                    if not left:
                        return
                    await asyncio.sleep(LEFTOVER_POLL_S)
                    left = self._leftovers()

    def _leftovers(self) -> set[int]:
        mains = {pid for pid, exited in self._exits.items() if not exited.done()}
        return descendants(os.getpid(), process_table(), without=mains)


def _start(argv: Sequence[str], environment: Mapping[str, str], folder: str) -> tuple[int, int]:
    """Start a program in a session of its own; its number, and the end of a pipe with what it prints."""
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            umask=0o077,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    process.returncode = 0  # `_reap` waits for it; Popen must not, and must not complain either
    return process.pid, read_end


def _read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read().decode(errors="replace")
