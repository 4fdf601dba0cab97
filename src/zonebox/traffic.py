"""What a zone was asked: requests by name, and the busiest second. It keeps no content of any request.

Numbers in paths are collapsed (`oneflow GET /service/ID`), so that there are few names. VMs' own requests count, too.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

_NUMBER: Final = re.compile(r"/\d+(?=/|$)")
_WINDOW_S: Final = 1.0


class Traffic:
    """Counts of requests since the zone's start, or since `reset`.

    Args:
        now: seconds, of a clock that does not jump.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counts: Counter[str] = Counter()
        self._recent: deque[float] = deque()
        self.busiest_second = 0
        """Most requests within any second."""

    def note(self, name: str) -> None:
        """Count a request."""
        self._counts[_NUMBER.sub("/ID", name)] += 1
        now = self._now()
        self._recent.append(now)
        while self._recent[0] <= now - _WINDOW_S:
            self._recent.popleft()
        self.busiest_second = max(self.busiest_second, len(self._recent))

    def counts(self) -> dict[str, int]:
        """Requests by name, the most frequent first."""
        return dict(self._counts.most_common())

    def reset(self) -> None:
        """Begin at nothing again."""
        self._counts.clear()
        self._recent.clear()
        self.busiest_second = 0
