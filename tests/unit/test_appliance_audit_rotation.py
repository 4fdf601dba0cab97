"""An audit that goes on in another file when one is full: still one chain, for its writer and for who verifies it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flower_appliance.audit_chain import Head
from flower_appliance.audit_facts import DONE, Actor, Fact
from flower_appliance.audit_file import AuditFile, Origin
from flower_appliance.audit_segments import older_segments, segments
from flower_appliance.audit_tail import Place
from flower_federation.cli import main

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA = Actor(name="Ada", role="researcher", serial="A1", fingerprint="f" * 64)
SMALL = 1500
"""Bytes: a few lines."""


def audit_file(folder: Path) -> AuditFile:
    return AuditFile(folder / "audit.jsonl", head_path=folder / "head", now=lambda: NOW, most_bytes=SMALL)


def run(number: int) -> tuple[Fact, Origin]:
    """Ada starts a run."""
    fact = Fact(time=NOW, action="run", outcome=DONE, actor=ADA, ids={"run": str(number)})
    return fact, Origin(log="gateway", place=Place(log="l", end=number))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an audit of 20 runs in several files."""
    file = audit_file(tmp_path)
    for number in range(1, 21):
        file.append([run(number)])
    file.close()
    assert len(older_segments(tmp_path / "audit.jsonl")) >= 3
    return tmp_path


def verify(folder: Path, *options: str) -> int:
    return main(["audit", "verify", str(folder / "audit.jsonl"), *options])


def test_the_files_together_are_one_chain_and_each_is_small(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = (folder / "head").read_text()
    assert verify(folder, "--head", head) == 0
    assert f"whole; head {head}" in capsys.readouterr().out
    assert all(path.stat().st_size < 2 * SMALL for path in segments(folder / "audit.jsonl"))
    assert {path.stat().st_mode & 0o777 for path in segments(folder / "audit.jsonl")} == {0o600}


def test_each_older_file_is_named_by_its_first_and_last_line_and_the_next_one_says_so(folder: Path) -> None:
    *older, newest = segments(folder / "audit.jsonl")
    for path, following in zip(older, [*older[1:], newest], strict=True):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert path.name == f"audit-{lines[0]['seq']:012}-{lines[-1]['seq']:012}.jsonl"
        first = json.loads(following.read_text().splitlines()[0])
        assert (first["action"], first["prev"]) == ("rotate-audit", lines[-1]["hash"])
        assert path.name in first["reason"]


def test_a_restart_goes_on_and_remembers_what_stands_in_older_files(folder: Path) -> None:
    before = Head.parse((folder / "head").read_text())
    file = audit_file(folder)

    assert file.head == before
    assert file.starter("1") == "Ada"
    assert file.place("gateway") == Place(log="l", end=20)
    file.append([run(21)])
    file.close()
    assert verify(folder, "--head", str(before)) == 0


def test_a_crash_between_two_files_loses_nothing(folder: Path) -> None:
    newest = folder / "audit.jsonl"
    count = len(newest.read_text().splitlines())
    head = Head.parse((folder / "head").read_text())
    newest.rename(folder / f"audit-{head.seq - count + 1:012}-{head.seq:012}.jsonl")

    file = audit_file(folder)
    file.append([run(21)])
    file.close()

    assert json.loads(newest.read_text().splitlines()[0])["seq"] == head.seq + 1
    assert verify(folder, "--head", str(head)) == 0


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_file_that_is_missing_is_found(folder: Path, which: int, capsys: pytest.CaptureFixture[str]) -> None:
    head = (folder / "head").read_text()
    older_segments(folder / "audit.jsonl")[which].unlink()
    assert verify(folder, "--head", head) == 1
    assert "removed, or moved" in capsys.readouterr().out


def test_a_changed_line_is_named_by_its_own_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = older_segments(folder / "audit.jsonl")[1]
    path.write_text(path.read_text().replace("Ada", "Eve", 1))
    assert verify(folder, "--json") == 1
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert (fault["file"], fault["line"]) == (str(path), 2), "after the line that says that a file was full"


def test_files_that_change_places_are_found(folder: Path) -> None:
    first, second, *_ = older_segments(folder / "audit.jsonl")
    texts = first.read_text(), second.read_text()
    first.write_text(texts[1])
    second.write_text(texts[0])
    assert verify(folder) == 1


def test_old_files_that_were_moved_away_are_vouched_for_by_the_head_that_was_noted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oldest, second, *_ = older_segments(folder / "audit.jsonl")
    noted = json.loads(oldest.read_text().splitlines()[-1])
    other = json.loads(second.read_text().splitlines()[0])
    oldest.unlink()

    assert verify(folder, "--after", f"{noted['seq']}:{noted['hash']}") == 0
    assert verify(folder, "--after", f"{noted['seq']}:{other['hash']}") == 1
    assert "follows another line" in capsys.readouterr().out
    file = audit_file(folder)
    file.append([run(22)])
    file.close()
    assert verify(folder, "--after", f"{noted['seq']}:{noted['hash']}") == 0, "its writer goes on as well"


def test_a_chain_that_does_not_hold_is_set_aside_with_all_its_files_and_a_new_one_begins(folder: Path) -> None:
    path = older_segments(folder / "audit.jsonl")[1]
    path.write_text(path.read_text().replace("Ada", "Eve", 1))
    count = len(segments(folder / "audit.jsonl"))

    audit_file(folder).close()

    (line,) = (folder / "audit.jsonl").read_text().splitlines()
    assert json.loads(line)["action"] == "restart-chain"
    assert path.name in json.loads(line)["reason"]
    assert len(list(folder.glob("audit*.jsonl.broken-*"))) == count
    assert older_segments(folder / "audit.jsonl") == []


def test_show_reads_older_files_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "show", str(folder / "audit.jsonl"), "--json", "--action", "run"]) == 0
    assert [json.loads(line)["run"] for line in capsys.readouterr().out.splitlines()] == [
        str(number) for number in range(1, 21)
    ]


@pytest.mark.parametrize("given", ["7:x", "0:" + "0" * 64])
def test_what_is_no_head_is_refused(folder: Path, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, "--after", given) == 2
    assert f"--after {given}" in capsys.readouterr().err
