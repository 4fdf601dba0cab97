"""Property tables: what a resource takes and gives, and the checks that follow from that; no cryptography here.

The tables of the four resources follow the classes of pulumi_tls 5.6.2; tests/parity compares them with the SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.values import Inputs, Plain, Unknown, any_unknown


class Type(Enum):
    """The types that properties of this package have."""

    TEXT = "a text"
    WHOLE = "a whole number"
    FLAG = "true or false"
    TEXTS = "a list of texts"
    SUBJECT = "a subject (a map)"


@dataclass(frozen=True, kw_only=True)
class Property:
    """One input property."""

    name: str
    type: Type
    required: bool = False
    default: Plain = None
    """What an absent value means. It is stored with the outputs, not with the inputs, as the official provider does."""
    secret: bool = False
    replaces: bool = True
    """Whether a change makes a new resource; otherwise it is an update in place."""
    keeps: bool = False
    """Whether an absent value means "as it is": leaving it out later changes nothing."""
    refused: bool = False
    """Known to the SDK, refused here: a write-only variant of a key property."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """One computed property."""

    name: str
    type: Type
    secret: bool = False


def write_only(key: str) -> tuple[Property, Property]:
    """The `…Wo` and `…WoVersion` pair beside a key property; both are refused."""
    return (
        Property(name=f"{key}Wo", type=Type.TEXT, secret=True, refused=True),
        Property(name=f"{key}WoVersion", type=Type.WHOLE, refused=True),
    )


def check_shape(properties: Iterable[Property], inputs: Inputs) -> list[InvalidPropertyError]:
    """Names, types and presence of a resource's inputs. Unknown values pass: they are checked once they are known."""
    known = {prop.name: prop for prop in properties}
    problems = [_unexpected(name, known) for name in inputs if name not in known]
    for name, prop in known.items():
        value = inputs.get(name)
        if value is None:
            if prop.required:
                problems.append(_missing(name))
        elif prop.refused:
            problems.append(_write_only(name))
        elif not any_unknown(value) and not _fits(prop.type, value):
            problems.append(_wrong_type(prop, value))
    return problems


def with_defaults(properties: Iterable[Property], inputs: Inputs) -> dict[str, Plain]:
    """The inputs with each absent one replaced by its default, where it has one."""
    filled = dict(inputs)
    for prop in properties:
        if filled.get(prop.name) is None and prop.default is not None:
            filled[prop.name] = prop.default
    return filled


def text(inputs: Inputs, name: str) -> str:
    """A text input that `check_shape` has passed; absent is the empty text."""
    value = inputs.get(name)
    return value if isinstance(value, str) else ""


def whole(inputs: Inputs, name: str) -> int:
    """A whole-number input that `check_shape` has passed; absent is 0."""
    value = inputs.get(name)
    return value if isinstance(value, int) else 0


def flag(inputs: Inputs, name: str) -> bool:
    """A boolean input that `check_shape` has passed; absent is False."""
    return inputs.get(name) is True


def texts(inputs: Inputs, name: str) -> list[str]:
    """A list input that `check_shape` has passed; absent is the empty list, unknown entries are left out."""
    value = inputs.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def known(inputs: Inputs, *names: str) -> bool:
    """Whether all of these inputs are present and known."""
    return all(inputs.get(name) is not None and not any_unknown(inputs[name]) for name in names)


def within(inputs: Inputs, name: str, allowed: range, *, reason: str) -> list[InvalidPropertyError]:
    """The problem of a known number outside a range; empty where there is none."""
    value = inputs.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value in allowed:
        return []
    return [
        InvalidPropertyError(
            name,
            value=str(value),
            rule=f"{allowed.start} to {allowed.stop - 1}",
            reason=reason,
            remedy=f"set {name} to a number in that range on this resource",
        )
    ]


def _fits(kind: Type, value: Plain) -> bool:
    if kind is Type.TEXT:
        return isinstance(value, str)
    if kind is Type.WHOLE:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is Type.FLAG:
        return isinstance(value, bool)
    if kind is Type.TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, Mapping)


def _describe(value: Plain) -> str:
    if isinstance(value, Unknown):
        return "unknown"
    return f"of type {type(value).__name__}"


def _unexpected(name: str, known: Mapping[str, Property]) -> InvalidPropertyError:
    return InvalidPropertyError(
        name,
        value="given",
        rule=f"the properties are {', '.join(sorted(known))}",
        reason="pulumi_tls 5.6 has no other, and a misspelt one would be ignored in silence",
        remedy="remove it, or spell it as in that list",
    )


def _missing(name: str) -> InvalidPropertyError:
    return InvalidPropertyError(
        name,
        value="absent",
        rule="it is required",
        reason="the resource cannot be made without it",
        remedy=f"set {name} on this resource",
    )


def _write_only(name: str) -> InvalidPropertyError:
    plain_name = name.removesuffix("Version").removesuffix("Wo")
    return InvalidPropertyError(
        name,
        value="given",
        rule="write-only properties are not served by this plugin",
        reason="Pulumi keeps every input in the state, encrypted, so a write-only variant would keep nothing out of it",
        remedy=f"pass the key as {plain_name}, which is a secret in the state, or use the official tls plugin",
    )


def _wrong_type(prop: Property, value: Plain) -> InvalidPropertyError:
    return InvalidPropertyError(
        prop.name,
        value=_describe(value),
        rule=f"it is {prop.type.value}",
        reason="a value of another type would be guessed at",
        remedy=f"convert it where {prop.name} is set; Config.require_int and require_bool read numbers and booleans",
    )
