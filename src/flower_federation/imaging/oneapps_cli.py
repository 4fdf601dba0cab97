"""`federation image one-apps`: options and output. What the folder holds is `oneapps.folder`'s."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from flower_federation.errors import InputError
from flower_federation.imaging.oneapps import folder, publication
from flower_federation.imaging.oneapps.publication import Publisher

DESCRIPTION = """Write the appliance as a folder of OpenNebula's community marketplace: documents, tests, Packer recipe.

  scripts/image one-apps --output DIR            for reading and building: what only a publication knows is a mark
  scripts/image one-apps --output DIR --publish flower-appliance.qcow2 --url URL --publisher NAME \\
      --publisher-email ADDRESS --one-apps-version VERSION

Its image (Ubuntu, by Packer) is built elsewhere, with internet; the folder's README.md says how. Nothing is uploaded.
"""


def add_actions(kinds: argparse._SubParsersAction[argparse.ArgumentParser], *, project: Path) -> None:
    """Add one-apps; it sets `handler`."""
    parser = kinds.add_parser(
        "one-apps",
        help="the appliance as a folder of the community marketplace",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="empty folder, or not there yet")
    parser.add_argument("--publish", type=Path, metavar="QCOW2", help="the finished image: size and checksums are its")
    parser.add_argument("--url", default="", help="https URL that everybody fetches this image from")
    parser.add_argument("--publisher", default="", metavar="NAME", help="who answers for the appliance")
    parser.add_argument("--publisher-email", default="", metavar="ADDRESS", help="where to reach the publisher")
    parser.add_argument("--one-apps-version", default="", metavar="VERSION", help="one-apps that it was built with")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(handler=lambda arguments: _write(arguments, project))


def _write(arguments: argparse.Namespace, project: Path) -> int:
    given = (arguments.url, arguments.publisher, arguments.publisher_email, arguments.one_apps_version)
    if arguments.publish is None and any(given):
        raise InputError(
            given="facts of a publication without --publish",
            rule="they are given together with the image that is published",
            reason="a folder with some facts and some marks looks finished, and is not",
            remedy="give --publish with the QCOW2 as well, or leave the others out",
        )
    facts: Mapping[str, str | int] = publication.MARKS
    if arguments.publish is not None:
        publisher = Publisher(
            name=arguments.publisher,
            email=arguments.publisher_email,
            url=arguments.url,
            one_apps_version=arguments.one_apps_version,
        )
        facts = publication.facts(arguments.publish, publisher, now=datetime.now(UTC))
    content = folder.files(project, facts)
    folder.write(arguments.output, content)
    marks = publication.open_marks(arguments.output)
    if arguments.json:
        print(json.dumps({"folder": str(arguments.output), "files": len(content), "open": list(marks)}, indent=2))
        return 0
    print(f"{len(content)} files in {arguments.output}")
    if marks:
        names = sorted({mark.rpartition(" ")[2] for mark in marks})
        print(f"open until the image is built and published, see README.md there: {', '.join(names)}")
    return 0
