"""The subcommands invite, answer and accept: two organisations join without a backend, passphrase or login in common.

Files go out and come in; what has to be compared by telephone is printed. Only invite touches a key: it gets the one
that signs bundles from the centre's encrypted state, and keeps it in memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import zone_answer
from components.exchange_files import in_groups
from components.join_bundle import DEFAULT_VALIDITY
from components.roster import ZoneRoll, read_roll
from flower_federation import operations_cli
from flower_federation.command_values import write_output
from flower_federation.errors import InputError
from flower_federation.heartbeat import under_way
from flower_federation.joining import (
    KEY_OUTPUT,
    Accepted,
    check_told,
    invited,
    judge_answer,
    parse_span,
    write_answer,
    write_bundle,
)
from flower_federation.operations import choose
from flower_federation.stacks import StackFile
from flower_federation.trusted import TrustedZone


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands; each sets `handler`, which takes the parsed arguments and returns an exit status."""
    invite = subparsers.add_parser(
        "invite",
        help="write a signed join bundle for a zone of another organisation",
        description="Writes public facts of this centre, signed; the zone's operator needs nothing else to join.",
    )
    invite.add_argument("zone", metavar="ZONE", help="name of the zone, as listed under zones of the central stack")
    invite.add_argument(
        "--expires",
        default=f"{DEFAULT_VALIDITY.days}d",
        metavar="SPAN",
        help="how long the invitation holds, such as 14d or 12h (default: %(default)s)",
    )
    invite.add_argument("--output", type=Path, metavar="FILE", help="where to write; ZONE.join.json by default")
    invite.set_defaults(handler=_invite)

    answer = subparsers.add_parser(
        "answer",
        help="write this zone's answer to its invitation",
        description="Writes names, public keys and partitions of this zone's nodes, for the centre's operator.",
    )
    answer.add_argument("zone", metavar="ZONE", help="name of the zone or of its stack")
    answer.add_argument("--output", type=Path, metavar="FILE", help="where to write; ZONE.answer.json by default")
    answer.set_defaults(handler=_answer)

    accept = subparsers.add_parser(
        "accept",
        help="check a zone's answer and keep it for the next federation up of the centre",
        description="Refuses more nodes than the zone may bring, other zones' names, and keys that are there already.",
    )
    accept.add_argument("file", type=Path, metavar="FILE", help="the zone's answer")
    accept.add_argument(
        "--fingerprint",
        metavar="HEX",
        help="the answer's fingerprint as the zone's operator told it; asked for at a terminal, if left out",
    )
    accept.set_defaults(handler=_accept)
    for command in (invite, answer, accept):
        command.add_argument("--json", action="store_true", help="print the result as JSON")


def _invite(arguments: argparse.Namespace) -> int:
    place = operations_cli.workplace()
    federation, _ = choose(place.files, ())
    entry = invited(federation.central, arguments.zone)
    validity = parse_span(arguments.expires)
    with under_way("reading the centre's stack", operations_cli.say):
        outputs = place.central_outputs()
        key_pem = (place.stacks.secret_outputs(federation.central) or {}).get(KEY_OUTPUT)
    text = write_bundle(
        outputs,
        key_pem=key_pem,
        zone=entry.name,
        now=datetime.now(UTC),
        validity=validity,
    )
    path = arguments.output or Path(f"{entry.name}.join.json")
    write_output(path, text)
    facts = json.loads(text)["facts"]
    fingerprint = in_groups(str(outputs["ca_fingerprint"]))
    if arguments.json:
        print(json.dumps({"file": str(path), "ca_fingerprint": outputs["ca_fingerprint"], **_shown(facts)}, indent=2))
        return 0
    print(f"{path}: invites {entry.name} to {facts['federation']} until {facts['expires_at']}")
    print("Send it as you like: it holds nothing secret. Read this out when the zone's operator telephones:")
    print(f"  fingerprint of the CA  {fingerprint}")
    print(f"They set it as central.caFingerprint, and central.bundle to the file. At most {entry.max_nodes} nodes.")
    return 0


