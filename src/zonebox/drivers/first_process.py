"""The first process of a guest: watched by pidfd, whether this zone process started it or found it. It starts none."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable

from zonebox.drivers import process_table as table
from zonebox.drivers.guest_folder import GuestRecord


class FirstProcess:
    """A process that stands for a whole guest.

    Args:
        pid: the process.
        on_end: called in the event loop when it ends.
        child: where this process started it: it must be reaped.
    """

    def __init__(self, pid: int, on_end: Callable[[], None], *, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.ended = asyncio.Event()
        self._on_end = on_end
        self._child = child
        self._handle: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            asyncio.get_running_loop().call_soon(self._end)
            return
        asyncio.get_running_loop().add_reader(self._handle, self._end)

    def _end(self) -> None:
        self.let_go()
        self.ended.set()
        self._on_end()

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it lives; a pid that was reused is never hit."""
        if self._handle is not None:
            try:
                signal.pidfd_send_signal(self._handle, number)
            except ProcessLookupError:
                return

    async def wait(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        try:
            await asyncio.wait_for(self.ended.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def let_go(self) -> None:
        """Watch no longer."""
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None
        if self._child is not None:
            self._child.poll()


def is_alive(record: GuestRecord | None, mark: str) -> bool:
    """Whether the process of a record lives and is still the same one."""
    if record is None or record.pid is None or record.mark != mark:
        return False
    return table.started_ticks(record.pid) == record.started_ticks and table.carries(record.pid, mark)
