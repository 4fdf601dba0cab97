"""Reads a growing log that is rotated, from a place that survives restarts. It does not know what the lines mean.

A file is known by its first line, which keeps through a rename, and a place in it by the byte after a line and by that
line. What has no line end yet is not there yet. A machine that loses its power may lose the end of a log that was read
already: the line tells, however far the log has grown again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20
_MOST_FIRST_LINE_BYTES = 1 << 20
_LOOKS = 5
_BACK_BYTES = 1 << 14


@dataclass(frozen=True, kw_only=True)
class Place:
    """The end of a line that was read."""

    log: str
    """Digest of the file's first line, or of its first MiB."""
    end: int
    """Byte after the line."""
    line: str = ""
    """Digest of the line; empty in an audit of before 2026-11-24, and then not looked at."""


class PlaceLostError(Exception):
    """The line that a place lies after is not there any more: lines after it may have gone with it."""


class LogTail:
    """One log: a file, and the older ones that it was renamed to, `<stem>-<time><suffix>` as Caddy names them."""

    def __init__(self, path: Path, place: Place | None) -> None:
        """Read on after `place`; None: from the oldest line that there is."""
        self._path = path
        self._place = place
        self._seen: tuple[int, int] | None = None

    def read(self) -> Iterator[tuple[bytes, Place]]:
        """Lines that came since, each with the place after it. A caller that stops early is given the rest next time.

        Raises:
            PlaceLostError: once; the next call reads from the oldest line that there is.
        """
        now = self._look()
        if now is None or now == self._seen:
            return
        with contextlib.ExitStack() as open_files:
            for stream, log in self._unread(open_files):
                start = self._place.end if self._place is not None and self._place.log == log else 0
                for line, end in _lines(stream, start):
                    self._place = Place(log=log, end=end, line=_digest(line))
                    yield line, self._place
        self._seen = now

    def _look(self) -> tuple[int, int] | None:
        """What changes when there is something to read: which file it is, and its size."""
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return None
        return facts.st_ino, facts.st_size

    def _unread(self, open_files: contextlib.ExitStack) -> list[tuple[BinaryIO, str]]:
        """Files from the one that holds the place on, opened: from here on a rename changes nothing."""
        for _ in range(_LOOKS):
            names, identity = self._older(), self._look()
            streams = [_open(path, open_files) for path in (*names, self._path)]
            if (names, identity and identity[0]) == (self._older(), (self._look() or (None,))[0]):
                break  # otherwise it was rotated meanwhile, and a file may be missing in between
        files = [(stream, log) for stream in streams if stream is not None and (log := _identity(stream))]
        if self._place is None:
            return files
        for number, (stream, log) in enumerate(files):
            if log == self._place.log and _is_after_its_line(stream, self._place):
                return files[number:]
        self._place = None
        raise PlaceLostError

    def _older(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"))


def _open(path: Path, open_files: contextlib.ExitStack) -> BinaryIO | None:
    try:
        return open_files.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _identity(stream: BinaryIO) -> str:
    """What a file is known by; empty while it has no whole line.

    Of a longer line the beginning does: whoever sends a request with an endless path must not hide what follows it.
    """
    stream.seek(0)
    first = stream.readline(_MOST_FIRST_LINE_BYTES)
    return _digest(first) if first.endswith(b"\n") or len(first) == _MOST_FIRST_LINE_BYTES else ""


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()[:16]


def _is_after_its_line(stream: BinaryIO, place: Place) -> bool:
    """Whether the bytes before a place are the line that was read."""
    if not place.line:
        return True
    start, before = place.end - 1, b""
    stream.seek(start)
    if stream.read(1) != b"\n":
        return False
    while start and b"\n" not in before:
        size = min(start, _BACK_BYTES)
        start -= size
        stream.seek(start)
        before = stream.read(size) + before
    return _digest(before.rpartition(b"\n")[2]) == place.line


def _lines(stream: BinaryIO, start: int) -> Iterator[tuple[bytes, int]]:
    stream.seek(start)
    rest, end = b"", start
    while chunk := stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            end += len(line) + 1
            yield line, end
