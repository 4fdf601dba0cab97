"""Decides what differs between the state and new inputs, property by property. Asks no cloud and changes nothing.

Absence of a property that the cloud chooses by itself is no difference. Names of template attributes are compared
without regard to case, lists whose order means nothing without regard to order, JSON texts by meaning.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Type
from pulumi_opennebula.provider.values import Path, Unknown, Values

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class Kind(Enum):
    """What happens to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference."""

    path: Path
    kind: Kind
    replace: bool = False

    def replacing(self) -> Change:
        """The same difference, made by replacing the object."""
        return replace(self, replace=True)


def changes(record: Record, old: Values, new: Values) -> list[Change]:
    """The differences between a state and new inputs."""
    found: list[Change] = []
    for item in record.properties:
        if item.output:
            continue
        inside = _compare(item, item.type, old.get(item.name), new.get(item.name), (item.name,))
        found += [change.replacing() for change in inside] if item.replace else inside
    return found


def same(item: Property, type_: Type, old: Any, new: Any) -> bool:
    """Whether two values of a property mean the same."""
    return not _compare(item, type_, old, new, ())


def _compare(item: Property, type_: Type, old: Any, new: Any, path: Path) -> list[Change]:
    if isinstance(new, Unknown):
        return [Change(path=path, kind=Kind.ADD if old is None else Kind.UPDATE)]
    if new is None or old is None:
        return _absent(item, type_, old, new, path)
    match type_:
        case Record() if isinstance(old, Mapping) and isinstance(new, Mapping):
            found = _compare_record(type_, old, new, path)
        case MapOf() if isinstance(old, Mapping) and isinstance(new, Mapping):
            found = _compare_map(item, type_, old, new, path)
        case ListOf() if isinstance(old, list) and isinstance(new, list):
            compare = _compare_unordered if item.unordered else _compare_ordered
            found = compare(item, type_, old, new, path)
            if found and item.sorted_by and not compare(item, type_, _sorted(item, old), _sorted(item, new), path):
                found = []
        case _:
            found = [] if _equal(item, old, new) else [Change(path=path, kind=Kind.UPDATE)]
    return found


def _sorted(item: Property, values: list[Any]) -> list[Any]:
    """A list in the order that means something: equals in the sorting property keep theirs."""

    def rank(value: Any) -> str:
        return str(value.get(item.sorted_by)).upper() if isinstance(value, Mapping) else ""

    return sorted(values, key=rank)


def _absent(item: Property, type_: Type, old: Any, new: Any, path: Path) -> list[Change]:
    if item.nothing and item.nothing in {old, new}:
        return []
    if new is None:
        gone = old is None or item.computed or item.local or _empty(type_, old)
        return [] if gone else [Change(path=path, kind=Kind.DELETE)]
    if item.local and item.default == new:
        return []
    return [] if _empty(type_, new) and not item.computed else [Change(path=path, kind=Kind.ADD)]


def _compare_record(record: Record, old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> list[Change]:
    found: list[Change] = []
    for item in record.properties:
        if not item.output:
            found += _compare(item, item.type, old.get(item.name), new.get(item.name), (*path, item.name))
    return found


def _compare_map(
    item: Property, type_: MapOf, old: Mapping[str, Any], new: Mapping[str, Any], path: Path
) -> list[Change]:
    was = {key.upper(): (key, value) for key, value in old.items() if value is not None}
    found: list[Change] = []
    for key, value in new.items():
        if value is None:
            continue
        key_before, before = was.pop(key.upper(), (key, None))
        if before is None:
            found.append(Change(path=(*path, key), kind=Kind.ADD))
        elif isinstance(value, Unknown) or not same(item, type_.value, before, value):
            found.append(Change(path=(*path, key if key_before == key else key_before), kind=Kind.UPDATE))
    return found + [Change(path=(*path, key), kind=Kind.DELETE) for key, _ in was.values()]


def _compare_ordered(item: Property, type_: ListOf, old: list[Any], new: list[Any], path: Path) -> list[Change]:
    found: list[Change] = []
    for index, value in enumerate(new):
        if index >= len(old):
            found.append(Change(path=(*path, index), kind=Kind.ADD))
        else:
            found += _compare(item, type_.item, old[index], value, (*path, index))
    return found + [Change(path=(*path, index), kind=Kind.DELETE) for index in range(len(new), len(old))]


def _compare_unordered(item: Property, type_: ListOf, old: list[Any], new: list[Any], path: Path) -> list[Change]:
    _, added, removed = paired(item, type_, old, new)
    found: list[Change] = []
    for index in added:
        if index in removed and not isinstance(new[index], Unknown):
            removed.remove(index)
            found += _compare(item, type_.item, old[index], new[index], (*path, index))
        elif removed:
            removed.pop(0)
            found.append(Change(path=(*path, index), kind=Kind.UPDATE))
        else:
            found.append(Change(path=(*path, index), kind=Kind.ADD))
    return found + [Change(path=(*path, index), kind=Kind.DELETE) for index in removed]


def paired(
    item: Property, type_: ListOf, old: list[Any], new: list[Any]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Which elements of two unordered lists mean the same.

    Returns:
        Pairs of indexes (old, new), indexes of `new` without a partner, indexes of `old` without a partner.
    """
    removed = list(range(len(old)))
    pairs: list[tuple[int, int]] = []
    added: list[int] = []
    for index, value in enumerate(new):
        match = next(
            (other for other in removed if not isinstance(value, Unknown) and _matches(item, type_, old[other], value)),
            None,
        )
        if match is None:
            added.append(index)
        else:
            removed.remove(match)
            pairs.append((match, index))
    return pairs, added, removed


def _matches(item: Property, type_: ListOf, old: Any, new: Any) -> bool:
    """Whether an element of the state is the one that the program means."""
    return same(item, type_.item, old, new)


def _equal(item: Property, old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return bool(old) == bool(new)
    if isinstance(old, int | float) and isinstance(new, int | float):
        return float(old) == float(new)
    if item.json:
        return _same_json(old, new)
    if item.choices or item.nocase:
        return str(old).upper() == str(new).upper()
    return bool(old == new) or same_address(old, new)


def same_address(old: Any, new: Any) -> bool:
    """Whether two texts are the same IPv6 or MAC address: oned writes them in its own way."""
    if not (isinstance(old, str) and isinstance(new, str) and ":" in old and ":" in new):
        return False
    try:
        return ipaddress.IPv6Address(old) == ipaddress.IPv6Address(new)
    except ValueError:
        return bool(_MAC.fullmatch(old)) and old.lower() == new.lower()


def _same_json(old: Any, new: Any) -> bool:
    if old == new:
        return True
    try:
        return bool(json.loads(old) == json.loads(new))
    except (TypeError, ValueError):
        return False


def _empty(type_: Type, value: Any) -> bool:
    """An empty text, list, map or object says no more than absence; a false switch neither."""
    return value in ("", False) if isinstance(type_, str) else not value
