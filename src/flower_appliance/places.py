"""Puts a folder in its place whole, or not at all, with modes that let services read it and nobody change it.

A folder's name comes from a digest of what was asked for: where it exists its content is complete.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flower_appliance.files import Owner, make_folder


@contextmanager
def whole_folder(folder: Path, *, owner: Owner | None) -> Iterator[Path]:
    """A folder to work in, whose `content` becomes `folder` where the body ends without an error.

    What an interrupted earlier try left beside it is removed first, and what else is beside it once it is there.

    Args:
        folder: the place; its parent holds nothing else.
        owner: the services' user, whose group may read it; None where they run as this process does.

    Raises:
        OSError: the file system refuses; nothing of it is left then.
    """
    parent = folder.parent
    # Whatever the umask is: services that read below it have another user.
    make_folder(parent, mode=0o755)
    incoming = parent / ".incoming"
    remove(incoming)
    try:
        incoming.mkdir(mode=0o700)
        (incoming / "content").mkdir(mode=0o700)
        yield incoming
        _settle(incoming / "content", owner)
        (incoming / "content").rename(folder)
        sync(parent)
        for path in parent.iterdir():
            if path not in (folder, incoming):
                remove(path)
    finally:
        remove(incoming)


def is_mounted(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether something else is mounted there, and not the folder bound onto itself.

    Args:
        path: The mount point.
        mounts: What the kernel says of this process's mounts (proc_pid_mountinfo(5)).

    Raises:
        OSError: the kernel does not say.
    """
    found = False
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(" ")
        if fields[4] == str(path):
            found = fields[3] != str(path)  # the last one is on top
    return found


def remove(path: Path) -> None:
    """Remove a file or folder that may not be there.

    Raises:
        OSError: a file cannot be removed; of a folder stays what cannot.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's entries, to the disk.

    Raises:
        OSError: the disk does not take it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(content: Path, owner: Owner | None) -> None:
    for place, names, files in os.walk(content):
        for name in (*names, *files):
            _settle_one(Path(place, name), owner)
    _settle_one(content, owner)


def _settle_one(path: Path, owner: Owner | None) -> None:
    if path.is_symlink():
        return
    path.chmod(0o750 if path.is_dir() else 0o440)
    if owner is not None:
        os.chown(path, 0, owner.gid)
    if path.is_file():
        sync(path)
