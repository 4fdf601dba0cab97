"""Progress of one engine operation as lines for people: what finished, what takes long, what the engine complains of.

It shows names, types and times, never properties: those may be secrets.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pulumi.automation import EngineEvent, OpType

from flower_federation.heartbeat import Heartbeat

QUIET_S = 2.0
"""Anything shorter than this gets no line of its own."""

_COLOUR = re.compile(r"<\{%[^%]*%\}>")
_SHOWN = {OpType.CREATE: "created", OpType.UPDATE: "updated", OpType.DELETE: "deleted", OpType.REPLACE: "replaced"}
_CONTAINERS = ("pulumi:pulumi:Stack", "flower:index:Flower", "flower:index:FederationPKI", "flower:index:ZoneLink")
_UNINTERESTING = ("eliding undecryptable secrets",)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A resource that the engine is working on."""

    label: str
    verb: str
    since_s: float


class OperationProgress:
    """Turns engine events into lines. Events arrive on the Automation API's threads.

    Args:
        stack: Put before each line.
        write: Prints one line.
        clock: Monotonic seconds.
    """

    def __init__(self, stack: str, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._stack = stack
        self._clock = clock
        self._running: dict[str, Running] = {}
        self._asked = False
        """Whether the program has asked for a resource."""
        self._mutex = threading.Lock()
        self.heartbeat = Heartbeat(self._under_way, write, clock)
        self.errors: list[str] = []
        """The engine's error messages, without its colours."""

    def __enter__(self) -> OperationProgress:
        """Begin to tell what takes long."""
        self.heartbeat.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End; no line is printed after this."""
        self.heartbeat.__exit__()

    def on_event(self, event: EngineEvent) -> None:
        """Take one event of the engine."""
        if event.resource_pre_event is not None:
            self._asked = True
            metadata = event.resource_pre_event.metadata
            # Stacks and components last as long as what they hold, and that is told by itself.
            if metadata.op in _SHOWN and not metadata.type.startswith(_CONTAINERS):
                with self._mutex:
                    self._running[metadata.urn] = Running(
                        label=_label(metadata.urn), verb=_SHOWN[metadata.op], since_s=self._clock()
                    )
        elif event.res_outputs_event is not None:
            self._finished(event.res_outputs_event.metadata.urn)
        elif event.res_op_failed_event is not None:
            with self._mutex:
                self._running.pop(event.res_op_failed_event.metadata.urn, None)
        elif event.diagnostic_event is not None:
            self._diagnostic(event.diagnostic_event.message, event.diagnostic_event.severity)

    def _under_way(self, seconds: float) -> str:
        """The resource that has taken longest; else that the operation goes on."""
        with self._mutex:
            slowest = min(self._running.values(), key=lambda running: running.since_s, default=None)
            took = 0.0 if slowest is None else self._clock() - slowest.since_s
        if slowest is not None and took >= QUIET_S:
            return f"{self._stack}: waiting for {slowest.label} ({took:.0f} s)"
        return f"{self._stack}: {'working' if self._asked else 'engine and program start'} ({seconds:.0f} s)"

    def _finished(self, urn: str) -> None:
        with self._mutex:
            running = self._running.pop(urn, None)
        if running is not None:
            seconds = self._clock() - running.since_s
            if seconds >= QUIET_S:
                self.heartbeat.say(f"{self._stack}: {running.verb} {running.label} ({seconds:.1f} s)")

    def _diagnostic(self, message: str, severity: str) -> None:
        text = _COLOUR.sub("", message).strip()
        if not text or any(part in text for part in _UNINTERESTING):
            return
        if severity == "error":
            if text not in self.errors:
                self.errors.append(text)
        elif severity in ("warning", "info", "info#err"):
            self.heartbeat.say(f"{self._stack}: {text}")


def _label(urn: str) -> str:
    """`Service berlin-service` out of a URN."""
    kinds, _, name = urn.rpartition("::")
    kind = kinds.rpartition("::")[2].rpartition("$")[2]
    return f"{kind.rpartition(':')[2]} {name}"
