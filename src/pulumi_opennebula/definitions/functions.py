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


def as_outputs(record: Record, name: str) -> Record:
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
            type=ListOf(as_outputs(template.NIC, "getVirtualMachinesVirtualMachineNic")),
            description="Network cards, in order, with the addresses they have.",
        ),
        Property(
            name="nicAliases",
            type=ListOf(as_outputs(template.NIC_ALIAS, "getVirtualMachinesVirtualMachineNicAlias")),
            description="Further addresses on network cards.",
        ),
        Property(
            name="disks",
            type=ListOf(as_outputs(template.DISK, "getVirtualMachinesVirtualMachineDisk")),
            description="Disks, in order; the CONTEXT disk is not among them.",
        ),
        Property(
            name="vmgroups",
            type=ListOf(as_outputs(template.VM_GROUP, "getVirtualMachinesVirtualMachineVmgroup")),
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


def _lookup(name: str, what: str, *outputs: Property, tags: bool = True) -> Function:
    """A function that finds the one object of a pool."""
    inputs = LOOKUP_INPUTS if tags else tuple(item for item in LOOKUP_INPUTS if item.name != "tags")
    description = f"The one {what} that matches; none or several are an error."
    return Function(name=name, description=description, inputs=inputs, outputs=outputs)


GET_IMAGE = _lookup("getImage", "image")
GET_VIRTUAL_NETWORK = _lookup(
    "getVirtualNetwork",
    "virtual network",
    Property(name="mtu", type="integer", required=True, description="MTU of the bridge; 0 where none is set."),
)
GET_SECURITY_GROUP = _lookup("getSecurityGroup", "security group")
GET_DATASTORE = _lookup("getDatastore", "datastore")
GET_CLUSTER = _lookup("getCluster", "cluster")
GET_HOST = _lookup("getHost", "host")
GET_MARKETPLACE = _lookup("getMarketplace", "marketplace")
GET_GROUP = _lookup(
    "getGroup",
    "group",
    Property(name="admins", type=ListOf("integer"), required=True, description="Ids of the group's administrators."),
)
GET_ZONE = _lookup(
    "getZone",
    "zone",
    Property(name="endpoint", type="string", required=True, description="The zone's own URL of oned."),
    tags=False,
)
