"""Locks that a killed engine left in the local backend. It removes a lock only if its process is gone from this host.

The file backend keeps one JSON file a running operation under `.pulumi/locks/…/<stack>/` with `pid`, `hostname` and
`username` (engine 3.259.0, 2026-11-24).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StackLock:
    """A lock on a stack."""

    path: Path
    pid: int
    hostname: str


def read_locks(backend: Path, stack: str) -> tuple[StackLock, ...]:
    """Locks on a stack of the local backend.

    Args:
        backend: The backend's folder.
        stack: Full name, `organization/<project>/<stack>`.
    """
    folder = backend / ".pulumi" / "locks" / stack
    locks = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            locks.append(StackLock(path=path, pid=int(content["pid"]), hostname=str(content["hostname"])))
        except (OSError, ValueError, KeyError, TypeError):
            # A lock that is being written or removed at this moment belongs to somebody alive.
            continue
    return tuple(locks)


def is_stale(lock: StackLock, *, hostname: str, alive: Callable[[int], bool]) -> bool:
    """Whether the lock's process ran on this host and has ended."""
    return lock.hostname == hostname and not alive(lock.pid)


def process_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove_stale_locks(
    backend: Path, stack: str, *, hostname: str | None = None, alive: Callable[[int], bool] = process_alive
) -> tuple[StackLock, ...]:
    """Remove locks whose process is gone.

    Args:
        backend: The backend's folder.
        stack: Full name.
        hostname: This host's name.
        alive: Tells whether a process exists.

    Returns:
        What was removed.
    """
    here = hostname or socket.gethostname()
    stale = tuple(lock for lock in read_locks(backend, stack) if is_stale(lock, hostname=here, alive=alive))
    for lock in stale:
        lock.path.unlink(missing_ok=True)
    return stale
