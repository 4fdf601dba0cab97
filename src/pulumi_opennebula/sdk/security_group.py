"""SecurityGroup: a set of firewall rules that virtual networks and NICs refer to.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "SecurityGroup",
    "SecurityGroupArgs",
    "SecurityGroupRule",
    "SecurityGroupRuleArgs",
    "SecurityGroupTemplateSection",
    "SecurityGroupTemplateSectionArgs",
]


@arguments
class SecurityGroupRuleArgs:
    """What one rule lets through; everything that no rule mentions is dropped."""

    protocol: pulumi.Input[str] = pulumi.property("protocol")
    """`ALL`, `TCP`, `UDP`, `ICMP`, `ICMPV6` or `IPSEC`."""
    rule_type: pulumi.Input[str] = pulumi.property("ruleType")
    """`INBOUND` or `OUTBOUND`."""
    range: pulumi.Input[str] | None = pulumi.property("range", default=None)
    """Ports: `22,53,80:90`. TCP and UDP only."""
    ip: pulumi.Input[str] | None = pulumi.property("ip", default=None)
    """First address of the other side; needs `size`."""
    size: pulumi.Input[str] | None = pulumi.property("size", default=None)
    """How many addresses from `ip` on."""
    network_id: pulumi.Input[str] | None = pulumi.property("networkId", default=None)
    """Id of the virtual network that the other side is in."""
    icmp_type: pulumi.Input[str] | None = pulumi.property("icmpType", default=None)
    """ICMP type; ICMP only."""


@arguments
class SecurityGroupTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class SecurityGroupRule(dict[str, Any]):
    """What one rule lets through; everything that no rule mentions is dropped."""

    protocol: str = pulumi.property("protocol")
    """`ALL`, `TCP`, `UDP`, `ICMP`, `ICMPV6` or `IPSEC`."""
    rule_type: str = pulumi.property("ruleType")
    """`INBOUND` or `OUTBOUND`."""
    range: str | None = pulumi.property("range", default=None)
    """Ports: `22,53,80:90`. TCP and UDP only."""
    ip: str | None = pulumi.property("ip", default=None)
    """First address of the other side; needs `size`."""
    size: str | None = pulumi.property("size", default=None)
    """How many addresses from `ip` on."""
    network_id: str | None = pulumi.property("networkId", default=None)
    """Id of the virtual network that the other side is in."""
    icmp_type: str | None = pulumi.property("icmpType", default=None)
    """ICMP type; ICMP only."""


@outputs
class SecurityGroupTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class SecurityGroupArgs:
    """What a SecurityGroup is made of."""

    rules: pulumi.Input[list[pulumi.InputType[SecurityGroupRuleArgs]]] = pulumi.property("rules")
    """What is let through. OpenNebula adds no rule of its own."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    commit: pulumi.Input[bool] | None = pulumi.property("commit", default=None)
    """Whether a change of the rules is applied to running VMs at once."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[SecurityGroupTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""


class SecurityGroup(OpenNebulaResource):
    """A set of firewall rules that virtual networks and NICs refer to.

    Arguments are those of `SecurityGroupArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/securityGroup:SecurityGroup"
    arguments_type = SecurityGroupArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    rules: pulumi.Output[list[SecurityGroupRule]] = pulumi.property("rules")
    """What is let through. OpenNebula adds no rule of its own."""
    commit: pulumi.Output[bool] = pulumi.property("commit")
    """Whether a change of the rules is applied to running VMs at once."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[SecurityGroupTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    security_group_id: pulumi.Output[str] = pulumi.property("securityGroupId")
    """Number of the security group in its zone, as a string."""
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
        self, resource_name: str, args: SecurityGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        rules: pulumi.Input[list[pulumi.InputType[SecurityGroupRuleArgs]]],
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        commit: pulumi.Input[bool] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[SecurityGroupTemplateSectionArgs]]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
