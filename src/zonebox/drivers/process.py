"""The process driver: a VM is a process, in a folder, on an address of its own. It isolates nothing from the host.

It starts what the VM's image says (see `process_image`) in a session of its own, with a small clean environment, and
ends everything that carries the VM's VM_ID, also what left the session. A VM without a process image idles: it runs
until it is stopped. Guests outlive the zone process; `reattach` finds them again. Nothing goes through a shell.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from zonebox.drivers import process_table as table
from zonebox.drivers.base import DriverError, GuestSpec, GuestState
from zonebox.drivers.guest_folder import GuestFolder, GuestRecord
from zonebox.drivers.process_image import ProcessImage, find_image

OnExit = Callable[[int], None]

DEFAULT_GRACE_S: Final = 10.0
"""Seconds between asking a guest to shut down and ending it."""

_BASE_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_KILL_DEADLINE_S: Final = 10.0
_KILL_PAUSE_S: Final = 0.02
_MARK_DEADLINE_S: Final = 1.0


@dataclass(eq=False, kw_only=True)
class _Guest:
    """A guest that this zone process knows."""

    vm_id: int
    mark: str
    folder: GuestFolder
    on_exit: OnExit
    pid: int | None = None
    child: subprocess.Popen[bytes] | None = None
    """Where this process started it: it must be reaped."""
    handle: int | None = None
    """pidfd of the first process."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False


class ProcessDriver:
    """Runs VMs as processes.

    Args:
        grace_s: seconds that a guest has to shut down before it is ended.
        base_environment: PATH, LANG and the like for every guest; by default a small fixed set, never the zone's own.
    """

    name = "process"

    def __init__(self, *, grace_s: float = DEFAULT_GRACE_S, base_environment: Mapping[str, str] | None = None) -> None:
        self.grace_s = grace_s
        self._base = dict(_BASE_ENVIRONMENT if base_environment is None else base_environment)
        self._guests: dict[int, _Guest] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def start(self, spec: GuestSpec, on_exit: OnExit) -> None:
        """Start the guest; one that runs already is left alone.

        Args:
            spec: the VM.
            on_exit: called with the VM's id when the guest ends by itself.

        Raises:
            DriverError: its image, shares or program are wrong.
        """
        if spec.vm_id in self._guests:
            return
        folder = GuestFolder(spec.folder)
        image = find_image(spec.images)
        folder.prepare(spec.context, spec.token, spec.shares)
        mark = mark_of(spec)
        guest = _Guest(vm_id=spec.vm_id, mark=mark, folder=folder, on_exit=on_exit)
        if image is None:
            _append(folder, "no process image among the disks: this guest idles until it is stopped\n")
            folder.write_record(GuestRecord(mark=mark, pid=None, started_ticks=None))
        else:
            # A zone process that died between starting this guest and storing it may have left one behind.
            await _end_processes(mark, None)
            guest.child = self._spawn(spec, folder, image)
            guest.pid = guest.child.pid
            try:
                await _carries_mark(guest.pid, mark)
                folder.write_record(GuestRecord(mark=mark, pid=guest.pid, started_ticks=table.started_ticks(guest.pid)))
            except BaseException:
                # The zone is being stopped, or its disk is full: nobody would know of this guest.
                await _end_processes(mark, guest.pid)
                guest.child.poll()
                raise
            self._watch(guest)
        self._guests[spec.vm_id] = guest

    def _spawn(self, spec: GuestSpec, folder: GuestFolder, image: ProcessImage) -> subprocess.Popen[bytes]:
        descriptor = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                image.command,
                cwd=folder.root,
                env=self._environment(spec, folder, image),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise DriverError(
                f"program {image.command[0]}: {reason}; a guest starts with the first word of its image's command; "
                "change command in the image to a program of this machine"
            ) from error
        finally:
            os.close(descriptor)

    def _environment(self, spec: GuestSpec, folder: GuestFolder, image: ProcessImage) -> dict[str, str]:
        environment = {**self._base, "HOME": str(folder.root), **image.environment}
        environment[table.MARK] = mark_of(spec)
        environment["VM_ROOT"] = str(folder.root)
        environment["VM_CONTEXT"] = str(folder.context)
        environment.pop("VM_ADDRESS", None)
        if spec.address is not None:
            environment["VM_ADDRESS"] = spec.address
        return environment

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        """Ask the guest to shut down (SIGTERM), then end everything of it. Unknown guests are no error.

        Args:
            vm_id: the VM.
            hard: end it at once.

        Raises:
            DriverError: a process survived.
        """
        guest = self._guests.get(vm_id)
        if guest is None:
            return
        guest.stopping = True
        try:
            await self._end(guest, hard=hard)
        except BaseException:
            # It runs on: that it ends by itself later must be noticed.
            guest.stopping = False
            if guest.ended.is_set():
                self._first_process_ended(guest)
            raise
        self._let_go(guest)
        guest.folder.forget_record()

    async def _end(self, guest: _Guest, *, hard: bool) -> None:
        if guest.pid is not None and not hard and not guest.ended.is_set():
            table.send(guest.pid, signal.SIGTERM, guest.mark, guest.pid)
            try:
                await asyncio.wait_for(guest.ended.wait(), self.grace_s)
            except TimeoutError:
                _append(guest.folder, f"still running {self.grace_s:g} s after SIGTERM: ended\n")
        await _end_processes(guest.mark, guest.pid)

    async def reattach(self, spec: GuestSpec, on_exit: OnExit) -> GuestState:
        """Find the guest again after the zone process was restarted.

        Returns:
            RUNNING where it lives, and `on_exit` will be called; STOPPED where it has ended meanwhile; LOST where
            nothing is known of it.
        """
        if spec.vm_id in self._guests:
            return GuestState.RUNNING
        folder, mark = GuestFolder(spec.folder), mark_of(spec)
        record = folder.read_record()
        if record is not None and record.mark != mark:
            record = None
        guest = _Guest(vm_id=spec.vm_id, mark=mark, folder=folder, on_exit=on_exit)
        if record is not None and record.pid is None:
            self._guests[spec.vm_id] = guest
            return GuestState.RUNNING
        guest.pid = _living(record, mark)
        if guest.pid is None:
            await _end_processes(mark, None)
            return GuestState.LOST if record is None else GuestState.STOPPED
        self._watch(guest)
        self._guests[spec.vm_id] = guest
        return GuestState.RUNNING

    async def renew_context(self, spec: GuestSpec) -> None:
        """Write the CONTEXT folder of a running guest anew; what it does with it is its own affair."""
        if spec.vm_id in self._guests:
            GuestFolder(spec.folder).write_context(spec.context, spec.token)

    async def close(self) -> None:
        """Let go of all guests without stopping them."""
        for guest in list(self._guests.values()):
            self._let_go(guest)
        for task in list(self._endings):
            task.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)

    def freeze(self, vm_id: int) -> None:
        """Halt every process of a guest, as when its host hangs. For fault injection."""
        self._signal_all(vm_id, signal.SIGSTOP)

    def thaw(self, vm_id: int) -> None:
        """Let a frozen guest go on."""
        self._signal_all(vm_id, signal.SIGCONT)

    def kill(self, vm_id: int) -> None:
        """End a guest as a crash would: `on_exit` is called. For fault injection."""
        guest = self._guests.get(vm_id)
        if guest is not None and guest.pid is None:
            # One that idles has no process that could be ended.
            self._let_go(guest)
            guest.on_exit(vm_id)
            return
        self._signal_all(vm_id, signal.SIGKILL)

    def _signal_all(self, vm_id: int, number: signal.Signals) -> None:
        guest = self._guests.get(vm_id)
        if guest is not None and guest.pid is not None:
            for pid in list(table.carriers(guest.mark, guest.pid)):
                table.send(pid, number, guest.mark, guest.pid)

    def _watch(self, guest: _Guest) -> None:
        """Have the loop say when the first process ends; works for processes that are not our children, too."""
        assert guest.pid is not None
        try:
            guest.handle = os.pidfd_open(guest.pid)
        except ProcessLookupError:
            self._first_process_ended(guest)
            return
        asyncio.get_running_loop().add_reader(guest.handle, self._first_process_ended, guest)

    def _first_process_ended(self, guest: _Guest) -> None:
        self._unwatch(guest)
        if guest.child is not None:
            guest.child.poll()
        guest.ended.set()
        if not guest.stopping:
            task = asyncio.get_running_loop().create_task(self._power_off(guest))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _power_off(self, guest: _Guest) -> None:
        """The guest ended by itself: nothing of it may go on, as when a machine is off."""
        await _end_processes(guest.mark, guest.pid)
        if guest.stopping or self._guests.get(guest.vm_id) is not guest:
            return
        self._let_go(guest)
        guest.on_exit(guest.vm_id)

    def _unwatch(self, guest: _Guest) -> None:
        if guest.handle is not None:
            asyncio.get_running_loop().remove_reader(guest.handle)
            os.close(guest.handle)
            guest.handle = None

    def _let_go(self, guest: _Guest) -> None:
        self._unwatch(guest)
        if guest.child is not None:
            guest.child.poll()
        if self._guests.get(guest.vm_id) is guest:
            del self._guests[guest.vm_id]


