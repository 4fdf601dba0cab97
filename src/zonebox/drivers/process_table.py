"""Processes of this machine, found by the VM_ID in their environment and signalled without racing pids. Linux only.

A process that clears its environment AND leaves its session can no longer be told to belong to a VM.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MARK: Final = "VM_ID"
_PROC: Final = Path("/proc")
_STATE, _SESSION, _START = 0, 3, 19
"""Places in /proc/PID/stat after the command's name (proc(5): fields 3, 6 and 22)."""
_LOOKS: Final = 5
"""At an environment that is empty: that of a program which has just begun is, for microseconds (Linux 6, 2026-11)."""


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None for one that is gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[_STATE] in {"Z", "X"} else int(fields[_START])


def leads_session(pid: int) -> bool:
    """Whether a process is the first of its session."""
    fields = _stat(pid)
    return fields is not None and int(fields[_SESSION]) == pid


def carries(pid: int, mark: str) -> bool:
    """Whether a process has this VM_ID in the environment that it was started with."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(_LOOKS):
        try:
            environment = _environment(pid)
        except OSError:
            return False
        if environment:
            return wanted in environment.split(b"\0")
        os.sched_yield()
    return False


def _environment(pid: int) -> bytes:
    return (_PROC / str(pid) / "environ").read_bytes()


def carriers(mark: str, session: int | None = None) -> Iterator[int]:
    """Processes of a VM: those that carry its mark, and those of its first process's session.

    Args:
        mark: the VM_ID.
        session: pid of the VM's first process, which leads a session.
    """
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        pid = int(entry.name)
        fields = _stat(pid)
        if fields is None or fields[_STATE] in {"Z", "X"}:
            continue
        if carries(pid, mark) or (session is not None and int(fields[_SESSION]) == session):
            yield pid


def send(pid: int, number: signal.Signals, mark: str, session: int | None = None) -> None:
    """Signal a process if it still is one of the VM's."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        fields = _stat(pid)
        in_session = session is not None and fields is not None and int(fields[_SESSION]) == session
        if carries(pid, mark) or in_session:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
