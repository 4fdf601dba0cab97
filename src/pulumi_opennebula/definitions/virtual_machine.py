"""Definition of VirtualMachine: a VM of its own, from a VM template or from what the program says. Calls nothing.

Cards and disks share their properties with Template's; a VM adds what the cloud chose (`computed...`) and the numbers
that attach and detach go by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pulumi_opennebula.definitions import common, template
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource, Scalar

COMPUTED_PREFIX: Final = "computed"
"""Outputs of this prefix repeat an attribute as the cloud has it."""
NIC_COMPUTED: Final = (
    "name", "ip", "ip6", "ip6Global", "ip6Link", "ip6Ula", "mac", "dns", "gateway", "method", "securityGroups",
    "model", "virtioQueues", "physicalDevice",
)  # fmt: skip
ALIAS_COMPUTED: Final = (
    "name", "parent", "network", "networkId", "ip", "ip6", "ip6Global", "ip6Link", "ip6Ula", "mac", "dns", "gateway",
    "securityGroups",
)  # fmt: skip
DISK_COMPUTED: Final = ("size", "target", "driver", "devPrefix", "cache", "discard", "io", "volatileFormat")


def _computed(record: Record, names: tuple[str, ...]) -> tuple[Property, ...]:
    found = []
    for name in names:
        item = record.get(name)
        assert item is not None, name
        found.append(
            replace(
                item,
                name=f"{COMPUTED_PREFIX}{name[0].upper()}{name[1:]}",
                attribute=item.attribute_name,
                required=False,
                output=True,
                description=f"`{name}`, as the cloud has it.",
            )
        )
    return tuple(found)


def _number(
    name: str, description: str, attribute: str = "", kind: Scalar = "integer", follows: tuple[str, ...] = ()
) -> Property:
    return Property(name=name, type=kind, output=True, description=description, attribute=attribute, follows=follows)


_NIC_NUMBERS: Final = (
    _number("nicId", "Number of the card in its VM."),
    _number("computedAliasIds", "Numbers of the aliases on the card.", "ALIAS_IDS", "string"),
)
_ALIAS_NUMBERS: Final = (
    _number("nicId", "Number of the alias in its VM."),
    _number("computedAliasId", "Number of the alias on its card.", "ALIAS_ID"),
    _number("computedParentId", "Number of the card that carries it.", "PARENT_ID"),
    _number("computedMethod", "`method`, as the cloud has it.", "METHOD", "string"),
)
NIC = Record(
    name="VirtualMachineNic",
    description="A network card. A change detaches it and attaches another while the VM runs.",
    properties=(*template.NIC.properties, *_NIC_NUMBERS, *_computed(template.NIC, NIC_COMPUTED)),
)
NIC_ALIAS = Record(
    name="VirtualMachineNicAlias",
    description="A further address on a network card.",
    properties=(
        *template.NIC_ALIAS.properties,
        *_ALIAS_NUMBERS,
        *_computed(template.NIC_ALIAS, ALIAS_COMPUTED),
    ),
)
DISK = Record(
    name="VirtualMachineDisk",
    description="A disk: of an image, or volatile. It grows in place; other changes detach it and attach another.",
    properties=(
        *template.DISK.properties,
        _number("diskId", "Number of the disk in its VM."),
        *_computed(template.DISK, DISK_COMPUTED),
    ),
)


def _of_template(name: str, record: Record, kept: tuple[str, ...]) -> Record:
    """What a VM shows of a card or disk that its template brought: nothing that a program could set."""
    return Record(
        name=name,
        description="As the VM's template brought it; the program's own list replaces all of them.",
        properties=tuple(
            replace(item, output=True, computed=False, required=False)
            for item in record.properties
            if item.output or item.name in kept
        ),
    )


TEMPLATE_NIC = _of_template("VirtualMachineTemplateNic", NIC, ("network", "networkId"))
TEMPLATE_NIC_ALIAS = _of_template("VirtualMachineTemplateNicAlias", NIC_ALIAS, ("network", "networkId", "parent"))
TEMPLATE_DISK = _of_template("VirtualMachineTemplateDisk", DISK, ("imageId",))


def _named(record: Record, name: str, *computed: str) -> Record:
    """A record of Template under a VM's own type name."""
    properties = tuple(replace(item, computed=item.name in computed) for item in record.properties)
    return Record(name=name, description=record.description, properties=properties)


OS = _named(template.OS, "VirtualMachineOs", "uuid")
GRAPHICS = _named(template.GRAPHICS, "VirtualMachineGraphics", "port")
CPU_MODEL = _named(template.CPU_MODEL, "VirtualMachineCpumodel")
RAW = _named(template.RAW, "VirtualMachineRaw")
VM_GROUP = _named(template.VM_GROUP, "VirtualMachineVmgroup")
ON_DISK_CHANGE: Final = ("SWAP", "RECREATE")

