"""docs/security/controls.md out of docs/security/controls.toml: each control with the tests that show it.

It judges no test: that each one exists is for test_security_controls.py to say, that it passes for the suite.
Run as `python -m tests.security_controls_support` to write the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "security" / "controls.toml"
PAGE = ROOT / "docs" / "security" / "controls.md"

HEAD = """\
# Controls

What GDPR and HIPAA ask of a federation's operators, and which test shows that it holds. Made from `controls.toml` by
`python -m tests.security_controls_support`; a test fails where a named test does not exist or this page is not fresh.
The articles are those that a control helps with: no program makes an organisation compliant.

| control | GDPR | HIPAA (45 CFR) | how | shown by |
|---|---|---|---|---|
"""


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


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path})"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(read_controls(SOURCE.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
