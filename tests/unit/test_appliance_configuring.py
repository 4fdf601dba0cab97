"""From a CONTEXT to the disk: what the audit is told of it, whatever goes wrong in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flower_appliance.audit_events import Event, fingerprints, write_events
from flower_appliance.configuring import configure
from flower_appliance.context import read_context
from flower_appliance.database import DatabaseError
from flower_appliance.machine import Machine
from flower_appliance.supervisor import Listener, Supervisor
from tests.appliance_support import NOW, make_authority, superlink_values

CA = make_authority()


def superlink(root: Path) -> Machine:
    return Machine(root=root, loopback="127.0.0.1", address="10.0.0.5", bin_dir=Path("/opt/bin"))


async def configured(root: Path, values: dict[str, str]) -> None:
    listener = Listener(on_start=print, on_line=print, on_exit=print)
    await configure(
        read_context(values, now=NOW),
        superlink(root),
        services=Supervisor(logs=root, base_environment={}, listener=listener),
        service_files=lambda _: (),
        now=NOW,
    )


def events(root: Path) -> list[str]:
    path = root / "var/log/flower/appliance-events.log"
    return [json.loads(line)["action"] for line in path.read_text().splitlines()]


async def test_a_rotation_is_told_although_the_database_is_refused_after_it(tmp_path: Path) -> None:
    await configured(tmp_path, superlink_values(CA))
    assert events(tmp_path) == ["configure"]
    home = tmp_path / "var/lib/flower/superlink"
    (home / "state.db").touch()
    (home / "version").write_text("9.0.0\n")

    with pytest.raises(DatabaseError, match=r"Flower 9\.0\.0"):
        await configured(tmp_path, superlink_values(CA))
    assert events(tmp_path) == ["configure", "rotate"]


async def test_a_rotation_is_told_by_the_next_boot_where_the_machine_died_before_it_could(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await configured(tmp_path, superlink_values(CA))
    before = fingerprints(superlink(tmp_path))

    def died(*_: object, **__: object) -> None:
        raise SystemError("no power")

    with monkeypatch.context() as during:
        during.setattr("flower_appliance.configuring.write_events", died)
        values = superlink_values(CA)
        with pytest.raises(SystemError):
            await configured(tmp_path, values)
    assert fingerprints(superlink(tmp_path)) != before
    assert events(tmp_path) == ["configure"]

    await configured(tmp_path, values)
    assert events(tmp_path) == ["configure", "rotate"]
    await configured(tmp_path, values)
    assert events(tmp_path) == ["configure", "rotate"]


def test_an_event_that_a_full_disk_cut_off_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_bytes(b'{"time": "2026')
    write_events(path, [Event(action="rotate", reason="r")], now=datetime(2026, 11, 24, tzinfo=UTC))

    half, whole = path.read_bytes().splitlines()
    assert half == b'{"time": "2026'
    assert json.loads(whole)["action"] == "rotate"
