"""A line for people when nothing else was said for a while: two seconds at first, then every five. It does no work.

Standard library only, and its time is given: tests call `tick`, a thread calls it otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

FIRST_S: Final = 2.0
"""Silence that somebody at a terminal takes for a command that hangs."""
NEXT_S: Final = 5.0
TICK_S: Final = 0.5


class Heartbeat:
    """Says what is under way where it is silent.

    Args:
        what: The line, given the seconds since the beginning.
        write: Prints one line.
        clock: Monotonic seconds.
    """

    def __init__(
        self, what: Callable[[float], str], write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._write = write
        self._clock = clock
        self._began = self._last = clock()
        self._pause = FIRST_S
        self._mutex = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Heartbeat:
        """Begin; the time counts from here."""
        self._began = self._last = self._clock()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; no line is printed by this after it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def say(self, line: str) -> None:
        """Print a line of somebody else's, which breaks the silence."""
        with self._mutex:
            self._write(line)
            self._last, self._pause = self._clock(), FIRST_S

    def tick(self) -> None:
        """Print a line where it is due."""
        with self._mutex:
            now = self._clock()
            if now - self._last >= self._pause:
                self._write(self._what(now - self._began))
                self._last, self._pause = now, NEXT_S

    def _beat(self) -> None:
        while not self._stop.wait(TICK_S):
            self.tick()


@contextmanager
def under_way(what: str, write: Callable[[str], None]) -> Iterator[Heartbeat]:
    """For as long as the block lasts and nothing is said by it: `WHAT (7 s)`.

    Args:
        what: What is done, such as "reading the stacks".
        write: Prints one line.
    """
    with Heartbeat(lambda seconds: f"{what} ({seconds:.0f} s)", write) as heartbeat:
        yield heartbeat
