"""A CONTEXT that changes while the machine runs: noticed once a change, and not at all where nothing changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from flower_appliance.contextwatch import POLL_S, ContextWatch
from flower_appliance.errors import ContextSyntaxError


class Looks:
    """Gives one answer a look and ends with the last."""

    def __init__(self, *answers: Mapping[str, str] | Exception) -> None:
        self.answers = list(answers)
        self.pauses: list[float] = []

    def read(self) -> Mapping[str, str]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.answers:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def changes(*answers: Mapping[str, str] | Exception) -> int:
    looks = Looks(*answers)
    told: list[None] = []
    watch = ContextWatch(looks.read, pause=looks.pause)
    with contextlib.suppress(asyncio.CancelledError):
        await watch.run(lambda: told.append(None))
    assert set(looks.pauses) == {POLL_S}
    return len(told)


async def test_every_change_is_told_once() -> None:
    assert await changes({"A": "1"}, {"A": "1"}, {"A": "2"}, {"A": "2"}, {"A": "1"}) == 2


async def test_a_context_that_cannot_be_read_for_a_moment_is_no_change() -> None:
    unreadable = OSError("no such file")
    assert await changes({"A": "1"}, unreadable, ContextSyntaxError([]), {"A": "1"}) == 0


async def test_a_change_during_that_moment_is_told_afterwards() -> None:
    assert await changes({"A": "1"}, OSError("gone"), {"A": "2"}) == 1
