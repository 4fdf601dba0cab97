"""Definition of SecurityGroup. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, Property, Record, Resource

RULE = Record(
    name="SecurityGroupRule",
    description="What one rule lets through; everything that no rule mentions is dropped.",
    properties=(
        Property(
            name="protocol",
            type="string",
            required=True,
            choices=("ALL", "TCP", "UDP", "ICMP", "ICMPV6", "IPSEC"),
            description="`ALL`, `TCP`, `UDP`, `ICMP`, `ICMPV6` or `IPSEC`.",
        ),
        Property(
            name="ruleType",
            type="string",
            required=True,
            choices=("INBOUND", "OUTBOUND"),
            description="`INBOUND` or `OUTBOUND`.",
        ),
        Property(name="range", type="string", description="Ports: `22,53,80:90`. TCP and UDP only."),
        Property(name="ip", type="string", description="First address of the other side; needs `size`."),
        Property(name="size", type="string", description="How many addresses from `ip` on."),
        Property(name="networkId", type="string", description="Id of the virtual network that the other side is in."),
        Property(name="icmpType", type="string", description="ICMP type; ICMP only."),
    ),
)

SECURITY_GROUP = Resource(
    module="securityGroup",
    description="A set of firewall rules that virtual networks and NICs refer to.",
    id_property="securityGroupId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(
            name="rules",
            type=ListOf(RULE),
            required=True,
            unordered=True,
            description="What is let through. OpenNebula adds no rule of its own.",
        ),
        Property(
            name="commit",
            type="boolean",
            default=True,
            local=True,
            description="Whether a change of the rules is applied to running VMs at once.",
        ),
        common.PERMISSIONS,
        common.GROUP,
        common.TAGS,
        common.template_sections("SecurityGroup"),
        common.object_id("securityGroupId", "security group"),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)
