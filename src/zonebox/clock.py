"""Time as the zone sees it: the system's, or one that tests move. Nothing else in zonebox reads a clock."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """A source of Unix time that one can wait on."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(0.0, seconds))


class Movable(Protocol):
    """A clock that tests move."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock."""
        ...

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, and let run who waited for that."""
        ...


class LeapingClock:
    """The machine's clock, which tests can move ahead: a cooldown of an hour is over at once.

    Who waits longer than a leap goes on waiting for the rest. A period that ends several times within one leap ends
    once, as on a machine that slept.
    """

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._leapt = asyncio.Event()

    def now(self) -> float:
        """Seconds since 1970, with what was leapt over."""
        return time.time() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed, in real time or by leaps."""
        due = self.now() + seconds
        await asyncio.sleep(0)
        while (left := due - self.now()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leapt.wait(), left)

    async def advance(self, seconds: float) -> None:
        """Leap."""
        self._ahead_s += seconds
        leapt, self._leapt = self._leapt, asyncio.Event()
        leapt.set()
        await _let_others_run()


class ManualClock:
    """A clock that stands still until a test advances it.

    Args:
        start: Unix time at which it stands, in seconds.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds since 1970, as last set."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking each sleeper at its own instant, in order, and letting it run."""
        end = self._now + seconds
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
            await _let_others_run()
        self._now = end
        await _let_others_run()


async def _let_others_run() -> None:
    """Give every task that is ready a few turns of the loop."""
    for _ in range(10):
        await asyncio.sleep(0)
