"""Numbered steps with their seconds, as the scripts print them. Decides nothing and never reads input.

Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One finished step: its title, what came of it (one line) and how long it took."""

    title: str
    outcome: str
    seconds: float


class Step:
    """A running step. `note` prints a line under its title, `done` says what came of it."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self.title = title
        self.outcome = "done"

    def note(self, text: str) -> None:
        """Print one indented line at once."""
        self._console.line(f"      {text}")

    def done(self, outcome: str) -> None:
        """Set the line that is printed when the step ends."""
        self.outcome = outcome


class Console:
    """Prints steps to a stream and keeps their results.

    Args:
        stream: Where lines go; standard error where standard output carries JSON.
        clock: Monotonic seconds.
        total: How many steps there will be, for "[2/7]".
        quiet: Print only steps that say something while they run, which is how long ones show that they work.
    """

    def __init__(self, *, stream: TextIO, clock: Callable[[], float], total: int, quiet: bool = False) -> None:
        self._stream = stream
        self._clock = clock
        self._total = total
        self._quiet = quiet
        self._untold: str | None = None
        """A quiet step's title, until the step has something to say."""
        self._told = False
        self._mutex = threading.Lock()
        self.results: list[StepResult] = []

    def line(self, text: str) -> None:
        """Print one line at once, also where the stream is a pipe; from any thread."""
        with self._mutex:
            if self._untold is not None:
                self._stream.write(self._untold + "\n")
                self._untold = None
                self._told = True
            self._stream.write(text + "\n")
            self._stream.flush()

    def closing(self, text: str) -> None:
        """Print a last line; where quiet, only if something was printed before."""
        if self._told or not self._quiet:
            self.line(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Print the title, run the body, print its outcome and seconds; an exception passes, noted as failed."""
        number = len(self.results) + 1
        heading = f"[{number}/{self._total}] {title}"
        if self._quiet:
            self._untold = heading
        else:
            self.line(heading)
        step = Step(self, title)
        start = self._clock()
        try:
            yield step
        except BaseException:
            step.outcome = FAILED
            raise
        finally:
            seconds = self._clock() - start
            self.results.append(StepResult(title=title, outcome=step.outcome, seconds=seconds))
            if self._untold is None or step.outcome == FAILED:
                self.line(f"      {step.outcome} ({seconds:.1f} s)")
            self._untold = None
