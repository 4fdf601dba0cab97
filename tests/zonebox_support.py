"""Zones for tests: in this process, or as a process of their own, each on loopback addresses that nobody else has.

async with running_zone(tmp_path) as zone: ...          # fake driver, plain HTTP, in this process
with zone_process(tmp_path, driver="process") as zone: ...  # `zonebox serve`, TLS, killable
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyone

from tests.patience import PATIENCE_S, wait_for
from zonebox import background
from zonebox.clock import Clock
from zonebox.drivers.base import Driver
from zonebox.loopback import free_address
from zonebox.settings import Delays, Settings
from zonebox.zone import Zone

QUICK = Delays(image_s=0.01, vnet_s=0.01, schedule_s=0.01, prolog_s=0.0, boot_s=0.0, stop_s=0.0, hotplug_s=0.0)
"""Delays for tests on the system's clock."""


def settings_for(state: Path, **changes: Any) -> Settings:
    """Settings of a test's zone: fake driver, plain HTTP, quick; `changes` are fields of Settings."""
    base = Settings(
        name="testzone", state=state / "zone", address=free_address(), driver="fake", plain_http=True, delays=QUICK
    )
    return replace(base, **changes)


@asynccontextmanager
async def running_zone(
    state: Path, *, clock: Clock | None = None, driver: Driver | None = None, **changes: Any
) -> AsyncIterator[Zone]:
    """A zone that runs in this process and is stopped with its guests at the end."""
    zone = Zone(settings_for(state, **changes), clock=clock, driver=driver)
    await zone.start()
    try:
        yield zone
    finally:
        await zone.stop(keep_vms=False)


def client(zone: Zone | ZoneProcess, session: str | None = None) -> Any:
    """A pyone client of a zone (blocking: use `call` with a zone in this process)."""
    ca = zone.endpoints.ca
    # pyone hands https_verify to requests, which takes a CA file there.
    return pyone.OneServer(
        zone.endpoints.oned, session=session or zone.session, https_verify=str(ca) if ca is not None else True
    )


async def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a blocking function (pyone's, requests') beside the zone's event loop."""
    return await asyncio.to_thread(function, *arguments)


@dataclass
class ZoneProcess:
    """A zone in a process of its own."""

    settings: Settings
    process: subprocess.Popen[bytes]

    @property
    def endpoints(self) -> Any:
        """As Zone.endpoints."""
        return _Ends(self.settings)

    @property
    def session(self) -> str:
        """oneadmin's credentials."""
        return (self.settings.state / "one_auth").read_text().strip()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class _Ends:
    def __init__(self, settings: Settings) -> None:
        found: Mapping[str, str] = json.loads((settings.state / "endpoints.json").read_text())
        self.oned, self.oneflow, self.onegate = found["oned"], found["oneflow"], found["onegate"]
        self.ca = Path(found["ca"]) if found["ca"] else None


def start_process(settings: Settings) -> ZoneProcess:
    """Start `zonebox serve` and wait until it answers; the caller ends it."""
    ready = settings.state / "endpoints.json"
    ready.unlink(missing_ok=True)
    settings.state.mkdir(parents=True, exist_ok=True)
    command = background.serve_command(settings)
    with (settings.state / "test.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(lambda: ready.exists() or process.poll() is not None, "the zone's start")
        if process.poll() is not None:
            raise AssertionError("the zone ended: " + (settings.state / "test.log").read_text()[-2000:])
    except BaseException:
        process.kill()
        raise
    return ZoneProcess(settings, process)


@contextmanager
def zone_process(state: Path, **changes: Any) -> Iterator[ZoneProcess]:
    """A zone in a process of its own, with its guests stopped at the end."""
    zone = start_process(settings_for(state, **changes))
    try:
        yield zone
    finally:
        if zone.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                zone.end()
        if zone.process.poll() is None:
            zone.kill()
