"""The table of controls: it names tests that exist, the page is what the list makes, a report says what a run did."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

from flower_federation import controls
from flower_federation.controls import Control, Result, read_controls, read_results, render, render_report, result_of
from flower_federation.setup import project_folder

ROOT = project_folder()
CONTROLS = read_controls((ROOT / controls.SOURCE).read_text(encoding="utf-8"))
JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.unit.test_a" name="test_one[x]" time="0.1"/>
<testcase classname="tests.unit.test_a" name="test_one[y]" time="0.1"><failure message="no"/></testcase>
<testcase classname="tests.unit.test_a" name="test_two" time="0.1"/>
<testcase classname="tests.e2e.test_b" name="test_three" time="0.1"><skipped message="none"/></testcase>
<testcase classname="tests.e2e.test_b" name="test_four" time="0.1"/>
<testcase classname="tests.e2e.test_b" name="test_four" time="0.1"><error message="teardown"/></testcase>
</testsuite></testsuites>
"""


def test_every_test_that_a_control_names_is_collected() -> None:
    named = {test for control in CONTROLS for test in control.tests}
    files = sorted({test.partition("::")[0] for test in named})
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stdout + collected.stderr
    found = {line.partition("[")[0] for line in collected.stdout.splitlines() if "::" in line}
    assert named - found == set()


def test_every_control_is_shown_by_a_test_and_helps_with_both_laws() -> None:
    assert len(CONTROLS) >= 10
    for control in CONTROLS:
        assert control.tests, control.name
        assert control.gdpr and control.hipaa and control.how, control.name
    assert len({control.name for control in CONTROLS}) == len(CONTROLS)


def test_the_page_is_what_the_list_makes() -> None:
    page = (ROOT / controls.PAGE).read_text(encoding="utf-8")
    assert page == render(CONTROLS), "run python -m flower_federation.controls"


def control(*tests: str) -> Control:
    return Control(name="Locks", gdpr="32", hipaa="164", how="They turn.", tests=tests)


def test_results_are_read_from_pytests_report_and_the_worst_case_of_a_test_counts() -> None:
    assert read_results(JUNIT) == {
        "tests/unit/test_a.py::test_one": Result.FAILED,
        "tests/unit/test_a.py::test_two": Result.PASSED,
        "tests/e2e/test_b.py::test_three": Result.SKIPPED,
        "tests/e2e/test_b.py::test_four": Result.FAILED,
    }


def test_a_control_is_shown_only_where_each_of_its_tests_was_run_and_passed() -> None:
    results = read_results(JUNIT)
    two, three = "tests/unit/test_a.py::test_two", "tests/e2e/test_b.py::test_three"
    assert result_of(control(two), results) is Result.PASSED
    assert result_of(control(two, three), results) is Result.SKIPPED
    assert result_of(control(two, "tests/unit/test_a.py::test_other"), results) is Result.NOT_RUN
    assert result_of(control(two, three, "tests/unit/test_a.py::test_one"), results) is Result.FAILED


def test_a_report_says_what_came_of_each_test_of_which_commit_and_when() -> None:
    text = render_report(
        [control("tests/unit/test_a.py::test_two"), control("tests/e2e/test_b.py::test_three", "tests/x.py::test_x")],
        read_results(JUNIT),
        at=datetime(2026, 11, 24, 15, 4, 5, tzinfo=UTC),
        commit="abc123",
        machine="2 CPUs",
    )
    assert "2 controls: 1 passed, 1 not run. Commit abc123, ended 2026-11-24 15:04:05 UTC, 2 CPUs." in text
    assert "| Locks | passed | 32 | 164 | passed: `tests/unit/test_a.py::test_two` |" in text
    assert "skipped: `tests/e2e/test_b.py::test_three`<br>not run: `tests/x.py::test_x`" in text
