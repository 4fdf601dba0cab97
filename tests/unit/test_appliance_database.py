"""The SuperLink's database from one Flower version to the next and back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flower_appliance.database import DatabaseError, decide, prepare_database

OTHERS = ["state-1.40.0-9.db", "state-1.41.0-1.db"]


def write(path: Path, *names: str) -> None:
    """Registrations, as rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=wal")
        database.execute("CREATE TABLE IF NOT EXISTS node (name TEXT)")
        database.executemany("INSERT INTO node VALUES (?)", [(name,) for name in names])
        database.commit()


def read(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM node ORDER BY name")]


def prepare(folder: Path, version: str, stamp: str = "20261124T120000Z") -> str:
    return prepare_database(folder, version, stamp=stamp, owner=None).action


@pytest.mark.parametrize(
    ("used_by", "version", "backups", "action", "backup"),
    [
        ("", "1.41.0", [], "keep", ""),
        ("1.41.0", "1.41.0", ["state-1.41.0-1.db"], "keep", ""),
        ("1.41.0", "1.42.0", [], "back up", ""),
        ("1.9.0", "1.41.0", [], "back up", ""),
        ("1.42.0", "1.41.0", [], "refuse", ""),
        (
            "1.42.0",
            "1.41.0",
            ["state-1.40.0-9.db", "state-1.41.0-1.db", "state-1.41.0-2.db"],
            "restore",
            "state-1.41.0-2.db",
        ),
    ],
)
def test_a_newer_version_backs_up_and_an_older_one_takes_its_own_backup_back(
    used_by: str, version: str, backups: list[str], action: str, backup: str
) -> None:
    found = decide(used_by, version, backups)
    assert (found.action, found.backup) == (action, backup)


def test_an_upgrade_and_the_way_back_keep_what_was_registered_before(tmp_path: Path) -> None:
    database = tmp_path / "state.db"
    assert prepare(tmp_path, "1.41.0") == "keep"
    write(database, "berlin/supernode-0", "paris/supernode-0")
    assert prepare(tmp_path, "1.41.0") == "keep"

    assert prepare(tmp_path, "1.42.0") == "back up"
    assert read(tmp_path / "backups" / "state-1.41.0-20261124T120000Z.db") == [
        "berlin/supernode-0",
        "paris/supernode-0",
    ]
    write(database, "made by 1.42.0")
    assert prepare(tmp_path, "1.42.0") == "keep"

    assert prepare(tmp_path, "1.41.0", "20261124T130000Z") == "restore"
    assert read(database) == ["berlin/supernode-0", "paris/supernode-0"]
    assert "made by 1.42.0" in read(tmp_path / "backups" / "left-1.42.0-20261124T130000Z.db")
    assert prepare(tmp_path, "1.41.0") == "keep"


def test_what_is_only_in_the_journal_is_in_the_backup(tmp_path: Path) -> None:
    prepare(tmp_path, "1.41.0")
    with closing(sqlite3.connect(tmp_path / "state.db")) as running:
        running.execute("PRAGMA journal_mode=wal")
        running.execute("PRAGMA wal_autocheckpoint=0")
        running.execute("CREATE TABLE node (name TEXT)")
        running.execute("INSERT INTO node VALUES ('late')")
        running.commit()
        assert (tmp_path / "state.db-wal").stat().st_size > 0
        prepare(tmp_path, "1.42.0")
    assert read(next((tmp_path / "backups").glob("state-*.db"))) == ["late"]


def test_a_newer_database_without_a_backup_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    prepare(tmp_path, "1.42.0")
    write(tmp_path / "state.db", "a")
    with pytest.raises(DatabaseError, match=r"used by Flower 1\.42\.0, and this image has 1\.41\.0.*Use an image with"):
        prepare(tmp_path, "1.41.0")
    assert read(tmp_path / "state.db") == ["a"]
    assert prepare(tmp_path, "1.42.0") == "keep"


def test_a_damaged_database_is_not_handed_to_a_migration(tmp_path: Path) -> None:
    prepare(tmp_path, "1.41.0")
    (tmp_path / "state.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match=r"state\.db is damaged.*sound backup"):
        prepare(tmp_path, "1.42.0")
    assert [path.name for path in (tmp_path / "backups").iterdir()] == []
    assert (tmp_path / "version").read_text() == "1.41.0\n"


def test_backups_are_the_owners_alone_and_the_oldest_go(tmp_path: Path) -> None:
    write(tmp_path / "state.db", "a")
    for number in range(6):
        prepare(tmp_path, f"1.{number}.0", f"2026112{number}T000000Z")
    names = sorted(path.name for path in (tmp_path / "backups").glob("state-*.db"))
    assert names == [f"state-1.{number}.0-2026112{number + 1}T000000Z.db" for number in (2, 3, 4)]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "backups").iterdir()} == {0o600}
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
