"""What Linux knows of our processes: who descends from whom, and which of them are alive. It starts nothing.

Reads /proc only where every user may: `stat` and `cmdline`. A process's environment is not used, because
`flower-superexec` makes itself undumpable (flwr 1.41.0), after which only root may read it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, kw_only=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    alive: bool
    """False for a zombie."""


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, as an init is.

    Raises:
        OSError: the kernel refuses.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def process_table(proc: Path = Path("/proc")) -> dict[int, Process]:
    """Every process that /proc shows."""
    table: dict[int, Process] = {}
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # The second field is the name in parentheses, which may itself hold spaces and parentheses.
        state, parent = stat.rpartition(")")[2].split()[:2]
        table[int(entry.name)] = Process(pid=int(entry.name), parent=int(parent), alive=state not in "ZX")
    return table


def descendants(root: int, table: Mapping[int, Process], *, without: Iterable[int] = ()) -> set[int]:
    """Living processes below `root`, leaving out the subtrees of `without`."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    left_out = set(without)
    found: set[int] = set()
    pending = [root]
    while pending:
        for child in children.get(pending.pop(), ()):
            if child.pid not in left_out and child.pid not in found:
                pending.append(child.pid)
                if child.alive:
                    found.add(child.pid)
    return found


def runs_program(pid: int, program: str, proc: Path = Path("/proc")) -> bool:
    """Whether one of the process's first words is the program, by base name (scripts run as `python /path/program`)."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.rpartition(b"/")[2] == program.encode() for word in words[:3])


def send_signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def send_signal_to_group(leader: int, number: signal.Signals) -> None:
    """Signal the process group of `leader`, which leads a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
