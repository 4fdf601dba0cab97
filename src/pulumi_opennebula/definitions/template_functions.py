"""Definitions of getTemplate and getTemplates. Calls nothing."""

from __future__ import annotations

from dataclasses import replace

from pulumi_opennebula.definitions import template
from pulumi_opennebula.definitions.functions import LOOKUP_INPUTS, as_outputs
from pulumi_opennebula.definitions.model import Function, ListOf, MapOf, Property, Record

SIZES = (
    Property(name="cpu", type="number", description="Share of a physical CPU."),
    Property(name="vcpu", type="integer", description="CPUs that the guest sees."),
    Property(name="memory", type="integer", description="Memory in MB."),
)
SIZE_INPUTS = (
    *(replace(item, description=f"{item.description[:-1]}, that the template must have.") for item in SIZES),
    *(
        Property(
            name=f"has{item.name.capitalize()}",
            type="boolean",
            description=f"Whether the template must set `{item.name}` (true) or must not (false).",
        )
        for item in SIZES
    ),
)


def _content(owner: str, *, required: bool) -> tuple[Property, ...]:
    """What a template is made of."""
    return tuple(
        Property(
            name=name,
            type=ListOf(as_outputs(record, f"{owner}{suffix}")),
            required=required,
            description=description,
        )
        for name, suffix, record, description in (
            ("nics", "Nic", template.NIC, "Network cards, in order."),
            ("nicAliases", "NicAlias", template.NIC_ALIAS, "Further addresses on network cards."),
            ("disks", "Disk", template.DISK, "Disks, in order."),
            ("vmgroups", "Vmgroup", template.VM_GROUP, "Role of a VM group."),
        )
    )


ENTRY = Record(
    name="getTemplatesTemplate",
    description="A VM template.",
    properties=(
        Property(name="id", type="integer", description="Number of the template."),
        Property(name="name", type="string", description="Name of the template."),
        *SIZES,
        Property(name="registerDate", type="integer", description="When it was registered, in Unix seconds."),
        Property(name="tags", type=MapOf("string"), description="Attributes that no other property covers."),
        *_content("getTemplatesTemplate", required=False),
    ),
)
GET_TEMPLATE = Function(
    name="getTemplate",
    description="The one VM template that matches; none or several are an error.",
    inputs=(*LOOKUP_INPUTS, *SIZE_INPUTS),
    outputs=_content("getTemplate", required=True),
)
GET_TEMPLATES = Function(
    name="getTemplates",
    description="VM templates that match every criterion given. None matching is an empty list.",
    inputs=(
        Property(
            name="id",
            type="string",
            description="Identifies this look-up.",
            unsupported="it is an output that only identifies the look-up; one template by number is getTemplate's",
        ),
        Property(
            name="nameRegex", type="string", description="Regular expression that the name must contain a match of."
        ),
        Property(name="tags", type=MapOf("string"), description="Attributes that the template must have."),
        *SIZE_INPUTS,
        Property(
            name="sortOn",
            type="string",
            choices=("id", "name", "cpu", "vcpu", "memory", "register_date"),
            description="`id` (where absent), `name`, `cpu`, `vcpu`, `memory` or `register_date`.",
        ),
        Property(
            name="order", type="string", choices=("ASC", "DESC"), description="`ASC` or `DESC`; `ASC` where absent."
        ),
    ),
    outputs=(
        Property(name="id", type="string", required=True, description="Identifies this look-up."),
        Property(name="templates", type=ListOf(ENTRY), required=True, description="The templates that match, sorted."),
    ),
)
