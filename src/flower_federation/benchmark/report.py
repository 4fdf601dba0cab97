"""The result as JSON and as a page. Pure: what it is given is what it shows; limits are those of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

FORMAT: Final = 1
LIMITS: Final[dict[str, tuple[float, str]]] = {
    "start": (1.0, "less than 1 s"),
    "listing": (200.0, "less than 200 ms"),
    "polls": (10.0, "fewer than 10, and fewer than VMs"),
}
"""What a measured value must be below, and in words. Starts and listing are what zonebox promises its users; shared
polls back off from ten a second (provider/waiting.py)."""
PAGE: Final = "docs/reference/benchmark.md"
RESULT: Final = "docs/reference/benchmark.json"

INTRODUCTION: Final = """# Benchmark

Made by `scripts/bench --write` from what it measured; [benchmark.json](benchmark.json) has the figures. Ratios are what
to look at: seconds are those of one machine on one day, and other work on it counts in them.

## A program of ten resources

A security group, a virtual network and its address range, two images, a VM group, two VM templates, a service template
and a service of three VMs, against zonebox with the fake driver and TLS. *Scale* changes the service to five VMs.
Requests are those that the zone received, by its own count. Beside them:

- **bare calls**: the same objects made, read, scaled and removed with pyone and requests, one call after another, with
  polls every 0.1 s; for *preview* and *refresh* every object is read once. No state, no checks, no differences.
- **empty**: the engine's same command on a program without resources: what the engine and Python cost by themselves.

"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the program of ten resources."""

    name: str
    requests: int
    seconds: float
    bare_requests: int
    bare_seconds: float
    empty_seconds: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A single figure beside its baseline."""

    name: str
    value: float
    unit: str
    baseline: float
    baseline_is: str
    note: str
    limit_key: str
    """Which of LIMITS holds for it."""

    @property
    def is_within(self) -> bool:
        """Whether it obeys its limit."""
        return self.value < LIMITS[self.limit_key][0]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A run of the benchmark."""

    machine: dict[str, str]
    """Facts by name: cores, versions, the day, the load before the run."""
    rounds: int
    steps: list[Step] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def as_json(result: Result) -> dict[str, Any]:
    """The result as the file has it."""
    return {"format": FORMAT, **asdict(result)}


def from_json(document: Mapping[str, Any]) -> Result:
    """The result of a file.

    Raises:
        ValueError: another format.
    """
    if document.get("format") != FORMAT:
        raise ValueError(f"format {document.get('format')!r}: this version reads format {FORMAT}")
    return Result(
        machine=dict(document["machine"]),
        rounds=document["rounds"],
        steps=[Step(**item) for item in document["steps"]],
        rows=[Row(**item) for item in document["rows"]],
    )


def page(result: Result) -> str:
    """The page."""
    lines = [
        "| step | requests | of bare calls | ratio | seconds | of empty | ratio | of bare calls | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for step in result.steps:
        lines.append(
            f"| {step.name} | {step.requests} | {step.bare_requests} | {_ratio(step.requests, step.bare_requests)} "
            f"| {step.seconds:.2f} | {step.empty_seconds:.2f} | {_ratio(step.seconds, step.empty_seconds)} "
            f"| {step.bare_seconds:.2f} | {_ratio(step.seconds, step.bare_seconds)} |"
        )
    parts = [INTRODUCTION + "\n".join(lines) + "\n"]
    if result.rounds > 1:
        parts.append(f"Medians of {result.rounds} rounds, each with all three in turn.\n")
    parts += ["## Single figures\n", _rows(result.rows), "## The machine\n", _machine(result.machine)]
    parts.append(
        "## Again\n\n```console\nscripts/bench            # a table; takes some minutes, best on a quiet machine\n"
        "scripts/bench --json     # the same for scripts\nscripts/bench --write    # this page and its figures\n```\n"
    )
    return "\n".join(parts)


def _rows(rows: list[Row]) -> str:
    lines = ["| what | measured | limit | baseline | ratio |", "|---|---|---|---|---|"]
    for row in rows:
        note = f" ({row.note})" if row.note else ""
        lines.append(
            f"| {row.name}{note} | {row.value:g} {row.unit} | {LIMITS[row.limit_key][1]} "
            f"| {row.baseline:g} {row.unit}: {row.baseline_is} | {_ratio(row.value, row.baseline)} |"
        )
    return "\n".join(lines) + "\n"


def _machine(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items()) + "\n"


def _ratio(value: float, baseline: float) -> str:
    return f"{value / baseline:.2g}" if baseline else "-"
