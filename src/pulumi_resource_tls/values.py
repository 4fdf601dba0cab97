"""Plain Python values to and from the engine's PropertyValue; refuses values that no `tls` property can hold.

Three habits of pulumi.provider.experimental (SDK 3.272.0, observed 2026-11-24) live here only: numbers must be
floats, unknowns arrive and must leave as a sentinel *string* (`PropertyValue.computed()` cannot be marshalled), and a
secret wraps the value that it protects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN as _SENTINEL

from pulumi_resource_tls.errors import InvalidPropertyError


class Unknown:
    """The type of UNKNOWN: a value that only exists after something else was created."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()

Plain: TypeAlias = "bool | int | float | str | Unknown | list[Plain] | dict[str, Plain] | None"
Inputs: TypeAlias = Mapping[str, Plain]


def plain(name: str, value: PropertyValue) -> Plain:
    """Take the wrappers off: secrets become their value, sentinels become UNKNOWN, whole numbers become int.

    Raises:
        InvalidPropertyError: for assets, archives and resource references.
    """
    content = value.value
    if isinstance(content, Computed) or content == _SENTINEL:
        return UNKNOWN
    if content is None or isinstance(content, bool | str):
        return content
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if isinstance(content, Mapping):
        return {key: plain(f"{name}.{key}", item) for key, item in content.items()}
    if isinstance(content, Sequence):
        items = cast(Sequence[PropertyValue], content)
        return [plain(f"{name}[{index}]", item) for index, item in enumerate(items)]
    raise InvalidPropertyError(
        name,
        value=f"a {type(content).__name__}",
        rule="tls properties are texts, numbers, booleans, lists and maps",
        reason="certificates are made from text",
        remedy="pass the file's content instead of an asset, for example pathlib.Path(...).read_text()",
    )


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Plain]:
    """All properties of a resource without wrappers; null ones and the bridge's own (`__defaults`) are left out."""
    return {
        name: content
        for name, value in values.items()
        if not name.startswith("__") and (content := plain(name, value)) is not None
    }


def wrap(value: Plain, *, secret: bool = False) -> PropertyValue:
    """The engine's form of a plain value.

    Args:
        value: what to send.
        secret: whether the engine must encrypt it in the state and hide it in output.
    """
    return PropertyValue(_content(value), is_secret=secret)


def _content(value: Plain) -> bool | float | str | list[PropertyValue] | dict[str, PropertyValue] | None:
    if isinstance(value, Unknown):
        return _SENTINEL
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return [wrap(item) for item in value]


def any_unknown(value: Plain) -> bool:
    """Whether a value is unknown, or holds something unknown at any depth."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, dict):
        return any(any_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(any_unknown(item) for item in value)
    return False
