"""The options of `scripts/bench`. It starts a zone of its own and removes everything that it made."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flower_federation.benchmark import provider, zonebox_rows
from flower_federation.benchmark.report import PAGE, RESULT, Result, Row, Step, as_json, page
from flower_federation.benchmark.zone import running_zone
from flower_federation.environment import Layout
from flower_federation.errors import FederationError, of_system
from flower_federation.processes import requests_to_end
from flower_federation.setup import project_folder

PARTS = ("start", "listing", "waiting", "steps")
ROUNDS = 3


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    root = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure what the OpenNebula provider and zonebox cost, in requests and seconds, beside bare "
        "calls.",
        epilog=f"With --write the result goes to {PAGE} and {RESULT}. Seconds differ from machine to machine; ratios "
        "are what to compare. Takes about three minutes; run it while the machine has nothing else to do.",
    )
    root.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    root.add_argument("--write", action="store_true", help="write the committed page and its figures")
    root.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"repetitions of the ten resources (default {ROUNDS})"
    )
    root.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=f"one part: {', '.join(PARTS)}; repeatable"
    )
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's entry point: 0, or the exit code of what failed."""
    options = parser().parse_args(arguments)
    if options.rounds < 1:
        parser().error(f"--rounds {options.rounds}: at least 1, because nothing would be measured; give 1 or more")
    if options.write and options.only:
        parser().error("--write goes without --only: the committed page has every part")
    try:
        with requests_to_end():
            result = measure(options.only or PARTS, options.rounds)
    except (FederationError, OSError) as error:
        told = error if isinstance(error, FederationError) else of_system(error)
        print(f"scripts/bench: {told}", file=sys.stderr)
        return told.exit_code
    except KeyboardInterrupt:
        print("\nscripts/bench: stopped; nothing was written", file=sys.stderr)
        return 130
    text = json.dumps(as_json(result), indent=2) + "\n"
    if options.write:
        (project_folder() / RESULT).write_text(text, encoding="utf-8")
        (project_folder() / PAGE).write_text(page(result), encoding="utf-8")
    sys.stdout.write(text if options.json else page(result))
    return 0


def measure(parts: Sequence[str], rounds: int) -> Result:
    """Measure the named parts, in a folder that is removed afterwards."""
    facts = machine()
    rows: list[Row] = []
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if "start" in parts:
            _say("starts of zonebox")
            rows += zonebox_rows.starts(folder)
        if "listing" in parts:
            _say("a list of many VMs")
            with running_zone(folder / "listing") as zone:
                rows.append(zonebox_rows.listing(zone))
        if {"waiting", "steps"} & set(parts):
            with running_zone(folder / "zone") as zone:
                if "waiting" in parts:
                    rows.append(provider.waiting(folder / "waiting", zone, _say))
                if "steps" in parts:
                    steps = provider.steps(folder, zone, rounds, _say)
    return Result(machine=facts, rounds=rounds, steps=steps, rows=rows)


def machine() -> dict[str, str]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    pulumi = subprocess.run(
        [Layout(project=project_folder()).bin / "pulumi", "version"], capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": str(os.cpu_count()),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "pulumi": pulumi.stdout.strip() or "unknown",
        "load before the run": f"{os.getloadavg()[0]:.1f}",
        "niceness": str(os.getpriority(os.PRIO_PROCESS, 0)),
    }


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
