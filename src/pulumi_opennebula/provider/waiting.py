"""Waiting for objects of one pool: one loop of polls for all who wait, that backs off. Decides nothing about states.

While one object is waited for, it is asked for alone; while several are, the pool is asked once for all of them, so
that 50 VMs do not mean 50 polls a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_opennebula.errors import CancelledError, WaitedTooLongError

FIRST_PAUSE_S: Final = 0.1
LAST_PAUSE_S: Final = 2.0
GROWTH: Final = 1.5

Object = Mapping[str, Any]
Decide = Callable[[Object | None], bool]
"""Whether an object (None: it is gone) is as wanted; raises FailedObjectError where it never will be."""


@dataclass(eq=False)
class _Waiting:
    """One who waits."""

    id: str
    what: str
    decide: Decide
    deadline_s: float
    timeout_s: float
    last: Callable[[Object | None], str]
    done: asyncio.Future[None] = field(repr=False)


class PoolWatch:
    """The shared waiting for one pool."""

    def __init__(
        self,
        *,
        read_one: Callable[[str], Awaitable[Object | None]],
        read_all: Callable[[Collection[str]], Awaitable[Mapping[str, Object]]],
        now: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        """Args say how to read one object, or at least those of the given ids, and give clock and sleep (seconds)."""
        self._read_one = read_one
        self._read_all = read_all
        self._now = now
        self._pause = pause
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._cancelled = False

    async def until(
        self,
        id_: str,
        decide: Decide,
        *,
        what: str,
        timeout_s: float,
        describe: Callable[[Object | None], str],
    ) -> None:
        """Wait until `decide` says yes.

        Args:
            id_: Number of the object.
            decide: See `Decide`.
            what: `image 4`, for messages.
            timeout_s: Longest wait, in seconds.
            describe: The object's state in words, for the message when time is over.

        Raises:
            FailedObjectError: from `decide`.
            WaitedTooLongError: time is over.
            CancelledError: the engine asked to stop.
        """
        waiting = _Waiting(
            id=id_,
            what=what,
            decide=decide,
            deadline_s=self._now() + timeout_s,
            timeout_s=timeout_s,
            last=describe,
            done=asyncio.get_running_loop().create_future(),
        )
        if self._cancelled:
            raise _cancelled(waiting)
        self._waiting.append(waiting)
        self._wake.set()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._poll())
        await waiting.done

    def cancel(self) -> None:
        """Stop all waiting at once, and refuse to start again."""
        self._cancelled = True
        for waiting in self._waiting:
            if not waiting.done.done():
                waiting.done.set_exception(_cancelled(waiting))
        self._waiting.clear()
        self._wake.set()

    async def _poll(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._waiting:
            if self._wake.is_set():
                self._wake.clear()
                pause_s = FIRST_PAUSE_S
            # Who joins during the request is not judged by its answer: it may be older than their object.
            asking = list(self._waiting)
            try:
                objects = await self._objects({waiting.id for waiting in asking})
            except Exception as err:
                # Also a defect of this package ends the waiting: nobody else would ever wake those who wait.
                self._fail_all(err)
                return
            for waiting in asking:
                self._judge(waiting, objects.get(waiting.id))
            if self._waiting:
                await self._pause_or_wake(pause_s)
                pause_s = min(pause_s * GROWTH, LAST_PAUSE_S)

    async def _objects(self, ids: set[str]) -> Mapping[str, Object | None]:
        if len(ids) == 1:
            (only,) = ids
            return {only: await self._read_one(only)}
        return await self._read_all(ids)

    def _judge(self, waiting: _Waiting, found: Object | None) -> None:
        if waiting.done.done():
            return
        try:
            ready = waiting.decide(found)
        except Exception as err:
            waiting.done.set_exception(err)
        else:
            if ready:
                waiting.done.set_result(None)
            elif self._now() >= waiting.deadline_s:
                waiting.done.set_exception(
                    WaitedTooLongError(
                        f"{waiting.what} is {waiting.last(found)} after {waiting.timeout_s:g} s",
                        "it must be ready by then",
                        "that is the longest wait set for it",
                        "See what holds it up in the zone, or set longer `custom_timeouts` or `timeouts`; "
                        "the next `up` goes on from here",
                    )
                )
        if waiting.done.done() and waiting in self._waiting:
            self._waiting.remove(waiting)

    def _fail_all(self, err: Exception) -> None:
        for waiting in self._waiting:
            if not waiting.done.done():
                waiting.done.set_exception(err)
        self._waiting.clear()

    async def _pause_or_wake(self, pause_s: float) -> None:
        tasks = [asyncio.ensure_future(self._pause(pause_s)), asyncio.ensure_future(self._wake.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def _cancelled(waiting: _Waiting) -> CancelledError:
    return CancelledError(
        f"waiting for {waiting.what}",
        "the engine decides how long the provider works",
        "it asked to stop",
        "The object stays in the state; run `pulumi up` again to go on",
    )
