"""Measures the provider: ten resources beside bare calls and an empty program, and fifty VMs that are waited for."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyone

from flower_federation.benchmark import program
from flower_federation.benchmark.baseline import BareCalls
from flower_federation.benchmark.report import Row, Step
from flower_federation.benchmark.stack import Cost, Stack, finished, measured
from flower_federation.benchmark.zone import BenchZone
from flower_federation.errors import ToolError

STEPS = ("up", "preview", "refresh", "scale", "destroy")
MACHINES = 50
WINDOW_S = 10.0
"""How long polls are counted while VMs hang in their boot."""
NAIVE_EVERY_S = 1.0
"""How often each of the VMs is asked for in the comparison."""
ALLOCATED_S = 120.0
Say = Callable[[str], None]


def steps(folder: Path, zone: BenchZone, rounds: int, say: Say) -> list[Step]:
    """Requests and seconds of each step; medians over the rounds.

    Args:
        folder: for projects; made by this.
        zone: a zone without other users.
        rounds: how often everything is done.
        say: takes a line of progress.
    """
    ours: dict[str, list[Cost]] = {name: [] for name in STEPS}
    bare: dict[str, list[Cost]] = {name: [] for name in STEPS}
    empty: dict[str, list[Cost]] = {name: [] for name in STEPS}
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: bare calls")
        _bare_round(zone, bare)
        say(f"round {number} of {rounds}: ten resources")
        stack = Stack(folder / f"ten-{number}", zone)
        _round(stack, zone, program.ten_resources(program.NODES), program.ten_resources(program.MORE_NODES), ours)
        say(f"round {number} of {rounds}: an empty program")
        _round(Stack(folder / f"empty-{number}", zone), zone, program.EMPTY, program.EMPTY, empty)
    return [
        Step(
            name=name,
            requests=_requests(ours[name]),
            seconds=_seconds(ours[name]),
            bare_requests=_requests(bare[name]),
            bare_seconds=_seconds(bare[name]),
            empty_seconds=_seconds(empty[name]),
        )
        for name in STEPS
    ]


def _round(stack: Stack, zone: BenchZone, first: str, larger: str, costs: dict[str, list[Cost]]) -> None:
    stack.program(first)
    costs["up"].append(measured(zone, stack.up))
    made = stack.resources()
    if first and made != len(program.RESOURCES):
        raise ToolError(
            given=f"the measured program made {made} resources",
            rule=f"it must make {len(program.RESOURCES)}",
            reason="the page says so",
            remedy="correct benchmark/program.py",
        )
    costs["preview"].append(measured(zone, stack.preview))
    costs["refresh"].append(measured(zone, stack.refresh))
    stack.program(larger)
    costs["scale"].append(measured(zone, stack.up))
    costs["destroy"].append(measured(zone, stack.destroy))


def _bare_round(zone: BenchZone, costs: dict[str, list[Cost]]) -> None:
    calls = BareCalls(zone)
    try:
        for name, step in (
            ("up", calls.up),
            ("preview", calls.read),
            ("refresh", calls.read),
            ("scale", calls.scale),
            ("destroy", calls.destroy),
        ):
            costs[name].append(measured(zone, step))
    finally:
        calls.close()


def _seconds(costs: list[Cost]) -> float:
    return round(statistics.median(cost.seconds for cost in costs), 2)


def _requests(costs: list[Cost]) -> int:
    return int(statistics.median_high(cost.requests for cost in costs))


def waiting(folder: Path, zone: BenchZone, say: Say, *, machines: int = MACHINES, window_s: float = WINDOW_S) -> Row:
    """Requests in the busiest second while VMs are waited for, beside polls of each VM.

    Args:
        folder: for the project; made by this.
        zone: a zone without other users.
        say: takes a line of progress.
        machines: how many VMs.
        window_s: how long polls are counted.
    """
    say(f"{machines} VMs that hang in their boot")
    stack = Stack(folder, zone)
    stack.program(program.many_machines(machines))
    zone.control.hang("boot *")
    running = stack.start("up", "--yes", "--skip-preview", "--suppress-progress", "--parallel", str(machines + 10))
    try:
        _until_allocated(zone, machines)
        # The last VM is let in on the shared polls; they begin anew then, and back off.
        zone.control.reset_counts()
        time.sleep(window_s)
        busiest = zone.control.busiest_second()
        asked = sum(zone.control.counts().values())
    finally:
        zone.control.clear()
        finished(running, "up")
    say(f"{machines} VMs that are asked for one by one")
    naive = _naive_polls(zone, machines)
    stack.destroy()
    return Row(
        name=f"{machines} VMs waited for: requests in the busiest second",
        value=float(busiest),
        unit="requests",
        baseline=float(naive),
        baseline_is=f"each VM asked for every {NAIVE_EVERY_S:g} s",
        note=f"{asked} requests in {window_s:g} s",
        limit_key="polls",
    )


def _until_allocated(zone: BenchZone, machines: int) -> None:
    end = time.monotonic() + ALLOCATED_S
    while zone.control.counts().get("one.vm.allocate", 0) < machines:
        if time.monotonic() > end:
            raise ToolError(
                given=f"not all of {machines} VMs were allocated within {ALLOCATED_S:g} s",
                rule="all must be waited for at once",
                reason="the polls of all together are what is counted",
                remedy="run scripts/bench on a machine with less to do",
            )
        time.sleep(0.02)


def _naive_polls(zone: BenchZone, machines: int) -> int:
    """The busiest second of as many threads, each of which asks for one VM again and again."""
    one: Any = pyone.OneServer(zone.oned, session=zone.session, https_verify=zone.ca)
    numbers = [int(vm.ID) for vm in one.vmpool.info(-2, -1, -1, -1).VM][:machines]
    stop = threading.Event()

    def ask(number: int) -> None:
        own: Any = pyone.OneServer(zone.oned, session=zone.session, https_verify=zone.ca)
        while not stop.is_set():
            own.vm.info(number)
            stop.wait(NAIVE_EVERY_S)

    threads = [threading.Thread(target=ask, args=(number,)) for number in numbers]
    zone.control.reset_counts()
    for thread in threads:
        thread.start()
    time.sleep(5 * NAIVE_EVERY_S)
    stop.set()
    for thread in threads:
        thread.join()
    return zone.control.busiest_second()
