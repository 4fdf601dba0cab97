"""`federation upgrade`: options and output. What is done in a zone is `upgrading`'s, what a stack says is Pulumi's."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from flower_federation import operations_cli
from flower_federation.command_values import check_seconds
from flower_federation.errors import InputError
from flower_federation.heartbeat import under_way
from flower_federation.operations import choose
from flower_federation.operations_cli import say
from flower_federation.stacks import StackFile
from flower_federation.upgrading import READY_TIMEOUT_S, Report, Request, check_unavailable, upgrade_role
from flower_federation.zone_access import in_zone, zone_settings
from pulumi_opennebula.provider.zone import Zone

ROLES = {"central": "superlink", "zone": "supernode"}
"""Role of a stack's only service, by the stack's kind."""
IMAGE = "opennebula:index/image:Image"
DESCRIPTION = """Bring running VMs to the image that their stack names (image.name or image.id), a few at a time.

Each stack is brought up first, so that its VM template has the image; then each VM is powered off, gets the image in
place of the old one, and is resumed. A VM that does not get READY goes back to its old image, and nothing else is
begun. The SuperLink backs its database up when it starts as another version, and takes the backup back when it starts
as the old one.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `upgrade`."""
    upgrade = subparsers.add_parser(
        "upgrade",
        help="bring running VMs to their stack's image, a few at a time",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    upgrade.add_argument(
        "stacks", nargs="*", metavar="STACK", help="only these stacks; all by default, the centre first"
    )
    upgrade.add_argument(
        "--max-unavailable", type=int, default=1, metavar="N", help="VMs of a pool away at a time (default: 1)"
    )
    upgrade.add_argument(
        "--timeout",
        type=float,
        default=READY_TIMEOUT_S,
        metavar="S",
        help="longest wait for a VM's READY (default: 600)",
    )
    upgrade.add_argument("--no-up", action="store_true", help="the stacks are up already; do not run pulumi up")
    upgrade.add_argument("--json", action="store_true", help="print the result as JSON")
    upgrade.set_defaults(handler=_upgrade)


def _upgrade(arguments: argparse.Namespace) -> int:
    check_seconds("--timeout", arguments.timeout)
    check_unavailable(arguments.max_unavailable)
    place = operations_cli.workplace()
    _, chosen = choose(place.files, arguments.stacks)
    reports: dict[str, Report] = {}
    for stack in chosen:
        # An image that the stack uploaded once cannot be deleted while its VMs use it.
        former = () if arguments.no_up or stack.uploads_image else place.stacks.resources(stack, IMAGE)
        if not arguments.no_up:
            place.stacks.up(stack, exclude=former)
        request = request_of(stack, place.stacks.outputs(stack), arguments)

        settings = zone_settings(stack=stack.name, project=place.layout.project, environ=os.environ)
        with under_way(f"{stack.name}: VMs are brought to their image", say) as heartbeat:

            async def work(
                zone: Zone, request: Request = request, say: Callable[[str], None] = heartbeat.say
            ) -> Report:
                return await upgrade_role(zone, request, say)

            report = reports[stack.name] = in_zone(settings, work)
        if report.rolled_back:
            break
        if former:
            place.stacks.up(stack)
    print(
        json.dumps({name: report.summary for name, report in reports.items()}, indent=2)
        if arguments.json
        else told(reports)
    )
    return 1 if any(report.rolled_back for report in reports.values()) else 0


def request_of(stack: StackFile, outputs: Mapping[str, Any] | None, arguments: argparse.Namespace) -> Request:
    """What is upgraded of a stack.

    Raises:
        InputError: The stack is not up.
    """
    if not outputs or not outputs.get("service_id"):
        raise InputError(
            given=f"stack {stack.name}: not up",
            rule="it has a service whose VMs run",
            reason="its VMs are found through the service",
            remedy="run federation up first",
        )
    return Request(
        service_id=int(outputs["service_id"]),
        role=ROLES[stack.kind],
        max_unavailable=arguments.max_unavailable,
        ready_timeout_s=arguments.timeout,
    )


def told(reports: Mapping[str, Report]) -> str:
    """The result for a terminal."""
    lines = []
    for name, report in reports.items():
        lines.append(
            f"{name}: {len(report.done)} upgraded to {report.target.name}, {len(report.unchanged)} had it already"
        )
        lines += [f"  {vm} is back on its old image: {why}" for vm, why in report.rolled_back.items()]
    return "\n".join(lines)
