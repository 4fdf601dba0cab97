"""What `federation invite`, `answer` and `accept` decide: who may be invited, what is signed, what is enrolled.

It reads no stack and no clock; the commands give it outputs, files' texts and the instant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from components import join_bundle, zone_answer
from components.roster import Node, ZoneRoll, enrol
from components.zone_answer import ZoneAnswer
from flower_federation.errors import InputError
from flower_federation.stacks import StackFile
from flower_federation.trusted import TrustedZone

KEY_OUTPUT = "bundle_signing_key"
SIGNER_OUTPUT = "bundle_certificate"
_FACTS = ("federation", "superlink_fleet_endpoint", "ca_certificate", "ca_fingerprint", "flower_version")
_ANSWER_OUTPUTS = ("federation", "zone", "flower_version", "ca_fingerprint", "nodes")
_SPAN = re.compile(r"([1-9][0-9]{0,3})([dh])")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An answer that passed every check."""

    answer: ZoneAnswer
    nodes: tuple[Node, ...]


def parse_span(text: str) -> timedelta:
    """`14d` or `12h`.

    Raises:
        InputError: It is something else.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InputError(
            given=f"--expires {text}",
            rule="a time is a whole number of days or hours, such as 14d or 12h",
            reason="a bundle's end is compared to the second",
            remedy="write it like that",
        )
    count = int(match[1])
    return timedelta(days=count) if match[2] == "d" else timedelta(hours=count)


def invited(central: StackFile, zone: str) -> TrustedZone:
    """The entry of a zone that answers with a file.

    Raises:
        InputError: The centre's stack file does not list it, or lists its stack.
    """
    for entry in central.invited:
        if entry.name == zone:
            return entry
    raise InputError(
        given=f"zone {zone}",
        rule=f"stacks/Pulumi.{central.name}.yaml lists it under zones, with maxNodes and without stack",
        reason="how many nodes a zone may bring is decided before it is invited; with stack its nodes come from there",
        remedy=f"add under flower-federation:zones the lines\n    - name: {zone}\n      maxNodes: 5",
    )


def write_bundle(
    outputs: Mapping[str, Any], *, key_pem: str | None, zone: str, now: datetime, validity: timedelta
) -> str:
    """A signed bundle, read back before it leaves.

    Args:
        outputs: The centre's.
        key_pem: The signing key; quoted nowhere.
        zone: Who is invited.
        now: The current instant, aware.
        validity: How long the invitation holds.

    Raises:
        InputError: The centre has no signer.
        RefusalError: The time does not fit, or what the centre says does not hold together.
    """
    signer = outputs.get(SIGNER_OUTPUT)
    missing = [name for name in _FACTS if not isinstance(outputs.get(name), str)]
    if not isinstance(signer, str) or key_pem is None or missing:
        raise InputError(
            given=f"the centre's outputs, without {', '.join([*missing, SIGNER_OUTPUT, KEY_OUTPUT][:3])}",
            rule="a centre that invites is up and has a certificate and a key for join bundles",
            reason="a zone takes no bundle that nobody signed",
            remedy="run federation up on the centre; with a CA of your own set ca.bundleCertificate and bundleKey",
        )
    facts = join_bundle.make_facts(
        outputs={name: str(outputs[name]) for name in _FACTS}, zone=zone, now=now, validity=validity, signer_pem=signer
    )
    text = join_bundle.sign(facts, signer_pem=signer, key_pem=key_pem)
    join_bundle.read(text, what="new join bundle")
    return text


def write_answer(outputs: Mapping[str, Any] | None, *, stack: str, now: datetime) -> str:
    """A zone's answer.

    Args:
        outputs: Of the zone's stack.
        stack: Its name, for messages.
        now: The current instant, aware.

    Raises:
        InputError: The stack is not up, or no node has published its key.
        RefusalError: A node is malformed.
    """
    missing = [name for name in _ANSWER_OUTPUTS if not (outputs or {}).get(name)]
    if not outputs or missing:
        raise InputError(
            given=f"stack {stack}, without {', '.join(missing)}",
            rule="a zone answers when its stack is up and its nodes have published their keys",
            reason="the centre enrols exactly the keys of the answer",
            remedy=f"run pulumi up -s {stack} first",
        )
    return zone_answer.write(**{name: outputs[name] for name in _ANSWER_OUTPUTS}, now=now)


def judge_answer(
    text: str, *, what: str, central: StackFile, outputs: Mapping[str, Any], others: Sequence[ZoneRoll]
) -> Accepted:
    """The nodes of an answer, if the centre may let all of them in.

    Args:
        text: The file's content.
        what: Its name, for messages.
        central: The centre's stack file.
        outputs: The centre's outputs.
        others: What the other zones bring; no key, name or partition may come twice.

    Raises:
        InputError: The zone was not invited.
        RefusalError: It is malformed or changed, another federation's or CA's, too many nodes, or nodes that are there
            already.
    """
    answer = zone_answer.read(text, what=what)
    entry = invited(central, answer.zone)
    roll = zone_answer.judge(
        answer,
        zone=entry.name,
        federation=str(outputs["federation"]),
        flower_version=str(outputs["flower_version"]),
        max_nodes=entry.max_nodes,
        ca_fingerprint=str(outputs["ca_fingerprint"]),
        what=what,
    )
    enrol([roll, *(other for other in others if other.zone != entry.name)])
    return Accepted(answer=answer, nodes=roll.nodes)


def check_told(told: str | None, answer: ZoneAnswer) -> None:
    """Refuse an answer whose fingerprint the operator was not told, or was told differently.

    Args:
        told: What the zone's operator said, with or without spaces and colons; None where nobody asked.
        answer: The answer.

    Raises:
        InputError: It is not the answer's.
    """
    plain = "".join((told or "").replace(":", "").split()).lower()
    if plain != answer.digest:
        raise InputError(
            given="--fingerprint: not given" if told is None else f"--fingerprint {told}",
            rule="it is the fingerprint of the answer, all 64 digits, as the zone's operator reads it out",
            reason="the file says itself who it is from; only the telephone proves that its keys are the zone's",
            remedy="telephone the zone's operator, who sees the number where federation answer ran. If it is not the "
            "one above, do not accept this file",
        )
