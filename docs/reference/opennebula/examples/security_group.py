"""A network applies its groups to every card in it; a card may name more. What no rule lets through is dropped."""

import pulumi

import pulumi_opennebula as one

web = one.SecurityGroup(
    "web",
    description="HTTPS from anywhere, SSH from the office",
    rules=[
        one.SecurityGroupRuleArgs(protocol="ALL", rule_type="OUTBOUND"),
        one.SecurityGroupRuleArgs(protocol="TCP", rule_type="INBOUND", range="443"),
        one.SecurityGroupRuleArgs(protocol="TCP", rule_type="INBOUND", range="22", ip="192.0.2.0", size="256"),
        one.SecurityGroupRuleArgs(protocol="ICMP", rule_type="INBOUND", icmp_type="8"),
    ],
    tags={"project": "docs"},
)
pulumi.export("web_group", web.id)
