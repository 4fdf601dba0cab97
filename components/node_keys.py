"""When a SuperNode makes a new key: only when its zone's operator says so, by counting its epoch up. Pure.

A key that the centre has unregistered can never be registered again (flwr 1.41.0), so a node that comes back needs
another one. It does not make one by itself: a node that was put out, and could come back under a new key at once, was
never out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from components.errors import RefusalError
from components.node_names import NODE

_NODE = re.compile(NODE)
_MOST = 10_000


def parse_epochs(entries: Sequence[str], *, where: str, role: str) -> dict[str, int]:
    """Epochs out of settings.

    Args:
        entries: `supernode-1:2` says that the node `berlin/supernode-1` was told twice to make a new key.
        where: Their name, for messages.
        role: The pool's role, with which each of its nodes' names begins.

    Raises:
        RefusalError: An entry is malformed or another role's, or a node is there twice.
    """
    found: dict[str, int] = {}
    for entry in entries:
        node, _, count = entry.partition(":")
        whole = re.fullmatch("[1-9][0-9]{0,4}", count) is not None and int(count) <= _MOST
        named = _NODE.fullmatch(node) is not None and node.rpartition("-")[0] == role
        if not named or not whole or node in found:
            raise RefusalError(
                value=f"{where}: {entry!r}",
                rule=f"a node's name without its zone and a count from 1 to {_MOST}, such as {role}-1:1",
                reason="each time that the count grows, that node makes a new key and forgets its old one",
                remedy=f"correct {where} in the zone's stack file, or let federation rekey write it",
            )
        found[node] = int(count)
    return found


def render_epochs(epochs: Mapping[str, int]) -> str:
    """The epochs as CONTEXT carries them: `supernode-0:1 supernode-2:3`."""
    return " ".join(f"{node}:{epoch}" for node, epoch in sorted(epochs.items()))
