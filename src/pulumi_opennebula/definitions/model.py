"""What a property, a record, a resource and a function are; the one source of check, diff, schema, SDK and docs.

Holds no OpenNebula knowledge and calls nothing: the values are in the modules beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Scalar = Literal["string", "integer", "number", "boolean", "any"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """An object with named properties, such as one NIC of a template."""

    name: str
    """Type name in the schema, without package and module: `TemplateNic`."""
    properties: tuple[Property, ...]
    description: str = ""

    def get(self, name: str) -> Property | None:
        """The property called `name`, or None."""
        return next((item for item in self.properties if item.name == name), None)


@dataclass(frozen=True)
class ListOf:
    """An ordered list."""

    item: Type


@dataclass(frozen=True)
class MapOf:
    """A map from strings to one kind of value."""

    value: Type


Type = Scalar | Record | ListOf | MapOf


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a resource, of a nested record or of a function."""

    name: str
    """camelCase, as in the bridged package's schema."""
    type: Type
    description: str
    required: bool = False
    computed: bool = False
    """The cloud chooses a value where the program gives none; absence is then no difference."""
    output: bool = False
    """Set by the cloud only; refused as an input."""
    secret: bool = False
    """Always a secret in the state, whatever the program says."""
    follows: tuple[str, ...] = ()
    """Properties whose change changes this one, so that a preview of it does not know this one."""
    replace: bool = False
    """OpenNebula cannot change it in place: a change replaces the object."""
    local: bool = False
    """Only this provider uses it (timeouts, ...): it never reaches the cloud and is never read back."""
    unordered: bool = False
    """A list whose order means nothing to OpenNebula."""
    choices: tuple[str, ...] = ()
    """The values that OpenNebula takes; compared without regard to case."""
    default: str | int | float | bool | None = None
    """Sent when the program gives no value."""
    sorted_by: str = ""
    """A list of records whose order means something only among those that are equal in this property."""
    nocase: bool = False
    """OpenNebula stores the text in upper case, so that case is no difference."""
    nothing: str = ""
    """A value that says the same as absence."""
    json: bool = False
    """The text is JSON and is compared by meaning."""
    attribute: str = ""
    """Name of the attribute in OpenNebula's template text; the property's name in upper snake case where empty."""
    unsupported: str = ""
    """Why the property is refused, and what to use instead; empty where it is supported."""
    bridged: bool = True
    """Whether the bridged package has it."""

    @property
    def attribute_name(self) -> str:
        """Name of the attribute in OpenNebula's template text."""
        return self.attribute or self.python_name.upper()

    @property
    def python_name(self) -> str:
        """snake_case, as the SDK spells it."""
        return snake_case(self.name)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource type."""

    module: str
    """`virtualNetwork`: the middle of the token."""
    description: str
    properties: tuple[Property, ...]
    id_property: str
    """The output that repeats the object's number, `virtualNetworkId`."""
    unique_name: bool = True
    """OpenNebula refuses a second object with the same name, so a replacement must delete first."""
    import_id: str = "its number in the zone"
    """What `pulumi import` takes, in words."""
    import_example: str = "4"
    """Such an id."""
    replaced_when: tuple[str, ...] = ()
    """Changes that replace the object though no property says so, each as a phrase."""
    bridged: bool = True
    """Whether the bridged package has it."""

    @property
    def name(self) -> str:
        """`VirtualNetwork`."""
        return self.module[0].upper() + self.module[1:]

    @property
    def token(self) -> str:
        """`opennebula:index/virtualNetwork:VirtualNetwork`."""
        return f"opennebula:index/{self.module}:{self.name}"

    @property
    def inputs(self) -> tuple[Property, ...]:
        """What a program may give (the refused ones too, so that they are refused with a reason)."""
        return tuple(item for item in self.properties if not item.output)

    @property
    def record(self) -> Record:
        """The resource's properties as a record, for code that walks both alike."""
        return Record(name=self.name, properties=self.properties, description=self.description)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function that looks something up and changes nothing."""

    name: str
    """`getImage`."""
    description: str
    inputs: tuple[Property, ...]
    outputs: tuple[Property, ...] = field(default=())

    @property
    def token(self) -> str:
        """`opennebula:index/getImage:getImage`."""
        return f"opennebula:index/{self.name}:{self.name}"


def snake_case(name: str) -> str:
    """`networkId` -> `network_id`, `ip6Global` -> `ip6_global`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def records_of(type_: Type) -> Iterator[Record]:
    """Every record that a type mentions, inner ones first."""
    match type_:
        case Record():
            for item in type_.properties:
                yield from records_of(item.type)
            yield type_
        case ListOf():
            yield from records_of(type_.item)
        case MapOf():
            yield from records_of(type_.value)
        case _:
            return
