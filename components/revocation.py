"""Which nodes of a trusted zone the centre no longer lets in, by name or by key. Pure; it unregisters nobody itself.

By name keeps a node out whatever key it comes with; by fingerprint keeps one key out, and the node may come back with
another. Either way the SuperLink forgets nothing: an unregistered key can never be registered again (flwr 1.41.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from components.errors import RefusalError
from components.node_names import NODE
from components.roster import Node, ZoneRoll

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def check_revoked(entry: str, *, zone: str, where: str) -> str:
    """Return an entry of `revoked` if it is the name of a node of this zone, or a key's fingerprint.

    Raises:
        RefusalError: It is neither, so it would keep nobody out.
    """
    if _FINGERPRINT.fullmatch(entry) or re.fullmatch(f"{re.escape(zone)}/{NODE}", entry):
        return entry
    raise RefusalError(
        value=f"{where}: {entry!r}",
        rule=f"an entry is a node's name such as {zone}/supernode-1, or a fingerprint such as SHA256:nThbg6kXUpJ...",
        reason="a typing error would let in whom it was meant to keep out",
        remedy="copy it from the output registered_nodes of the central stack (pulumi stack output registered_nodes)",
    )


def keys_of(entries: Iterable[str]) -> tuple[str, ...]:
    """The fingerprints among entries of `revoked`: a key is kept out whichever zone brings it."""
    return tuple(entry for entry in entries if _FINGERPRINT.fullmatch(entry))


def without_revoked(roll: ZoneRoll, revoked: Sequence[str]) -> ZoneRoll:
    """The zone's nodes that are let in.

    Args:
        roll: What the zone brings.
        revoked: Names and fingerprints.
    """
    kept = tuple(node for node in roll.nodes if not is_revoked(node, revoked))
    return ZoneRoll(zone=roll.zone, max_nodes=roll.max_nodes, nodes=kept)


def is_revoked(node: Node, revoked: Sequence[str]) -> bool:
    """Whether an entry names this node or its key."""
    return node.name in revoked or node.fingerprint in revoked
