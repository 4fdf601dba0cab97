"""scripts/test: lint, types, then the tests from fast to slow, with the time of each stage and one verdict.

Every stage runs, also after one has failed, so that one run tells everything. It changes no file but caches. What is
slow runs in four rows side by side, since one alone leaves two cores idle half of the time (2026-11-24): tests with the
engine, the federation that end-to-end tests share, those with federations of their own, and appliance, image and VMs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

from flower_federation.controls import SOURCE, Result, read_controls, read_results, render_report
from flower_federation.environment import Layout, merged
from flower_federation.processes import run_process
from flower_federation.setup import is_offline, project_folder

_STARTED: set[subprocess.Popen[Any]] = set()
INTERRUPTED = 130

PYTEST_NOTHING_COLLECTED = 5
"""pytest's documented exit status for a run that selected no test."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Tests by outcome, from pytest's JUnit report."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def ran(self) -> int:
        """Tests that were executed."""
        return self.passed + self.failed + self.errors

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            errors=self.errors + other.errors,
            skipped=self.skipped + other.skipped,
        )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One command of the suite."""

    name: str
    command: tuple[str, ...]
    """Program (in .venv/bin) and arguments."""
    is_tests: bool = False
    label: str = ""
    """Stages next to each other that have one run side by side, with it before each line of their output."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a stage."""

    name: str
    returncode: int
    seconds: float
    is_tests: bool = False
    counts: Counts = Counts()
    results: Mapping[str, Result] = field(default_factory=dict, repr=False)
    """What came of each test, by `path::name`."""

    @property
    def is_empty(self) -> bool:
        """A test stage that selected no test."""
        return self.is_tests and self.returncode == PYTEST_NOTHING_COLLECTED


def stages(*, fast_only: bool, extra: Sequence[str]) -> tuple[Stage, ...]:
    """The stages in order.

    Args:
        fast_only: Leave out slow and end-to-end tests.
        extra: Arguments that every pytest call gets after ours.
    """
    checks = (
        Stage(name="ruff check", command=("ruff", "check", ".")),
        Stage(name="ruff format", command=("ruff", "format", "--check", ".")),
        Stage(name="mypy", command=("mypy",)),
    )
    selections = [("fast tests", "not slow and not e2e", "")]
    if not fast_only:
        selections += [
            ("engine tests", "slow and engine and not e2e and not image", "engine"),
            ("end-to-end tests", "e2e and not trust and not image", "e2e"),
            ("trust tests", "e2e and trust and not image", "trust"),
            ("appliance tests", "image or slow and not engine and not e2e", "appliance"),
        ]
    tests = tuple(
        Stage(
            name=name, command=("pytest", "-m", marks, *(["-v"] if label else []), *extra), is_tests=True, label=label
        )
        for name, marks, label in selections
    )
    return checks + tests


def groups(of: Sequence[Stage]) -> list[list[Stage]]:
    """The stages in order, those that run side by side together."""
    found: list[list[Stage]] = []
    for stage in of:
        if stage.label and found and found[-1][0].label:
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def is_passed(outcome: Outcome, outcomes: Sequence[Outcome]) -> bool:
    """Whether a stage counts as passed. An empty test stage does only where some other stage ran a test."""
    if outcome.is_empty:
        return any(other.counts.ran for other in outcomes)
    return outcome.returncode == 0


def read_counts(report: str) -> Counts:
    """The totals of a JUnit report as pytest writes it."""
    totals = Counts()
    for suite in ElementTree.fromstring(report).iter("testsuite"):  # noqa: S314 - our own pytest wrote it
        number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        rest = number["tests"] - number["failures"] - number["errors"] - number["skipped"]
        totals = totals.plus(
            Counts(passed=rest, failed=number["failures"], errors=number["errors"], skipped=number["skipped"])
        )
    return totals


def summary(outcomes: Sequence[Outcome], *, seconds: float) -> str:
    """The table of stages, and a last line in pytest's manner with the totals of all test stages.

    Args:
        outcomes: Of every stage.
        seconds: How long the whole took.
    """
    lines = []
    totals = Counts()
    for outcome in outcomes:
        word = "passed" if is_passed(outcome, outcomes) else "FAILED"
        what = "no test selected" if outcome.is_empty else _words(outcome.counts) if outcome.is_tests else ""
        lines.append(f"{outcome.name:20} {word:7} {outcome.seconds:7.1f} s  {what}".rstrip())
        totals = totals.plus(outcome.counts)
    failed = [outcome.name for outcome in outcomes if not is_passed(outcome, outcomes)]
    lines.append(f"{'total':20} {'FAILED' if failed else 'passed':7} {seconds:7.1f} s")
    if failed:
        lines.append(f"failed: {', '.join(failed)}")
    return "\n".join([*lines, f" {_words(totals)} in {seconds:.2f}s ".center(100, "=")])


def _words(counts: Counts) -> str:
    parts = [(counts.failed, "failed"), (counts.passed, "passed"), (counts.skipped, "skipped")]
    words = [f"{number} {word}" for number, word in parts if number]
    if counts.errors:
        words.append(f"{counts.errors} error{'s' if counts.errors > 1 else ''}")
    return ", ".join(words) or "no tests ran"