VIRTUAL_MACHINE = Resource(
    module="virtualMachine",
    description="A virtual machine: made, waited for until it runs, changed while it runs, terminated.",
    id_property="virtualMachineId",
    # Names of VMs may repeat, but what a VM holds may not: addresses, persistent images, capacity of the last host.
    unique_name=True,
    replaced_when=(
        "with `onDiskChange` `RECREATE`: a disk that changes or goes",
        "`pending` from false to true",
        "a first `context` for a VM that was made without one and without `templateId`",
    ),
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(
            name="templateId",
            type="integer",
            replace=True,
            description=(
                "Id of the VM template to make the VM from. What the program gives as well wins over the template's; "
                "CONTEXT is merged key by key."
            ),
        ),
        Property(
            name="pending",
            type="boolean",
            default=False,
            description="Make the VM on hold: it is not started. Setting it to false later releases it.",
        ),
        Property(
            name="cpu",
            type="number",
            computed=True,
            description="Share of a physical CPU, such as 0.5; needed without `templateId`. A change restarts the VM.",
        ),
        Property(
            name="vcpu",
            type="integer",
            computed=True,
            description="CPUs that the guest sees. A change restarts the VM.",
        ),
        Property(
            name="memory",
            type="integer",
            computed=True,
            description="Memory in MB; needed without `templateId`. A change restarts the VM.",
        ),
        Property(
            name="context",
            type=MapOf("string"),
            description=(
                "CONTEXT variables of the guest, over the template's. A change reaches the running guest. A value that "
                "the program marks as a secret is a secret in the state, too."
            ),
        ),
        Property(name="nics", attribute="NIC", type=ListOf(NIC), description="Network cards, in order."),
        Property(
            name="nicAliases",
            attribute="NIC_ALIAS",
            type=ListOf(NIC_ALIAS),
            description="Further addresses on network cards.",
        ),
        Property(name="disks", attribute="DISK", type=ListOf(DISK), description="Disks, in order."),
        Property(name="os", type=OS, description="How the guest boots; a change counts from the next boot on."),
        Property(name="graphics", type=GRAPHICS, description="Console; a change counts from the next boot on."),
        Property(
            name="cpumodel",
            attribute="CPU_MODEL",
            type=CPU_MODEL,
            description="CPU that the guest sees; a change counts from the next boot on.",
        ),
        Property(name="raw", type=RAW, description="Text for the hypervisor; a change counts from the next boot on."),
        Property(
            name="vmgroup",
            type=VM_GROUP,
            replace=True,
            description="Role of a VM group, for affinity: OpenNebula joins VMs to one only when it makes them.",
        ),
        Property(name="schedRequirements", type="string", description="Expression that hosts must satisfy."),
        Property(name="schedDsRequirements", type="string", description="Expression that datastores must satisfy."),
        Property(
            name="onDiskChange",
            type="string",
            local=True,
            choices=ON_DISK_CHANGE,
            description=(
                "`SWAP` (where absent): a disk that changes or goes is detached while the VM runs. `RECREATE`: the VM "
                "is replaced instead. Further disks and larger ones never replace."
            ),
        ),
        Property(
            name="keepNicOrder",
            type="boolean",
            local=True,
            description=(
                "Whether a change keeps the cards' order in the VM as in the program: what comes after a changed card "
                "is attached again."
            ),
        ),
        Property(
            name="hardShutdown",
            type="boolean",
            local=True,
            description="Whether the VM is powered off without asking the guest; needed for guests without ACPI.",
        ),
        Property(
            name="timeout",
            type="integer",
            local=True,
            description="Longest wait for the VM in minutes; `timeouts` wins over it.",
        ),
        common.PERMISSIONS,
        common.GROUP,
        common.LOCK,
        common.TAGS,
        common.template_sections("VirtualMachine"),
        common.timeouts("VirtualMachine", "create", "update", "delete"),
        common.object_id("virtualMachineId", "VM"),
        _number("state", "STATE of the VM by OpenNebula's numbers; 3 is ACTIVE."),
        _number("lcmstate", "LCM_STATE of the VM by OpenNebula's numbers; 3 is RUNNING."),
        *(
            _number(name, f"{text} address of the first card that has one.", kind="string", follows=("nics",))
            for name, text in (
                ("ip", "IPv4"),
                ("ip6", "IPv6"),
                ("ip6Global", "IPv6 global"),
                ("ip6Link", "IPv6 link-local"),
                ("ip6Ula", "IPv6 unique local"),
            )
        ),
        Property(
            name="templateNics",
            type=ListOf(TEMPLATE_NIC),
            output=True,
            follows=("nics",),
            description="Cards that the template brought.",
        ),
        Property(
            name="templateNicAliases",
            type=ListOf(TEMPLATE_NIC_ALIAS),
            output=True,
            follows=("nicAliases",),
            description="Aliases that the template brought.",
        ),
        Property(
            name="templateDisks",
            type=ListOf(TEMPLATE_DISK),
            output=True,
            follows=("disks",),
            description="Disks that the template brought.",
        ),
        Property(
            name="templateTags",
            type=MapOf("string"),
            output=True,
            description="Attributes that the template brought.",
        ),
        Property(
            name="templateSectionNames",
            type=MapOf("string"),
            output=True,
            description="Names of the vectors that the template brought; the values are empty.",
        ),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)
