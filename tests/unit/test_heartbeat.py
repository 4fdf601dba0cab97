"""When a command that works in silence says that it works."""

from __future__ import annotations

import threading

from flower_federation.heartbeat import FIRST_S, NEXT_S, Heartbeat, under_way
from tests.patience import wait_for


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_silence_is_broken_after_two_seconds_and_a_line_of_somebody_elses_puts_it_off() -> None:
    clock, lines = Clock(), list[str]()
    heartbeat = Heartbeat(lambda seconds: f"working ({seconds:.0f} s)", lines.append, clock)

    for second in (101, 102, 103, 107, 108):
        clock.now = float(second)
        if second == 103:
            heartbeat.say("round 1")
        heartbeat.tick()

    assert (FIRST_S, NEXT_S) == (2.0, 5.0)
    assert lines == ["working (2 s)", "round 1", "working (7 s)"]


def test_it_beats_by_itself_for_as_long_as_the_block_lasts_and_no_longer() -> None:
    lines: list[str] = []
    with under_way("reading the stacks", lines.append):
        wait_for(lambda: lines)
    assert lines[0].startswith("reading the stacks (")
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
