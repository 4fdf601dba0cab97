"""The committed benchmark page is what its figures render to, and the figures obey the limits."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from flower_federation.benchmark.cli import main, parser
from flower_federation.benchmark.program import RESOURCES, ten_resources
from flower_federation.benchmark.provider import STEPS
from flower_federation.benchmark.report import LIMITS, PAGE, RESULT, Result, Row, as_json, from_json, page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def committed() -> Result:
    return from_json(json.loads((ROOT / RESULT).read_text(encoding="utf-8")))


def test_the_page_is_what_the_figures_render_to(committed: Result) -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(committed), "run scripts/bench --write"


def test_every_step_and_every_figure_is_there_with_a_baseline(committed: Result) -> None:
    assert tuple(step.name for step in committed.steps) == STEPS
    assert all(min(step.requests, step.bare_requests) > 0 for step in committed.steps)
    assert all(min(step.seconds, step.bare_seconds, step.empty_seconds) > 0 for step in committed.steps)
    assert {row.limit_key for row in committed.rows} == set(LIMITS)
    assert all(row.baseline > 0 and row.baseline_is for row in committed.rows)
    assert committed.rounds >= 3


def test_the_figures_obey_the_limits(committed: Result) -> None:
    assert [row.name for row in committed.rows if not row.is_within] == []
    (listing,) = (row for row in committed.rows if row.limit_key == "listing")
    assert "1000 VMs" in listing.name
    (polls,) = (row for row in committed.rows if row.limit_key == "polls")
    assert polls.value < 50 <= polls.baseline * 1.5


def test_an_unchanged_program_costs_no_more_requests_than_reading_its_objects(committed: Result) -> None:
    by_name = {step.name: step for step in committed.steps}
    assert by_name["preview"].requests < by_name["preview"].bare_requests
    # Waits are polls on both sides, and how many there are depends on how fast the machine was.
    assert all(step.requests < 2.5 * step.bare_requests for step in committed.steps)


def test_the_limits_are_those_that_the_project_promises() -> None:
    assert LIMITS["start"][0] == 1.0
    assert LIMITS["listing"][0] == 200.0
    assert LIMITS["polls"][0] < 50


def test_nothing_in_the_result_tells_whose_machine_it_is(committed: Result) -> None:
    text = (ROOT / RESULT).read_text(encoding="utf-8") + (ROOT / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/|\d+\.\d+\.\d+\.\d+", text)
    kinds = {
        "date": r"\d{4}-\d\d-\d\d",
        "cores": r"\d+",
        "architecture": r"x86_64|aarch64",
        "system": "Linux",
        "python": r"3\.\d+\.\d+",
        "pulumi": r"v3\.\d+\.\d+",
        "load before the run": r"\d+\.\d",
        "niceness": r"-?\d+",
    }
    assert set(committed.machine) == set(kinds)
    assert [name for name, kind in kinds.items() if not re.fullmatch(kind, committed.machine[name])] == []


def test_a_value_at_its_limit_is_not_within() -> None:
    row = Row(name="a", value=200.0, unit="ms", baseline=1, baseline_is="b", note="", limit_key="listing")
    assert not row.is_within
    assert "| a | 200 ms | less than 200 ms | 1 ms: b | 2e+02 |" in page(Result(machine={}, rounds=1, rows=[row]))


def test_json_and_result_are_the_same_thing_and_another_format_is_refused(committed: Result) -> None:
    assert from_json(json.loads(json.dumps(as_json(committed)))) == committed
    with pytest.raises(ValueError, match="reads format 1"):
        from_json({"format": 2})


def test_the_program_makes_ten_resources() -> None:
    text = ten_resources(2)
    assert len(RESOURCES) == 10
    # The two templates are made by one line.
    assert len(re.findall(r"one\.[A-Z]\w+\(", text)) - len(re.findall(r"one\.Template\(", text)) + 2 == 10


def test_the_command_explains_itself_and_refuses_what_would_measure_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--json" in parser().format_help()
    for arguments in (["--rounds", "0"], ["--write", "--only", "start"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "give 1 or more" in capsys.readouterr().err
    done = subprocess.run(["bash", "-n", ROOT / "scripts" / "bench"], check=False)
    assert done.returncode == 0
