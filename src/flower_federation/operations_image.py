"""`federation image build`: the appliance's disk image. The building itself is `flower_federation.imaging`'s."""

from __future__ import annotations

import argparse
import os

from flower_federation.environment import Layout
from flower_federation.imaging import cli as imaging
from flower_federation.operations_cli import say
from flower_federation.setup import machine_packages, project_folder, this_machine


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `image`."""
    image = subparsers.add_parser("image", help="build the appliance's disk image for real clouds")
    kinds = image.add_subparsers(required=True, metavar="ACTION")
    build = kinds.add_parser(
        "build",
        help="a bootable QCOW2",
        description=imaging.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    imaging.add_arguments(build)
    build.set_defaults(handler=_build)


def _build(arguments: argparse.Namespace) -> int:
    project = project_folder()
    packages = machine_packages(Layout(project=project), this_machine(), say=say)
    path = imaging.build(arguments, project=project, uv=packages.uv(), environ=os.environ)
    if not arguments.json:
        print(path)
    return 0
