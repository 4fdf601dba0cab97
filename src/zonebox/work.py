"""Work that the model leaves for later: waits on the zone's clock, runs each item once, one at a time per object.

It keeps nothing on disk: what is open follows from the objects' states, and executor.resume finds it after a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from zonebox.clock import Clock

_log = logging.getLogger("zonebox.work")


class Work:
    """A queue of (kind, object id) pairs.

    Args:
        clock: what delays are measured on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._handle: Callable[[str, int], Awaitable[None]] | None = None
        self.due: Callable[[str, int], None] = _ignore
        """Told of each item when its delay is over, before its turn comes."""
        self._waiting: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: dict[tuple[str, int], asyncio.Lock] = {}

    def start(self, handle: Callable[[str, int], Awaitable[None]]) -> None:
        """Begin to run items; what was added before is not lost."""
        self._handle = handle
        waiting, self._waiting = self._waiting, set()
        for kind, object_id in waiting:
            self.add(kind, object_id, 0.0)

    def add(self, kind: str, object_id: int, delay_s: float) -> None:
        """Do `kind` for an object after a delay; the same item waiting already is not added twice."""
        if (kind, object_id) in self._waiting:
            return
        self._waiting.add((kind, object_id))
        if self._handle is not None:
            task = asyncio.get_running_loop().create_task(self._run(kind, object_id, delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def alone(self, kind: str, object_id: int) -> asyncio.Lock:
        """What items of one kind hold while they run for an object; whoever holds it keeps them waiting."""
        return self._locks.setdefault((kind.split("_", 1)[0], object_id), asyncio.Lock())

    async def _run(self, kind: str, object_id: int, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self._waiting.discard((kind, object_id))
        handle = self._handle
        if handle is None:
            return
        self.due(kind, object_id)
        async with self.alone(kind, object_id):
            try:
                await handle(kind, object_id)
            except Exception:
                # A defect in one item must not stop the others; the object stays where it is and shows it.
                _log.exception("work item %s for object %s failed", kind, object_id)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._tasks

    async def settle(self) -> None:
        """Wait until nothing is left to do (with a clock that stands still: until nothing is left that can be done)."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Drop what waits and let what runs end."""
        self._handle = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        self._waiting.clear()


def _ignore(_kind: str, _object_id: int) -> None:
    """The default of what nobody wants to know."""
