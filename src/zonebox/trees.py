"""Nested dicts that mirror OpenNebula's XML: copying, repeated elements, order. Knows no object kind.

A tree is a dict whose leaves are strings; a repeated element is a list of strings or of dicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Tree = dict[str, Any]


def clone(value: Any) -> Any:
    """A deep copy of a tree."""
    if isinstance(value, dict):
        return {key: clone(item) if isinstance(item, dict | list) else item for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) if isinstance(item, dict | list) else item for item in value]
    return value


def listed(tree: Mapping[str, Any], key: str) -> list[Any]:
    """The elements named `key`: none, one or many, always as a list."""
    value = tree.get(key)
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def vectors(tree: Mapping[str, Any], key: str) -> list[Tree]:
    """Those elements named `key` that are vectors."""
    return [item for item in listed(tree, key) if isinstance(item, dict)]


def put_listed(tree: Tree, key: str, items: Iterable[Any]) -> None:
    """Set the elements named `key`: none removes it, one is stored bare, as JSON and XML converters do."""
    values = list(items)
    if not values:
        tree.pop(key, None)
    elif len(values) == 1:
        tree[key] = values[0]
    else:
        tree[key] = values


def add_listed(tree: Tree, key: str, item: Any) -> None:
    """Append one element named `key`."""
    put_listed(tree, key, [*listed(tree, key), item])


def ordered(tree: Mapping[str, Any]) -> Tree:
    """A copy in alphabetical order at each level, as oned keeps the attributes of a template."""
    return {key: _ordered_value(tree[key]) for key in sorted(tree)}


def _ordered_value(value: Any) -> Any:
    if isinstance(value, dict):
        return ordered(value)
    if isinstance(value, list):
        return [_ordered_value(item) for item in value]
    return value


def text(tree: Mapping[str, Any], key: str, default: str = "") -> str:
    """The leaf named `key`, or the default where it is missing or a vector."""
    value = tree.get(key)
    if isinstance(value, list):
        value = value[-1] if value else None
    return value if isinstance(value, str) else default


def flag(tree: Mapping[str, Any], key: str) -> bool:
    """Whether the leaf says yes, in the ways that OpenNebula accepts."""
    return text(tree, key).upper() in {"YES", "Y", "TRUE", "1"}


def ids(tree: Mapping[str, Any]) -> list[int]:
    """The numbers of an id set such as {"ID": ["7", "8"]}."""
    return [int(item) for item in listed(tree, "ID")]


def id_set(numbers: Iterable[int]) -> Tree:
    """An id set, empty where there are no numbers."""
    tree: Tree = {}
    put_listed(tree, "ID", [str(number) for number in numbers])
    return tree
