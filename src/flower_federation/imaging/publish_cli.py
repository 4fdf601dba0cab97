"""`federation image publish`, `list` and `prune`: options and output. What is done in the zone is `publishing`'s."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console as Terminal
from rich.table import Table

from flower_federation.console import Console
from flower_federation.errors import InputError
from flower_federation.imaging import catalog, publishing
from flower_federation.imaging.catalog import Published, Release
from flower_federation.imaging.checksums import verify
from flower_federation.imaging.publishing import Request, Result
from flower_federation.zone_access import in_zone, zone_settings
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone

DESCRIPTION = """Bring an image into a zone: Image, VM template, service template of SuperNodes, marketplace appliance.

  scripts/image publish dist/flower-appliance-1.41.0-cpu.qcow2 --stack berlin-hospital --key public.pem
  scripts/image publish dist/flower-appliance-1.41.0-cpu.qcow2 --source https://files.example/cpu.qcow2

The file is held against SHA256SUMS beside it (and with --key against its signature), and the zone's datastore compares
what it copies. A second run changes nothing; one that was interrupted is finished by the next.
"""


def add_actions(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser], *, project: Path, environ: Mapping[str, str]
) -> None:
    """Add publish, list and prune; each sets `handler`."""

    def settings(arguments: argparse.Namespace) -> ZoneSettings:
        return zone_settings(stack=arguments.stack, project=project, environ=environ)

    publish = kinds.add_parser(
        "publish",
        help="bring an image into a zone",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    publish.add_argument("file", type=Path, metavar="FILE", help="the QCOW2, with SHA256SUMS beside it")
    publish.add_argument("--key", type=Path, metavar="PEM", help="also check the signature with this Ed25519 key")
    publish.add_argument(
        "--source", metavar="PATH|URL", help="where the front-end finds the same file (default: the file's own path)"
    )
    publish.add_argument("--datastore", default="default", metavar="NAME|ID", help="for the image (default: default)")
    publish.add_argument("--marketplace", metavar="NAME|ID", help="for the appliance, where the zone has several")
    publish.add_argument("--prune", action="store_true", help="remove older images of the variant that nothing needs")
    publish.set_defaults(handler=lambda arguments: _publish(arguments, settings(arguments)))

    listing = kinds.add_parser("list", help="the zone's images of this appliance, and which VMs use them")
    listing.set_defaults(handler=lambda arguments: _list(arguments, settings(arguments)))

    prune = kinds.add_parser("prune", help="remove older images that no VM uses and no VM template names")
    prune.add_argument("variant", metavar="VARIANT", help="such as cpu; the image that its VM template names stays")
    prune.set_defaults(handler=lambda arguments: _prune(arguments, settings(arguments)))

    for command in (publish, listing):
        command.add_argument("--flower-version", metavar="X.Y.Z", help="only an image with this Flower version")
    for command in (publish, listing, prune):
        command.add_argument(
            "--stack", metavar="NAME", help="the zone of this stack (default: OPENNEBULA_* or ONE_* of the environment)"
        )
        command.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def _publish(arguments: argparse.Namespace, settings: ZoneSettings) -> int:
    file = arguments.file.absolute()
    sums = verify(file.parent, arguments.key, only=file.name)
    release = catalog.release_of(file.name, sums[file.name])
    request = Request(
        file=file,
        release=release,
        source=arguments.source or str(file),
        datastore=arguments.datastore,
        marketplace=arguments.marketplace,
        prune=arguments.prune,
    )

    async def work(zone: Zone) -> Result:
        there = await publishing.published(zone)
        catalog.check_version(arguments.flower_version, release.version, there, what=file.name)
        return await publishing.publish(zone, request, _console(arguments))

    result = in_zone(settings, work)
    if arguments.json:
        print(json.dumps({"sha256": release.sha256, "flower_version": release.version, **result.summary}, indent=2))
    else:
        print(f"published {release.image_name}; name it in a stack by image.name")
    return 0


def _list(arguments: argparse.Namespace, settings: ZoneSettings) -> int:
    found = in_zone(settings, publishing.published)
    wanted = [image for image in found if arguments.flower_version in {None, image.version}]
    if arguments.json:
        print(json.dumps([image.summary for image in wanted], indent=2))
    else:
        Terminal().print(_table(wanted))
    return 0 if wanted or arguments.flower_version is None else 1


def _table(images: list[Published]) -> Table:
    table = Table()
    for title in ("id", "image", "Flower", "variant", "SHA-256", "VMs"):
        # A name that is cut short could not be copied into a stack's file.
        table.add_column(title, overflow="fold")
    for image in images:
        vms = ", ".join(map(str, image.vms)) or "-"
        table.add_row(str(image.id), image.name, image.version, image.variant, image.sha256[:16], vms)
    return table


def _prune(arguments: argparse.Namespace, settings: ZoneSettings) -> int:
    async def work(zone: Zone) -> Result:
        result = Result()
        await publishing.prune(zone, await _newest(zone, arguments.variant), result, remove=True)
        return result

    result = in_zone(settings, work)
    if arguments.json:
        print(json.dumps(result.summary, indent=2))
        return 0
    for image in result.removed:
        print(f"removed {image.name}")
    for image, why in result.kept:
        print(f"kept {image.name}: {why}")
    return 0


async def _newest(zone: Zone, variant: str) -> Release:
    """The image that was published last; the VM template names it, so it would stay in any case."""
    images = [image for image in await publishing.published(zone) if image.variant == variant]
    if not images:
        raise InputError(
            given=f"variant {variant!r}",
            rule="the zone has images of it",
            reason="only images that were published here can be removed",
            remedy="see scripts/image list for what is there",
        )
    newest = images[0]
    return Release(name=catalog.APPLIANCE, version=newest.version, variant=variant, sha256=newest.sha256)


def _console(arguments: argparse.Namespace) -> Console:
    stream = sys.stderr if arguments.json else sys.stdout
    return Console(stream=stream, clock=time.monotonic, total=publishing.STEPS)
