"""The audit on disk: appends facts to the chain, and remembers from it what must outlive a restart. It reads no log.

Every line carries the place in the log that it was made from, so one write moves the chain and the place together:
after a crash nothing is missing and nothing is there twice. A chain that does not hold is set aside, never continued,
and a new one begins with what is left of the logs.

A file that is full is renamed, and the chain goes on in the next one. None is ever removed here: whoever moves old ones
away keeps the head of the last of them, from which the rest can be verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from flower_appliance.audit_chain import Head, beginning, check_chain, extend, read_line
from flower_appliance.audit_facts import DONE, FAILED, Fact
from flower_appliance.audit_segments import older_segments, segment_path
from flower_appliance.audit_tail import Place
from flower_appliance.files import write_file

_CHAIN_MODE, _HEAD_MODE = 0o600, 0o640
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
            OSError: the disk does not take them. The chain must be opened anew then.
        """
        if not facts:
            return []
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
        """Close the file."""
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
        return self.append([(told, None)])

    def _load(self) -> str:
        """Read what is there; what is wrong with it, where it had to be set aside."""
        files = {path: path.read_bytes() for path in older_segments(self._path)}
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            raw = b""
        else:
            files[self._path] = raw[: raw.rfind(b"\n") + 1]
            if len(files[self._path]) < len(raw):
                # A write that a crash cut off. What it was made from is read again, since no line says that it was.
                os.truncate(self._path, len(files[self._path]))
        whole = b"".join(files.values())
        lines = whole.decode("ascii", errors="replace").splitlines()
        # Old files may have been moved away; that this is so in good order, federation audit verify looks at.
        verdict = check_chain(lines, after=beginning(lines[0]) if lines else None)
        if not verdict.intact:
            fault, when = verdict.faults[0], f"{self._now():%Y%m%dT%H%M%SZ}"
            asides = [path.rename(path.with_name(f"{path.name}.broken-{when}")) for path in files]
            kept = ", ".join(aside.name for aside in asides)
            return f"line {fault.line}: {fault.what}; kept as {kept}, sha256 {sha256(whole).hexdigest()}"
        self._head = verdict.head
        newest = files.get(self._path, b"").count(b"\n")
        self._first = (verdict.head.seq if verdict.head is not None else 0) - newest + 1
        for line in lines:
            self._learn(read_line(line))
        return ""

    def _learn(self, content: dict[str, Any]) -> None:
        origin, actor = content.get("from"), content.get("actor")
        if isinstance(origin, dict):
            self._places[origin["log"]] = Place(log=origin["file"], end=origin["end"])
        if content["action"] == "run" and content["outcome"] == DONE and isinstance(actor, dict):
            self._starters[content["run"]] = actor["name"]

    def _publish(self) -> None:
        write_file(self._head_path, str(self._head or "").encode("ascii"), mode=_HEAD_MODE)


def _origin(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {"log": origin.log, "file": origin.place.log, "end": origin.place.end}
