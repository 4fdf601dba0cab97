"""getTemplate and getTemplates: VM templates by id, name, tags and size. No template is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from pulumi_opennebula.definitions import template
from pulumi_opennebula.definitions.template_functions import GET_TEMPLATE, GET_TEMPLATES
from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.functions.lookup import found_in, has_tags
from pulumi_opennebula.provider.functions.machines import pattern_of, records_of, sorted_by
from pulumi_opennebula.provider.resources.template import OWNED
from pulumi_opennebula.provider.templates import attributes_of, children, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import number_of
from pulumi_opennebula.provider.zone import EVERY, Zone

SIZES: Final = ("cpu", "vcpu", "memory")
SORT_KEYS: Final = {"register_date": "registerDate"}
"""Names to sort by that are spelled unlike the property."""


class GetTemplate(FunctionHandler):
    """The function getTemplate."""

    definition = GET_TEMPLATE

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """The one template."""
        pool = await _pool(zone)
        sized = [body for body in pool if sizes_match(template_of(body), arguments)]
        body, found = found_in(sized, arguments, "VM template")
        entry = template_of(body)
        content = {name: entry[name] for name in ("nics", "nicAliases", "disks", "vmgroups", *SIZES)}
        return {**arguments, **found, **content}


class GetTemplates(FunctionHandler):
    """The function getTemplates."""

    definition = GET_TEMPLATES

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """The templates that match, sorted."""
        pattern = pattern_of(arguments.get("nameRegex"))
        entries = [template_of(body) for body in await _pool(zone)]
        found = [item for item in entries if matches(item, arguments, pattern)]
        key = (arguments.get("sortOn") or "id").lower()
        return {
            **arguments,
            "id": sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest(),
            "templates": sorted_by(found, SORT_KEYS.get(key, key), arguments.get("order")),
        }


def template_of(body: Mapping[str, Any]) -> Values:
    """What the functions say of one template."""
    content = body.get("TEMPLATE")
    return {
        "id": int(text_at(body, "ID") or -1),
        "name": text_at(body, "NAME"),
        "cpu": number_of(text_at(body, "TEMPLATE", "CPU")),
        "vcpu": number_of(text_at(body, "TEMPLATE", "VCPU")),
        "memory": number_of(text_at(body, "TEMPLATE", "MEMORY")),
        "registerDate": int(text_at(body, "REGTIME") or 0),
        "tags": {
            key: value for key, value in attributes_of(content) if isinstance(value, str) and key not in OWNED.taken
        },
        "nics": records_of(content, "NIC", template.NIC),
        "nicAliases": records_of(content, "NIC_ALIAS", template.NIC_ALIAS),
        "disks": records_of(content, "DISK", template.DISK),
        "vmgroups": records_of(content, "VMGROUP", template.VM_GROUP),
    }


def matches(entry: Values, arguments: Values, pattern: re.Pattern[str] | None) -> bool:
    """Whether a template meets every criterion given."""
    if pattern is not None and not pattern.search(entry["name"]):
        return False
    return sizes_match(entry, arguments) and has_tags(entry["tags"], arguments.get("tags"))


def sizes_match(entry: Values, arguments: Values) -> bool:
    """Whether a template's sizes are those asked for, and set or left open as asked for."""
    for name in SIZES:
        wanted, set_ = arguments.get(name), arguments.get(f"has{name.capitalize()}")
        if wanted is not None and entry[name] != wanted:
            return False
        if set_ is not None and (entry[name] is not None) is not set_:
            return False
    return True


async def _pool(zone: Zone) -> list[Mapping[str, Any]]:
    body = await zone.oned.info("templatepool.info", *EVERY)
    return [item for item in children(body, "VMTEMPLATE") if isinstance(item, Mapping)]
