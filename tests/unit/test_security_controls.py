"""The table of controls: each names tests that exist, and the page is what the list makes."""

from __future__ import annotations

import subprocess
import sys

from tests.security_controls_support import PAGE, ROOT, SOURCE, read_controls, render

CONTROLS = read_controls(SOURCE.read_text(encoding="utf-8"))


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
    assert PAGE.read_text(encoding="utf-8") == render(CONTROLS), "run python -m tests.security_controls_support"
