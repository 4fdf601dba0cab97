"""What drivers of whole machines have in common: guests by id, their first process, stopping, finding again.

It knows neither containers nor emulators: a subclass launches a guest, asks it to shut down, and cleans up after it.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zonebox.drivers import process_table as table
from zonebox.drivers.base import DriverError, GuestSpec, GuestState
from zonebox.drivers.first_process import FirstProcess, is_alive
from zonebox.drivers.guest_folder import GuestFolder, GuestRecord
from zonebox.drivers.process import mark_of

OnExit = Callable[[int], None]

_KILL_S: Final = 10.0


@dataclass(eq=False, kw_only=True)
class Guest:
    """A guest that this zone process knows."""

    spec: GuestSpec
    on_exit: OnExit
    process: FirstProcess | None = None
    stopping: bool = False


class MachineDriver(ABC):
    """Runs VMs as machines.

    Args:
        grace_s: seconds that a guest has to shut down before it is ended.
    """

    name: str

    def __init__(self, *, grace_s: float) -> None:
        self.grace_s = grace_s
        self._guests: dict[int, Guest] = {}
        self._endings: set[asyncio.Task[None]] = set()

    @abstractmethod
    def check(self) -> None:
        """Refuse where no guest could start. Raises DriverError."""

    @abstractmethod
    async def launch(self, spec: GuestSpec, mark: str) -> subprocess.Popen[bytes]:
        """Start the guest's first process, with the mark as VM_ID in its environment. Raises DriverError."""

    @abstractmethod
    async def found(self, spec: GuestSpec) -> None:
        """A running guest was found again: start what serves it in this process. Raises DriverError."""

    @abstractmethod
    async def show_context(self, spec: GuestSpec) -> None:
        """The CONTEXT folder of a running guest has changed: have the guest see it. Raises DriverError."""

    @abstractmethod
    async def ask(self, guest: Guest) -> None:
        """Ask a guest to shut down."""

    @abstractmethod
    async def clean(self, spec: GuestSpec) -> None:
        """Take away everything that a guest has outside of its folder. Idempotent. Raises DriverError."""

    async def start(self, spec: GuestSpec, on_exit: OnExit) -> None:
        """Boot the guest; one that runs already is left alone.

        Raises:
            DriverError: its image, shares, NICs or security groups are wrong, or this machine cannot do it.
        """
        if spec.vm_id in self._guests:
            return
        self.check()
        guest = self._guests[spec.vm_id] = Guest(spec=spec, on_exit=on_exit)
        folder, mark = GuestFolder(spec.folder), mark_of(spec)
        try:
            folder.prepare(spec.context, spec.token, {})
            # A zone process that died between starting this guest and storing it may have left one behind.
            await self.clean(spec)
            child = await self.launch(spec, mark)
        except BaseException:
            del self._guests[spec.vm_id]
            await self.clean(spec)
            raise
        folder.write_record(GuestRecord(mark=mark, pid=child.pid, started_ticks=table.started_ticks(child.pid)))
        guest.process = FirstProcess(child.pid, lambda: self._ended(guest), child=child)

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        """Shut the guest down, or end it at once; nothing of it is left but its folder. Unknown guests are no error.

        Raises:
            DriverError: a process survived, or this machine does not let go of a mount or link.
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
            if guest.process is not None and guest.process.ended.is_set():
                self._ended(guest)
            raise
        GuestFolder(guest.spec.folder).forget_record()
        self._let_go(guest)

    async def _end(self, guest: Guest, *, hard: bool) -> None:
        if guest.process is not None and not guest.process.ended.is_set():
            if not hard:
                await self.ask(guest)
                hard = not await guest.process.wait(self.grace_s)
            if hard:
                guest.process.send(signal.SIGKILL)
                if not await guest.process.wait(_KILL_S):
                    raise DriverError(
                        f"process {guest.process.pid}: alive {_KILL_S:g} s after SIGKILL, a stopped VM must have none; "
                        "see its state in /proc/PID/status and end what it waits for"
                    )
        await self.clean(guest.spec)

    async def reattach(self, spec: GuestSpec, on_exit: OnExit) -> GuestState:
        """Find the guest again after the zone process was restarted.

        Returns:
            RUNNING where it lives, and `on_exit` will be called; STOPPED where it has ended meanwhile; LOST where
            nothing is known of it.
        """
        if spec.vm_id in self._guests:
            return GuestState.RUNNING
        record, mark = GuestFolder(spec.folder).read_record(), mark_of(spec)
        if record is None or record.pid is None or not is_alive(record, mark):
            await self.clean(spec)
            return GuestState.LOST if record is None or record.mark != mark else GuestState.STOPPED
        guest = self._guests[spec.vm_id] = Guest(spec=spec, on_exit=on_exit)
        guest.process = FirstProcess(record.pid, lambda: self._ended(guest))
        await self.found(spec)
        return GuestState.RUNNING

    async def renew_context(self, spec: GuestSpec) -> None:
        """Write the CONTEXT folder of a running guest anew, and show it to the guest. Raises DriverError."""
        if spec.vm_id in self._guests:
            GuestFolder(spec.folder).write_context(spec.context, spec.token)
            await self.show_context(spec)

    async def close(self) -> None:
        """Let go of all guests without stopping them."""
        for guest in list(self._guests.values()):
            self._let_go(guest)
        for task in list(self._endings):
            task.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)

    def kill(self, vm_id: int) -> None:
        """End a guest as a power cut would: `on_exit` is called. For fault injection."""
        guest = self._guests.get(vm_id)
        if guest is not None and guest.process is not None:
            guest.process.send(signal.SIGKILL)

    def _ended(self, guest: Guest) -> None:
        if not guest.stopping:
            task = asyncio.get_running_loop().create_task(self._power_off(guest))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _power_off(self, guest: Guest) -> None:
        """The guest ended by itself, or was killed."""
        await self.clean(guest.spec)
        if guest.stopping or self._guests.get(guest.spec.vm_id) is not guest:
            return
        self._let_go(guest)
        guest.on_exit(guest.spec.vm_id)

    def _let_go(self, guest: Guest) -> None:
        if guest.process is not None:
            guest.process.let_go()
        if self._guests.get(guest.spec.vm_id) is guest:
            del self._guests[guest.spec.vm_id]
