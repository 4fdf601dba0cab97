"""Which SuperNodes the centre lets in: the nodes that trusted zones export, checked against what each may bring.

It never shortens a list to make it fit: one node too many, or one name, key or partition twice, and nobody is enrolled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.errors import RefusalError
from components.node_names import MAX_PARTITION, NODE
from pulumi_flower.errors import FlowerError
from pulumi_flower.keys import parse_openssh


@dataclass(frozen=True, kw_only=True)
class Node:
    """A SuperNode as its zone exports it."""

    name: str
    """`<zone>/<role>-<n>`."""
    public_key: str
    """OpenSSH public key line without comment."""
    fingerprint: str
    """`SHA256:...`, as ssh-keygen prints it."""
    partition_id: int

    def exported(self) -> dict[str, Any]:
        """The node as an entry of the stack output `nodes`."""
        return {
            "name": self.name,
            "public_key": self.public_key,
            "fingerprint": self.fingerprint,
            "partition_id": self.partition_id,
        }


@dataclass(frozen=True, kw_only=True)
class ZoneRoll:
    """What one trusted zone brings."""

    zone: str
    max_nodes: int
    nodes: tuple[Node, ...]


def make_node(*, name: str, public_key: str, partition_id: int) -> Node:
    """A node with its key in canonical form and its fingerprint computed.

    Raises:
        RefusalError: The key is no ECDSA key on a NIST curve.
    """
    try:
        key = parse_openssh(public_key)
    except FlowerError as error:
        raise RefusalError(
            value=f"public key of {name}: {public_key[:32]!r}",
            rule="a SuperNode's key is one OpenSSH line of an ECDSA key on a NIST curve",
            reason="Flower knows its nodes by such keys and refuses any other",
            remedy=f"look at FL_NODE_PUBKEY and FL_ERROR of {name}'s VM (onevm show), and let OneFlow replace the VM",
        ) from error
    return Node(name=name, public_key=key.openssh, fingerprint=key.fingerprint, partition_id=partition_id)


def read_roll(*, zone: str, stack: str, max_nodes: int, outputs: Mapping[str, Any] | None) -> ZoneRoll:
    """Read a trusted zone's `nodes` output, which another operator's stack wrote.

    Args:
        zone: The name under which the centre trusts the zone.
        stack: Full name of its stack, for messages.
        max_nodes: How many nodes it may bring.
        outputs: The stack's outputs; None where there is no such stack yet. An empty stack brings no nodes either.

    Raises:
        RefusalError: The stack is another zone's or says nothing of nodes, or its nodes are malformed or carry foreign
            names.
    """
    if not outputs:
        return ZoneRoll(zone=zone, max_nodes=max_nodes, nodes=())
    claimed = outputs.get("zone")
    if claimed != zone:
        raise RefusalError(
            value=f"zones: {zone} with stack {stack}",
            rule=f"the stack of a trusted zone exports its name: zone = {zone!r}, but this one says {claimed!r}",
            reason="a zone's nodes carry its name, and its limit counts for it alone",
            remedy="correct name or stack of this entry of `zones` in the centre's stack file",
        )
    if "nodes" not in outputs:
        # Not "none": a registration that is deleted is deleted for good, so nobody is put out for a missing word.
        raise _malformed(stack, "no such output, or a secret one")
    entries = outputs["nodes"]
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise _malformed(stack, repr(entries)[:60])
    return ZoneRoll(zone=zone, max_nodes=max_nodes, nodes=tuple(_read_node(zone, stack, entry) for entry in entries))


def enrol(rolls: Sequence[ZoneRoll]) -> tuple[Node, ...]:
    """All nodes that are let in, sorted by name.

    Raises:
        RefusalError: A zone brings more nodes than it may, or two nodes share a name, a key or a partition.
    """
    for roll in rolls:
        if len(roll.nodes) > roll.max_nodes:
            raise RefusalError(
                value=f"nodes of {roll.zone}: {len(roll.nodes)}",
                rule=f"the centre lets {roll.zone} bring at most {roll.max_nodes}",
                reason="the limit is what the federation agreed on; nobody is enrolled until it holds",
                remedy="scale the zone down, or raise its maxNodes under `zones` in the centre's stack file",
            )
    nodes = sorted((node for roll in rolls for node in roll.nodes), key=lambda node: node.name)
    _refuse_twice(nodes, "name", [node.name for node in nodes], "list each zone once under `zones`")
    _refuse_twice(
        nodes, "key", [node.fingerprint for node in nodes], "terminate one of the two VMs: keys are not copied"
    )
    _refuse_twice(
        nodes,
        "partition",
        [str(node.partition_id) for node in nodes],
        "give each zone a partitionBase of its own, 1000 apart, in its stack file",
    )
    return tuple(nodes)


def check_renamed(nodes: Sequence[Node], registered: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a node whose key the SuperLink knows under another name.

    Args:
        nodes: From `enrol`.
        registered: The centre's output `registered_nodes`, as its last update left it.

    Raises:
        RefusalError: A name has changed and its key has not.
    """
    names = {str(entry.get("fingerprint")): str(entry.get("name")) for entry in registered}
    for node in nodes:
        name = names.get(node.fingerprint, node.name)
        if name != node.name:
            raise RefusalError(
                value=f"node {node.name}: its key {node.fingerprint} is registered as {name}",
                rule="a key has one name for as long as it is registered",
                reason="Flower renames no registration, and a key that is unregistered to make way never comes back",
                remedy=f"let the node be called {name} again (name under `zones`, zone in its stack file), or let it "
                "make a new key: federation rekey, or nodeKeyEpochs in its zone's stack file",
            )


def _refuse_twice(nodes: Sequence[Node], what: str, values: Sequence[str], remedy: str) -> None:
    seen: dict[str, str] = {}
    for node, value in zip(nodes, values, strict=True):
        if value in seen:
            raise RefusalError(
                value=f"{what} {value} of {seen[value]} and {node.name}",
                rule=f"each SuperNode has a {what} of its own",
                reason="two nodes with one would be taken for each other, or train on the same rows",
                remedy=remedy,
            )
        seen[value] = node.name


def _read_node(zone: str, stack: str, entry: Any) -> Node:
    if not isinstance(entry, Mapping):
        raise _malformed(stack, repr(entry)[:60])
    name, public_key, partition = (entry.get(key) for key in ("name", "public_key", "partition_id"))
    # Numbers of stack outputs come back as floats from the engine.
    whole = isinstance(partition, int | float) and not isinstance(partition, bool) and partition % 1 == 0
    if not isinstance(name, str) or not isinstance(public_key, str) or not whole or not 0 <= partition < MAX_PARTITION:  # type: ignore[operator]
        raise _malformed(stack, repr(entry)[:60])
    if re.fullmatch(f"{re.escape(zone)}/{NODE}", name) is None:
        raise RefusalError(
            value=f"node name: {name}",
            rule=f"a node of {zone} is called {zone}/<role>-<n>, n without leading zeros",
            reason="a zone must not bring nodes under another zone's name",
            remedy=f"correct the program that wrote stack {stack}, or stop trusting it under `zones`",
        )
    return make_node(name=name, public_key=public_key, partition_id=int(partition))  # type: ignore[arg-type]


def _malformed(stack: str, what: str) -> RefusalError:
    return RefusalError(
        value=f"nodes of {stack}: {what}",
        rule="`nodes` is a list of name, public_key, fingerprint and partition_id",
        reason="the centre enrols exactly what it can read",
        remedy="run pulumi up on the zone's stack with this program's version, or correct its entry of `zones`",
    )
