"""Writes files whole and with their final mode from the first byte. It decides no path, no mode and no content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Numeric owner and group."""

    uid: int
    gid: int


def write_file(path: Path, content: bytes, *, mode: int, owner: Owner | None = None) -> None:
    """Replace `path` atomically; at no instant can anyone read the content whom `mode` does not allow.

    Raises:
        OSError: the file system refuses; what was there before is there still.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode & 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), owner.uid, owner.gid)
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, content: bytes, *, mode: int, owner: Owner | None = None) -> bool:
    """`write_file` where content, mode or owner differ; whether it wrote.

    Raises:
        OSError: as `write_file`.
    """
    if path.is_file() and not path.is_symlink():
        stat = path.stat()
        same_owner = owner is None or (stat.st_uid, stat.st_gid) == (owner.uid, owner.gid)
        if stat.st_mode & 0o7777 == mode and same_owner and path.read_bytes() == content:
            return False
    write_file(path, content, mode=mode, owner=owner)
    return True


def make_folder(path: Path, *, mode: int, owner: Owner | None = None) -> None:
    """Make the folder, or correct mode and owner of an existing one; parents get the usual 0755.

    Raises:
        OSError: the file system refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=mode, exist_ok=True)
    if path.stat().st_mode & 0o7777 != mode:
        path.chmod(mode)
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
