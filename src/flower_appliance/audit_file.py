"""The audit on disk: appends facts to the chain, and remembers from it what must outlive a restart. It reads no log.

Every line carries the place in the log that it was made from, so one write moves the chain and the place together:
after a crash nothing is missing and nothing is there twice. A chain that does not hold is set aside, never continued,
and a new one begins with what is left of the logs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from flower_appliance.audit_chain import Head, check_chain, extend, read_line
from flower_appliance.audit_facts import DONE, FAILED, Fact
from flower_appliance.audit_tail import Place
from flower_appliance.files import write_file

_CHAIN_MODE, _HEAD_MODE = 0o600, 0o640


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which log a fact comes from, and where in it."""

    log: str
    """`gateway` or `appliance`."""
    place: Place


class AuditFile:
    """The one writer of a chain."""

    def __init__(self, path: Path, *, head_path: Path, now: Callable[[], datetime]) -> None:
        """Open the chain, or start it.

        Args:
            path: the chain.
            head_path: a file that always holds its head, `seq:hash`.
            now: the clock.

        Raises:
            OSError: the file system refuses.
        """
        self._path = path
        self._head_path = head_path
        self._now = now
        self._head: Head | None = None
        self._places: dict[str, Place] = {}
        self._starters: dict[str, str] = {}
        broken = self._load()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, _CHAIN_MODE)
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
        return lines

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _load(self) -> str:
        """Read what is there; what is wrong with it, where it had to be set aside."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return ""
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            # A write that a crash cut off. What it was made from is read again, since no line says that it was.
            os.truncate(self._path, len(whole))
        lines = whole.decode("ascii", errors="replace").splitlines()
        verdict = check_chain(lines)
        if not verdict.intact:
            aside = self._path.with_name(f"{self._path.name}.broken-{self._now():%Y%m%dT%H%M%SZ}")
            self._path.rename(aside)
            fault = verdict.faults[0]
            return f"line {fault.line}: {fault.what}; kept as {aside.name}, sha256 {sha256(whole).hexdigest()}"
        self._head = verdict.head
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
