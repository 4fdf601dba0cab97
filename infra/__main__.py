"""The federation program: settings, then the stack kind, then its exports."""

from __future__ import annotations

from pathlib import Path

import pulumi

from infra import central, zone
from infra.central_settings import CentralSettings
from infra.settings import load, read_pulumi_config, surroundings


def main() -> None:
    """Declare this stack and export its outputs."""
    settings = load(read_pulumi_config(), surroundings(Path(__file__).resolve().parent.parent))
    outputs = central.declare(settings) if isinstance(settings, CentralSettings) else zone.declare(settings)
    for name, value in outputs.items():
        pulumi.export(name, value)


main()
