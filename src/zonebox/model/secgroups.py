"""Security groups: rules, and the VMs they apply to. It filters no traffic: no driver of zonebox has a firewall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import permissions
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, ids, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

SECGROUP = Kind(
    key="secgroup",
    tag="SECURITY_GROUP",
    pool_tag="SECURITY_GROUP_POOL",
    noun="security group",
    acl="SECGROUP",
    taken="SecurityGroup",
    first_id=100,
)
DEFAULT = 0
_EMPTY_SETS = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")


class SecurityGroupPool(Pool):
    """The zone's security groups."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, SECGROUP)

    def create_first(self) -> None:
        """The group of a new zone: everything may pass."""
        rules = [{"PROTOCOL": "ALL", "RULE_TYPE": direction} for direction in ("OUTBOUND", "INBOUND")]
        tree: Tree = {"DESCRIPTION": "The default security group is added to every network."}
        put_listed(tree, "RULE", rules)
        self._store_group(permissions.ROOT, DEFAULT, "default", tree, "110000100")

    def allocate(self, caller: Caller, source: str) -> int:
        """one.secgroup.allocate."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        self.free_name(name, caller.uid)
        _check_rules(tree)
        id_ = self.store.next_id(SECGROUP.key, SECGROUP.first_id)
        self._store_group(caller, id_, name, tree, permissions.PRIVATE)
        return id_

    def clone(self, caller: Caller, id_: int, name: str) -> int:
        """one.secgroup.clone."""
        source = self.get(caller, id_, "USE")
        self.free_name(name, caller.uid)
        new = self.store.next_id(SECGROUP.key, SECGROUP.first_id)
        self._store_group(caller, new, name, source["TEMPLATE"], permissions.PRIVATE)
        return new

    def _store_group(self, caller: Caller, id_: int, name: str, tree: Tree, bits: str) -> None:
        sets: Tree = {key: {} for key in _EMPTY_SETS}
        self.save({**permissions.head(caller, id_, name, bits), **sets, "TEMPLATE": tree})

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace the template where its rules are right."""
        _check_rules(new)
        super().update_template(tree, new)

    def use(self, id_: int, vm_id: int) -> None:
        """Note that a VM has this group on a NIC."""
        tree = self.find(id_)
        members = ids(tree["UPDATED_VMS"])
        if vm_id not in members:
            tree["UPDATED_VMS"] = id_set([*members, vm_id])
            self.save(tree)

    def release(self, id_: int, vm_id: int) -> None:
        """Note that a VM has this group no longer."""
        tree = self.store.get(SECGROUP.key, id_)
        if tree is not None and vm_id in ids(tree["UPDATED_VMS"]):
            tree["UPDATED_VMS"] = id_set(number for number in ids(tree["UPDATED_VMS"]) if number != vm_id)
            self.save(tree)

    def rules_of(self, id_: int) -> list[Tree]:
        """The group's rules as SECURITY_GROUP_RULE vectors of a VM."""
        tree = self.peek(id_)
        return [
            dict(sorted({**rule, "SECURITY_GROUP_ID": str(id_), "SECURITY_GROUP_NAME": tree["NAME"]}.items()))
            for rule in vectors(tree["TEMPLATE"], "RULE")
        ]

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove a group that no VM uses. Raises ActionRefused: it is the default one, or VMs use it."""
        tree = self.get(caller, id_, "MANAGE")
        if id_ == DEFAULT:
            raise ActionRefused("Cannot delete security group. The default security group (ID 0) cannot be deleted.")
        used = len(ids(tree["UPDATED_VMS"]))
        if used:
            raise ActionRefused(f"Cannot delete security group. The security group has VMs using it: {used}.")
        self.store.drop(SECGROUP.key, id_)


def _check_rules(tree: Tree) -> None:
    for rule in vectors(tree, "RULE"):
        protocol = text(rule, "PROTOCOL").upper()
        if protocol not in {"ALL", "TCP", "UDP", "ICMP", "ICMPV6", "IPSEC"}:
            raise Refused("Wrong or missing PROTOCOL attribute, it must be ALL, TCP, UDP, ICMP, ICMPV6 or IPSEC.")
        if text(rule, "RULE_TYPE").upper() not in {"INBOUND", "OUTBOUND"}:
            raise Refused("Wrong or missing RULE_TYPE attribute, it must be INBOUND or OUTBOUND.")
        if text(rule, "RANGE") and protocol not in {"TCP", "UDP"}:
            raise Refused(f"RANGE is not supported for protocol {protocol}, only for TCP and UDP.")
