"""The SuperLink's database between two Flower versions: backed up before the newer one migrates it, taken back by the
older one. Flower migrates forward only (Alembic): an older version does not start on a newer one's database.

Beside the database lies the version that used it last. Nothing is done where that is this version, so that a restart
costs nothing; the database is never changed while a SuperLink runs, because the version changes with the image.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flower_appliance.errors import ApplianceError, Problem
from flower_appliance.files import Owner, write_file

DATABASE = "state.db"
MARKER = "version"
BACKUPS = "backups"
KEPT_BACKUPS = 3
_MOST_VERSION = 64
_VERSION = re.compile(r"[0-9][0-9A-Za-z.]{0,31}")
_COMPANIONS = ("-wal", "-shm", "-journal")

Action = Literal["keep", "back up", "restore", "refuse"]


class DatabaseError(ApplianceError):
    """The database cannot be brought to what this version starts on; nothing was lost."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is done before the SuperLink starts."""

    action: Action
    backup: str = ""
    """File name of the backup that is taken back."""


def decide(used_by: str, version: str, backups: Sequence[str]) -> Decision:
    """What to do with a database.

    Args:
        used_by: The version that used it last; empty: nobody knows, or there is none.
        version: This version.
        backups: File names of the backups.
    """
    if used_by in {"", version}:
        return Decision(action="keep")
    if _ordered(used_by) < _ordered(version):
        return Decision(action="back up")
    own = sorted(name for name in backups if name.startswith(f"state-{version}-"))
    return Decision(action="restore", backup=own[-1]) if own else Decision(action="refuse")


def prepare_database(folder: Path, version: str, *, stamp: str, owner: Owner | None) -> Decision:
    """Make a SuperLink's database one that `version` starts on.

    Args:
        folder: The SuperLink's own folder.
        version: This version.
        stamp: The present instant, for file names; sorts by time.
        owner: The services' user.

    Raises:
        DatabaseError: It was used by a newer version and there is no backup of this one's, or it is damaged, or a link
            stands where it or its backups belong.
        OSError: The disk is full or refuses.
    """
    database, backups = folder / DATABASE, folder / BACKUPS
    # The services' user owns the folder, and runs apps of others in it; on a machine of its own, root works here.
    for path in (folder, database, backups, *(backups.glob("*.db") if not backups.is_symlink() else ())):
        if path.is_symlink():
            raise DatabaseError(str(_link(path)))
    used_by = _text(folder / MARKER) if database.exists() else ""
    names = sorted(path.name for path in backups.glob("state-*.db")) if backups.is_dir() else []
    decision = decide(used_by, version, names)
    match decision.action:
        case "refuse":
            raise DatabaseError(str(_too_new(used_by, version)))
        case "back up":
            _copy(database, backups / f"state-{used_by}-{stamp}.db", owner)
            for old in sorted(backups.glob("state-*.db"), key=lambda path: path.stat().st_mtime)[:-KEPT_BACKUPS]:
                old.unlink()
        case "restore":
            _copy(database, backups / f"left-{used_by}-{stamp}.db", owner)
            _copy(backups / decision.backup, database, owner)
        case "keep":
            pass
    if folder.is_dir() and _text(folder / MARKER) != version:
        write_file(folder / MARKER, f"{version}\n".encode(), mode=0o600, owner=owner)
    return decision


def _copy(source: Path, target: Path, owner: Owner | None) -> None:
    """A whole, sound copy under its name, or none: SQLite's own backup, which takes what is in the journal along."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    partial = target.with_name(f".{target.name}.new")
    partial.unlink(missing_ok=True)
    write_file(partial, b"", mode=0o600, owner=owner)
    try:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(partial)) as other:
            one.backup(other)
            (sound,) = other.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        partial.unlink(missing_ok=True)
        raise DatabaseError(str(_damaged(source, str(error)))) from error
    if sound != "ok":
        partial.unlink(missing_ok=True)
        raise DatabaseError(str(_damaged(source, str(sound)[:200])))
    for name in (target.name, partial.name):
        for end in _COMPANIONS:
            target.with_name(f"{name}{end}").unlink(missing_ok=True)
    partial.replace(target)


def _text(path: Path) -> str:
    """The version in a marker; empty where there is none, or where it is anything else: it becomes part of a path."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as stream:
        text = stream.read(_MOST_VERSION).decode("ascii", errors="replace").strip()
    return text if _VERSION.fullmatch(text) else ""


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _too_new(used_by: str, version: str) -> Problem:
    return Problem(
        given=f"the database was used by Flower {used_by}, and this image has {version}",
        rule="a database is used by its own version or a newer one",
        reason="Flower migrates forward only, and there is no backup that this version made",
        remedy=f"Use an image with Flower {used_by}, or put a backup of Flower {version} into the folder backups as "
        f"state-{version}-<time>.db",
    )


def _link(path: Path) -> Problem:
    return Problem(
        given=f"{path} is a link",
        rule="the database, its backups and their folders are files and folders of their own",
        reason="who could make a link there would have the administrator of this machine write where it leads",
        remedy=f"Look where it leads and who made it (ls -l {path}), and remove it; the SuperLink starts then",
    )


def _damaged(path: Path, detail: str) -> Problem:
    return Problem(
        given=f"the database {path.name} is damaged ({detail})",
        rule="a database is sound before another version migrates it",
        reason="a migration of a damaged one could lose registrations for good",
        remedy="Put a sound backup in its place; the folder backups has those of earlier upgrades",
    )