def mark_of(spec: GuestSpec) -> str:
    """The VM_ID of a VM's processes."""
    return f"{spec.zone}-{spec.vm_id}-{spec.uuid}"


def _living(record: GuestRecord | None, mark: str) -> int | None:
    """The first process of a guest, by its record; without one, the session leader that carries the mark.

    The zone process may have died between starting a guest and writing its record.
    """
    if record is not None and record.pid is not None:
        same = table.started_ticks(record.pid) == record.started_ticks and table.carries(record.pid, mark)
        return record.pid if same else None
    return next((pid for pid in table.carriers(mark) if table.leads_session(pid)), None)


async def _carries_mark(pid: int, mark: str) -> None:
    """Wait until a new process can be found by its mark.

    A program's environment shows in /proc some microseconds after `Popen` has seen it start (Linux 6, 2026-11: empty in
    one read of eleven). One that ends or clears its environment at once is not waited for any longer.
    """
    deadline = asyncio.get_running_loop().time() + _MARK_DEADLINE_S
    while not table.carries(pid, mark) and table.started_ticks(pid) is not None:
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0)


async def _end_processes(mark: str, session: int | None) -> None:
    """Kill every process of a VM until none is left.

    Raises:
        DriverError: one survived, as in uninterruptible sleep.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _KILL_DEADLINE_S
    while True:
        left = await asyncio.to_thread(lambda: list(table.carriers(mark, session)))
        if not left:
            return
        if loop.time() > deadline:
            raise DriverError(
                f"processes {left}: alive {_KILL_DEADLINE_S:g} s after SIGKILL, a stopped VM must have none, they "
                "would keep its address; see their state in /proc/PID/status and end what they wait for"
            )
        for pid in left:
            table.send(pid, signal.SIGKILL, mark, session)
        await asyncio.sleep(_KILL_PAUSE_S)


def _append(folder: GuestFolder, text: str) -> None:
    """A line of the driver's own in the console."""
    with os.fdopen(os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as console:
        console.write(f"zonebox: {text}")
