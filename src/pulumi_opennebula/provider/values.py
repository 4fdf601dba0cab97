"""Between the engine's PropertyValue and plain Python: unknowns and secrets are kept, wrappers are not.

Pulumi 3.272's experimental package cannot hold integers, passes unknowns as a magic string and has no way to send one;
the rest of the provider sees dicts, lists, scalars and `UNKNOWN`, beside a set of paths that are secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime import rpc

Path = tuple[str | int, ...]
Values = dict[str, Any]
Secrets = frozenset[Path]


IMPORTED: Final = "__imported"
"""In the state of an object that was adopted: some of its inputs nobody can know."""
FAILED: Final = "__failed"
"""In the state of an object that was made and ended in an error state: the next `up` replaces it."""
UNREAD: Final = "__unread"
"""In the state of an object that could not be read after it was made or changed: what it has, only the cloud knows."""


class Unknown:
    """A value that is known only after other resources were made."""

    def __repr__(self) -> str:
        return "<known after the update>"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown()


def is_unknown(value: Any) -> bool:
    """Whether a value, or anything in it, is not known yet."""
    match value:
        case Unknown():
            return True
        case Mapping():
            return any(is_unknown(item) for item in value.values())
        case str():
            return False
        case Sequence():
            return any(is_unknown(item) for item in value)
        case _:
            return False


def plain(values: Mapping[str, PropertyValue]) -> tuple[Values, Secrets]:
    """Plain values, and the paths that are secrets."""
    secrets: set[Path] = set()
    return {name: _plain(item, (name,), secrets) for name, item in values.items()}, frozenset(secrets)


def wrapped(values: Mapping[str, Any], secrets: Secrets) -> dict[str, PropertyValue]:
    """PropertyValues again; what is None is left out."""
    return {name: _wrapped(item, (name,), secrets) for name, item in values.items() if item is not None}


def is_secret(path: Path, secrets: Secrets) -> bool:
    """Whether a path lies in a secret, or holds one."""
    return any(path[: len(secret)] == secret or secret[: len(path)] == path for secret in secrets)


def path_text(path: Path) -> str:
    """`nics[0].networkId`, `context["a.b"]`: the engine's spelling of a path."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not step.replace("_", "a").isalnum():
            text += '["' + step.replace('"', '\\"') + '"]'
        else:
            text += ("." if text else "") + step
    return text


def _plain(value: PropertyValue, path: Path, secrets: set[Path]) -> Any:
    if value.is_secret:
        secrets.add(path)
    found: Any = value.value
    if isinstance(found, Computed) or found == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, Mapping):
        return {name: _plain(item, (*path, name), secrets) for name, item in found.items()}
    if isinstance(found, Sequence) and not isinstance(found, str):
        return [_plain(item, (*path, index), secrets) for index, item in enumerate(found)]
    return found


def _wrapped(value: Any, path: Path, secrets: Secrets) -> PropertyValue:
    secret = path in secrets
    match value:
        case Unknown():
            return PropertyValue(rpc.UNKNOWN, is_secret=secret)
        case bool() | None | str():
            return PropertyValue(value, is_secret=secret)
        case int() | float():
            return PropertyValue(float(value), is_secret=secret)
        case Mapping():
            items = {name: _wrapped(item, (*path, name), secrets) for name, item in value.items() if item is not None}
            return PropertyValue(items, is_secret=secret)
        case Sequence():
            return PropertyValue(
                [_wrapped(item, (*path, index), secrets) for index, item in enumerate(value)], is_secret=secret
            )
        case _:
            return PropertyValue(value, is_secret=secret)
