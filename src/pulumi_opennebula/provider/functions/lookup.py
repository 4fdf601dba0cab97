"""getImage and getVirtualNetwork: the one object of a pool that matches. None or several are an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_opennebula.definitions.functions import GET_IMAGE, GET_VIRTUAL_NETWORK
from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.templates import attributes_of, children, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import spelled_like, upper_keys
from pulumi_opennebula.provider.zone import EVERY, Zone


class GetImage(FunctionHandler):
    """The function getImage."""

    definition = GET_IMAGE

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """Id, name and tags of the image."""
        pool = await zone.oned.info("imagepool.info", *EVERY)
        return found_in(children(pool, "IMAGE"), arguments, "image")[1]


class GetVirtualNetwork(FunctionHandler):
    """The function getVirtualNetwork."""

    definition = GET_VIRTUAL_NETWORK

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """Id, name, tags and MTU of the network."""
        pool = await zone.oned.info("vnpool.info", *EVERY)
        body, found = found_in(children(pool, "VNET"), arguments, "virtual network")
        mtu = text_at(body, "TEMPLATE", "MTU")
        return {**found, "mtu": int(mtu) if mtu.isdigit() else 0}


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
        names = ", ".join(f"{text_at(item, 'ID')} ({text_at(item, 'NAME')})" for item in matching) or "none"
        shown = {name: value for name, value in arguments.items() if value is not None}
        raise InputError(
            "id",
            f"{what} with {shown}",
            "exactly one must match",
            f"those that match and that the user may see are: {names}",
            "Correct the arguments, or create the object first",
        )
    (body,) = matching
    return body, {
        "id": int(text_at(body, "ID")),
        "name": text_at(body, "NAME"),
        "tags": tags_of(body, arguments),
    }


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
