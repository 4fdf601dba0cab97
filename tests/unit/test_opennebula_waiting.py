"""Waiting: polls that back off, one for all who wait, and an end at once when it is over or cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from pulumi_opennebula.errors import CancelledError, FailedObjectError, UnreachableError, WaitedTooLongError
from pulumi_opennebula.provider.waiting import LAST_PAUSE_S, Object, PoolWatch


class Pool:
    """Objects that get ready after a number of polls, on a clock that only pauses move."""

    def __init__(self, ready_after: Mapping[str, int]) -> None:
        self.ready_after = dict(ready_after)
        self.now_s = 0.0
        self.pauses: list[float] = []
        self.moved = asyncio.Event()
        self.single: list[str] = []
        self.whole = 0
        self.asked_for: list[set[str]] = []
        self.error: Exception | None = None
        self.watch = PoolWatch(read_one=self.one, read_all=self.every, now=lambda: self.now_s, pause=self.pause)

    def polled(self, id_: str) -> Object | None:
        if id_ not in self.ready_after:
            return None
        self.ready_after[id_] -= 1
        return {"STATE": "READY" if self.ready_after[id_] < 0 else "LOCKED"}

    async def one(self, id_: str) -> Object | None:
        if self.error:
            raise self.error
        self.single.append(id_)
        return self.polled(id_)

    async def every(self, ids: Collection[str]) -> Mapping[str, Object]:
        self.whole += 1
        self.asked_for.append(set(ids))
        return {id_: found for id_ in self.ready_after if (found := self.polled(id_)) is not None}

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds
        self.moved.set()
        await asyncio.sleep(0)

    async def paused(self, times: int) -> None:
        """Come back after the pool paused this often."""
        while len(self.pauses) < times:
            self.moved.clear()
            await self.moved.wait()

    async def until(self, id_: str, timeout_s: float = 1000) -> None:
        await self.watch.until(id_, ready, what=f"image {id_}", timeout_s=timeout_s, describe=state)


def ready(found: Object | None) -> bool:
    if found is None:
        raise FailedObjectError("image", "it must be there", "it is gone", "Make it again")
    return found["STATE"] == "READY"


def state(found: Object | None) -> str:
    return str(found and found["STATE"])


async def test_polls_back_off_up_to_a_limit() -> None:
    pool = Pool({"1": 12})
    await pool.until("1")
    assert pool.pauses == sorted(pool.pauses)
    assert pool.pauses[0] == 0.1
    assert pool.pauses[-1] == LAST_PAUSE_S
    assert pool.single == ["1"] * 13


async def test_fifty_who_wait_share_one_poll() -> None:
    pool = Pool({str(number): 5 for number in range(50)})
    await asyncio.gather(*(pool.until(str(number)) for number in range(50)))
    assert pool.single == []
    assert pool.whole == 6
    assert pool.asked_for == [{str(number) for number in range(50)}] * 6


async def test_who_comes_later_is_looked_at_soon() -> None:
    pool = Pool({"1": 30, "2": 0})
    first = asyncio.create_task(pool.until("1"))
    await pool.paused(12)
    before = len(pool.pauses)
    await pool.until("2")
    assert len(pool.pauses) - before <= 2
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_who_joins_while_the_pool_is_read_is_not_judged_by_an_answer_from_before() -> None:
    pool = Pool({"1": 0, "2": 0})
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = pool.one

    async def slow(id_: str) -> Object | None:
        reading.set()
        await go_on.wait()
        return await read(id_)

    pool.watch = PoolWatch(read_one=slow, read_all=pool.every, now=lambda: pool.now_s, pause=pool.pause)
    first = asyncio.create_task(pool.until("1"))
    await reading.wait()
    second = asyncio.create_task(pool.until("2"))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, second)


async def test_an_object_that_is_never_ready_is_an_error_with_its_state_and_the_time() -> None:
    pool = Pool({"1": 10**6})
    with pytest.raises(WaitedTooLongError, match=r"image 1 is LOCKED after 5 s.*set longer `custom_timeouts`"):
        await pool.until("1", timeout_s=5)
    assert 5 <= pool.now_s <= 5 + LAST_PAUSE_S


async def test_one_failure_does_not_end_the_others_waiting() -> None:
    pool = Pool({"1": 3})
    gone, there = await asyncio.gather(pool.until("9"), pool.until("1"), return_exceptions=True)
    assert isinstance(gone, FailedObjectError)
    assert there is None


async def test_an_endpoint_that_stops_answering_ends_all_waiting_and_the_next_may_try_again() -> None:
    pool = Pool({"1": 1})
    pool.error = UnreachableError("endpoint", "it must answer", "it does not", "Check it")
    with pytest.raises(UnreachableError):
        await pool.until("1")
    pool.error = None
    await pool.until("1")


@pytest.mark.parametrize("place", ["reading", "judging"])
async def test_a_defect_ends_the_waiting_instead_of_letting_it_hang(place: str) -> None:
    pool = Pool({"1": 1})

    def wrong(found: Object | None) -> bool:
        raise KeyError("STATE")

    if place == "reading":
        pool.error = KeyError("STATE")
    with pytest.raises(KeyError, match="STATE"):
        await asyncio.wait_for(
            pool.watch.until(
                "1", wrong if place == "judging" else ready, what="image 1", timeout_s=1000, describe=state
            ),
            5,
        )


async def test_cancelling_ends_all_waiting_at_once_and_lets_none_begin() -> None:
    pool = Pool({"1": 10**6, "2": 10**6})
    waiting = [asyncio.create_task(pool.until(id_)) for id_ in ("1", "2")]
    await pool.paused(3)
    pool.watch.cancel()
    results: list[Any] = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [CancelledError, CancelledError]
    assert "stays in the state" in str(results[0])
    with pytest.raises(CancelledError):
        await pool.until("1")
