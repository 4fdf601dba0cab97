"""Faults: what is to go wrong on purpose, as rules for requests and phases of VMs. It breaks nothing itself.

Whatever can go wrong has a name, and a fault a pattern for names (`*`, `?`, `[...]`, case matters):

    one.vm.action                           a method of oned
    oneflow POST /service/3/scale           a request to OneFlow
    onegate PUT /vm                         a request to OneGate
    prolog web_0, boot web_0, stop web_0    a phase of the VM of that name
    hotplug web_0                           a change of the devices or the CONTEXT of a VM that runs

Faults are in memory: a zone that is started again has none.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from zonebox.clock import Clock
from zonebox.errors import BadFault

PHASES: Final = ("prolog", "boot", "stop", "hotplug")
"""Phases of a VM that can fail: its disks are brought in, its guest starts, its guest stops, its devices change."""
INTERNAL: Final = 8192
"""oned's code of a failure where none is given."""
UNAVAILABLE: Final = 503
"""HTTP status of a failure where none is given."""
ONED_CODES: Final = frozenset({256, 512, 1024, 2048, 4096, 8192, 16384, 32768})
"""Error codes of OpenNebula's XML-RPC reference."""


class Effect(StrEnum):
    """What a fault does to what it meets."""

    FAIL = "fail"
    """It is refused and not done; a phase fails."""
    DELAY = "delay"
    """It is done `delay_s` later."""
    HANG = "hang"
    """It is not done before the fault is cleared."""
    DROP = "drop"
    """It is not done; the connection is closed without an answer."""
    LOSE = "lose"
    """It is done; the connection is closed without an answer."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a fault is asked to be."""

    pattern: str
    effect: Effect = Effect.FAIL
    count: int | None = None
    """How many matches it meets; None for all until it is cleared."""
    skip: int = 0
    """How many matches pass before the first one that it meets."""
    text: str = "fault injected"
    """The message of a failure."""
    code: int = 0
    """A code of oned's, or an HTTP status from 400 to 599, which oned's server then answers with, too (512 is oned's);
    0 for 8192, or 503 of OneFlow and OneGate."""
    delay_s: float = 0.0
    """Seconds of the zone's clock."""


@dataclass(kw_only=True)
class Fault:
    """A fault and what it has met."""

    id: int
    spec: Spec
    seen: int = 0
    """Matches, the skipped ones too."""
    met: int = 0
    """Matches that it did something to."""
    cleared: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def spent(self) -> bool:
        """Whether it does nothing any more."""
        return self.spec.count is not None and self.met >= self.spec.count

    def meets(self, name: str) -> bool:
        """Whether it does something to what has this name; each match is counted."""
        if self.spent or not fnmatchcase(name, self.spec.pattern):
            return False
        self.seen += 1
        if self.seen <= self.spec.skip:
            return False
        self.met += 1
        return True

    async def wait(self, clock: Clock) -> None:
        """Hold up what it met: for its delay, or until it is cleared."""
        if self.spec.effect is Effect.DELAY:
            await clock.sleep(self.spec.delay_s)
        else:
            await self.cleared.wait()


class FaultTable:
    """The faults of a zone, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._next = 1

    def add(self, spec: Spec) -> Fault:
        """Add a fault.

        Raises:
            BadFault: one that could never do what it says.
        """
        _check(spec)
        fault = Fault(id=self._next, spec=spec)
        self._faults[fault.id] = fault
        self._next += 1
        return fault

    def all(self) -> list[Fault]:
        """Every fault that was not cleared, the spent ones too: they say what they met."""
        return list(self._faults.values())

    def clear(self, id_: int | None = None) -> int:
        """Remove one fault, or all; what hangs goes on. How many there were.

        Raises:
            BadFault: there is none of that number.
        """
        if id_ is not None and id_ not in self._faults:
            raise BadFault(
                f"fault {id_}",
                "it must be one of " + (", ".join(map(str, self._faults)) or "none, because there are none"),
                "faults are numbered as they are added, and gone when they are cleared or the zone is restarted",
                "Ask for the list (`zonebox fault list`) and give a number of it.",
            )
        gone = [self._faults.pop(one) for one in ([id_] if id_ is not None else list(self._faults))]
        for fault in gone:
            fault.cleared.set()
        return len(gone)

    def take(self, name: str) -> list[Fault]:
        """What happens to the next thing of this name: every delay, then at most one other fault."""
        taken: list[Fault] = []
        for fault in self._faults.values():
            if fault.spec.effect is Effect.DELAY and fault.meets(name):
                taken.append(fault)
        for fault in self._faults.values():
            if fault.spec.effect is not Effect.DELAY and fault.meets(name):
                return [*taken, fault]
        return taken


def _check(spec: Spec) -> None:
    problem = None
    if not spec.pattern.strip():
        problem = (f"pattern {spec.pattern!r}", "a pattern names something", "an empty one matches nothing")
    elif spec.effect in {Effect.DROP, Effect.LOSE} and spec.pattern.split(" ", 1)[0] in PHASES:
        problem = (
            f"{spec.effect} for {spec.pattern!r}",
            "a phase of a VM can fail, be late or hang",
            "it has no connection that could be closed",
        )
    elif spec.effect is Effect.DELAY and not 0 < spec.delay_s < math.inf:
        problem = (
            f"delay of {spec.delay_s:g} s",
            "it must be more than 0, and end some time",
            "a fault without effect hides a mistake, and what never ends is a hang",
        )
    elif spec.count is not None and spec.count < 1:
        problem = (f"count {spec.count}", "it must be at least 1, or absent", "a fault without effect hides a mistake")
    elif spec.skip < 0:
        problem = (f"skip {spec.skip}", "it must not be negative", "it counts matches that pass")
    elif spec.code and spec.code not in ONED_CODES and not 400 <= spec.code <= 599:
        codes = ", ".join(map(str, sorted(ONED_CODES)))
        problem = (
            f"code {spec.code}",
            f"it must be an HTTP status from 400 to 599 or one of {codes}",
            "clients know no other",
        )
    if problem is not None:
        raise BadFault(*problem, "Correct the fault and add it again.")
