"""`federation audit`: what it shows, what it finds, and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flower_appliance.audit_chain import Head, extend
from flower_federation.cli import main

FACTS = (
    {"action": "register", "outcome": "done", "node": "7", "actor": {"name": "central stack", "role": "operator"}},
    {"action": "run", "outcome": "done", "run": "42", "actor": {"name": "Ada", "role": "researcher"}},
    {"action": "stop", "outcome": "refused", "reason": "not yours", "actor": {"name": "Eve", "role": "auditor"}},
    {"action": "connect", "outcome": "refused", "reason": "expired", "actor": None, "source": "10.0.0.7"},
)


@pytest.fixture
def audit(tmp_path: Path) -> tuple[Path, Head]:
    head: Head | None = None
    lines = []
    for second, fact in enumerate(FACTS):
        line, head = extend(head, {"time": f"2026-11-24T08:00:0{second}.000000Z", "route": "", **fact})
        lines.append(line)
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert head is not None
    return path, head


def test_a_whole_audit_is_told_with_its_head(audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str]) -> None:
    path, head = audit
    assert main(["audit", "verify", str(path), "--head", str(head)]) == 0
    assert f"4 lines, whole; head {head}" in capsys.readouterr().out
    assert main(["audit", "verify", str(path)]) == 0
    assert "cut off the end cannot be missed" in capsys.readouterr().err


def test_a_changed_and_a_removed_line_are_named_by_their_place(
    audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = audit
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace("central stack", "nobody"), *lines[2:]]) + "\n")

    assert main(["audit", "verify", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["intact"]
    assert [fault["line"] for fault in found["faults"]] == [1, 2]
    assert "it was changed" in found["faults"][0]["what"]
    assert "line 2 is not before line 3: removed, or moved" in found["faults"][1]["what"]


def test_a_cut_end_is_found_with_a_head_and_not_without(
    audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str]
) -> None:
    path, head = audit
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert main(["audit", "verify", str(path)]) == 0
    assert main(["audit", "verify", str(path), "--head", str(head)]) == 1
    assert "line 4 was published: the end was cut off" in capsys.readouterr().out


def test_lines_are_chosen_by_who_what_and_outcome(audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = audit
    for options, actions in (
        ([], ["register", "run", "stop", "connect"]),
        (["--name", "Ada"], ["run"]),
        (["--action", "register"], ["register"]),
        (["--outcome", "refused"], ["stop", "connect"]),
        (["--outcome", "refused", "--last", "1"], ["connect"]),
    ):
        assert main(["audit", "show", str(path), "--json", *options]) == 0
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["action"] for line in shown] == actions


def test_the_table_names_people_runs_and_reasons(
    audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["audit", "show", str(audit[0])]) == 0
    shown = capsys.readouterr().out
    for part in ("Ada", "run 42", "not yours", "10.0.0.7", "2026-11-24T08:00:01"):
        assert part in shown


@pytest.mark.parametrize(
    ("content", "arguments", "remedy"),
    [
        (None, ["show"], "audit.jsonl"),
        ("text\n", ["show"], "federation audit verify"),
        ("[]\n", ["show"], "federation audit verify"),
        ('["seq", "time", "action", "outcome"]\n', ["show"], "federation audit verify"),
        ("", ["verify", "--head", "7:x"], "FL_AUDIT_HEAD"),
        ("", ["verify", "--head", "0:" + "0" * 64], "FL_AUDIT_HEAD"),
    ],
)
def test_what_is_no_audit_and_no_head_is_refused_with_what_to_do(
    content: str | None, arguments: list[str], remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.jsonl"
    if content is not None:
        path.write_text(content)
    assert main(["audit", *arguments, str(path)]) == 2
    assert remedy in capsys.readouterr().err


def test_what_somebody_else_wrote_into_a_line_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    reason = "from [fd00::1]: [/no] :boom: [bold]"
    line = {"seq": 1, "time": "2026-11-24T08:00:00Z", "action": "run", "outcome": "refused", "reason": reason}
    path = tmp_path / "audit.jsonl"
    path.write_text(f"{json.dumps(line)}\n")

    assert main(["audit", "show", str(path)]) == 0
    assert reason in capsys.readouterr().out


def test_a_table_writes_out_what_would_move_the_cursor_or_hide_a_line(
    audit: tuple[Path, Head], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path, head = audit
    actor = {"name": "Eve\x1b[1A\x1b[2K", "role": "\x9b8m"}
    fact = {"action": "\u202estop", "outcome": "refused", "reason": "\x1b]0;t\x07", "actor": actor}
    line, _ = extend(head, {"time": "2026-11-24T08:00:09.000000Z", "route": "", **fact})
    path.write_text(path.read_text() + line + "\n")

    assert main(["audit", "show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert all(row.isprintable() for row in shown.split("\n"))
    assert r"\u202estop" in shown
    assert shown.count(r"\x1b") == 3


@pytest.mark.parametrize(
    "part",
    [{"time": 7}, {"seq": "x"}, {"actor": "Eve"}, {"actor": {"name": 7}}, {"reason": ["x"]}, {"source": {"a": 1}}],
)
def test_a_line_whose_parts_are_of_another_kind_is_refused_with_its_place(
    part: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"seq": 1, "time": "2026-11-24T08:00:00Z", "action": "run", "outcome": "refused", **part}
    path = tmp_path / "audit.jsonl"
    path.write_text(f"{json.dumps(line)}\n")

    assert main(["audit", "show", str(path)]) == 2
    assert f"{path}:1: " in capsys.readouterr().err


@pytest.mark.parametrize("columns", [None, "50"])
def test_nothing_of_a_line_is_left_out_for_want_of_room(
    columns: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    line = {"seq": 1, "time": "2026-11-24T08:00:00Z", "action": "register", "outcome": "done", "node": "9" * 20}
    path = tmp_path / "audit.jsonl"
    path.write_text(f"{json.dumps(line)}\n")

    assert main(["audit", "show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("9") == 20
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert (f"node {'9' * 20}" in shown) is (columns is None)
