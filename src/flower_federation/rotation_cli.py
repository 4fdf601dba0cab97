"""`federation rotate` and `federation rekey`. It parses and prints; `rotation` decides."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict

from components.centre_certificates import RENEW_VALUE, RENEW_VARIABLE
from flower_federation import operations_cli
from flower_federation.operations import choose
from flower_federation.operations_cli import Workplace, say
from flower_federation.rotation import STAGES, Rotation, Step, served_certificate


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `rotate` with its two kinds, and `rekey`."""
    rotate = subparsers.add_parser("rotate", help="renew certificates while the federation works")
    kinds = rotate.add_subparsers(required=True, metavar="WHAT")
    server = kinds.add_parser(
        "server-certificate",
        help="a new certificate for the SuperLink; runs go on, no node restarts",
        description="Makes it anew whether it is due or not, lets the gateway take it, and proves that it is served.",
    )
    server.add_argument("--new-key", action="store_true", help="let the SuperLink's VM make a new key for it, too")
    server.set_defaults(handler=_server)
    ca = kinds.add_parser(
        "ca",
        help="a new CA in place of the old one; each node is away for a few seconds",
        description="trust-both: everybody learns of the new CA. switch: it signs. retire: the old one is forgotten. "
        "Each stage is written into the centre's stack file; commit it.",
    )
    how = ca.add_mutually_exclusive_group()
    how.add_argument("--stage", choices=STAGES, help="only this stage, the next one; all that are left by default")
    how.add_argument(
        "--renew", action="store_true", help="keep the CA's key and make its certificate anew, also one that has ended"
    )
    ca.set_defaults(handler=_ca)
    rekey = subparsers.add_parser(
        "rekey",
        help="let one node make a new key, and enrol it",
        description="For a node whose key was revoked, or may be known to others. Its old key never comes back.",
    )
    rekey.add_argument("node", metavar="NODE", help="its name, such as berlin/supernode-1")
    rekey.set_defaults(handler=_rekey)
    for command in (server, ca, rekey):
        command.add_argument("--json", action="store_true", help="print the steps and their times as JSON")


def rotation(place: Workplace) -> Rotation:
    """A rotation on this clone's stacks."""
    return Rotation(stacks=place.stacks, wait_online=place.operations.wait_online, served=served_certificate, say=say)


def renewing_workplace() -> Workplace:
    """The workplace, where an update of the centre may renew what has ended."""
    return operations_cli.workplace({**os.environ, RENEW_VARIABLE: RENEW_VALUE})


def _server(arguments: argparse.Namespace) -> int:
    place = renewing_workplace()
    federation, _ = choose(place.files, ())
    return _tell(arguments, rotation(place).server_certificate(federation, new_key=arguments.new_key))


def _ca(arguments: argparse.Namespace) -> int:
    place = renewing_workplace()
    federation, _ = choose(place.files, ())
    done = rotation(place).renew_ca(federation) if arguments.renew else rotation(place).ca(federation, arguments.stage)
    return _tell(arguments, done)


def _rekey(arguments: argparse.Namespace) -> int:
    place = operations_cli.workplace()
    federation, _ = choose(place.files, ())
    return _tell(arguments, rotation(place).rekey(federation, arguments.node))


def _tell(arguments: argparse.Namespace, steps: Sequence[Step]) -> int:
    if arguments.json:
        print(json.dumps([asdict(step) for step in steps], indent=2))
    else:
        print(f"done in {sum(step.seconds for step in steps):.1f} s")
    return 0
