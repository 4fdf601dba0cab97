"""The process image: a JSON document that tells a zone's process driver how to start this appliance. It copies nothing.

The paths in it are those of the environment that writes it, so it is made at run time and never committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flower_appliance.errors import ImageError, Problem

FORMAT = "zonebox-process/1"
PROGRAMS = ("python", "flower-superlink", "flower-supernode", "flower-superexec", "caddy")


def process_image(*, bin_dir: Path, source: Path) -> dict[str, Any]:
    """The image document.

    Args:
        bin_dir: `bin` of the Flower environment.
        source: folder that `flower_appliance` is imported from.

    Raises:
        ImageError: the environment lacks a program that a VM needs.
    """
    missing = [program for program in PROGRAMS if not os.access(bin_dir / program, os.X_OK)]
    if missing:
        raise ImageError(
            str(
                Problem(
                    given=f"{bin_dir} lacks {', '.join(missing)}",
                    rule="it must be the bin folder of the Flower environment",
                    reason="a VM starts these programs and downloads nothing",
                    remedy="Run scripts/setup, or name the environment's bin folder with --bin",
                )
            )
        )
    return {
        "format": FORMAT,
        "command": [str(bin_dir / "python"), "-m", "flower_appliance", "boot"],
        "environment": {
            "PATH": f"{bin_dir}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(source),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        },
    }


def render_process_image(*, bin_dir: Path, source: Path) -> str:
    """`process_image` as text."""
    return json.dumps(process_image(bin_dir=bin_dir, source=source), indent=2) + "\n"
