"""`federation image`: the appliance's disk image. The building itself is `flower_federation.imaging`'s."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from flower_federation.environment import Layout
from flower_federation.imaging import cli as imaging
from flower_federation.operations_cli import say
from flower_federation.setup import machine_packages, project_folder, this_machine


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `image`."""
    image = subparsers.add_parser("image", help="build, check and measure the appliance's disk image for real clouds")
    setting = imaging.Setting(project=project_folder(), uv=_uv, environ=os.environ)
    imaging.add_actions(image.add_subparsers(required=True, metavar="ACTION"), setting)


def _uv() -> Path:
    return machine_packages(Layout(project=project_folder()), this_machine(), say=say).uv()
