"""The zones that a centre's stack file trusts, as far as commands need them; the program judges the same keys.

It never makes sense of a broken file: the program's settings do that, with all mistakes at once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.zone_answer import ANSWERS_FOLDER


@dataclass(frozen=True, kw_only=True)
class TrustedZone:
    """An entry of `zones`."""

    name: str
    stack: str | None
    """Short name of its stack; None for a zone that answers with a file."""
    answer: Path
    """Where its accepted answer is, or will be."""
    max_nodes: int


def trusted_zones(config: Mapping[str, Any], root: Path) -> tuple[TrustedZone, ...]:
    """The entries of `zones`.

    Args:
        config: A stack's configuration, without the project's prefix.
        root: What relative paths of it are relative to.
    """
    return tuple(
        TrustedZone(
            name=str(entry["name"]),
            stack=None if entry.get("stack") is None else str(entry["stack"]).rpartition("/")[2],
            answer=root / str(entry.get("answer") or f"{ANSWERS_FOLDER}/{entry['name']}.json"),
            max_nodes=int(entry.get("maxNodes", 0)),
        )
        for entry in config.get("zones") or ()
    )


def answered_fingerprints(zones: tuple[TrustedZone, ...], *, revoked: Collection[str] = ()) -> tuple[str, ...]:
    """Fingerprints of nodes in accepted answers. A file that cannot be read counts as none: the program refuses it.

    Args:
        zones: Zones that answer with a file; those with a stack are passed over.
        revoked: Names and fingerprints of nodes that the centre lets in no longer.
    """
    found: list[str] = []
    for zone in zones:
        if zone.stack is None and zone.answer.is_file():
            try:
                nodes = json.loads(zone.answer.read_text(encoding="utf-8"))["facts"]["nodes"]
                found += [
                    str(node["fingerprint"])
                    for node in nodes
                    if node["fingerprint"] not in revoked and node.get("name") not in revoked
                ]
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return tuple(found)
