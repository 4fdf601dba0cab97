"""Guests for tests of the process driver: small Python programs as images."""

from __future__ import annotations

import json
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.patience import PATIENCE_S
from zonebox.drivers import process_table
from zonebox.drivers.base import GuestSpec
from zonebox.drivers.process import ProcessDriver, mark_of


def write_image(folder: Path, program: str, environment: Mapping[str, str] | None = None) -> Path:
    """A process image that runs a Python program."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "image.json"
    command = [sys.executable, "-I", "-c", program]
    document = {"format": "zonebox-process/1", "command": command, "environment": dict(environment or {})}
    image.write_text(json.dumps(document))
    return image


def spec_for(
    folder: Path,
    *,
    image: Path | None = None,
    context: Mapping[str, str] | None = None,
    token: str | None = None,
    shares: Mapping[str, Path] | None = None,
    address: str | None = "127.99.1.7",
) -> GuestSpec:
    """The specification of a VM whose folder is `folder`."""
    return GuestSpec(
        vm_id=7,
        zone="testzone",
        uuid=str(uuid.uuid4()),
        name="guest",
        folder=folder,
        context=dict(context or {}),
        token=token,
        address=address,
        images=() if image is None else (image,),
        shares=dict(shares or {}),
    )


def processes_of(spec: GuestSpec) -> list[int]:
    """Living processes that carry the VM's mark."""
    return list(process_table.carriers(mark_of(spec)))


@asynccontextmanager
async def driver_for(*specs: GuestSpec, grace_s: float = PATIENCE_S) -> AsyncIterator[ProcessDriver]:
    """A driver whose guests are gone afterwards, whatever the test did."""
    driver = ProcessDriver(grace_s=grace_s)
    try:
        yield driver
    finally:
        for spec in specs:
            await driver.stop(spec.vm_id, hard=True)
            for pid in processes_of(spec):
                process_table.send(pid, signal.SIGKILL, mark_of(spec))
        await driver.close()
