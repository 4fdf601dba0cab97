"""Starts one program, waits for it and keeps what it printed. Never goes through a shell and never retries.

Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Protocol

from flower_federation.errors import ToolError

PROGRESS_EVERY_S = 10.0
TAIL_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that ended: its exit status, everything that it printed (both streams) and its seconds."""

    returncode: int
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def tail(self) -> str:
        """The last lines of the output, for error messages."""
        return "\n".join(self.output.strip().splitlines()[-TAIL_LINES:])


Progress = Callable[[float, int], None]
"""Called every ten seconds with the seconds so far and the number of lines that the program has printed."""


class Runner(Protocol):
    """How the rest of the package starts programs; tests give a stand-in that answers from a table."""

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float | None = None,
        progress: Progress | None = None,
    ) -> Finished:
        """Run to the end. A missing program counts as exit status 127; a program past its limit as timed out."""
        ...


def run_process(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Run a program to its end, in a session of its own so that its children end with it.

    Args:
        argv: Program and arguments. Never secrets: other users can read a process list.
        env: The program's whole environment.
        cwd: Folder that it starts in.
        timeout_s: After this many seconds the program and its children are killed.
        progress: Called every ten seconds while the program runs.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            return Finished(returncode=127, output=f"{argv[0]}: {error.strerror}", seconds=time.monotonic() - start)
        try:
            timed_out = _wait(child, output, start=start, timeout_s=timeout_s, progress=progress)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        return Finished(
            returncode=child.returncode,
            output=_read(output).decode(errors="replace"),
            seconds=time.monotonic() - start,
            timed_out=timed_out,
        )


@contextmanager
def requests_to_end() -> Iterator[None]:
    """A service manager or a CI job stops with SIGTERM, a terminal that closes with SIGHUP: the same care as Ctrl-C.

    For as long as the block lasts each of them raises KeyboardInterrupt. To be entered in the main thread.
    """
    # What is ignored stays so: nohup asks to outlive the terminal.
    asked = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Note Ctrl-C and requests to end instead of raising, for as long as the block lasts: for what must not be cut off.

    What the block does must have a time limit. Outside of the main thread, which alone gets signals, nothing is noted.

    Yields:
        The signals that came so far.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, _frame: object) -> None:
        noted.append(number)

    # A function, since programs that are started in the block inherit what is ignored, and no function.
    asked = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in asked}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(
    child: subprocess.Popen[bytes],
    output: IO[bytes],
    *,
    start: float,
    timeout_s: float | None,
    progress: Progress | None,
) -> bool:
    """Wait for the child, reporting progress; True where its limit passed first."""
    while True:
        elapsed_s = time.monotonic() - start
        left_s = float("inf") if timeout_s is None else timeout_s - elapsed_s
        if left_s <= 0:
            return True
        try:
            child.wait(timeout=min(PROGRESS_EVERY_S, left_s))
            return False
        except subprocess.TimeoutExpired:
            if progress is not None:
                progress(time.monotonic() - start, _read(output).count(b"\n"))


def _read(output: IO[bytes]) -> bytes:
    # The child shares the file's offset with us: read at positions, never seek.
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), size, 0)


def require(finished: Finished, *, what: str, reason: str, remedy: str) -> Finished:
    """Return `finished` where the program succeeded.

    Args:
        finished: What came of the program.
        what: The program and its purpose, for the message.
        reason: What its result is needed for.
        remedy: What the caller can change, and where.

    Raises:
        ToolError: The program failed or ran past its limit.
    """
    if finished.returncode == 0 and not finished.timed_out:
        return finished
    ended = "ran past its limit" if finished.timed_out else f"ended with status {finished.returncode}"
    raise ToolError(
        given=f"{what} {ended} after {finished.seconds:.0f} s; its last lines:\n{finished.tail}",
        rule="it must end with status 0",
        reason=reason,
        remedy=remedy,
    )
