"""Definitions of the functions (data sources). Calls nothing."""

from __future__ import annotations

from dataclasses import replace

from pulumi_opennebula.definitions import template
from pulumi_opennebula.definitions.model import Function, ListOf, MapOf, Property, Record

LOOKUP_INPUTS = (
    Property(name="id", type="integer", description="Number of the object."),
    Property(name="name", type="string", description="Name of the object."),
    Property(name="tags", type=MapOf("string"), description="Attributes that the object's template must have."),
)


def _as_outputs(record: Record, name: str) -> Record:
    """The same record under another name, as a function returns it: nothing in it is required."""
    return Record(
        name=name,
        description=record.description,
        properties=tuple(replace(item, required=False) for item in record.properties),
    )


MACHINE = Record(
    name="getVirtualMachinesVirtualMachine",
    description="A virtual machine.",
    properties=(
        Property(name="id", type="integer", description="Number of the VM."),
        Property(name="name", type="string", description="Name; OneFlow's are `role_0_(service_15)`."),
        Property(name="cpu", type="number", description="Share of a physical CPU."),
        Property(name="vcpu", type="integer", description="CPUs that the guest sees."),
        Property(name="memory", type="integer", description="Memory in MB."),
        Property(
            name="tags",
            type=MapOf("string"),
            description="Attributes of the user template, names in upper case; what a VM says through OneGate is here.",
        ),
        Property(
            name="nics",
            type=ListOf(_as_outputs(template.NIC, "getVirtualMachinesVirtualMachineNic")),
            description="Network cards, in order, with the addresses they have.",
        ),
        Property(
            name="nicAliases",
            type=ListOf(_as_outputs(template.NIC_ALIAS, "getVirtualMachinesVirtualMachineNicAlias")),
            description="Further addresses on network cards.",
        ),
        Property(
            name="disks",
            type=ListOf(_as_outputs(template.DISK, "getVirtualMachinesVirtualMachineDisk")),
            description="Disks, in order; the CONTEXT disk is not among them.",
        ),
        Property(
            name="vmgroups",
            type=ListOf(_as_outputs(template.VM_GROUP, "getVirtualMachinesVirtualMachineVmgroup")),
            description="Role of a VM group.",
        ),
    ),
)

GET_VIRTUAL_MACHINES_INPUTS = (
    Property(
        name="id",
        type="string",
        description="Identifies this look-up.",
        unsupported="it is an output that only identifies the look-up; a VM is found by nameRegex or tags",
    ),
    Property(
        name="nameRegex", type="string", description="Regular expression that the VM's name must contain a match of."
    ),
    Property(
        name="tags",
        type=MapOf("string"),
        description="Attributes that the VM's user template must have, with these values.",
    ),
    Property(name="cpu", type="number", description="CPU share that the VM must have."),
    Property(name="vcpu", type="integer", description="Number of CPUs that the VM must have."),
    Property(name="memory", type="integer", description="Memory in MB that the VM must have."),
    Property(
        name="sortOn",
        type="string",
        choices=("id", "name", "cpu", "vcpu", "memory"),
        description="What to sort by: `id`, `name`, `cpu`, `vcpu` or `memory`; `id` where absent.",
    ),
    Property(name="order", type="string", choices=("ASC", "DESC"), description="`ASC` or `DESC`; `ASC` where absent."),
)

GET_VIRTUAL_MACHINES = Function(
    name="getVirtualMachines",
    description=(
        "Virtual machines that match every criterion given. None matching is an empty list here (the bridged package "
        "fails), because a service that is scaled to nothing is no mistake."
    ),
    inputs=GET_VIRTUAL_MACHINES_INPUTS,
    outputs=(
        Property(name="id", type="string", required=True, description="Identifies this look-up."),
        Property(
            name="virtualMachines", type=ListOf(MACHINE), required=True, description="The VMs that match, sorted."
        ),
    ),
)
GET_IMAGE = Function(
    name="getImage",
    description="The one image that matches; none or several are an error.",
    inputs=LOOKUP_INPUTS,
)
GET_VIRTUAL_NETWORK = Function(
    name="getVirtualNetwork",
    description="The one virtual network that matches; none or several are an error.",
    inputs=LOOKUP_INPUTS,
    outputs=(
        Property(name="mtu", type="integer", required=True, description="MTU of the bridge; 0 where none is set."),
    ),
)
