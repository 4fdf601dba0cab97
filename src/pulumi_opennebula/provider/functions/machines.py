"""getVirtualMachines: VMs by name, attributes and size. None matching is an empty list, and no VM is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from pulumi_opennebula.definitions import template
from pulumi_opennebula.definitions.functions import GET_VIRTUAL_MACHINES
from pulumi_opennebula.definitions.model import Record
from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.functions.lookup import has_tags
from pulumi_opennebula.provider.templates import attributes_of, children, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import number_of, record_of
from pulumi_opennebula.provider.zone import EVERY, Zone

NOT_DONE: Final = -1
"""State filter of the VM pool: every state except DONE (OpenNebula XML-RPC reference)."""


class GetVirtualMachines(FunctionHandler):
    """The function getVirtualMachines."""

    definition = GET_VIRTUAL_MACHINES

    async def call(self, zone: Zone, arguments: Values) -> Values:
        """The VMs that match, sorted."""
        pattern = pattern_of(arguments.get("nameRegex"))
        pool = await zone.oned.info("vmpool.infoextended", *EVERY, NOT_DONE, "")
        machines = [machine_of(item) for item in children(pool, "VM") if isinstance(item, Mapping)]
        found = [item for item in machines if matches(item, arguments, pattern)]
        return {
            **arguments,
            "id": sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest(),
            "virtualMachines": sorted_by(found, (arguments.get("sortOn") or "id").lower(), arguments.get("order")),
        }


def machine_of(body: Mapping[str, Any]) -> Values:
    """What the function says of one VM."""
    content = body.get("TEMPLATE")
    user = {key: value for key, value in attributes_of(body.get("USER_TEMPLATE")) if isinstance(value, str)}
    return {
        "id": int(text_at(body, "ID") or -1),
        "name": text_at(body, "NAME"),
        "cpu": number_of(text_at(body, "TEMPLATE", "CPU")),
        "vcpu": number_of(text_at(body, "TEMPLATE", "VCPU")),
        "memory": number_of(text_at(body, "TEMPLATE", "MEMORY")),
        "tags": user,
        "nics": records_of(content, "NIC", template.NIC),
        "nicAliases": records_of(content, "NIC_ALIAS", template.NIC_ALIAS),
        "disks": records_of(content, "DISK", template.DISK),
        "vmgroups": records_of(content, "VMGROUP", template.VM_GROUP),
    }


def matches(machine: Values, arguments: Values, pattern: re.Pattern[str] | None) -> bool:
    """Whether a VM meets every criterion given."""
    if pattern is not None and not pattern.search(machine["name"]):
        return False
    sizes = all(
        machine[name] == arguments[name] for name in ("cpu", "vcpu", "memory") if arguments.get(name) is not None
    )
    return sizes and has_tags(machine["tags"], arguments.get("tags"))


def sorted_by(machines: list[Values], key: str | None, order: str | None) -> list[Values]:
    """VMs by a property, ids breaking ties; VMs without the property first."""
    name = key or "id"

    def rank(machine: Values) -> tuple[bool, Any, int]:
        value = machine[name]
        return (value is not None, "" if value is None and name == "name" else value or 0, machine["id"])

    return sorted(machines, key=rank, reverse=(order or "ASC").upper() == "DESC")


def records_of(content: Any, name: str, record: Record) -> list[Values]:
    """The vectors of a name in a TEMPLATE as records."""
    return [record_of(record, vector) for vector in children(content, name) if isinstance(vector, dict)]


def pattern_of(text: str | None) -> re.Pattern[str] | None:
    """The compiled `nameRegex`. Raises InputError where it is none."""
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as err:
        raise InputError(
            "nameRegex",
            f"nameRegex is {text!r}",
            "it must be a regular expression",
            str(err),
            "Correct it; write a literal bracket as \\( or \\)",
        ) from err
