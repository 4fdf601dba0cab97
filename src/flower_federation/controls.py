"""The table of controls: which tests show each, as a committed page and as a report of what came of them in a run.

Both are made from `docs/security/controls.toml`. It judges no test: that each one exists is for
tests/unit/test_security_controls.py to say, that it passes for a run of the suite.

`python -m flower_federation.controls` writes the page; `scripts/test --controls FILE` writes a report.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

from flower_federation.setup import project_folder

SOURCE = "docs/security/controls.toml"
PAGE = "docs/security/controls.md"

HEAD = """\
# Controls

What GDPR and HIPAA ask of a federation's operators, and which test shows that it holds. Made from `controls.toml` by
`python -m flower_federation.controls`; a test fails where a named test does not exist or this page is not fresh.
`scripts/test --controls FILE` writes the same table with what came of each test in that run.
The articles are those that a control helps with: no program makes an organisation compliant.

| control | GDPR | HIPAA (45 CFR) | how | shown by |
|---|---|---|---|---|
"""


class Result(StrEnum):
    """What came of a test, or of all tests of a control; the worst of several counts."""

    PASSED = "passed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    FAILED = "FAILED"


_WORST = (Result.FAILED, Result.NOT_RUN, Result.SKIPPED, Result.PASSED)


@dataclass(frozen=True, kw_only=True)
class Control:
    """One row."""

    name: str
    gdpr: str
    hipaa: str
    how: str
    tests: tuple[str, ...]
    """`path::name`."""


def read_controls(text: str) -> tuple[Control, ...]:
    """The controls of a TOML text."""
    return tuple(
        Control(**{**entry, "tests": tuple(entry["tests"])}) for entry in tomllib.loads(text).get("control", [])
    )


def render(controls: Sequence[Control]) -> str:
    """The page."""
    rows = (
        (each.name, each.gdpr, each.hipaa, each.how, "<br>".join(_link(test) for test in each.tests))
        for each in controls
    )
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def read_results(report: str) -> dict[str, Result]:
    """What came of each test, by `path::name`, from a JUnit report as pytest writes it.

    A test with parameters counts as the worst of its cases. A test of a class is left out: this project has none.
    """
    found: dict[str, Result] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        path = f"{case.get('classname', '').replace('.', '/')}.py"
        test = f"{path}::{case.get('name', '').partition('[')[0]}"
        kinds = {child.tag for child in case}
        result = Result.FAILED if kinds & {"failure", "error"} else Result.PASSED
        if "skipped" in kinds:
            result = Result.SKIPPED
        found[test] = _worst((result, found.get(test, Result.PASSED)))
    return found


def result_of(control: Control, results: Mapping[str, Result]) -> Result:
    """What the run says of a control: passed only where each of its tests was run, and passed."""
    return _worst(results.get(test, Result.NOT_RUN) for test in control.tests)


def render_report(
    controls: Sequence[Control], results: Mapping[str, Result], *, at: datetime, commit: str, machine: str
) -> str:
    """The table with what came of each test in one run.

    Args:
        controls: The rows.
        results: From `read_results`, of every stage together.
        at: When the run ended, aware.
        commit: What was tested.
        machine: Where.
    """
    verdicts = [result_of(control, results) for control in controls]
    counts = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in Result if kind in verdicts)
    head = (
        f"# Controls, as this run shows them\n\n{len(controls)} controls: {counts}. "
        f"Commit {commit}, ended {at:%Y-%m-%d %H:%M:%S %Z}, {machine}.\n\n"
        "| control | result | GDPR | HIPAA (45 CFR) | tests |\n|---|---|---|---|---|\n"
    )
    rows = (
        (
            control.name,
            verdict,
            control.gdpr,
            control.hipaa,
            "<br>".join(f"{results.get(test, Result.NOT_RUN)}: `{test}`" for test in control.tests),
        )
        for control, verdict in zip(controls, verdicts, strict=True)
    )
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _worst(results: Iterable[Result]) -> Result:
    return min(results, key=_WORST.index)


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path})"


def main() -> None:
    """Write the page."""
    folder: Path = project_folder()
    controls = read_controls((folder / SOURCE).read_text(encoding="utf-8"))
    (folder / PAGE).write_text(render(controls), encoding="utf-8")


if __name__ == "__main__":
    main()
