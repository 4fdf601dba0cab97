"""A control group for each guest, so that two systemds do not meet in one. It limits nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from zonebox.drivers.base import DriverError

HIERARCHIES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
"""Where the unified hierarchy is beside older ones, and systemd's own old one; otherwise the first line below holds."""
UNIFIED = Path("/sys/fs/cgroup")
_END_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.02


def groups_for(name: str) -> list[Path]:
    """Folders of a guest's groups, one in each hierarchy that systemd-nspawn looks at."""
    if (UNIFIED / "cgroup.controllers").is_file():
        return [UNIFIED / name]
    return [base / name for base in HIERARCHIES if base.is_dir()]


def make_groups(name: str) -> list[Path]:
    """Make the groups; the files that a process writes its id to in order to join."""
    groups = groups_for(name)
    for group in groups:
        group.mkdir(exist_ok=True)
    return [group / "cgroup.procs" for group in groups]


async def remove_groups(name: str, *, groups: Sequence[Path] | None = None) -> None:
    """End whatever is left in a guest's groups, and remove them with those that systemd made below. Idempotent.

    Args:
        name: of the guest's groups.
        groups: their folders, for tests.

    Raises:
        DriverError: a process survives SIGKILL.
    """
    folders = [path for group in (groups_for(name) if groups is None else groups) for path in _with_groups_below(group)]
    for _ in range(round(_END_S / _LOOK_EVERY_S)):
        # A killed systemd-nspawn takes its guest with it, but not at once; a group can go when its last process has.
        if not (left := _members(folders)):
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_EVERY_S)
    else:
        raise DriverError(
            f"processes {', '.join(str(pid) for pid in sorted(left))}: alive {_END_S:g} s after SIGKILL, a stopped VM "
            "must have none; see their state in /proc/PID/status and end what they wait for"
        )
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


def _with_groups_below(group: Path) -> list[Path]:
    """The innermost first."""
    below = (path for path in group.rglob("*") if path.is_dir())
    return [*sorted(below, key=lambda path: -len(path.parts)), group]


def _members(folders: Iterable[Path]) -> set[int]:
    found: set[int] = set()
    for folder in folders:
        # systemd in the guest may remove a group meanwhile; then reading says "no such device".
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
    return found