def _answer(arguments: argparse.Namespace) -> int:
    place = operations_cli.workplace()
    stack = _zone_stack(place.files, arguments.zone)
    text = write_answer(place.stacks.outputs(stack), stack=stack.name, now=datetime.now(UTC))
    path = arguments.output or Path(f"{stack.zone}.answer.json")
    write_output(path, text)
    answer = zone_answer.read(text)
    if arguments.json:
        print(json.dumps({"file": str(path), "fingerprint": answer.digest, "nodes": list(answer.nodes)}, indent=2))
        return 0
    print(f"{path}: {len(answer.nodes)} nodes of {answer.zone} for {answer.federation}")
    for node in answer.nodes:
        print(f"  {node['name']}  partition {node['partition_id']}  {node['fingerprint']}")
    print("Send it as you like: it holds nothing secret. Read this out when the centre's operator telephones:")
    print(f"  fingerprint of the answer  {in_groups(answer.digest)}")
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    place = operations_cli.workplace()
    federation, _ = choose(place.files, ())
    central = federation.central
    text = _read(arguments.file)
    with under_way("reading the stacks", operations_cli.say):
        outputs = place.central_outputs()
        others = [*_answered(central.invited), *_from_stacks(place, federation.zones, central)]
    accepted = judge_answer(text, what=arguments.file.name, central=central, outputs=outputs, others=others)
    entry = invited(central, accepted.answer.zone)
    _tell(accepted, entry)
    check_told(arguments.fingerprint or _ask(), accepted.answer)
    entry.answer.parent.mkdir(parents=True, exist_ok=True)
    entry.answer.write_text(text, encoding="utf-8")
    if arguments.json:
        nodes = [node.exported() for node in accepted.nodes]
        print(json.dumps({"zone": entry.name, "file": str(entry.answer), "nodes": nodes}, indent=2))
    else:
        print(f"accepted: {entry.answer}; next: federation up {central.name}, which enrols the nodes")
    return 0


def _shown(facts: dict[str, str]) -> dict[str, str]:
    return {name: facts[name] for name in ("zone", "federation", "superlink_fleet_endpoint", "issued_at", "expires_at")}


def _tell(accepted: Accepted, entry: TrustedZone) -> None:
    say = operations_cli.say
    say(f"{entry.name}: {len(accepted.nodes)} of at most {entry.max_nodes} nodes")
    before = {node.fingerprint for roll in _answered((entry,)) for node in roll.nodes}
    for node in accepted.nodes:
        known = "as before" if node.fingerprint in before else "new"
        say(f"  {node.name}  partition {node.partition_id}  {node.fingerprint}  {known}")
    gone = before - {node.fingerprint for node in accepted.nodes}
    for fingerprint in sorted(gone):
        say(f"  {fingerprint}  gone: the next federation up revokes it")


def _ask() -> str | None:
    if not sys.stdin.isatty():
        return None
    operations_cli.say("Telephone the zone's operator and type the answer's fingerprint as they read it out:")
    return sys.stdin.readline().strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            given=f"{path}: {(error.strerror if isinstance(error, OSError) else '') or 'not text in UTF-8'}",
            rule="it is a file that can be read, as federation answer wrote it",
            reason="the zone's keys come from nowhere else",
            remedy="name the file that the zone's operator sent",
        ) from error


def _zone_stack(files: tuple[StackFile, ...], name: str) -> StackFile:
    found = [stack for stack in files if stack.kind == "zone" and name in (stack.zone, stack.name)]
    if len(found) != 1:
        zones = [stack.zone for stack in files if stack.kind == "zone"]
        raise InputError(
            given=f"zone {name}",
            rule=f"exactly one stack of kind zone has this name; there are {', '.join(zones) or 'none'}",
            reason="an answer is one zone's",
            remedy="correct the name, or add the stack's file to stacks/",
        )
    return found[0]


def _answered(zones: tuple[TrustedZone, ...]) -> list[ZoneRoll]:
    """What earlier answers bring."""
    rolls = []
    for zone in zones:
        if zone.answer.is_file():
            answer = zone_answer.read(_read(zone.answer), what=zone.answer.name)
            rolls.append(
                _roll(zone.name, zone.answer.name, zone.max_nodes, {"zone": answer.zone, "nodes": answer.nodes})
            )
    return rolls


def _from_stacks(place: operations_cli.Workplace, zones: tuple[StackFile, ...], central: StackFile) -> list[ZoneRoll]:
    """What zones in this backend bring."""
    trusted = [zone for zone in zones if zone.name in central.trusted]
    outputs = [(zone, place.stacks.outputs(zone)) for zone in trusted]
    return [_roll(zone.zone, zone.name, len((found or {}).get("nodes", ())), found) for zone, found in outputs]


def _roll(zone: str, source: str, max_nodes: int, outputs: Any) -> ZoneRoll:
    return read_roll(zone=zone, stack=source, max_nodes=max_nodes, outputs=outputs)
