"""SecurityGroup: rules to template text and back, and its calls. Waits for nothing: oned makes groups at once."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi_opennebula.definitions.security_group import RULE, SECURITY_GROUP
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import same
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, children, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import OwnedTemplate, record_of, tag_attributes, vector_of

OWNED = OwnedTemplate(scalars=("DESCRIPTION",), vectors=("RULE",), foreign=("NAME",))


class SecurityGroupHandler(Handler):
    """The resource type SecurityGroup."""

    definition = SECURITY_GROUP
    owned = OWNED

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse rules whose parts do not go together."""
        shared.check_common(inputs, findings, OWNED)
        for index, rule in enumerate(inputs.get("rules") or []):
            if isinstance(rule, dict):
                _check_rule(index, rule, findings)

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the group with its rules."""
        text = render([("NAME", inputs["name"]), *attributes(inputs, call.zone.settings.default_tags)])
        return str(await call.zone.oned.call("secgroup.allocate", text))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set owner and permissions."""
        await shared.set_owner(call, "secgroup", int(id_), {}, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The group's properties."""
        body = await call.zone.object("secgroup", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template, and apply changed rules to running VMs."""
        number = int(id_)
        await shared.rename(call, "secgroup", number, old, new)
        body = await call.zone.object("secgroup", number) or {}
        kept = OWNED.kept(body.get("TEMPLATE"), old)
        text = render([*kept, *attributes(new, call.zone.settings.default_tags)])
        await call.zone.oned.call("secgroup.update", number, text, 0)
        rules = self.definition.record.get("rules")
        assert rules is not None
        if new.get("commit") is not False and not same(rules, rules.type, old.get("rules"), new.get("rules")):
            # True: only VMs that do not have the new rules yet, as the Terraform provider asks (recorded on 7.0.1).
            await call.zone.oned.call("secgroup.commit", number, True)
        await shared.set_owner(call, "secgroup", number, old, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the group; oned refuses while a VM uses it."""
        await shared.delete_object(call, "secgroup", int(id_), old)


def attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Template attributes of the inputs."""
    found: list[Attribute] = []
    if inputs.get("description") is not None:
        found.append(("DESCRIPTION", inputs["description"]))
    found += [("RULE", vector_of(RULE, rule)) for rule in inputs.get("rules") or []]
    return found + tag_attributes(inputs, default_tags)


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.secgroup.info` says."""
    template = body.get("TEMPLATE")
    found = shared.owner_outputs(body) | OWNED.tags(template, old, default_tags)
    found |= {
        "securityGroupId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "description": text_at(body, "TEMPLATE", "DESCRIPTION") or None,
        "rules": [record_of(RULE, rule) for rule in children(template, "RULE")],
    }
    return found


def _check_rule(index: int, rule: Values, findings: Findings) -> None:
    protocol = str(rule.get("protocol") or "").upper()
    path = ("rules", index)
    if protocol and shared.known(rule.get("range")) and protocol not in {"TCP", "UDP"}:
        findings.refuse(
            (*path, "range"),
            rule["range"],
            "ports go with TCP and UDP only",
            f"protocol {protocol} has none",
            "Remove range, or set protocol to TCP or UDP",
        )
    if protocol and shared.known(rule.get("icmpType")) and not protocol.startswith("ICMP"):
        findings.refuse(
            (*path, "icmpType"),
            rule["icmpType"],
            "it goes with ICMP and ICMPV6 only",
            f"protocol {protocol} has no ICMP types",
            "Remove icmp_type, or set protocol to ICMP",
        )
    if (rule.get("ip") is None) != (rule.get("size") is None):
        missing, given = ("size", "ip") if rule.get("size") is None else ("ip", "size")
        findings.refuse(
            (*path, given),
            rule[given],
            "ip and size go together",
            "a rule's addresses are a first address and a number of addresses",
            f"Give {missing}, too",
        )
