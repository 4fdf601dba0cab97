"""What the `federation` command says and returns when something goes wrong, whoever noticed it."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation.errors import CommandError

from components.errors import RefusalError, StackReadError
from flower_federation import cli
from flower_federation.command_values import check_seconds, write_output
from flower_federation.errors import FederationError, InputError, MachineError
from flower_federation.operations_cli import Workplace, workplace
from pulumi_flower.errors import InvalidInputError, UnreachableError
from pulumi_opennebula.errors import ConfigurationError

PARTS = {"value": "VALUE", "rule": "RULE", "reason": "REASON", "remedy": "REMEDY"}
READ_ONLY = OSError(errno.EROFS, "Read-only file system", "/srv/clone/.federation")
ENGINE = CommandError("\n code: 255\n stdout: SECRET\n stderr: error: incorrect passphrase")  # type: ignore[arg-type]


def run(patch: pytest.MonkeyPatch, handler: Any, *words: str) -> int:
    """The command with one handler behind every command line."""

    def parser() -> argparse.ArgumentParser:
        result = cli.Parser(prog="federation")
        result.add_argument("--json", action="store_true")
        result.set_defaults(handler=handler)
        return result

    patch.setattr(cli, "parser", parser)
    return cli.main(words)


def raising(error: BaseException) -> Any:
    def handler(_: argparse.Namespace) -> int:
        raise error

    return handler


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (READ_ONLY, 3, "/srv/clone/.federation: Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "free some space"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/clone/.venv/bin/pulumi"),
            3,
            ".venv/bin/pulumi",
        ),
        (ENGINE, 4, "incorrect passphrase"),
        (InvalidInputError(property_name="endpoint", **PARTS), 2, "VALUE"),
        (UnreachableError(**PARTS), 4, "VALUE"),
        (RefusalError(**PARTS), 2, "VALUE"),
        (StackReadError("s", "torn"), 2, "torn"),
        (ConfigurationError(*PARTS.values()), 2, "VALUE"),
        (subprocess.TimeoutExpired(["git", "archive"], 60), 4, "git: not done after 60 s"),
        (subprocess.CalledProcessError(3, ["pulumi", "version"]), 4, "scripts/engine finds the engine anew"),
    ],
)
def test_what_is_foreseen_is_told_in_four_parts_and_as_json_where_that_was_asked_for(
    error: Exception, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, raising(error)) == status
    plain = capsys.readouterr()
    assert plain.out == ""
    assert said in plain.err
    for part in ("rule:", "reason:", "remedy:"):
        assert plain.err.count(part) >= 1, plain.err

    assert run(monkeypatch, raising(error), "--json") == status
    document = json.loads(capsys.readouterr().out)["error"]
    assert set(document) == {"given", "rule", "reason", "remedy", "exit_status"}
    assert document["exit_status"] == status
    assert all(document[part] for part in ("given", "rule", "reason", "remedy"))


def test_an_engine_that_fails_is_told_without_what_it_printed_as_its_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, raising(ENGINE), "--json")

    printed = capsys.readouterr()
    assert "SECRET" not in printed.out + printed.err
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in printed.err


def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, raising(ZeroDivisionError()))


def test_wrong_arguments_are_told_like_every_other_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--jsn", "--json"]) == 2

    printed = capsys.readouterr()
    assert "--jsn" in json.loads(printed.out)["error"]["given"]
    assert printed.err.startswith("usage: federation")
    assert "remedy: correct it; federation --help" in printed.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_request_to_end_is_an_interrupt_and_handlers_come_back(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def handler(_: argparse.Namespace) -> int:
        signal.raise_signal(number)
        return 0

    assert run(monkeypatch, handler, "--json") == 130
    assert json.loads(capsys.readouterr().out)["error"]["exit_status"] == 130
    assert signal.getsignal(number) is before


def test_a_command_under_nohup_outlives_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN if number == signal.SIGHUP else None)
    installed: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, _: installed.append(number))

    assert run(monkeypatch, lambda _: 0) == 0
    assert signal.SIGHUP not in installed
    assert signal.SIGTERM in installed


def test_an_interrupt_while_the_commands_are_read_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def parser() -> argparse.ArgumentParser:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parser", parser)

    assert cli.main([]) == 130
    assert "run it again" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_command_in_silence(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    line = {"seq": 1, "time": "2026-11-24T08:00:00Z", "action": "run", "outcome": "done", "reason": "x" * 1000}
    audit.write_text(f"{json.dumps(line)}\n" * 200)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "flower_federation.cli", "audit", "show", "--json", str(audit)],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (cli.READER_GONE, "")


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_time_limit_is_above_nothing(seconds: float) -> None:
    check_seconds("--timeout", 0.5)
    with pytest.raises(InputError, match=r"--timeout (0|-1|nan)[\s\S]*--timeout 600"):
        check_seconds("--timeout", seconds)


def test_a_result_that_cannot_be_written_where_the_caller_said_is_his_to_correct(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/x\.json[\s\S]*--output"):
        write_output(tmp_path / "nowhere" / "x.json", "{}")


@pytest.mark.parametrize("root", ["no-such-folder", "{tmp}/no-such-folder", "{tmp}"])
def test_a_folder_that_stands_for_no_clone_is_refused_and_nothing_is_made_there(root: str, tmp_path: Path) -> None:
    text = root.format(tmp=tmp_path)

    with pytest.raises(FederationError, match=r"FEDERATION_ROOT=[\s\S]*unset it"):
        workplace({"FEDERATION_ROOT": text})
    assert not list(tmp_path.iterdir())
    assert not Path("no-such-folder").exists()


def test_nothing_that_an_error_quotes_moves_a_terminals_cursor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RefusalError(value="zone \x1b[2J\u202eberlin\ud800", rule="\x9b1A", reason="a\nb", remedy="\x07\rnothing")

    assert run(monkeypatch, raising(error)) == 2
    told = capsys.readouterr().err
    assert all(line.isprintable() for line in told.split("\n"))
    assert r"zone \x1b[2J\u202eberlin\ud800" in told
    assert r"\x07\rnothing" in told


@pytest.mark.parametrize("gone", [".venv/bin/pulumi", ".flower-env/bin/flwr"])
def test_a_clone_whose_programs_went_with_the_cache_is_told_to_be_set_up_and_nothing_is_made(
    gone: str, tmp_path: Path
) -> None:
    for name in (".venv/bin/pulumi", ".flower-env/bin/flwr"):
        program = tmp_path / name
        program.parent.mkdir(parents=True)
        program.symlink_to(tmp_path / "cache" / "gone" if name == gone else sys.executable)

    with pytest.raises(MachineError, match=rf"{gone}: not there[\s\S]*run scripts/setup"):
        Workplace(project=tmp_path, environ={})
    assert not (tmp_path / ".federation").exists()
