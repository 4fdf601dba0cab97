"""`federation certificate`: hands client certificates of the Control API out to people. It issues none itself."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flower_federation import operations_cli
from flower_federation.certificate_source import from_outputs, names
from flower_federation.control_certificate import CertificateFacts, check_lifetime, write_folder
from flower_federation.heartbeat import under_way
from flower_federation.terminal import table, terminal


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `certificate` with `list` and `export`."""
    certificate = subparsers.add_parser(
        "certificate",
        help="client certificates of the Control API: list them, hand one out",
        description="People and roles stand under people in the central stack's file; pulumi up issues and renews.",
    )
    commands = certificate.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="who has one, with which role, until when")
    listing.add_argument("--json", action="store_true", help="print the result as JSON")
    listing.set_defaults(handler=_list)
    export = commands.add_parser(
        "export",
        help="write one into a folder, for federation connect",
        description="Writes certificate, key, CA and endpoint, readable by you alone (0600). Hand the folder over by a "
        "way that you trust, and delete your copy.",
    )
    export.add_argument("name", metavar="NAME", help="as under people in the central stack's file")
    export.add_argument("--output", type=Path, required=True, metavar="DIRECTORY", help="a folder for this person")
    export.set_defaults(handler=_export)


def _list(arguments: argparse.Namespace) -> int:
    outputs = _secrets()
    found = [from_outputs(outputs, name=name).facts for name in (None, *names(outputs))]
    if arguments.json:
        print(json.dumps([_document(facts) for facts in found], indent=2))
        return 0
    shown = table("name", "role", "until (UTC)", "serial")
    for facts in found:
        shown.add_row(facts.name, facts.role, f"{facts.not_after:%Y-%m-%d %H:%M}", facts.serial)
    terminal().print(shown)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    certificate = from_outputs(_secrets(), name=arguments.name)
    facts = certificate.facts
    check_lifetime(facts, now=datetime.now(UTC))
    write_folder(arguments.output, certificate)
    print(
        f"{arguments.output}: certificate of {facts.name}, {facts.role}, until {facts.not_after:%Y-%m-%d %H:%M} UTC\n"
        f"its holder runs: federation connect --certificate {arguments.output}"
    )
    return 0


def _secrets() -> dict[str, Any]:
    with under_way("reading the centre's stack", operations_cli.say):
        return operations_cli.workplace().central_secrets()


def _document(facts: CertificateFacts) -> dict[str, str]:
    return {
        "name": facts.name,
        "role": facts.role,
        "not_after": facts.not_after.isoformat(),
        "serial": facts.serial,
        "fingerprint": facts.fingerprint,
    }
