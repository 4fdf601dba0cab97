"""A zone's answer to its invitation: the names, public keys and partitions of its nodes, as a file for the centre.

Nothing signs it: a zone has no key that the centre knows yet. What proves it is its digest, one number over all that it
says, which both operators see and compare by telephone. It decides nothing about limits; `roster` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.authorities import check_fingerprints
from components.errors import RefusalError
from components.exchange_files import (
    check_keys,
    digest,
    in_groups,
    malformed,
    read_instant,
    read_object,
    write_instant,
)
from components.roster import ZoneRoll, read_roll
from components.versions import check_version

FORMAT = "flower-federation-zone-answer/1"
ANSWERS_FOLDER = "answers"
"""Where a centre keeps accepted answers, in the project's folder: `<zone>.json`."""

_TEXTS = ("federation", "zone", "flower_version", "ca_fingerprint", "written_at")
_NODE_KEYS = ("name", "public_key", "fingerprint", "partition_id")


@dataclass(frozen=True, kw_only=True)
class ZoneAnswer:
    """What a zone answers, in order but not yet judged."""

    federation: str
    zone: str
    flower_version: str
    ca_fingerprint: str
    """Of the CA that the zone trusts: the centre recognises its own in it."""
    written_at: datetime
    nodes: tuple[Mapping[str, Any], ...]
    """As the zone's stack exports them."""
    digest: str
    """sha256 over everything above, in hex; the number to compare."""


def write(
    *,
    federation: str,
    zone: str,
    flower_version: str,
    ca_fingerprint: str,
    nodes: Sequence[Mapping[str, Any]],
    now: datetime,
) -> str:
    """The answer's text.

    Args:
        federation: Which the zone joins.
        zone: Its name.
        flower_version: Its Flower version.
        ca_fingerprint: Of the CA that it trusts.
        nodes: Its stack's output `nodes`.
        now: The current instant, aware.

    Raises:
        RefusalError: A node is malformed or carries a foreign name; nothing of it could be accepted.
    """
    roll = read_roll(zone=zone, stack=f"of {zone}", max_nodes=len(nodes), outputs={"zone": zone, "nodes": list(nodes)})
    facts = {
        "federation": federation,
        "zone": zone,
        "flower_version": flower_version,
        "ca_fingerprint": check_fingerprints(ca_fingerprint, where="ca_fingerprint"),
        "written_at": write_instant(now),
        "nodes": [node.exported() for node in roll.nodes],
    }
    return json.dumps({"format": FORMAT, "facts": facts, "digest": digest(facts)}, indent=2) + "\n"


def read(text: str, *, what: str = "zone's answer") -> ZoneAnswer:
    """An answer whose digest fits it.

    Args:
        text: The file's content.
        what: Its name, for messages.

    Raises:
        RefusalError: It is malformed, or was changed after it was written.
    """
    document = read_object(text, what=what, format_=FORMAT, keys=("facts", "digest"))
    facts = document["facts"]
    if not isinstance(facts, dict):
        raise malformed(what, f"facts that are a {type(facts).__name__}", "its facts are an object")
    check_keys(facts, what=f"facts of {what}", keys=(*_TEXTS, "nodes"))
    nodes = facts["nodes"]
    if not all(isinstance(facts[name], str) for name in _TEXTS) or not isinstance(nodes, list):
        raise malformed(what, "facts of another type", f"{', '.join(_TEXTS)} are texts and nodes is a list")
    for node in nodes:
        if not isinstance(node, dict) or isinstance(node.get("partition_id"), float):
            raise malformed(what, repr(node)[:60], f"a node is {', '.join(_NODE_KEYS)}")
        check_keys(node, what=f"node of {what}", keys=_NODE_KEYS)
    if document["digest"] != digest(facts):
        raise RefusalError(
            value=f"{what}: its digest does not fit what it says",
            rule="the digest is the sha256 of the facts, as federation answer wrote it",
            reason="the file was changed on its way, and a changed key lets somebody else in",
            remedy="do not use it; ask the zone's operator for the answer again, by another way",
        )
    return ZoneAnswer(
        **{name: facts[name] for name in _TEXTS if name != "written_at"},
        written_at=read_instant(facts["written_at"], what=f"written_at of {what}"),
        nodes=tuple(nodes),
        digest=digest(facts),
    )


def judge(
    answer: ZoneAnswer,
    *,
    zone: str,
    federation: str,
    flower_version: str,
    max_nodes: int,
    ca_fingerprint: str | None,
    what: str,
) -> ZoneRoll:
    """The nodes that an answer brings, if it is this zone's answer to this centre.

    Args:
        answer: From `read`.
        zone: The name under which the centre trusts the zone.
        federation: The centre's federation.
        flower_version: The centre's Flower version.
        max_nodes: How many nodes the zone may bring.
        ca_fingerprint: The centre's own CA; None for an answer that was accepted before, since a CA may be renewed.
        what: The answer's name, for messages.

    Raises:
        RefusalError: It is another zone's or for another federation, its zone runs another Flower or trusts another
            CA, or its nodes are malformed or carry foreign names. How many there are is for `enrol` to judge.
    """
    for name, given, wanted in (("federation", answer.federation, federation), ("zone", answer.zone, zone)):
        if given != wanted:
            raise RefusalError(
                value=f"{what}: {name} {given}",
                rule=f"it answers for {name} {wanted}",
                reason="each zone brings its own nodes into one federation, and its limit counts for it alone",
                remedy=f"ask for the answer of {zone} in {federation}, or correct zones in the central stack's file",
            )
    if answer.flower_version != check_version(flower_version, where="flowerVersion"):
        raise RefusalError(
            value=f"{what}: Flower {answer.flower_version}",
            rule=f"a zone runs the centre's Flower version, {flower_version}",
            reason="Flower accepts a mismatch silently and fails later, in the middle of a run",
            remedy=f"ask the zone's operator to set flowerVersion to {flower_version} and to answer again",
        )
    # During a rollover of the CA one side may know both and the other still one of them.
    if ca_fingerprint is not None and not set(answer.ca_fingerprint.split()) & set(ca_fingerprint.split()):
        raise RefusalError(
            value=f"{what}: trusts the CA {in_groups(answer.ca_fingerprint)}",
            rule=f"a zone trusts the CA of this centre, {in_groups(ca_fingerprint)}",
            reason="it was invited by somebody else, or somebody stands between the two of you",
            remedy="telephone the zone's operator and compare the fingerprints; send a new bundle if theirs is old",
        )
    claimed = {str(node["name"]): node["fingerprint"] for node in answer.nodes}
    roll = read_roll(
        zone=zone, stack=what, max_nodes=max_nodes, outputs={"zone": answer.zone, "nodes": list(answer.nodes)}
    )
    for node in roll.nodes:
        if claimed[node.name] != node.fingerprint:
            raise RefusalError(
                value=f"{what}: fingerprint {claimed[node.name]} of {node.name}",
                rule=f"a node's fingerprint is its key's, {node.fingerprint}",
                reason="operators compare fingerprints, and the centre enrols keys",
                remedy="do not use it; ask the zone's operator for the answer again, by another way",
            )
    return roll
