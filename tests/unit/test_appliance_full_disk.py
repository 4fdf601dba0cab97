"""Logs, links and strange answers: what a disk, a folder of the services' user or a server can do to the appliance."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flower_appliance.audit import AuditService
from flower_appliance.audit_file import AuditFile
from flower_appliance.checks import AuditCheck
from flower_appliance.cli import _log_to
from flower_appliance.database import DatabaseError, prepare_database
from flower_appliance.errors import OneGateError
from flower_appliance.fetch import fetch
from flower_appliance.logfile import RotatingLog
from flower_appliance.onegate import OneGate, OneGateAccess
from flower_appliance.provisions import Fetch
from flower_appliance.readiness import run_checks
from flower_appliance.redaction import Redactor
from flower_appliance.supervisor import Listener
from flower_appliance.systemd import Systemd
from tests.appliance_support import NOW, TOKEN, make_authority
from tests.https_site import Site
from tests.patience import eventually
from tests.unit.test_appliance_audit import HOST, PORT

AUTHORITY = make_authority(days=20_000)


@pytest.fixture
def quiet() -> Iterator[None]:
    """The root logger as it was before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level


def test_who_logs_does_not_fail_because_a_log_cannot_be_written(tmp_path: Path, quiet: None) -> None:
    (tmp_path / "appliance.log").mkdir()
    _log_to(tmp_path, Redactor())

    logging.getLogger("x").info("one")


def test_a_log_goes_on_where_it_can_be_written_again(tmp_path: Path) -> None:
    (tmp_path / "x.log").mkdir()
    log = RotatingLog(tmp_path / "x.log")
    with pytest.raises(OSError, match=r"x\.log"):
        log.write("lost")
    (tmp_path / "x.log").rmdir()
    log.write("kept")
    log.close()

    assert (tmp_path / "x.log").read_text() == "kept\n"


def test_a_rotation_that_fails_writes_into_no_file_of_somebody_else(tmp_path: Path) -> None:
    """Its descriptor is closed by then; another file may have its number."""
    log = RotatingLog(tmp_path / "x.log", most_bytes=10, keep=1)
    log.write("line 1")
    (tmp_path / "x.log.1").mkdir()
    with pytest.raises(OSError, match=r"x\.log"):
        log.write("line 2")
    with (tmp_path / "other").open("wb"):
        with pytest.raises(OSError, match=r"x\.log"):
            log.write("line 3")
        (tmp_path / "x.log.1").rmdir()
        log.write("line 4")
    log.close()

    assert (tmp_path / "other").read_bytes() == b""
    assert (tmp_path / "x.log").read_text() == "line 4\n"
    assert (tmp_path / "x.log.1").read_text() == "line 1\n"


