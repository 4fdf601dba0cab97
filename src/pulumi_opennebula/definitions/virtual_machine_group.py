"""Definition of VirtualMachineGroup: which VMs share hosts, and which never do. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, Property, Record, Resource

NO_POLICY = "NONE"
ROLE = Record(
    name="VirtualMachineGroupRole",
    description="VMs that are placed alike. A VM or a VM template names the role in its `vmgroup`.",
    properties=(
        Property(name="name", type="string", required=True, description="Name of the role."),
        Property(
            name="policy",
            type="string",
            computed=True,
            choices=("NONE", "AFFINED", "ANTI_AFFINED"),
            description="`AFFINED`: all on one host. `ANTI_AFFINED`: each on a host of its own. `NONE` where absent.",
        ),
        Property(
            name="hostAffineds",
            type=ListOf("integer"),
            attribute="HOST_AFFINED",
            unordered=True,
            description="Ids of the only hosts that may run the role's VMs.",
        ),
        Property(
            name="hostAntiAffineds",
            type=ListOf("integer"),
            attribute="HOST_ANTI_AFFINED",
            unordered=True,
            description="Ids of hosts that never run the role's VMs.",
        ),
        Property(
            name="id", type="integer", output=True, attribute="ID", description="Number of the role in its group."
        ),
    ),
)

VIRTUAL_MACHINE_GROUP = Resource(
    module="virtualMachineGroup",
    description="A VM group: keeps VMs of its roles together, apart, or on certain hosts.",
    id_property="virtualMachineGroupId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        Property(
            name="roles",
            type=ListOf(ROLE),
            required=True,
            unordered=True,
            description="The roles. They change in place; OpenNebula removes a role only while it has no VMs.",
        ),
        common.PERMISSIONS,
        common.GROUP,
        common.TAGS,
        common.template_sections("VirtualMachineGroup"),
        common.object_id("virtualMachineGroupId", "VM group"),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)
