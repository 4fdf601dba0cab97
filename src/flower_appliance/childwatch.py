"""Judges whether a service has lost the child process it needs. It looks at no process and restarts nothing.

flower-superexec is started once by its service and never again: when it dies, the SuperLink still answers `/health`,
a SuperNode still counts as online, and no work is done any more (flwr 1.41.0, 2026-11-24).
"""

from __future__ import annotations

from dataclasses import dataclass

MISSES_TO_RESTART = 3
STARTING_S = 60.0
"""A process this young may not have started its child yet (2-5 s on an idle machine, many times that on a busy one)."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    pid: int
    had_child: bool
    misses: int


class ChildWatch:
    """What was seen of each unit's child."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    @property
    def worried(self) -> bool:
        """Whether a child is missing that was there, so that it is worth looking again soon."""
        return any(seen.misses for seen in self._seen.values())

    def look(self, unit: str, *, pid: int | None, running_s: float, has_child: bool) -> bool:
        """Take one observation; whether the unit must be restarted now.

        Args:
            pid: its main process; None while it does not run.
            running_s: how long that process has been running.
        """
        before = self._seen.pop(unit, None)
        if pid is None:
            return False
        if before is None or before.pid != pid:
            before = _Seen(pid=pid, had_child=False, misses=0)
        if has_child:
            self._seen[unit] = _Seen(pid=pid, had_child=True, misses=0)
            return False
        counts = before.had_child or running_s > STARTING_S
        misses = before.misses + 1 if counts else 0
        if misses >= MISSES_TO_RESTART:
            return True
        self._seen[unit] = _Seen(pid=pid, had_child=before.had_child, misses=misses)
        return False
