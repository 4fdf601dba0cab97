"""`${role.PATH}` in a role's template: values of a parent's VM put in place. It makes no VM and changes no document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from zonebox.ports import Body

_REFERENCE: Final = re.compile(r"\$\{(.*?)\}")

Nodes = Callable[[str], Iterable[Body] | None]
"""Gives the VMs of a parent role, oldest first, or None where the role is no parent."""


def substitute(value: Any, nodes_of: Nodes) -> Any:
    """A copy of a template with every reference replaced.

    What is not found is replaced by nothing (observed: OneFlow 7.0.1 reports no error).

    Args:
        value: a template, or a part of it.
        nodes_of: the VMs of parent roles.
    """
    if isinstance(value, Mapping):
        return {key: substitute(item, nodes_of) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, nodes_of) for item in value]
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _resolve(match.group(1), nodes_of), value)
    return value


def parents_named(value: Any) -> set[str]:
    """The roles that a template refers to."""
    if isinstance(value, Mapping):
        return set().union(*(parents_named(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(parents_named(item) for item in value))
    if isinstance(value, str):
        return {match.group(1).split(".")[0] for match in _REFERENCE.finditer(value)}
    return set()


def _resolve(reference: str, nodes_of: Nodes) -> str:
    role, *path = reference.split(".")
    wanted = [part.upper() for part in path]
    for vm in nodes_of(role) or ():
        found = find(vm, wanted)
        if found is not None:
            return found
    return ""


def find(tree: Any, path: list[str]) -> str | None:
    """The first leaf at `path`, wherever in the tree the path starts (XPath's `//A/B`).

    Args:
        tree: a VM, or a part of it.
        path: element names; an empty path finds nothing.
    """
    if not path:
        return None
    if isinstance(tree, list):
        return next((hit for item in tree if (hit := find(item, path)) is not None), None)
    if not isinstance(tree, Mapping):
        return None
    for key, value in tree.items():
        hit = _follow(value, path[1:]) if key == path[0] else None
        if hit is None:
            hit = find(value, path)
        if hit is not None:
            return hit
    return None


def _follow(value: Any, path: list[str]) -> str | None:
    if isinstance(value, list):
        return next((hit for item in value if (hit := _follow(item, path)) is not None), None)
    if not path:
        return value if isinstance(value, str) else None
    return _follow(value.get(path[0]), path[1:]) if isinstance(value, Mapping) else None
