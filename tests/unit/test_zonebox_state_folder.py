"""The folder of a zone: who holds it, what a kill half way through leaves in it, what is said where it is no good."""

from __future__ import annotations

import datetime as dt
import random
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zonebox_support import settings_for
from zonebox import background, cli, loopback, tls
from zonebox.errors import ConfigError
from zonebox.store import Store
from zonebox.zone import Zone

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def context(state: Path, *hosts: str) -> None:
    tls.server_context(state, "t", list(hosts or ("127.0.0.1",)), NOW)


def contents(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state.iterdir()}


def test_a_key_whose_certificate_was_never_written_gets_one(tmp_path: Path) -> None:
    context(tmp_path)
    old = (tmp_path / "server.crt").read_bytes()
    context(tmp_path, "127.0.0.2")
    # As a kill between the key and the certificate leaves them; the address is the old one again.
    (tmp_path / "server.crt").write_bytes(old)
    context(tmp_path)
    assert (tmp_path / "server.crt").read_bytes() != old
    before = contents(tmp_path)
    context(tmp_path)
    assert contents(tmp_path) == before, "what is good is kept"


def test_half_a_server_certificate_is_made_anew(tmp_path: Path) -> None:
    context(tmp_path)
    whole = (tmp_path / "server.crt").read_bytes()
    (tmp_path / "server.crt").write_bytes(whole[:100])
    context(tmp_path)
    assert sorted(contents(tmp_path)) == ["ca.crt", "ca.key", "server.crt", "server.key"]
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ca.key", "server.key")}
    assert modes == {0o600}


def halve(state: Path) -> None:
    (state / "ca.crt").write_bytes((state / "ca.crt").read_bytes()[:100])


def exchange(state: Path) -> None:
    other = state / "other"
    other.mkdir()
    context(other)
    (other / "ca.crt").replace(state / "ca.crt")


@pytest.mark.parametrize(("spoil", "reason"), [(halve, "cannot be read"), (exchange, "of two authorities")])
def test_an_authority_that_is_none_is_never_replaced_behind_its_clients_backs(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    context(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=reason) as refused:
        context(tmp_path)
    assert "ca.crt" in refused.value.value
    assert "clients need the new ca.crt" in refused.value.remedy


def test_up_waits_for_a_zone_that_somebody_else_is_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path)
    monkeypatch.setattr(background, "_spawn", lambda *_, **__: pytest.fail("a second process was started"))
    waited: list[float] = []

    def answers_now(seconds: float) -> None:
        waited.append(seconds)
        (settings.state / "endpoints.json").write_text('{"oned": "http://127.0.0.1:1/RPC2"}')

    monkeypatch.setattr(time, "sleep", answers_now)
    with background.ownership(settings.state):
        facts = background.up(settings, 60.0)
    assert (facts["running"], facts["oned"], len(waited)) == (True, "http://127.0.0.1:1/RPC2", 1)


def test_up_says_so_where_the_process_that_was_starting_the_zone_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path)
    held = iter([True, True, False])
    monkeypatch.setattr(background, "is_held", lambda _: next(held))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(ConfigError, match="the process that was starting it ended"):
        background.up(settings, 60.0)


def test_what_a_killed_zone_left_does_not_say_that_the_next_one_answers(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text('{"oned": "http://127.0.0.1:1/RPC2"}')
    (tmp_path / "zone.pid").write_text("")
    assert background.status(tmp_path)["running"] is False
    with background.ownership(tmp_path):
        facts = background.status(tmp_path)
        assert (facts["running"], "oned" in facts) == (True, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zone.lock"]


def test_the_log_of_a_zone_is_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "serve_command", lambda *_, **__: ["true"])
    settings = settings_for(tmp_path)
    with pytest.raises(ConfigError, match="ended with status 0"):
        background.up(settings, 60.0)
    assert stat.S_IMODE((settings.state / "zone.log").stat().st_mode) == 0o600


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_state_that_is_no_folder_is_said_without_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    options = [command, "--name", "t", "--state", str(file), "--address", "127.0.0.1", "--driver", "fake"]
    assert cli.main(options) == 2
    said = capsys.readouterr().err
    assert str(file) in said
    assert "Choose another --state" in said


def test_a_file_that_cannot_be_read_is_said_without_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zone.lock").mkdir()
    assert cli.main(["status", "--state", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "zone.lock" in said
    assert "choose another --state" in said


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "zonebox.sqlite").write_text("this is no database, and long enough to be none" * 50)
    with pytest.raises(ConfigError, match="file is not a database") as refused:
        Store(tmp_path / "zonebox.sqlite")
    assert "put a copy back" in refused.value.remedy


@pytest.mark.parametrize("host", ["no host", "münchen.example", "http://10.0.0.1"])
def test_a_onegate_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="a host name or an IPv4 address") as refused:
        Zone(settings_for(tmp_path, onegate_host=host))
    assert "--onegate-host" in refused.value.remedy


async def test_a_zone_that_could_not_start_leaves_nothing_that_listens(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, control=True)
    (settings.state / "control.sock").mkdir(parents=True)
    zone = Zone(settings)
    with pytest.raises(OSError, match=r"control\.sock|directory"):
        await zone.start()
    assert all(loopback._free(settings.address, port) for port in settings.ports)
    assert zone.tasks == set()


def test_no_free_address_is_a_refusal_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_free", lambda *_: False)
    with pytest.raises(ConfigError, match="2633, 2474, 5030") as refused:
        loopback.free_address(dice=random.Random(1))
    assert "Stop what listens on 0.0.0.0" in refused.value.remedy
