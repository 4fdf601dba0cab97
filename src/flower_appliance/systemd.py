"""Runs a plan's units under the systemd of this machine. It restarts nothing itself: systemd does, as the unit says.

Units are started by this module and never enabled: on every boot the appliance configures first and starts then. They
are left running when the appliance itself ends, so that its restart interrupts no training; when the machine goes down
systemd ends them. What they print is in the journal; it is copied, redacted and gated by level, to /var/log/flower,
where a process VM has it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flower_appliance.journal import Event, Exited, Line, Started, follow_command, read_entry
from flower_appliance.logfile import LevelGate, LineSplitter, RotatingLog
from flower_appliance.processes import runs_program
from flower_appliance.redaction import Redactor
from flower_appliance.supervisor import Finished, Listener, Program, UnitStatus
from flower_appliance.unit import Unit

LOG = logging.getLogger(__name__)

IMAGE_UNITS = frozenset({"flower-appliance.service", "flower-context.service"})
"""This program's own and its helper; the image brings them, and they are never touched here."""
UNIT_FOLDER = "/etc/systemd/system"
SEEN = "/run/flower/journal-seen"
"""Microseconds since 1970 up to which the journal has been copied to the logs; forgotten with the boot, as it must."""
COMMAND_TIMEOUT_S = 90.0
"""For systemctl: it waits for units to stop (10 s at most) and, on a machine that is booting, for its turn."""
FOLLOW_AGAIN_S = 1.0
_PROPERTIES = "ActiveState,MainPID,NRestarts,ExecMainStatus,ActiveEnterTimestampMonotonic"

RunCommand = Callable[[Sequence[str]], str]
"""Runs a program and returns what it printed; raises OSError or subprocess.SubprocessError."""


