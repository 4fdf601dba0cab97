"""A service's log on disk: lines out of raw output, gated by level, rotated by size. It judges no line."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LEVEL = re.compile(r"^\s*(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\b")
_RANK = {"DEBUG": 0, "INFO": 1, "WARN": 2, "WARNING": 2, "ERROR": 3, "CRITICAL": 3}


class LineSplitter:
    """Cuts a byte stream into lines of text without terminal colours; overlong lines are cut into pieces."""

    def __init__(self, *, most_bytes: int = 16_384) -> None:
        self._most_bytes = most_bytes
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Lines completed by this chunk."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        while len(self._rest) > self._most_bytes:
            lines.append(self._rest[: self._most_bytes])
            self._rest = self._rest[self._most_bytes :]
        return [self._decode(line) for line in lines]

    def close(self) -> list[str]:
        """The last, unterminated line."""
        rest, self._rest = self._rest, b""
        return [self._decode(rest)] if rest else []

    @staticmethod
    def _decode(line: bytes) -> str:
        return _COLOUR.sub("", line.decode("utf-8", errors="replace").rstrip("\r"))


class LevelGate:
    """Lets lines of at least a level through. A line without a level belongs to the line before it."""

    def __init__(self, level: str) -> None:
        self._least = _RANK[level]
        self._open = True

    def passes(self, line: str) -> bool:
        """Whether this line is written."""
        found = _LEVEL.match(line)
        if found is not None:
            self._open = _RANK[found[1]] >= self._least
        return self._open


class RotatingLog:
    """An append-only file of lines; `<name>.1` is the youngest of the files before it.

    What fails is tried again with the next line: a disk that was full for a while costs the lines of that while and no
    more.
    """

    def __init__(self, path: Path, *, most_bytes: int = 10_000_000, keep: int = 3) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._descriptor: int | None = None
        self._size = 0
        with contextlib.suppress(OSError):  # the first line that is written tells of it
            self._open()

    def write(self, line: str) -> None:
        """Append one line, rotating first where it would not fit.

        Raises:
            OSError: the file system does not take it.
        """
        raw = line.encode("utf-8", errors="replace") + b"\n"
        descriptor = self._open() if self._descriptor is None else self._descriptor
        if self._size and self._size + len(raw) > self._most_bytes:
            self._rotate()
            descriptor = self._open()
        self._size += os.write(descriptor, raw)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self) -> int:
        # Never through a link: on a machine of its own root writes here, and the gateway's user may write, too.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o640)
        self._descriptor, self._size = descriptor, os.fstat(descriptor).st_size
        return descriptor

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._numbered(number)
            younger = self._numbered(number - 1) if number > 1 else self._path
            if younger.exists():
                younger.replace(older)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
