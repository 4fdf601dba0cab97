"""VirtualMachineGroup: a VM group: keeps VMs of its roles together, apart, or on certain hosts.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "VirtualMachineGroup",
    "VirtualMachineGroupArgs",
    "VirtualMachineGroupRole",
    "VirtualMachineGroupRoleArgs",
    "VirtualMachineGroupTemplateSection",
    "VirtualMachineGroupTemplateSectionArgs",
]


@arguments
class VirtualMachineGroupRoleArgs:
    """VMs that are placed alike. A VM or a VM template names the role in its `vmgroup`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the role."""
    policy: pulumi.Input[str] | None = pulumi.property("policy", default=None)
    """`AFFINED`: all on one host. `ANTI_AFFINED`: each on a host of its own. `NONE` where absent."""
    host_affineds: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("hostAffineds", default=None)
    """Ids of the only hosts that may run the role's VMs."""
    host_anti_affineds: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("hostAntiAffineds", default=None)
    """Ids of hosts that never run the role's VMs."""


@arguments
class VirtualMachineGroupTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class VirtualMachineGroupRole(dict[str, Any]):
    """VMs that are placed alike. A VM or a VM template names the role in its `vmgroup`."""

    name: str = pulumi.property("name")
    """Name of the role."""
    policy: str | None = pulumi.property("policy", default=None)
    """`AFFINED`: all on one host. `ANTI_AFFINED`: each on a host of its own. `NONE` where absent."""
    host_affineds: list[int] | None = pulumi.property("hostAffineds", default=None)
    """Ids of the only hosts that may run the role's VMs."""
    host_anti_affineds: list[int] | None = pulumi.property("hostAntiAffineds", default=None)
    """Ids of hosts that never run the role's VMs."""
    id: int | None = pulumi.property("id", default=None)
    """Number of the role in its group."""


@outputs
class VirtualMachineGroupTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class VirtualMachineGroupArgs:
    """What a VirtualMachineGroup is made of."""

    roles: pulumi.Input[list[pulumi.InputType[VirtualMachineGroupRoleArgs]]] = pulumi.property("roles")
    """The roles. They change in place; OpenNebula removes a role only while it has no VMs."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[VirtualMachineGroupTemplateSectionArgs]]] | None = (
        pulumi.property("templateSections", default=None)
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""


class VirtualMachineGroup(OpenNebulaResource):
    """A VM group: keeps VMs of its roles together, apart, or on certain hosts.

    Arguments are those of `VirtualMachineGroupArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/virtualMachineGroup:VirtualMachineGroup"
    arguments_type = VirtualMachineGroupArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    roles: pulumi.Output[list[VirtualMachineGroupRole]] = pulumi.property("roles")
    """The roles. They change in place; OpenNebula removes a role only while it has no VMs."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[VirtualMachineGroupTemplateSection] | None] = pulumi.property(
        "templateSections"
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    virtual_machine_group_id: pulumi.Output[str] = pulumi.property("virtualMachineGroupId")
    """Number of the VM group in its zone, as a string."""
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
        self, resource_name: str, args: VirtualMachineGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        roles: pulumi.Input[list[pulumi.InputType[VirtualMachineGroupRoleArgs]]],
        name: pulumi.Input[str] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[VirtualMachineGroupTemplateSectionArgs]]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