def database(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as one:
        one.execute("CREATE TABLE node (name TEXT)")


@pytest.mark.parametrize("name", ["state.db", "backups", "backups/state-1.0.0-1.db"])
def test_no_link_in_the_superlinks_folder_leads_the_administrator_elsewhere(tmp_path: Path, name: str) -> None:
    """An app that the SuperLink runs may leave one there; the next upgrade works in that folder as root."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    database(home / "state.db")
    (home / "version").write_text("1.0.0\n")
    if name == "backups":
        elsewhere.mkdir()
    else:
        database(elsewhere)
    link = home / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(elsewhere)

    with pytest.raises(DatabaseError, match="is a link"):
        prepare_database(home, "2.0.0", stamp="20261124T120000Z", owner=None)
    assert link.is_symlink()
    assert not elsewhere.is_dir() or list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("text", ["0/../../../elsewhere/x", "1.0.0\n2.0.0", "é", "-", "1" * 100])
def test_what_is_no_version_becomes_no_part_of_a_path(tmp_path: Path, text: str) -> None:
    home = tmp_path / "home"
    database(home / "state.db")
    (home / "version").write_text(text)
    (home / "backups/state-0").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()

    decision = prepare_database(home, "2.0.0", stamp="20261124T120000Z", owner=None)
    assert decision.action == "keep"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (home / "version").read_text() == "2.0.0\n"


def test_a_version_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    database(home / "state.db")
    (tmp_path / "other").write_text("1.0.0\n")
    (home / "version").symlink_to(tmp_path / "other")

    assert prepare_database(home, "2.0.0", stamp="1", owner=None).action == "keep"
    assert (tmp_path / "other").read_text() == "1.0.0\n"


@pytest.mark.parametrize("location", ["https://[::1", "https://host:port/x"])
def test_a_server_that_redirects_to_no_url_is_a_problem_of_the_data(tmp_path: Path, location: str) -> None:
    site = Site(AUTHORITY, tmp_path)
    site.redirects["/rows.csv"] = location
    try:
        wanted = Fetch(
            url=f"https://{site.address}/rows.csv", sha256="0" * 64, ca_pem=AUTHORITY.pem, folder="/data", user=""
        )
        problem = fetch(wanted, tmp_path / "data/x", owner=None, stop=threading.Event())
    finally:
        site.close()

    assert problem is not None
    assert "could not be fetched" in problem.given
    assert not (tmp_path / "data/x").exists()


def test_an_onegate_whose_ca_file_is_gone_fails_as_any_other(tmp_path: Path) -> None:
    access = OneGateAccess(endpoint="https://127.0.0.1:1", vm_id="7", token=TOKEN, ca_file=tmp_path / "gone.crt")
    with pytest.raises(OneGateError, match="FL_ONEGATE_CA"):
        OneGate(access, sleep=lambda _: None).publish({"READY": "YES"})


async def test_a_machine_is_proven_only_while_its_audit_answers(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "audit.jsonl", head_path=tmp_path / "head", now=lambda: NOW)
    logs = {"gateway_log": tmp_path / "g.log", "events_log": tmp_path / "e.log"}
    service = AuditService(file, federation="hospitals", now=lambda: NOW, show=lambda _: None, **logs)

    async def problem() -> str:
        checks = [AuditCheck(host=HOST, port=PORT)]
        (verdict,) = await asyncio.to_thread(run_checks, checks, has_child=lambda *_: True)
        return str(verdict.problem or "")

    assert "written down" in await problem()
    serving = asyncio.create_task(service.run(HOST, PORT))

    async def passes() -> bool:
        return await problem() == ""

    await eventually(passes, "an audit that answers")
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    file.close()
    assert "flower-audit.log" in await problem()


async def test_units_that_the_image_brings_are_neither_stopped_nor_followed(tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name in ("flower-appliance", "flower-context", "flower-supernode"):
        (folder / f"{name}.service").touch()
    commands: list[tuple[str, ...]] = []

    def run(argv: tuple[str, ...] | list[str]) -> str:
        commands.append(tuple(argv))
        return "ActiveState=active\nMainPID=5\nNRestarts=0\n"

    listener = Listener(on_start=print, on_line=print, on_exit=print)
    systemd = Systemd(logs=tmp_path, listener=listener, root=tmp_path, run=run)
    await systemd.reconcile((), changed=())
    await systemd.stop()

    assert [words for words in commands if words[1] == "stop"] == [("systemctl", "stop", "flower-supernode.service")]


async def test_a_journal_that_cannot_be_followed_yet_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    async def fails(*words: str, **_: object) -> object:
        tries.append(words)
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fails)
    monkeypatch.setattr("flower_appliance.systemd.FOLLOW_AGAIN_S", 0.01)
    listener = Listener(on_start=print, on_line=print, on_exit=print)
    systemd = Systemd(logs=tmp_path, listener=listener, root=tmp_path, run=lambda _: "")
    systemd.begin()
    systemd._follow_also({"flower-supernode.service"})
    await eventually(lambda: len(tries) > 2, "journalctl being started again")
    await systemd.stop()
