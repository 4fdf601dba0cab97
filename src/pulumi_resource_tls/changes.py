"""What differs between a recorded resource and the program's inputs, and what must be replaced for it; pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pulumi_resource_tls.properties import Property, whole, with_defaults
from pulumi_resource_tls.renewal import is_due
from pulumi_resource_tls.resource_kind import ResourceKind
from pulumi_resource_tls.values import Inputs, Plain


class Move(Enum):
    """How a property differs."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One property that differs."""

    name: str
    move: Move
    replaces: bool
    is_input: bool = True


def changes(
    kind: ResourceKind, *, state: Inputs, inputs: Inputs, now: datetime, ignored: Collection[str] = ()
) -> list[Change]:
    """The differences, in the order of the property table; a due certificate adds `readyForRenewal`.

    Defaults count as given on both sides, so a state that the official plugin wrote shows no difference here.

    Args:
        kind: the resource's tables.
        state: its recorded outputs, which hold the inputs too.
        inputs: the program's inputs; an unknown one differs from anything known.
        now: the current instant, for renewal.
        ignored: names that the program asked to ignore.
    """
    before = with_defaults(kind.properties, state)
    after = with_defaults(kind.properties, inputs)
    found = [
        change
        for prop in kind.properties
        if prop.name not in ignored and (change := _change(prop, before.get(prop.name), after.get(prop.name)))
    ]
    replaced = any(change.replaces for change in found)
    if kind.renews and not replaced and is_due(state, early_renewal_hours=whole(after, "earlyRenewalHours"), now=now):
        found.append(Change(name="readyForRenewal", move=Move.UPDATE, replaces=True, is_input=False))
    return found


def _change(prop: Property, before: Plain, after: Plain) -> Change | None:
    old, new = _meaning(before), _meaning(after)
    if old == new or (new is None and prop.keeps):
        return None
    move = Move.ADD if old is None else Move.DELETE if new is None else Move.UPDATE
    return Change(name=prop.name, move=move, replaces=prop.replaces)


def _meaning(value: Plain) -> Plain:
    """Empty lists, and empty fields of a map, mean the same as absent ones."""
    if isinstance(value, dict):
        filled: dict[str, Plain] = {key: item for key, item in value.items() if item not in (None, "", [])}
        return filled or None
    return None if value == [] else value
