"""A control group for each guest, so that two systemds do not meet in one. It limits nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

HIERARCHIES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
"""Where the unified hierarchy is beside older ones, and systemd's own old one; otherwise the first line below holds."""
UNIFIED = Path("/sys/fs/cgroup")


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


def remove_groups(name: str) -> None:
    """Remove the groups and those that systemd made below; one that still has a process stays."""
    for group in groups_for(name):
        below = sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for path in (*below, group):
            with contextlib.suppress(OSError):
                path.rmdir()