def run_stage(stage: Stage, *, layout: Layout, env: dict[str, str], show: Callable[[str], None]) -> Outcome:
    """Run one stage, handing on its output line by line."""
    program, *arguments = stage.command
    command = [str(layout.bin / program), *arguments]
    show(f"--- {stage.name}: {' '.join(stage.command)}\n")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "junit.xml"
        if stage.is_tests:
            command.append(f"--junitxml={report}")
        if stage.label:
            returncode = _shown(command, layout.project, env, lambda line: show(f"[{stage.label}] {line}"))
        else:
            with _running(subprocess.Popen(command, cwd=layout.project, env=env)) as process:
                returncode = process.wait()
        written = report.read_text() if report.exists() else ""
    return Outcome(
        name=stage.name,
        returncode=returncode,
        seconds=round(time.monotonic() - start, 2),
        is_tests=stage.is_tests,
        counts=read_counts(written) if written else Counts(),
        results=read_results(written) if written else {},
    )


def _shown(command: Sequence[str], folder: Path, env: dict[str, str], show: Callable[[str], None]) -> int:
    """Run a command, handing on what it says; its exit status."""
    started = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    with _running(started) as process:
        assert process.stdout is not None
        for line in process.stdout:
            show(line)
    return process.returncode


@contextmanager
def _running(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A stage's program, known to `ask_to_stop` for as long as it runs."""
    _STARTED.add(process)
    try:
        with process:
            yield process
    finally:
        _STARTED.discard(process)


def ask_to_stop() -> None:
    """Interrupt every program of a stage, as Ctrl-C in a terminal does: pytest then takes down what its tests made."""
    for process in tuple(_STARTED):
        process.send_signal(signal.SIGINT)


def _stop(_signal: int, _frame: object) -> NoReturn:
    ask_to_stop()
    raise KeyboardInterrupt


def run_group(group: Sequence[Stage], *, layout: Layout, env: dict[str, str]) -> list[Outcome]:
    """Run stages side by side; their outcomes in the order of the stages."""
    printing = threading.Lock()

    def show(text: str) -> None:
        with printing:
            print(text, end="", flush=True)

    with ThreadPoolExecutor(max_workers=len(group)) as pool:
        return list(pool.map(lambda stage: run_stage(stage, layout=layout, env=env, show=show), group))


def controls_report(outcomes: Sequence[Outcome], folder: Path, *, now: datetime) -> str:
    """The table of controls with what came of their tests in these stages.

    Args:
        outcomes: Of every stage.
        folder: The clone.
        now: The current instant, aware.
    """
    results = {test: result for outcome in outcomes for test, result in outcome.results.items()}
    described = run_process(["git", "describe", "--always", "--dirty", "--abbrev=12"], env=os.environ, cwd=folder)
    return render_report(
        read_controls((folder / SOURCE).read_text(encoding="utf-8")),
        results,
        at=now,
        commit=described.output.strip() if described.returncode == 0 else "unknown",
        machine=f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}",
    )


DESCRIPTION = """\
Set up this clone and run the whole suite: ruff, mypy, fast tests, then what is slow: tests with
the engine, end-to-end tests and those of the appliance and its image side by side.

Other arguments go to every pytest call, for instance: scripts/test -k zonebox -x
The exit status is 0 only if every stage passed and at least one test ran.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of scripts/test; scripts/setup has run before it."""
    parser = argparse.ArgumentParser(
        prog="scripts/test", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fast", action="store_true", help="leave out slow and end-to-end tests")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the results of all stages to this file")
    parser.add_argument(
        "--controls", metavar="FILE", type=Path, help="also write the table of controls with what came of their tests"
    )
    arguments, extra = parser.parse_known_args(argv)
    layout = Layout(project=project_folder())
    env = merged(os.environ, layout, offline=is_offline(layout))
    # Hundreds of short processes: without compiled files each of them compiles all of this project anew.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.monotonic()
    outcomes: list[Outcome] = []
    # A service manager or a CI job stops with SIGTERM, which no child of this process gets by itself.
    signal.signal(signal.SIGTERM, _stop)
    try:
        for group in groups(stages(fast_only=arguments.fast, extra=extra)):
            outcomes += run_group(group, layout=layout, env=env)
    except KeyboardInterrupt:
        print("\nscripts/test: stopped, and with it every test that ran", file=sys.stderr)
        return INTERRUPTED
    passed = all(is_passed(outcome, outcomes) for outcome in outcomes)
    if arguments.json is not None:
        stages_told = [{key: value for key, value in asdict(each).items() if key != "results"} for each in outcomes]
        document = {"passed": passed, "stages": stages_told}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    if arguments.controls is not None:
        arguments.controls.parent.mkdir(parents=True, exist_ok=True)
        arguments.controls.write_text(controls_report(outcomes, layout.project, now=datetime.now(UTC)))
    print()
    print(summary(outcomes, seconds=time.monotonic() - start), flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
