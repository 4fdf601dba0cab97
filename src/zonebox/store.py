"""The zone's objects in one SQLite file: read from memory, written in one transaction a call. It knows no object kind.

A kill at any moment loses nothing that a caller was told (write-ahead log, synchronous NORMAL: SQLite's promise for a
dying process; only a power failure may cost the last transactions).
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zonebox.errors import ConfigError
from zonebox.trees import Tree, clone

_log = logging.getLogger("zonebox.store")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects
    (kind TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS sequences (kind TEXT PRIMARY KEY, next INTEGER NOT NULL);
"""


class Store:
    """Objects by kind and id, with one id sequence a kind.

    Args:
        path: the database file; None keeps everything in memory.

    Raises:
        ConfigError: the file is no database that can be read and written.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            self._open(path)
        except (OSError, sqlite3.DatabaseError) as error:
            raise ConfigError(
                str(path),
                "it must be the SQLite database of a zone, for this user to read and write",
                f"opening it failed: {error}",
                "Correct its owner and mode, or put a copy back; without it and its -wal file the zone is a new one.",
            ) from error

    def _open(self, path: Path | None) -> None:
        if path is not None:
            # Token passwords and CONTEXT secrets are in it; SQLite gives its log files the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._objects: dict[str, dict[int, Tree]] = {}
        for kind, id_, body in self._db.execute("SELECT kind, id, body FROM objects ORDER BY kind, id"):
            self._objects.setdefault(kind, {})[id_] = json.loads(body)
        self._sequences: dict[str, int] = dict(self._db.execute("SELECT kind, next FROM sequences"))
        self._depth = 0
        self._dirty: dict[tuple[str, int], Tree | None] = {}
        self._dirty_sequences: dict[str, int] = {}
        self._after: list[Callable[[], None]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored together, or nothing is. Inner transactions join the outer one."""
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._commit()
        except BaseException:
            if self._depth == 1:
                self._forget()
            raise
        finally:
            self._depth -= 1
        if self._depth == 0:
            after, self._after = self._after, []
            for callback in after:
                try:
                    callback()
                except Exception:
                    # All is stored: the caller's answer is yes, and what else was to be done is not less urgent.
                    _log.exception("what was to follow a transaction failed")

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` once the running transaction is stored; dropped with it where it fails."""
        if self._depth:
            self._after.append(callback)
        else:
            callback()

    def next_id(self, kind: str, first: int = 0) -> int:
        """A new id; ids are never used twice, also not after a delete."""
        number = self._dirty_sequences.get(kind, self._sequences.get(kind, first))
        self._dirty_sequences[kind] = number + 1
        return number

    def skip_ids(self, kind: str, number: int) -> None:
        """Give no id below `number` from now on."""
        with self.transaction():
            if self._dirty_sequences.get(kind, self._sequences.get(kind, 0)) < number:
                self._dirty_sequences[kind] = number

    def view(self, kind: str, id_: int) -> Tree | None:
        """The stored object itself, for reading only."""
        key = (kind, id_)
        if key in self._dirty:
            return self._dirty[key]
        return self._objects.get(kind, {}).get(id_)

    def get(self, kind: str, id_: int) -> Tree | None:
        """A copy to change and `put` back."""
        found = self.view(kind, id_)
        return None if found is None else clone(found)

    def put(self, kind: str, id_: int, body: Tree) -> None:
        """Store an object; the caller keeps no hand on `body` afterwards."""
        with self.transaction():
            self._dirty[(kind, id_)] = body

    def drop(self, kind: str, id_: int) -> None:
        """Delete an object."""
        with self.transaction():
            self._dirty[(kind, id_)] = None

    def all(self, kind: str) -> list[Tree]:
        """Every object of a kind by ascending id, for reading only."""
        stored = self._objects.get(kind, {})
        changed = {id_: body for (of, id_), body in self._dirty.items() if of == kind}
        if not changed:
            return [stored[id_] for id_ in sorted(stored)]
        merged: dict[int, Any] = {**stored, **changed}
        return [merged[id_] for id_ in sorted(merged) if merged[id_] is not None]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _commit(self) -> None:
        if not self._dirty and not self._dirty_sequences:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for (kind, id_), body in self._dirty.items():
                if body is None:
                    self._db.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, id_))
                else:
                    row = (kind, id_, json.dumps(body, ensure_ascii=False, separators=(",", ":")))
                    self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", row)
            for kind, number in self._dirty_sequences.items():
                self._db.execute("INSERT OR REPLACE INTO sequences VALUES (?, ?)", (kind, number))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        for (kind, id_), body in self._dirty.items():
            if body is None:
                self._objects.get(kind, {}).pop(id_, None)
            else:
                self._objects.setdefault(kind, {})[id_] = body
        self._sequences.update(self._dirty_sequences)
        self._dirty = {}
        self._dirty_sequences = {}

    def _forget(self) -> None:
        self._dirty = {}
        self._dirty_sequences = {}
        self._after = []
