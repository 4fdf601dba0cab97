"""What the provider needs to know of each resource type: its tables, and two functions. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.properties import Output, Property
from pulumi_resource_tls.sources import Sources
from pulumi_resource_tls.values import Inputs, Plain


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource just made."""

    id: str
    outputs: dict[str, Plain]
    """The computed properties; the inputs are added by the provider."""


@dataclass(frozen=True, kw_only=True)
class ResourceKind:
    """One resource type."""

    token: str
    properties: tuple[Property, ...]
    outputs: tuple[Output, ...]
    rules: Callable[[Inputs], Iterator[InvalidPropertyError]]
    """Problems of inputs whose shape is right; must skip what is unknown."""
    make: Callable[[Inputs, Sources], Created]
    """Makes the resource from complete, checked inputs with defaults."""
    renews: bool = False
    """Whether it expires: it is replaced once its early-renewal time has come."""
