"""Faults as rules: which meets what, how often; counts of requests; clocks that are moved."""

from __future__ import annotations

import asyncio

import pytest

from tests.patience import PATIENCE_S
from zonebox.clock import LeapingClock, ManualClock
from zonebox.control import operations
from zonebox.errors import BadFault, ControlError
from zonebox.faults import Effect, FaultTable, Spec
from zonebox.phases import Phases
from zonebox.traffic import Traffic


def met(table: FaultTable, *names: str) -> list[list[int]]:
    return [[fault.id for fault in table.take(name)] for name in names]


def test_a_fault_meets_only_what_its_pattern_names() -> None:
    table = FaultTable()
    table.add(Spec(pattern="one.vm.*"))
    assert met(table, "one.vm.action", "one.vmpool.info", "onegate GET /vm") == [[1], [], []]


def test_a_fault_with_a_count_is_spent_after_so_many_matches_and_says_so() -> None:
    table = FaultTable()
    fault = table.add(Spec(pattern="*", count=2))
    assert met(table, "a", "b", "c") == [[1], [1], []]
    assert (fault.met, fault.spent, table.all()) == (2, True, [fault])


def test_skipped_matches_pass_first() -> None:
    table = FaultTable()
    table.add(Spec(pattern="one.vm.action", skip=1, count=1))
    assert met(table, "one.vm.action", "one.vm.action", "one.vm.action") == [[], [1], []]


def test_delays_add_to_at_most_one_other_fault() -> None:
    table = FaultTable()
    table.add(Spec(pattern="*"))
    table.add(Spec(pattern="*", effect=Effect.DELAY, delay_s=1))
    table.add(Spec(pattern="*", effect=Effect.DELAY, delay_s=2))
    table.add(Spec(pattern="*", effect=Effect.DROP))
    assert met(table, "one.vm.info") == [[2, 3, 1]]


def test_clearing_removes_one_or_all_and_numbers_are_not_used_again() -> None:
    table = FaultTable()
    for _ in range(3):
        table.add(Spec(pattern="*"))
    assert table.clear(2) == 1
    assert [fault.id for fault in table.all()] == [1, 3]
    assert (table.clear(), table.all()) == (2, [])
    assert table.add(Spec(pattern="*")).id == 4
    with pytest.raises(BadFault, match=r"fault 9: it must be one of 4; .*zonebox fault list"):
        table.clear(9)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (Spec(pattern=" "), "pattern ' '"),
        (Spec(pattern="boot web_0", effect=Effect.LOSE), "lose for 'boot web_0'"),
        (Spec(pattern="*", effect=Effect.DELAY), "delay of 0 s"),
        (Spec(pattern="*", effect=Effect.DELAY, delay_s=float("inf")), "delay of inf s"),
        (Spec(pattern="*", count=0), "count 0"),
        (Spec(pattern="*", skip=-1), "skip -1"),
        (Spec(pattern="*", code=200), "code 200"),
    ],
)
def test_a_fault_that_could_do_nothing_is_refused_with_value_and_remedy(spec: Spec, value: str) -> None:
    with pytest.raises(BadFault) as caught:
        FaultTable().add(spec)
    assert str(caught.value).startswith(f"{value}: ")
    assert "Correct the fault" in str(caught.value)


async def test_a_phase_that_hangs_goes_on_when_the_fault_is_cleared() -> None:
    table, clock = FaultTable(), ManualClock()
    phases = Phases(table, clock)
    fault = table.add(Spec(pattern="boot web_0", effect=Effect.HANG))
    entering = asyncio.create_task(phases.enter("boot", "web_0"))
    await clock.advance(3600)
    assert not entering.done()
    table.clear(fault.id)
    assert await entering == ""


async def test_a_phase_fails_with_the_faults_text_after_the_delay_of_another() -> None:
    table, clock = FaultTable(), ManualClock()
    table.add(Spec(pattern="stop *", text="no answer"))
    table.add(Spec(pattern="stop *", effect=Effect.DELAY, delay_s=60))
    entering = asyncio.create_task(Phases(table, clock).enter("stop", "web_0"))
    await clock.advance(59)
    assert not entering.done()
    await clock.advance(1)
    assert await entering == "no answer"


def test_traffic_counts_names_without_their_numbers_and_finds_the_busiest_second() -> None:
    now = [0.0]
    traffic = Traffic(lambda: now[0])
    for now[0] in (0.0, 0.5, 0.9, 1.1, 5.0):
        traffic.note("oneflow GET /service/12")
    traffic.note("oneflow GET /service/12/role/v2")
    assert traffic.counts() == {"oneflow GET /service/ID": 5, "oneflow GET /service/ID/role/v2": 1}
    assert traffic.busiest_second == 3
    traffic.reset()
    assert (traffic.counts(), traffic.busiest_second) == ({}, 0)


async def test_a_leap_ends_waits_that_it_covers_and_shortens_the_others() -> None:
    clock = LeapingClock()
    before = clock.now()
    hour, day = asyncio.create_task(clock.sleep(3600)), asyncio.create_task(clock.sleep(86400))
    await asyncio.sleep(0)
    await clock.advance(3601)
    await asyncio.wait_for(hour, PATIENCE_S)
    assert clock.now() - before >= 3601
    assert not day.done()
    await clock.advance(86400 - 3601)
    await asyncio.wait_for(day, PATIENCE_S)


async def test_time_runs_forwards_only() -> None:
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ControlError, match="must be more than 0"):
            await operations.advance(ManualClock(), seconds)
