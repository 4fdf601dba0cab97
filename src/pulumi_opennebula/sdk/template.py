"""Template: a VM template: what VMs made from it look like, and the CONTEXT they boot with.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments
from pulumi_opennebula.sdk.template_inputs import (
    TemplateCpumodelArgs,
    TemplateDiskArgs,
    TemplateFeatureArgs,
    TemplateGraphicsArgs,
    TemplateNicAliasArgs,
    TemplateNicArgs,
    TemplateOsArgs,
    TemplateRawArgs,
    TemplateTemplateSectionArgs,
    TemplateVmgroupArgs,
)
from pulumi_opennebula.sdk.template_outputs import (
    TemplateCpumodel,
    TemplateDisk,
    TemplateFeature,
    TemplateGraphics,
    TemplateNic,
    TemplateNicAlias,
    TemplateOs,
    TemplateRaw,
    TemplateTemplateSection,
    TemplateVmgroup,
)

__all__ = ["Template", "TemplateArgs"]


@arguments
class TemplateArgs:
    """What a Template is made of."""

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    cpu: pulumi.Input[float] | None = pulumi.property("cpu", default=None)
    """Share of a physical CPU, such as 0.5."""
    vcpu: pulumi.Input[int] | None = pulumi.property("vcpu", default=None)
    """CPUs that the guest sees."""
    memory: pulumi.Input[int] | None = pulumi.property("memory", default=None)
    """Memory in MB."""
    context: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("context", default=None)
    """CONTEXT variables of the guest. Case and order of the keys are kept. A value that the program marks as a secret
    is a secret in the state, too.
    """
    nics: pulumi.Input[list[pulumi.InputType[TemplateNicArgs]]] | None = pulumi.property("nics", default=None)
    """Network cards, in order."""
    nic_aliases: pulumi.Input[list[pulumi.InputType[TemplateNicAliasArgs]]] | None = pulumi.property(
        "nicAliases", default=None
    )
    """Further addresses on network cards, in order."""
    disks: pulumi.Input[list[pulumi.InputType[TemplateDiskArgs]]] | None = pulumi.property("disks", default=None)
    """Disks, in order."""
    os: pulumi.Input[pulumi.InputType[TemplateOsArgs]] | None = pulumi.property("os", default=None)
    """How the guest boots."""
    features: pulumi.Input[list[pulumi.InputType[TemplateFeatureArgs]]] | None = pulumi.property(
        "features", default=None
    )
    """Features; at most one entry."""
    graphics: pulumi.Input[pulumi.InputType[TemplateGraphicsArgs]] | None = pulumi.property("graphics", default=None)
    """Console."""
    cpumodel: pulumi.Input[pulumi.InputType[TemplateCpumodelArgs]] | None = pulumi.property("cpumodel", default=None)
    """CPU that the guest sees."""
    raw: pulumi.Input[pulumi.InputType[TemplateRawArgs]] | None = pulumi.property("raw", default=None)
    """Text for the hypervisor."""
    vmgroup: pulumi.Input[pulumi.InputType[TemplateVmgroupArgs]] | None = pulumi.property("vmgroup", default=None)
    """Role of a VM group."""
    sched_requirements: pulumi.Input[str] | None = pulumi.property("schedRequirements", default=None)
    """Expression that hosts must satisfy (SCHED_REQUIREMENTS)."""
    sched_ds_requirements: pulumi.Input[str] | None = pulumi.property("schedDsRequirements", default=None)
    """Expression that datastores must satisfy (SCHED_DS_REQUIREMENTS)."""
    user_inputs: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("userInputs", default=None)
    """Questions asked when a VM is made: name to `M|text|What it is||default`."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Input[str] | None = pulumi.property("lock", default=None)
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[TemplateTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""


class Template(OpenNebulaResource):
    """A VM template: what VMs made from it look like, and the CONTEXT they boot with.

    Arguments are those of `TemplateArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/template:Template"
    arguments_type = TemplateArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    cpu: pulumi.Output[float] = pulumi.property("cpu")
    """Share of a physical CPU, such as 0.5."""
    vcpu: pulumi.Output[int] = pulumi.property("vcpu")
    """CPUs that the guest sees."""
    memory: pulumi.Output[int] = pulumi.property("memory")
    """Memory in MB."""
    context: pulumi.Output[dict[str, str] | None] = pulumi.property("context")
    """CONTEXT variables of the guest. Case and order of the keys are kept. A value that the program marks as a secret
    is a secret in the state, too.
    """
    nics: pulumi.Output[list[TemplateNic] | None] = pulumi.property("nics")
    """Network cards, in order."""
    nic_aliases: pulumi.Output[list[TemplateNicAlias] | None] = pulumi.property("nicAliases")
    """Further addresses on network cards, in order."""
    disks: pulumi.Output[list[TemplateDisk] | None] = pulumi.property("disks")
    """Disks, in order."""
    os: pulumi.Output[TemplateOs | None] = pulumi.property("os")
    """How the guest boots."""
    features: pulumi.Output[list[TemplateFeature] | None] = pulumi.property("features")
    """Features; at most one entry."""
    graphics: pulumi.Output[TemplateGraphics | None] = pulumi.property("graphics")
    """Console."""
    cpumodel: pulumi.Output[TemplateCpumodel | None] = pulumi.property("cpumodel")
    """CPU that the guest sees."""
    raw: pulumi.Output[TemplateRaw | None] = pulumi.property("raw")
    """Text for the hypervisor."""
    vmgroup: pulumi.Output[TemplateVmgroup | None] = pulumi.property("vmgroup")
    """Role of a VM group."""
    sched_requirements: pulumi.Output[str | None] = pulumi.property("schedRequirements")
    """Expression that hosts must satisfy (SCHED_REQUIREMENTS)."""
    sched_ds_requirements: pulumi.Output[str | None] = pulumi.property("schedDsRequirements")
    """Expression that datastores must satisfy (SCHED_DS_REQUIREMENTS)."""
    user_inputs: pulumi.Output[dict[str, str] | None] = pulumi.property("userInputs")
    """Questions asked when a VM is made: name to `M|text|What it is||default`."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Output[str | None] = pulumi.property("lock")
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[TemplateTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    template_id: pulumi.Output[str] = pulumi.property("templateId")
    """Number of the template in its zone, as a string."""
    reg_time: pulumi.Output[int] = pulumi.property("regTime")
    """When it was registered, in Unix seconds."""
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
    def __init__(self, resource_name: str, args: TemplateArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        cpu: pulumi.Input[float] | None = None,
        vcpu: pulumi.Input[int] | None = None,
        memory: pulumi.Input[int] | None = None,
        context: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        nics: pulumi.Input[list[pulumi.InputType[TemplateNicArgs]]] | None = None,
        nic_aliases: pulumi.Input[list[pulumi.InputType[TemplateNicAliasArgs]]] | None = None,
        disks: pulumi.Input[list[pulumi.InputType[TemplateDiskArgs]]] | None = None,
        os: pulumi.Input[pulumi.InputType[TemplateOsArgs]] | None = None,
        features: pulumi.Input[list[pulumi.InputType[TemplateFeatureArgs]]] | None = None,
        graphics: pulumi.Input[pulumi.InputType[TemplateGraphicsArgs]] | None = None,
        cpumodel: pulumi.Input[pulumi.InputType[TemplateCpumodelArgs]] | None = None,
        raw: pulumi.Input[pulumi.InputType[TemplateRawArgs]] | None = None,
        vmgroup: pulumi.Input[pulumi.InputType[TemplateVmgroupArgs]] | None = None,
        sched_requirements: pulumi.Input[str] | None = None,
        sched_ds_requirements: pulumi.Input[str] | None = None,
        user_inputs: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        lock: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[TemplateTemplateSectionArgs]]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
