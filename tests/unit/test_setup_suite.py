"""scripts/test: which stages there are, when each counts as passed, and what its last lines say."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from flower_federation.environment import Layout
from flower_federation.setup import project_folder
from flower_federation.suite import (
    Counts,
    Outcome,
    Stage,
    ask_to_stop,
    controls_report,
    groups,
    is_passed,
    read_counts,
    run_group,
    stages,
    summary,
)
from tests.patience import PATIENCE_S, wait_for

PROJECT = project_folder()
SIDE_BY_SIDE = ["engine tests", "end-to-end tests", "trust tests", "appliance tests"]

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.5"></testsuite></testsuites>
"""


def checks(returncode: int = 0) -> Outcome:
    return Outcome(name="ruff check", returncode=returncode, seconds=1.0)


def stage_of_tests(name: str, returncode: int, *, passed: int = 0, failed: int = 0) -> Outcome:
    counts = Counts(passed=passed, failed=failed)
    return Outcome(name=name, returncode=returncode, seconds=2.0, is_tests=True, counts=counts)


def test_stages_run_from_checks_to_end_to_end_tests_and_cover_every_marker() -> None:
    names = [stage.name for stage in stages(fast_only=False, extra=[])]
    assert names == ["ruff check", "ruff format", "mypy", "fast tests", *SIDE_BY_SIDE]
    assert [stage.name for stage in stages(fast_only=True, extra=[])] == names[:4]


def test_only_what_takes_long_runs_side_by_side() -> None:
    names = [[stage.name for stage in group] for group in groups(stages(fast_only=False, extra=[]))]
    assert names == [["ruff check"], ["ruff format"], ["mypy"], ["fast tests"], SIDE_BY_SIDE]


def test_stages_side_by_side_wait_for_each_other_and_say_which_line_is_whose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout(project=tmp_path)
    layout.bin.mkdir(parents=True)
    for mine, other in (("one", "two"), ("two", "one")):
        program = layout.bin / mine
        waiting = f"while ! [ -e {tmp_path / other}.here ]; do sleep 0.02; done"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path / mine}.here\n{waiting}\necho met {other}\n[ {mine} = one ]\n")
        program.chmod(0o755)
    group = [Stage(name=name, command=(name,), label=name) for name in ("one", "two")]

    outcomes = run_group(group, layout=layout, env=dict(os.environ))

    assert [(outcome.name, outcome.returncode) for outcome in outcomes] == [("one", 0), ("two", 1)]
    assert {"[one] met two", "[two] met one"} <= set(capsys.readouterr().out.splitlines())


def test_a_test_with_whatever_marks_is_selected_by_exactly_one_stage() -> None:
    selections = [stage.command[2] for stage in stages(fast_only=False, extra=[]) if stage.is_tests]
    for has in itertools.product([True, False], repeat=5):
        marks = dict(zip(("slow", "e2e", "trust", "image", "engine"), has, strict=True))
        if marks["image"] and not marks["slow"]:
            continue  # tests/image_support.py gives both
        if marks["trust"] and not marks["e2e"]:
            continue  # it is a part of the end-to-end tests
        assert [Expression.compile(text).evaluate(marks.__getitem__) for text in selections].count(True) == 1, marks


def test_extra_arguments_reach_every_pytest_call_and_no_other() -> None:
    for stage in stages(fast_only=False, extra=["-k", "zonebox"]):
        assert (stage.command[-2:] == ("-k", "zonebox")) == stage.is_tests


def test_a_stage_without_tests_passes_only_where_another_stage_ran_some() -> None:
    empty = stage_of_tests("slow tests", 5)
    assert is_passed(empty, [checks(), stage_of_tests("fast tests", 0, passed=3), empty])
    assert not is_passed(empty, [checks(), empty])


@pytest.mark.parametrize("returncode", [1, 2, 3, 4, -9])
def test_any_other_status_is_a_failure(returncode: int) -> None:
    outcome = stage_of_tests("fast tests", returncode, passed=3)
    assert not is_passed(outcome, [outcome])


def test_counts_are_read_from_pytests_report() -> None:
    assert read_counts(REPORT) == Counts(passed=4, failed=2, errors=1, skipped=3)


def test_the_summary_names_failed_stages_and_ends_with_totals_in_pytests_manner() -> None:
    text = summary(
        [checks(1), stage_of_tests("fast tests", 0, passed=7), stage_of_tests("slow tests", 1, passed=2, failed=1)],
        seconds=5.0,
    )
    assert "failed: ruff check, slow tests" in text
    assert " 1 failed, 9 passed in 5.00s " in text.splitlines()[-1]
    assert text.splitlines()[-1].startswith("===")


def test_a_run_without_any_test_says_so() -> None:
    assert "no tests ran" in summary([checks(), stage_of_tests("fast tests", 5)], seconds=1.0).splitlines()[-1]


@pytest.mark.parametrize("name", ["setup", "engine", "lock", "test", "demo", "federation", "image", "preview"])
def test_every_script_is_executable_shell_without_errors_of_syntax(name: str) -> None:
    script = PROJECT / "scripts" / name
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", script], check=True, timeout=PATIENCE_S)


def run_setup_with(python: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """scripts/setup with a PATH that has only the shell's tools and this `python3`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "dirname", "basename", "cat"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    if python:
        program = folder / "python3"
        program.write_text(f"#!/bin/sh\n{python}\n")
        program.chmod(0o755)
    return subprocess.run(
        [PROJECT / "scripts" / "setup"],
        env={"PATH": str(folder), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("echo 3.8.10 /usr/bin/python3", "python3 (3.8.10"),
        ("echo without venv module 3.11.2 /x", "without venv"),
        ("", "none"),
    ],
    ids=["too old", "no venv", "no python"],
)
def test_a_machine_without_a_usable_python_is_told_in_four_parts(tmp_path: Path, python: str, said: str) -> None:
    answer = run_setup_with(python, tmp_path)
    assert answer.returncode == 3
    assert said in answer.stderr
    for part in ("rule:   Linux, with a Python 3.11", "reason:", "remedy: install one", "apt install python3"):
        assert part in answer.stderr


def test_ci_runs_what_a_developer_runs() -> None:
    script = PROJECT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith('exec scripts/test "$@"')


def test_tests_that_run_are_interrupted_when_the_suite_is_asked_to_end(tmp_path: Path) -> None:
    layout = Layout(project=tmp_path)
    layout.bin.mkdir(parents=True)
    for name in ("one", "two"):
        program = layout.bin / name
        program.write_text(
            f"#!{sys.executable} -I\n"
            "import pathlib, signal, sys\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
            f"pathlib.Path({str(tmp_path / name)!r}).touch()\n"
            "sys.exit(10 + signal.sigwait([signal.SIGINT]))\n"
        )
        program.chmod(0o755)
    group = [Stage(name="one", command=("one",)), Stage(name="two", command=("two",), label="two")]

    with ThreadPoolExecutor() as pool:
        running = pool.submit(run_group, group, layout=layout, env=dict(os.environ))
        wait_for(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists())
        ask_to_stop()
        outcomes = running.result(PATIENCE_S)

    assert [outcome.returncode for outcome in outcomes] == [12, 12]


def test_a_table_of_controls_is_made_without_git_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Commit unknown" in controls_report([], PROJECT, now=datetime.now(UTC))
