"""The audit on disk: appends facts to the chain, and remembers from it what must outlive a restart. It reads no log.

Every line carries the place in the log that it was made from, so one write moves the chain and the place together:
after a crash nothing is missing and nothing is there twice. A chain that does not hold is set aside, never continued,
and a new one begins with what is left of the logs.

A file that is full is renamed, and the chain goes on in the next one. None is ever removed here: whoever moves old ones
away keeps the head of the last of them, from which the rest can be verified.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from flower_appliance.audit_chain import Head, beginning, check_chain, extend, read_line
from flower_appliance.audit_facts import DONE, FAILED, Fact
from flower_appliance.audit_segments import segment_path, segments
from flower_appliance.audit_tail import Place
from flower_appliance.files import write_file

_CHAIN_MODE, _HEAD_MODE = 0o600, 0o640
_BACK_BYTES = 1 << 16
MOST_BYTES = 16 << 20
"""Size at which a file is full: about 30,000 lines, which are verified in about a second."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which log a fact comes from, and where in it."""

    log: str
    """`gateway` or `appliance`."""
    place: Place


class AuditFile:
    """The one writer of a chain."""

    def __init__(
        self, path: Path, *, head_path: Path, now: Callable[[], datetime], most_bytes: int = MOST_BYTES
    ) -> None:
        """Open the chain, or start it.

        Args:
            path: the chain's newest file.
            head_path: a file that always holds its head, `seq:hash`.
            now: the clock.
            most_bytes: size at which the newest file becomes an older one.

        Raises:
            OSError: the file system refuses.
        """
        self._path = path
        self._head_path = head_path
        self._now = now
        self._most_bytes = most_bytes
        self._head: Head | None = None
        self._first = 1
        self._places: dict[str, Place] = {}
        self._starters: dict[str, str] = {}
        self._failed = False
        broken = self._load()
        self._descriptor = self._open()
        if broken:
            self.append([(Fact(time=now(), action="restart-chain", outcome=FAILED, reason=broken), None)])
        self._publish()

    @property
    def head(self) -> Head | None:
        """Of the last line; None for an empty chain."""
        return self._head

    def place(self, log: str) -> Place | None:
        """Where a log was last read to."""
        return self._places.get(log)

    def starter(self, run: str) -> str:
        """Name of the person who started a run; empty where no line says so."""
        return self._starters.get(run, "")

    def append(self, facts: Sequence[tuple[Fact, Origin | None]]) -> list[str]:
        """Write facts in one go, and to the disk; the lines that they became.

        Raises:
            OSError: the disk does not take them, or did not take earlier ones. The chain must be opened anew then: what
                is on the disk is not what is known here.
        """
        if self._failed:
            raise OSError(errno.EIO, "an earlier line was not written: the audit must be opened anew", str(self._path))
        if not facts:
            return []
        self._failed = True
        lines = self._append(facts)
        self._failed = False
        return lines

    def _append(self, facts: Sequence[tuple[Fact, Origin | None]]) -> list[str]:
        lines: list[str] = []
        for fact, origin in facts:
            line, self._head = extend(self._head, {**fact.content(), "from": _origin(origin)})
            lines.append(line)
            self._learn(read_line(line))
        raw = "".join(f"{line}\n" for line in lines).encode("ascii")
        while raw:
            raw = raw[os.write(self._descriptor, raw) :]
        os.fsync(self._descriptor)
        self._publish()
        if os.fstat(self._descriptor).st_size >= self._most_bytes:
            lines += self._rotate()
        return lines

    def close(self) -> None:
        """Close the file; nothing can be appended any more."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, _CHAIN_MODE)

    def _rotate(self) -> list[str]:
        """Go on in another file; the line that says so. A crash in between leaves no newest file, and the next start
        makes one.
        """
        if self._head is None or self._head.seq == self._first:
            return []  # one line that is larger than a file may be: the next one gets the next file
        full = segment_path(self._path, first=self._first, last=self._head.seq)
        self._path.rename(full)
        os.close(self._descriptor)
        self._first = self._head.seq + 1
        self._descriptor = self._open()
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        told = Fact(
            time=self._now(), action="rotate-audit", outcome=DONE, reason=f"the lines before are in {full.name}"
        )
        return self._append([(told, None)])

    def _load(self) -> str:
        """Read what is there; what is wrong with it, where it had to be set aside.

        Line by line: an audit of years is larger than the memory that this service is given.
        """
        self._cut_off_half_a_line()
        files = segments(self._path)
        whole, newest = sha256(), 0

        def lines() -> Iterator[str]:
            nonlocal newest
            for path in files:
                newest = 0
                with path.open("rb") as stream:
                    for raw in stream:
                        whole.update(raw)
                        newest += path == self._path
                        yield raw.decode("ascii", errors="replace").removesuffix("\n")

        # Old files may have been moved away; that this is so in good order, federation audit verify looks at.
        verdict = check_chain(lines(), after=_first_follows(files), each=self._learn)
        if not verdict.intact:
            self._places, self._starters = {}, {}
            fault, when = verdict.faults[0], f"{self._now():%Y%m%dT%H%M%SZ}"
            asides = [path.rename(path.with_name(f"{path.name}.broken-{when}")) for path in files]
            kept = ", ".join(aside.name for aside in asides)
            return f"line {fault.line}: {fault.what}; kept as {kept}, sha256 {whole.hexdigest()}"
        self._head = verdict.head
        self._first = (verdict.head.seq if verdict.head is not None else 0) - newest + 1
        return ""

    def _cut_off_half_a_line(self) -> None:
        """A write that a crash cut off. What it was made from is read again, since no line says that it was."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb+") as stream:
            end = keep = stream.seek(0, os.SEEK_END)
            while keep:
                start = max(0, keep - _BACK_BYTES)
                stream.seek(start)
                found = stream.read(keep - start).rfind(b"\n")
                if found >= 0:
                    keep = start + found + 1
                    break
                keep = start
            if keep < end:
                stream.truncate(keep)

    def _learn(self, content: dict[str, Any]) -> None:
        origin, actor = content.get("from"), content.get("actor")
        if isinstance(origin, dict):
            self._places[origin["log"]] = Place(log=origin["file"], end=origin["end"], line=origin.get("line", ""))
        if content["action"] == "run" and content["outcome"] == DONE and isinstance(actor, dict):
            self._starters[content["run"]] = actor["name"]

    def _publish(self) -> None:
        write_file(self._head_path, str(self._head or "").encode("ascii"), mode=_HEAD_MODE)


def _origin(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {"log": origin.log, "file": origin.place.log, "end": origin.place.end, "line": origin.place.line}


def _first_follows(files: Sequence[Path]) -> Head | None:
    """What the first line of all says that it follows."""
    for path in files:
        with path.open("rb") as stream:
            first = stream.readline().decode("ascii", errors="replace").removesuffix("\n")
        if first:
            return beginning(first)
    return None