def run_command(argv: Sequence[str]) -> str:
    """`RunCommand` for real."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True).stdout


class Systemd:
    """The services of this machine."""

    def __init__(
        self,
        *,
        logs: Path,
        listener: Listener,
        secrets: Sequence[str] = (),
        root: Path = Path("/"),
        cgroups: Path = Path("/sys/fs/cgroup/system.slice"),
        run: RunCommand = run_command,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Copy logs to the folder `logs` and tell `listener` what happens.

        Args:
            secrets: texts that never reach a log.
            root: the machine's root folder.
            cgroups: where systemd keeps the services' control groups.
        """
        self._logs = logs
        self._listener = listener
        self._secrets = tuple(secrets)
        self._unit_folder = root / UNIT_FOLDER.lstrip("/")
        self._seen_file = root / SEEN.lstrip("/")
        self._cgroups = cgroups
        self._run = run
        self._clock = clock
        self._level = "INFO"
        self._sinks: dict[str, _Sink] = {}
        self._copied_us = 0
        self._followed: set[str] = set()
        self._following: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Follow the journal; what it holds of this boot is replayed to the listener, and logged where it was not."""
        with contextlib.suppress(OSError, ValueError):
            self._copied_us = int(self._seen_file.read_text())
        self._follow_also(self._on_disk())

    def set_log_level(self, level: str) -> None:
        """Level for lines that are copied from now on."""
        self._level = level
        for sink in self._sinks.values():
            sink.gate = LevelGate(level)

    async def reconcile(self, units: Sequence[Unit], *, changed: Sequence[str]) -> None:
        """Make exactly these units run: start new ones, restart the changed, stop those that are gone."""
        wanted = [unit.name for unit in units]
        self._follow_also(set(wanted))
        gone = [name for name in sorted(self._on_disk()) if name not in wanted and self._active(name)]
        restarted = [name for name in wanted if name in changed and self._active(name)]
        started = [name for name in wanted if name not in restarted and not self._active(name)]
        if restarted or started:
            await self._systemctl("daemon-reload")
        for verb, names in (("stop", gone), ("restart", restarted), ("start", started)):
            if names:
                await self._systemctl(verb, *names)

    async def restart(self, name: str) -> None:
        """Stop a unit and start it again."""
        await self._systemctl("restart", name)

    async def reload(self, name: str) -> bool:
        """Let a running unit take its changed files; False: it could not."""
        return await self._systemctl("reload", name)

    async def run_once(self, program: Program) -> Finished:
        """Run a program to its end: with a user or devices in a unit of its own, since this program has neither.

        Raises:
            OSError, subprocess.SubprocessError: it could not be run, or took too long.
        """
        argv = unit_command(program) if program.user or program.devices else program.argv
        finished = await asyncio.to_thread(
            subprocess.run,
            argv,
            env=dict(program.environment),
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=program.timeout_s,
            check=False,
        )
        return Finished(status=finished.returncode, output=finished.stdout)

    async def mount(self, name: str) -> str:
        """Bring a mount unit up, and anew where its file changed; what systemd said, or nothing."""
        facts = await asyncio.to_thread(self._show, name, "ActiveState,NeedDaemonReload")
        if facts.get("ActiveState") == "active" and facts.get("NeedDaemonReload") == "no":
            return ""
        return await self._tried("daemon-reload") or await self._tried("restart", name)

    async def stop(self) -> None:
        """Stop following the journal; the units run on."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following

    def status(self, name: str) -> UnitStatus:
        """What systemd knows of a unit; one that does not run and waits for no restart counts as never started."""
        facts = self._show(name)
        pid = int(facts.get("MainPID", "0")) or None
        active = facts.get("ActiveState") in ("active", "activating", "reloading")
        entered_s = int(facts.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        return UnitStatus(
            pid=pid,
            starts=int(facts.get("NRestarts") or 0) + 1 if active else 0,
            last_exit=int(facts.get("ExecMainStatus") or 0) if pid is None and active else None,
            running_s=max(0.0, self._clock() - entered_s) if pid is not None else 0.0,
        )

    def has_child(self, name: str, program: str) -> bool:
        """Whether a process of the unit's control group runs `program`."""
        try:
            pids = (self._cgroups / name / "cgroup.procs").read_text().split()
        except OSError:
            return False
        return any(runs_program(int(pid), program) for pid in pids)

    def _active(self, name: str) -> bool:
        return self.status(name).starts > 0

    def _show(self, name: str, properties: str = _PROPERTIES) -> dict[str, str]:
        try:
            output = self._run(("systemctl", "show", f"--property={properties}", name))
        except (OSError, subprocess.SubprocessError) as error:
            LOG.warning("systemctl show %s: %s", name, error)
            return {}
        return {key: value for key, _, value in (line.partition("=") for line in output.splitlines())}

    async def _systemctl(self, *words: str) -> bool:
        # The unit is restarted by systemd where it can be; the checks say what does not work.
        return not await self._tried(*words)

    async def _tried(self, *words: str) -> str:
        """What went wrong, or nothing; it is logged."""
        LOG.info("systemctl %s", " ".join(words))
        try:
            await asyncio.to_thread(self._run, ("systemctl", *words))
        except subprocess.CalledProcessError as error:
            problem = (error.stderr or "").strip() or f"status {error.returncode}"
        except (OSError, subprocess.SubprocessError) as error:
            problem = str(error)
        else:
            return ""
        LOG.error("systemctl %s: %s", " ".join(words), problem)
        return problem

    def _on_disk(self) -> set[str]:
        """Units that this or an earlier plan wrote."""
        return {path.name for path in self._unit_folder.glob("flower-*.service")} - IMAGE_UNITS

    def _follow_also(self, units: set[str]) -> None:
        """Follow these units' entries, too; a replay is harmless, since every entry carries its time."""
        if units <= self._followed:
            return
        self._followed |= units
        if self._following is not None:
            self._following.cancel()
        self._following = asyncio.create_task(self._follow(sorted(self._followed)))

    async def _follow(self, units: Sequence[str]) -> None:
        while True:
            try:
                process = await asyncio.create_subprocess_exec(
                    *follow_command(units),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    limit=1 << 20,
                )
            except OSError as error:
                LOG.error("journalctl cannot be started, which is tried again: %s", error)
                await asyncio.sleep(FOLLOW_AGAIN_S)
                continue
            try:
                assert process.stdout is not None
                while line := await process.stdout.readline():
                    event = read_entry(line)
                    if event is not None:
                        self.take(event)
            except ValueError as error:
                LOG.warning("an entry of the journal is too long to be read: %s", error)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            LOG.warning("journalctl ended; it is started again")
            await asyncio.sleep(FOLLOW_AGAIN_S)

    def take(self, event: Event) -> None:
        """Tell the listener, and copy a line to its log unless an earlier run of the appliance did."""
        match event:
            case Started():
                self._listener.on_start(event.unit)
            case Exited():
                self._listener.on_exit(event.unit, event.status)
            case Line():
                self._line(event)

    def _line(self, event: Line) -> None:
        try:
            self._copy(event)
        except OSError as error:
            LOG.warning("a line of %s was not copied from the journal: %s", event.unit, error)

    def _copy(self, event: Line) -> None:
        sink = self._sinks.get(event.unit)
        if sink is None:
            path = self._logs / f"{event.unit.removesuffix('.service')}.log"
            sink = self._sinks[event.unit] = _Sink(path, Redactor(self._secrets), LevelGate(self._level))
        # Also takes terminal colours out, which Flower prints whatever it writes to.
        for text in LineSplitter().feed(f"{event.text}\n".encode()):
            cleaned = sink.redactor.line(text)
            self._listener.on_line(event.unit, cleaned)
            if event.at_us > self._copied_us and sink.gate.passes(cleaned):
                sink.log.write(cleaned)
        if event.at_us > self._copied_us:
            self._copied_us = event.at_us
            with contextlib.suppress(OSError):
                self._seen_file.write_text(str(event.at_us))


def unit_command(program: Program) -> tuple[str, ...]:
    """systemd-run for a program that runs as a service would."""
    properties = (
        *([f"User={program.user}"] if program.user else []),
        *("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "PrivateTmp=yes"),
        *("DevicePolicy=closed", *(f"DeviceAllow={name} rw" for name in program.devices)),
        *(f"Environment={name}={value}" for name, value in program.environment.items()),
        f"WorkingDirectory={program.folder}",
        f"RuntimeMaxSec={program.timeout_s:g}",
    )
    words = (word for each in properties for word in ("--property", each))
    return ("systemd-run", "--quiet", "--wait", "--pipe", "--collect", *words, "--", *program.argv)


class _Sink:
    """Where the lines of one unit go."""

    def __init__(self, path: Path, redactor: Redactor, gate: LevelGate) -> None:
        self.log = RotatingLog(path)
        self.redactor = redactor
        self.gate = gate
