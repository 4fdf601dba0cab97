"""Measures zonebox: how long a start takes, and a list of a thousand VMs.

Of several measurements the fastest counts, here and for the baselines: what is slower waited for other work of the
machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path

import requests

from flower_federation.benchmark.report import Row
from flower_federation.benchmark.zone import START_TIMEOUT_S, BenchZone, zone_settings
from zonebox import background
from zonebox.embedded import EmbeddedZone

STARTS = 15
LISTED = 1000
LISTINGS = 9


def starts(folder: Path, count: int = STARTS) -> list[Row]:
    """Seconds of a first start, of a start with the state of an earlier one, and of a test's zone; the fastest."""
    first: list[float] = []
    again: list[float] = []
    embedded: list[float] = []
    python: list[float] = []
    for number in range(count):
        state = folder / f"zone-{number}"
        settings = zone_settings(state)
        for found in (first, again):
            found.append(_seconds(lambda settings=settings: background.up(settings, START_TIMEOUT_S)))  # type: ignore[misc]
            background.down(state, START_TIMEOUT_S, keep_vms=False)
        zone = EmbeddedZone(zone_settings(folder / f"embedded-{number}"))
        embedded.append(_seconds(zone.__enter__))
        zone.__exit__(None, None, None)
        python.append(_seconds(_python_with_its_libraries))
    baseline = round(min(python), 3)
    best = f"fastest of {count}"
    return [
        Row(
            name=name,
            value=round(min(found), 3),
            unit="s",
            baseline=baseline,
            baseline_is="python, with the libraries that zonebox loads",
            note=note,
            limit_key="start",
        )
        for name, found, note in (
            ("zonebox: first start, until it answers", first, f"{best}; makes its certificate authority"),
            ("zonebox: start with an earlier state", again, best),
            ("zonebox: a test's zone (the pytest fixture)", embedded, f"{best}; in a thread, modules loaded"),
        )
    ]


def listing(zone: BenchZone, count: int = LISTED) -> Row:
    """Milliseconds of `one.vmpool.info` over TLS with a thousand running VMs, all bytes received; the fastest."""
    session = requests.Session()

    # `verify` goes with every request: a session's own gives way to REQUESTS_CA_BUNDLE.
    def call(method: str, *arguments: str | int | bool) -> str:
        body = xmlrpc.client.dumps((zone.session, *arguments), method)
        answer = session.post(zone.oned, data=body, timeout=60, verify=zone.ca)
        answer.raise_for_status()
        return answer.text

    for number in range(count):
        call("one.vm.allocate", f'NAME="listed-{number}"\nCPU="0.01"\nMEMORY="8"', False)
    listed = [_seconds(lambda: call("one.vmpool.info", -2, -1, -1, -1)) for _ in range(LISTINGS)]
    text = call("one.vmpool.info", -2, -1, -1, -1)
    smallest = [_seconds(lambda: call("one.system.version")) for _ in range(LISTINGS)]
    session.close()
    return Row(
        name=f"zonebox: list of {text.count('&lt;/VM&gt;')} VMs",
        value=round(min(listed) * 1000, 1),
        unit="ms",
        baseline=round(min(smallest) * 1000, 1),
        baseline_is="one.system.version over the same connection",
        note=f"fastest of {LISTINGS}; {len(text) / 1e6:.1f} MB",
        limit_key="listing",
    )


def _python_with_its_libraries() -> None:
    subprocess.run([sys.executable, "-c", "import aiohttp.web, cryptography.x509, sqlite3"], check=True)


def _seconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
