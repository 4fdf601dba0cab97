"""The federation program: settings, then the stack kind, then its exports."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pulumi

from infra import central, zone
from infra.central_settings import CentralSettings
from infra.settings import load, read_pulumi_config, surroundings

INTERRUPTED = 130


def main() -> None:
    """Declare this stack and export its outputs."""
    # The engine interrupts the program where a resource failed; Python's traceback would bury the engine's message.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    settings = load(read_pulumi_config(), surroundings(Path(__file__).resolve().parent.parent))
    now = datetime.now(UTC)
    if isinstance(settings, CentralSettings):
        outputs = central.declare(settings, now=now)
    else:
        outputs = zone.declare(settings, now=now)
    for name, value in outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main()
