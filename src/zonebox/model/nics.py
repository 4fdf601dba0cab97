"""NIC and NIC_ALIAS vectors of a VM: from what a template asks to what oned shows. Leases come from vnets.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zonebox.errors import Refused
from zonebox.ports import Caller
from zonebox.trees import Tree, ids, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

# INHERIT_VNET_ATTR and INHERIT_AR of oned.conf as far as the recordings show them on NICs.
_INHERITED = ("DNS", "EXTERNAL", "GATEWAY", "METRIC", "MTU", "SEARCH_DOMAIN", "VROUTER_IP")
_NOT_FROM_NETWORK = ("NETWORK_UNAME", "NETWORK_UID")


def build(model: Model, caller: Caller, vm_id: int, given: Tree, *, nic_id: int, others: Sequence[Tree]) -> Tree:
    """A NIC with its lease.

    Args:
        model: the zone's objects.
        caller: who needs USE on the network and the security groups.
        vm_id: the VM.
        given: the template's NIC or NIC_ALIAS.
        nic_id: number of the NIC; aliases share the numbers.
        others: the VM's NICs, among which an alias has its parent (which learns of it).

    Raises:
        Refused: no such network or parent, no free address.
    """
    nic = {key: value for key, value in given.items() if key not in _NOT_FROM_NETWORK}
    nic["NIC_ID"] = str(nic_id)
    nic["NAME"] = text(given, "NAME") or f"NIC{nic_id}"
    if "PARENT" in given:
        _bind_to_parent(nic, given, others)
    network_id = network_of(model, caller, given)
    if network_id is None:
        return dict(sorted(nic.items()))
    network = model.vnets.get(caller, network_id, "USE")
    lease = model.vnets.lease(network_id, vm_id, text(given, "IP"), text(given, "MAC"))
    groups = _security_groups(model, caller, network, given)
    inherited = {key: text(network["TEMPLATE"], key) for key in _INHERITED if text(network["TEMPLATE"], key)}
    physical = {key: network[key] for key in ("PHYDEV", "VLAN_ID") if network[key]}
    nic = {
        **inherited,
        **physical,
        **nic,
        **lease,
        "BRIDGE": network["BRIDGE"],
        "BRIDGE_TYPE": network["BRIDGE_TYPE"],
        "CLUSTER_ID": ",".join(str(number) for number in ids(network["CLUSTERS"])),
        "NETWORK": network["NAME"],
        "NETWORK_ID": network["ID"],
        "SECURITY_GROUPS": ",".join(str(number) for number in groups),
        "TARGET": f"one-{vm_id}-{nic_id}",
        "VN_MAD": network["VN_MAD"],
    }
    for number in groups:
        model.secgroups.use(number, vm_id)
    return dict(sorted(nic.items()))


def _bind_to_parent(nic: Tree, given: Tree, others: Sequence[Tree]) -> None:
    parent = next((item for item in others if text(item, "NAME") == text(given, "PARENT")), None)
    if parent is None:
        raise Refused(f"NIC_ALIAS: there is no NIC with name {text(given, 'PARENT')} to be its PARENT.")
    aliases = [item for item in text(parent, "ALIAS_IDS").split(",") if item]
    nic["ALIAS_ID"] = str(len(aliases))
    nic["PARENT_ID"] = parent["NIC_ID"]
    nic["NAME"] = text(given, "NAME") or f"NIC{parent['NIC_ID']}_ALIAS{nic['NIC_ID']}"
    parent["ALIAS_IDS"] = ",".join([*aliases, nic["NIC_ID"]])


def network_of(model: Model, caller: Caller, given: Tree) -> int | None:
    """Id of the network that a NIC names by id, or by name and owner; None where it names none.

    Raises:
        Refused: not a number, or no such name.
    """
    number = text(given, "NETWORK_ID")
    if number:
        if not number.isdecimal():
            raise Refused(f"Wrong NETWORK_ID {number}: a number is expected.")
        return int(number)
    name = text(given, "NETWORK")
    if not name:
        return None
    owner = text(given, "NETWORK_UNAME")
    uid = int(model.users.find_by_name(owner)["ID"]) if owner else caller.uid
    return int(model.vnets.find_by_name(name, uid)["ID"])


def _security_groups(model: Model, caller: Caller, network: Tree, given: Tree) -> list[int]:
    numbers: set[int] = set()
    for tree in (network["TEMPLATE"], given):
        for part in text(tree, "SECURITY_GROUPS").split(","):
            if part.strip().isdecimal():
                numbers.add(int(part))
    for number in numbers:
        model.secgroups.get(caller, number, "USE")
    return sorted(numbers)


def release(model: Model, vm_id: int, nic: Tree, left: Sequence[Tree]) -> None:
    """Give a NIC's address and groups back; `left` are the VM's other NICs."""
    if not text(nic, "NETWORK_ID") or not text(nic, "MAC"):
        return
    last = all(text(other, "NETWORK_ID") != nic["NETWORK_ID"] for other in left)
    model.vnets.release_lease(int(nic["NETWORK_ID"]), vm_id, nic["MAC"], last=last)
    kept = {part for other in left for part in text(other, "SECURITY_GROUPS").split(",")}
    for part in text(nic, "SECURITY_GROUPS").split(","):
        if part and part not in kept:
            model.secgroups.release(int(part), vm_id)


def rules(model: Model, nics: Sequence[Tree]) -> list[Tree]:
    """SECURITY_GROUP_RULE vectors of a VM with these NICs."""
    numbers = sorted({int(part) for nic in nics for part in text(nic, "SECURITY_GROUPS").split(",") if part})
    return [rule for number in numbers for rule in model.secgroups.rules_of(number)]


def all_of(tree: Tree) -> list[Tree]:
    """NICs and aliases of a VM's TEMPLATE."""
    return [*vectors(tree, "NIC"), *vectors(tree, "NIC_ALIAS")]
