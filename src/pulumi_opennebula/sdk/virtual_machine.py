"""VirtualMachine: a virtual machine: made, waited for until it runs, changed while it runs, terminated.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments
from pulumi_opennebula.sdk.virtual_machine_inputs import (
    VirtualMachineCpumodelArgs,
    VirtualMachineDiskArgs,
    VirtualMachineGraphicsArgs,
    VirtualMachineNicAliasArgs,
    VirtualMachineNicArgs,
    VirtualMachineOsArgs,
    VirtualMachineRawArgs,
    VirtualMachineTemplateSectionArgs,
    VirtualMachineTimeoutsArgs,
    VirtualMachineVmgroupArgs,
)
from pulumi_opennebula.sdk.virtual_machine_outputs import (
    VirtualMachineCpumodel,
    VirtualMachineDisk,
    VirtualMachineGraphics,
    VirtualMachineNic,
    VirtualMachineNicAlias,
    VirtualMachineOs,
    VirtualMachineRaw,
    VirtualMachineTemplateDisk,
    VirtualMachineTemplateNic,
    VirtualMachineTemplateNicAlias,
    VirtualMachineTemplateSection,
    VirtualMachineTimeouts,
    VirtualMachineVmgroup,
)

__all__ = ["VirtualMachine", "VirtualMachineArgs"]


@arguments
class VirtualMachineArgs:
    """What a VirtualMachine is made of."""

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    template_id: pulumi.Input[int] | None = pulumi.property("templateId", default=None)
    """Id of the VM template to make the VM from. What the program gives as well wins over the template's; CONTEXT is
    merged key by key.
    """
    pending: pulumi.Input[bool] | None = pulumi.property("pending", default=None)
    """Make the VM on hold: it is not started. Setting it to false later releases it."""
    cpu: pulumi.Input[float] | None = pulumi.property("cpu", default=None)
    """Share of a physical CPU, such as 0.5; needed without `templateId`. A change restarts the VM."""
    vcpu: pulumi.Input[int] | None = pulumi.property("vcpu", default=None)
    """CPUs that the guest sees. A change restarts the VM."""
    memory: pulumi.Input[int] | None = pulumi.property("memory", default=None)
    """Memory in MB; needed without `templateId`. A change restarts the VM."""
    context: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("context", default=None)
    """CONTEXT variables of the guest, over the template's. A change reaches the running guest. A value that the program
    marks as a secret is a secret in the state, too.
    """
    nics: pulumi.Input[list[pulumi.InputType[VirtualMachineNicArgs]]] | None = pulumi.property("nics", default=None)
    """Network cards, in order."""
    nic_aliases: pulumi.Input[list[pulumi.InputType[VirtualMachineNicAliasArgs]]] | None = pulumi.property(
        "nicAliases", default=None
    )
    """Further addresses on network cards."""
    disks: pulumi.Input[list[pulumi.InputType[VirtualMachineDiskArgs]]] | None = pulumi.property("disks", default=None)
    """Disks, in order."""
    os: pulumi.Input[pulumi.InputType[VirtualMachineOsArgs]] | None = pulumi.property("os", default=None)
    """How the guest boots; a change counts from the next boot on."""
    graphics: pulumi.Input[pulumi.InputType[VirtualMachineGraphicsArgs]] | None = pulumi.property(
        "graphics", default=None
    )
    """Console; a change counts from the next boot on."""
    cpumodel: pulumi.Input[pulumi.InputType[VirtualMachineCpumodelArgs]] | None = pulumi.property(
        "cpumodel", default=None
    )
    """CPU that the guest sees; a change counts from the next boot on."""
    raw: pulumi.Input[pulumi.InputType[VirtualMachineRawArgs]] | None = pulumi.property("raw", default=None)
    """Text for the hypervisor; a change counts from the next boot on."""
    vmgroup: pulumi.Input[pulumi.InputType[VirtualMachineVmgroupArgs]] | None = pulumi.property("vmgroup", default=None)
    """Role of a VM group, for affinity: OpenNebula joins VMs to one only when it makes them."""
    sched_requirements: pulumi.Input[str] | None = pulumi.property("schedRequirements", default=None)
    """Expression that hosts must satisfy."""
    sched_ds_requirements: pulumi.Input[str] | None = pulumi.property("schedDsRequirements", default=None)
    """Expression that datastores must satisfy."""
    on_disk_change: pulumi.Input[str] | None = pulumi.property("onDiskChange", default=None)
    """`SWAP` (where absent): a disk that changes or goes is detached while the VM runs. `RECREATE`: the VM is replaced
    instead. Further disks and larger ones never replace.
    """
    keep_nic_order: pulumi.Input[bool] | None = pulumi.property("keepNicOrder", default=None)
    """Whether a change keeps the cards' order in the VM as in the program: what comes after a changed card is attached
    again.
    """
    hard_shutdown: pulumi.Input[bool] | None = pulumi.property("hardShutdown", default=None)
    """Whether the VM is powered off without asking the guest; needed for guests without ACPI."""
    timeout: pulumi.Input[int] | None = pulumi.property("timeout", default=None)
    """Longest wait for the VM in minutes; `timeouts` wins over it."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Input[str] | None = pulumi.property("lock", default=None)
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[VirtualMachineTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Input[pulumi.InputType[VirtualMachineTimeoutsArgs]] | None = pulumi.property(
        "timeouts", default=None
    )
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class VirtualMachine(OpenNebulaResource):
    """A virtual machine: made, waited for until it runs, changed while it runs, terminated.

    Arguments are those of `VirtualMachineArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/virtualMachine:VirtualMachine"
    arguments_type = VirtualMachineArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    template_id: pulumi.Output[int | None] = pulumi.property("templateId")
    """Id of the VM template to make the VM from. What the program gives as well wins over the template's; CONTEXT is
    merged key by key.
    """
    pending: pulumi.Output[bool] = pulumi.property("pending")
    """Make the VM on hold: it is not started. Setting it to false later releases it."""
    cpu: pulumi.Output[float] = pulumi.property("cpu")
    """Share of a physical CPU, such as 0.5; needed without `templateId`. A change restarts the VM."""
    vcpu: pulumi.Output[int] = pulumi.property("vcpu")
    """CPUs that the guest sees. A change restarts the VM."""
    memory: pulumi.Output[int] = pulumi.property("memory")
    """Memory in MB; needed without `templateId`. A change restarts the VM."""
    context: pulumi.Output[dict[str, str] | None] = pulumi.property("context")
    """CONTEXT variables of the guest, over the template's. A change reaches the running guest. A value that the program
    marks as a secret is a secret in the state, too.
    """
    nics: pulumi.Output[list[VirtualMachineNic] | None] = pulumi.property("nics")
    """Network cards, in order."""
    nic_aliases: pulumi.Output[list[VirtualMachineNicAlias] | None] = pulumi.property("nicAliases")
    """Further addresses on network cards."""
    disks: pulumi.Output[list[VirtualMachineDisk] | None] = pulumi.property("disks")
    """Disks, in order."""
    os: pulumi.Output[VirtualMachineOs | None] = pulumi.property("os")
    """How the guest boots; a change counts from the next boot on."""
    graphics: pulumi.Output[VirtualMachineGraphics | None] = pulumi.property("graphics")
    """Console; a change counts from the next boot on."""
    cpumodel: pulumi.Output[VirtualMachineCpumodel | None] = pulumi.property("cpumodel")
    """CPU that the guest sees; a change counts from the next boot on."""
    raw: pulumi.Output[VirtualMachineRaw | None] = pulumi.property("raw")
    """Text for the hypervisor; a change counts from the next boot on."""
    vmgroup: pulumi.Output[VirtualMachineVmgroup | None] = pulumi.property("vmgroup")
    """Role of a VM group, for affinity: OpenNebula joins VMs to one only when it makes them."""
    sched_requirements: pulumi.Output[str | None] = pulumi.property("schedRequirements")
    """Expression that hosts must satisfy."""
    sched_ds_requirements: pulumi.Output[str | None] = pulumi.property("schedDsRequirements")
    """Expression that datastores must satisfy."""
    on_disk_change: pulumi.Output[str | None] = pulumi.property("onDiskChange")
    """`SWAP` (where absent): a disk that changes or goes is detached while the VM runs. `RECREATE`: the VM is replaced
    instead. Further disks and larger ones never replace.
    """
    keep_nic_order: pulumi.Output[bool | None] = pulumi.property("keepNicOrder")
    """Whether a change keeps the cards' order in the VM as in the program: what comes after a changed card is attached
    again.
    """
    hard_shutdown: pulumi.Output[bool | None] = pulumi.property("hardShutdown")
    """Whether the VM is powered off without asking the guest; needed for guests without ACPI."""
    timeout: pulumi.Output[int | None] = pulumi.property("timeout")
    """Longest wait for the VM in minutes; `timeouts` wins over it."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Output[str | None] = pulumi.property("lock")
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[VirtualMachineTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Output[VirtualMachineTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    virtual_machine_id: pulumi.Output[str] = pulumi.property("virtualMachineId")
    """Number of the VM in its zone, as a string."""
    state: pulumi.Output[int] = pulumi.property("state")
    """STATE of the VM by OpenNebula's numbers; 3 is ACTIVE."""
    lcmstate: pulumi.Output[int] = pulumi.property("lcmstate")
    """LCM_STATE of the VM by OpenNebula's numbers; 3 is RUNNING."""
    ip: pulumi.Output[str] = pulumi.property("ip")
    """IPv4 address of the first card that has one."""
    ip6: pulumi.Output[str] = pulumi.property("ip6")
    """IPv6 address of the first card that has one."""
    ip6_global: pulumi.Output[str] = pulumi.property("ip6Global")
    """IPv6 global address of the first card that has one."""
    ip6_link: pulumi.Output[str] = pulumi.property("ip6Link")
    """IPv6 link-local address of the first card that has one."""
    ip6_ula: pulumi.Output[str] = pulumi.property("ip6Ula")
    """IPv6 unique local address of the first card that has one."""
    template_nics: pulumi.Output[list[VirtualMachineTemplateNic]] = pulumi.property("templateNics")
    """Cards that the template brought."""
    template_nic_aliases: pulumi.Output[list[VirtualMachineTemplateNicAlias]] = pulumi.property("templateNicAliases")
    """Aliases that the template brought."""
    template_disks: pulumi.Output[list[VirtualMachineTemplateDisk]] = pulumi.property("templateDisks")
    """Disks that the template brought."""
    template_tags: pulumi.Output[dict[str, str]] = pulumi.property("templateTags")
    """Attributes that the template brought."""
    template_section_names: pulumi.Output[dict[str, str]] = pulumi.property("templateSectionNames")
    """Names of the vectors that the template brought; the values are empty."""
    uid: pulumi.Output[int] = pulumi.property("uid")
    """Id of the user that owns the object."""
    gid: pulumi.Output[int] = pulumi.property("gid")
    """Id of the group that owns the object."""
    uname: pulumi.Output[str] = pulumi.property("uname")
    """Name of the user that owns the object."""
    gname: pulumi.Output[str] = pulumi.property("gname")
    """Name of the group that owns the object."""
    default_tags: pulumi.Output[dict[str, str]] = pulumi.property("defaultTags")
    """The provider's default tags that apply to this object."""
    tags_all: pulumi.Output[dict[str, str]] = pulumi.property("tagsAll")
    """`tags` and the provider's default tags together."""

    @overload
    def __init__(
        self, resource_name: str, args: VirtualMachineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        template_id: pulumi.Input[int] | None = None,
        pending: pulumi.Input[bool] | None = None,
        cpu: pulumi.Input[float] | None = None,
        vcpu: pulumi.Input[int] | None = None,
        memory: pulumi.Input[int] | None = None,
        context: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        nics: pulumi.Input[list[pulumi.InputType[VirtualMachineNicArgs]]] | None = None,
        nic_aliases: pulumi.Input[list[pulumi.InputType[VirtualMachineNicAliasArgs]]] | None = None,
        disks: pulumi.Input[list[pulumi.InputType[VirtualMachineDiskArgs]]] | None = None,
        os: pulumi.Input[pulumi.InputType[VirtualMachineOsArgs]] | None = None,
        graphics: pulumi.Input[pulumi.InputType[VirtualMachineGraphicsArgs]] | None = None,
        cpumodel: pulumi.Input[pulumi.InputType[VirtualMachineCpumodelArgs]] | None = None,
        raw: pulumi.Input[pulumi.InputType[VirtualMachineRawArgs]] | None = None,
        vmgroup: pulumi.Input[pulumi.InputType[VirtualMachineVmgroupArgs]] | None = None,
        sched_requirements: pulumi.Input[str] | None = None,
        sched_ds_requirements: pulumi.Input[str] | None = None,
        on_disk_change: pulumi.Input[str] | None = None,
        keep_nic_order: pulumi.Input[bool] | None = None,
        hard_shutdown: pulumi.Input[bool] | None = None,
        timeout: pulumi.Input[int] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        lock: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[VirtualMachineTemplateSectionArgs]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[VirtualMachineTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
