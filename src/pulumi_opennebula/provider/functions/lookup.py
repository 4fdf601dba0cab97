"""Functions that find the one object of a pool by id, name or tags: none or several are an error. They only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_opennebula.definitions.functions import (
    GET_CLUSTER,
    GET_DATASTORE,
    GET_GROUP,
    GET_HOST,
    GET_IMAGE,
    GET_MARKETPLACE,
    GET_SECURITY_GROUP,
    GET_VIRTUAL_NETWORK,
    GET_ZONE,
)
from pulumi_opennebula.definitions.model import Function
from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.templates import attributes_of, children, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import spelled_like, upper_keys
from pulumi_opennebula.provider.zone import EVERY, Zone


def nothing_more(body: Mapping[str, Any]) -> Values:
    """No properties beyond id, name and tags."""
    del body
    return {}


@dataclass(frozen=True, kw_only=True)
class Lookup(FunctionHandler):
    """A function that finds the one object of a pool."""

    definition: Function  # type: ignore[misc] # one class for all, so that it is no class variable here
    pool: str
    """Name of the pool in XML-RPC: `imagepool`."""
    element: str
    """Name of an object's element in the pool: `IMAGE`."""
    what: str
    """The kind of object in words."""
    more: Callable[[Mapping[str, Any]], Values] = nothing_more
    """Further properties of the object."""
    filtered: bool = True
    """Whether the pool's method takes a filter; those of objects that belong to nobody do not."""

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """Id, name, tags of the object, and what else the function says of it."""
        body = await zone.oned.info(f"{self.pool}.info", *(EVERY if self.filtered else ()))
        found, values = found_in(list(children(body, self.element)), arguments, self.what)
        return values | self.more(found)


def mtu_of(body: Mapping[str, Any]) -> Values:
    """MTU of a network; 0 where none is set."""
    text = text_at(body, "TEMPLATE", "MTU")
    return {"mtu": int(text) if text.isdigit() else 0}


def admins_of(body: Mapping[str, Any]) -> Values:
    """Ids of a group's administrators."""
    return {"admins": [int(item) for item in children(body, "ADMINS", "ID") if isinstance(item, str)]}


def endpoint_of(body: Mapping[str, Any]) -> Values:
    """URL of a zone's oned."""
    return {"endpoint": text_at(body, "TEMPLATE", "ENDPOINT")}


LOOKUPS: Final = (
    Lookup(definition=GET_IMAGE, pool="imagepool", element="IMAGE", what="image"),
    Lookup(definition=GET_VIRTUAL_NETWORK, pool="vnpool", element="VNET", what="virtual network", more=mtu_of),
    Lookup(definition=GET_SECURITY_GROUP, pool="secgrouppool", element="SECURITY_GROUP", what="security group"),
    Lookup(definition=GET_DATASTORE, pool="datastorepool", element="DATASTORE", what="datastore", filtered=False),
    Lookup(definition=GET_CLUSTER, pool="clusterpool", element="CLUSTER", what="cluster", filtered=False),
    Lookup(definition=GET_HOST, pool="hostpool", element="HOST", what="host", filtered=False),
    Lookup(definition=GET_MARKETPLACE, pool="marketpool", element="MARKETPLACE", what="marketplace"),
    Lookup(definition=GET_GROUP, pool="grouppool", element="GROUP", what="group", more=admins_of, filtered=False),
    Lookup(definition=GET_ZONE, pool="zonepool", element="ZONE", what="zone", more=endpoint_of, filtered=False),
)


def found_in(pool: Any, arguments: Values, what: str) -> tuple[Mapping[str, Any], Values]:
    """The one object that matches, and what the function returns of it.

    Raises:
        InputError: nothing to look for, none found, or several.
    """
    if all(arguments.get(name) is None for name in ("id", "name", "tags")):
        raise InputError(
            "id",
            "no argument is given",
            "one of id, name and tags is needed",
            f"otherwise every {what} would match",
            "Give id or name",
        )
    matching = [item for item in pool if isinstance(item, Mapping) and matches(item, arguments)]
    if len(matching) != 1:
        names = _names(matching) or "none"
        shown = {name: value for name, value in arguments.items() if value is not None}
        others = "" if matching else _with_the_tags(pool, arguments)
        raise InputError(
            "id",
            f"{what} with {shown}",
            "exactly one must match",
            f"those that match and that the user may see are: {names}{others}",
            "Correct the arguments, or create the object first",
        )
    (body,) = matching
    return body, {
        "id": int(text_at(body, "ID")),
        "name": text_at(body, "NAME"),
        "tags": tags_of(body, arguments),
    }


def _names(items: list[Mapping[str, Any]]) -> str:
    return ", ".join(f"{text_at(item, 'ID')} ({text_at(item, 'NAME')})" for item in items)


def _with_the_tags(pool: Any, arguments: Values) -> str:
    """Objects that have the tags, where name or id is another one's: what was meant is probably among them."""
    if not arguments.get("tags") or all(arguments.get(name) is None for name in ("id", "name")):
        return ""
    wanted = {"tags": arguments["tags"]}
    found = [item for item in pool if isinstance(item, Mapping) and matches(item, wanted)]
    return f"; with these tags there are: {_names(found) or 'none'}"


def matches(body: Mapping[str, Any], arguments: Values) -> bool:
    """Whether an object has the id, the name and the tags asked for."""
    if arguments.get("id") is not None and text_at(body, "ID") != str(arguments["id"]):
        return False
    if arguments.get("name") is not None and text_at(body, "NAME") != arguments["name"]:
        return False
    return has_tags(dict(attributes_of(body.get("TEMPLATE"))), arguments.get("tags"))


def has_tags(attributes: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether attributes hold every wanted one, names without regard to case."""
    upper = {key.upper(): value for key, value in attributes.items()}
    return all(upper.get(key.upper()) == value for key, value in (wanted or {}).items())


def tags_of(body: Mapping[str, Any], arguments: Values) -> Values | None:
    """The tags asked for, as the object has them."""
    wanted = arguments.get("tags")
    if wanted is None:
        return None
    attributes = {key: value for key, value in attributes_of(body.get("TEMPLATE")) if isinstance(value, str)}
    return spelled_like({key: value for key, value in attributes.items() if key.upper() in upper_keys(wanted)}, wanted)
