"""Virtual networks: address ranges, leases, reservations. It configures no bridge: the drivers need none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import permissions, ranges
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, clone, flag, id_set, ids, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

VNET = Kind(key="vn", tag="VNET", pool_tag="VNET_POOL", noun="virtual network", acl="NET", taken="NET")
READY, LOCK_CREATE, LOCK_DELETE = 1, 2, 3
_EMPTY_SETS = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")
_PHYSICAL = ("BRIDGE", "BRIDGE_TYPE", "OUTER_VLAN_ID", "PHYDEV", "VLAN_ID", "VN_MAD")
# REQUIRED_ATTRS of VN_MAD_CONF in oned.conf, 7.0.
_REQUIRED = {"dummy": ("BRIDGE",), "802.1Q": ("PHYDEV",), "vxlan": ("PHYDEV",), "ovswitch_vxlan": ("PHYDEV",)}


class VirtualNetworkPool(Pool):
    """The zone's virtual networks; implements the reading half of ports.Networks."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, VNET)

    def allocate(self, caller: Caller, source: str, cluster_id: int) -> int:
        """one.vn.allocate: the network becomes READY a moment later."""
        self.require_create(caller)
        tree = template.parse(source)
        return self.create(caller, tree, self.model.clusters.resolve(cluster_id))

    def create(self, caller: Caller, tree: Tree, cluster_id: int) -> int:
        """Store a network from its template. Raises Refused: an attribute is missing or wrong."""
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        driver = text(tree, "VN_MAD")
        if not driver:
            raise Refused("No VN_MAD in template for Virtual Network.")
        self.free_name(name, caller.uid)
        for required in _REQUIRED.get(driver, ()):
            if not text(tree, required):
                raise Refused(f"No {required} in template for Virtual Network.")
        for given in vectors(tree, "AR"):
            ranges.new(given, 0, self.model.random_hex)
        id_ = self.store.next_id(VNET.key)
        vlan = text(tree, "VLAN_ID") or (str(2 + id_) if flag(tree, "AUTOMATIC_VLAN_ID") else "")
        kept = {
            "BRIDGE": text(tree, "BRIDGE") or (f"onebr.{vlan}" if vlan else f"onebr{id_}"),
            "BRIDGE_TYPE": text(tree, "BRIDGE_TYPE") or ("openvswitch" if driver.startswith("ovs") else "linux"),
            "PHYDEV": text(tree, "PHYDEV"),
            "SECURITY_GROUPS": text(tree, "SECURITY_GROUPS") or "0",
        }
        self.save(
            {
                **permissions.head(caller, id_, name),
                "CLUSTERS": id_set([cluster_id]),
                "BRIDGE": kept["BRIDGE"],
                "BRIDGE_TYPE": kept["BRIDGE_TYPE"],
                "STATE": str(LOCK_CREATE),
                "PREV_STATE": "0",
                "PARENT_NETWORK_ID": "",
                "VN_MAD": driver,
                "PHYDEV": kept["PHYDEV"],
                "VLAN_ID": vlan,
                "OUTER_VLAN_ID": text(tree, "OUTER_VLAN_ID"),
                "VLAN_ID_AUTOMATIC": "1" if flag(tree, "AUTOMATIC_VLAN_ID") and not text(tree, "VLAN_ID") else "0",
                "OUTER_VLAN_ID_AUTOMATIC": "0",
                "USED_LEASES": "0",
                "VROUTERS": {},
                **{key: {} for key in _EMPTY_SETS},
                "TEMPLATE": template.merge(tree, kept),
                "AR_POOL": {},
                "NEXT_AR_ID": "0",
            }
        )
        self.model.later("vnet_ready", id_, self.model.settings.delays.vnet_s)
        return id_

    def ready(self, id_: int) -> None:
        """Finish a network's creation: its ranges move from the template to the pool (as recorded)."""
        tree = self.store.get(VNET.key, id_)
        if tree is None or tree["STATE"] != str(LOCK_CREATE):
            return
        for given in vectors(tree["TEMPLATE"], "AR"):
            self._append(tree, given)
        tree["TEMPLATE"].pop("AR", None)
        tree["TEMPLATE"] = template.merge(
            {"VLAN_ID": tree["VLAN_ID"], "OUTER_VLAN_ID": tree["OUTER_VLAN_ID"]}, tree["TEMPLATE"]
        )
        tree["STATE"] = tree["PREV_STATE"] = str(READY)
        self.save(tree)

    def shown(self, tree: Tree) -> Tree:
        """The network with its ranges' ends and leases."""
        full = {key: value for key, value in tree.items() if key != "NEXT_AR_ID"}
        shown = [ranges.shown(item) for item in vectors(tree["AR_POOL"], "AR")]
        full["AR_POOL"] = {}
        put_listed(full["AR_POOL"], "AR", shown)
        full["USED_LEASES"] = str(sum(int(item["USED_LEASES"]) for item in shown))
        return full

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace the template; what describes the physical network is kept where it is not given anew."""
        new.pop("NAME", None)
        new.pop("AR", None)
        for key in _PHYSICAL:
            if key in new:
                tree[key] = text(new, key)
        kept = {key: tree[key] for key in _PHYSICAL}
        kept["SECURITY_GROUPS"] = text(new, "SECURITY_GROUPS") or text(tree["TEMPLATE"], "SECURITY_GROUPS") or "0"
        tree["TEMPLATE"] = template.merge(kept, new)

    # -- ranges ----------------------------------------------------------------------------------------------------

    def _append(self, tree: Tree, given: Tree, **parent: str) -> Tree:
        ar = ranges.new(given, int(tree["NEXT_AR_ID"]), self.model.random_hex)
        if parent:
            allocated = ar.pop("ALLOCATED")
            ar = {**dict(sorted({**ar, **parent}.items())), "ALLOCATED": allocated}
        tree["NEXT_AR_ID"] = str(int(tree["NEXT_AR_ID"]) + 1)
        put_listed(tree["AR_POOL"], "AR", [*vectors(tree["AR_POOL"], "AR"), ar])
        return ar

    def add_ar(self, caller: Caller, id_: int, source: str) -> None:
        """one.vn.add_ar: append the ranges of a template. Raises Refused."""
        tree = self.get(caller, id_, "MANAGE")
        given = vectors(template.parse(source), "AR")
        if not given:
            raise Refused("No AR attribute in the template.")
        if tree["PARENT_NETWORK_ID"]:
            raise Refused("Address ranges cannot be added to a reservation, reserve more addresses instead.")
        for item in given:
            self._append(tree, item)
        self.save(tree)

    def update_ar(self, caller: Caller, id_: int, source: str) -> None:
        """one.vn.update_ar: change a range that AR_ID names. Raises Refused."""
        tree = self.get(caller, id_, "MANAGE")
        for given in vectors(template.parse(source), "AR"):
            wanted = text(given, "AR_ID")
            pool = vectors(tree["AR_POOL"], "AR")
            if wanted not in [item["AR_ID"] for item in pool]:
                raise Refused(f"Address range {wanted} does not exist")
            put_listed(
                tree["AR_POOL"],
                "AR",
                [ranges.updated(item, given) if item["AR_ID"] == wanted else item for item in pool],
            )
        self.save(tree)

    def free_ar(self, caller: Caller, id_: int, ar_id: int, *, force: bool = False) -> None:
        """one.vn.free_ar and rm_ar: take a range away; its addresses go back to a parent. Raises Refused."""
        tree = self.get(caller, id_, "MANAGE")
        pool = vectors(tree["AR_POOL"], "AR")
        found = next((item for item in pool if item["AR_ID"] == str(ar_id)), None)
        if found is None:
            raise Refused("Address Range does not exist")
        if found["ALLOCATED"] and not force:
            raise Refused("Address Range has leases in use")
        put_listed(tree["AR_POOL"], "AR", [item for item in pool if item is not found])
        self.save(tree)
        self._return_to_parent(tree, [found])

    # -- leases ----------------------------------------------------------------------------------------------------

    def lease(self, id_: int, vm_id: int, ip: str, mac: str) -> Tree:
        """Give a VM an address: the one asked for, or the lowest free one of the first range that has one.

        Returns:
            AR_ID, IP, MAC, IP6 and the range's own attributes that a NIC takes.

        Raises:
            Refused: the address is taken or outside, or nothing is free (recorded text).
        """
        tree = self.find(id_)
        for ar in vectors(tree["AR_POOL"], "AR"):
            index = ranges.index_of(ar, ip, mac) if ip or mac else next(ranges.free_indexes(ar), None)
            if index is None or str(index) in ar["ALLOCATED"]:
                continue
            ar["ALLOCATED"][str(index)] = f"VM {vm_id}"
            if vm_id not in ids(tree["UPDATED_VMS"]):
                tree["UPDATED_VMS"] = id_set([*ids(tree["UPDATED_VMS"]), vm_id])
            self.save(tree)
            return {"AR_ID": ar["AR_ID"], **ranges.address(ar, index)}
        raise Refused(f"Cannot get IP/MAC lease from virtual network {id_}.")

    def release_lease(self, id_: int, vm_id: int, mac: str, *, last: bool) -> None:
        """Take a VM's address back; `last` says that no other NIC of it is on this network."""
        tree = self.store.get(VNET.key, id_)
        if tree is None:
            return
        for ar in vectors(tree["AR_POOL"], "AR"):
            index = ranges.index_of(ar, "", mac)
            if index is not None and ar["ALLOCATED"].get(str(index)) == f"VM {vm_id}":
                del ar["ALLOCATED"][str(index)]
        if last:
            tree["UPDATED_VMS"] = id_set(number for number in ids(tree["UPDATED_VMS"]) if number != vm_id)
        self.save(tree)

    def hold(self, caller: Caller, id_: int, source: str) -> None:
        """one.vn.hold: keep an address from being leased. Raises Refused."""
        tree = self.get(caller, id_, "MANAGE")
        ar, index, ip = self._named_lease(tree, source)
        if str(index) in ar["ALLOCATED"]:
            raise Refused(f"Error modifiying network leases. Address {ip} is already in use.")
        ar["ALLOCATED"][str(index)] = "VM -1"
        self.save(tree)

    def release(self, caller: Caller, id_: int, source: str) -> None:
        """one.vn.release: let go of a held address. Raises Refused."""
        tree = self.get(caller, id_, "MANAGE")
        ar, index, ip = self._named_lease(tree, source)
        if ar["ALLOCATED"].get(str(index)) != "VM -1":
            raise Refused(f"Error modifiying network leases. Address {ip} is not on hold.")
        del ar["ALLOCATED"][str(index)]
        self.save(tree)

    def _named_lease(self, tree: Tree, source: str) -> tuple[Tree, int, str]:
        lease = next(iter(vectors(template.parse(source), "LEASES")), {})
        ip, mac = text(lease, "IP"), text(lease, "MAC")
        for ar in vectors(tree["AR_POOL"], "AR"):
            index = ranges.index_of(ar, ip, mac)
            if index is not None:
                return ar, index, ip or mac
        raise Refused(f"Error modifiying network leases. Address {ip or mac} is not part of the address ranges.")

    # -- reservations ----------------------------------------------------------------------------------------------

    def reserve(self, caller: Caller, id_: int, source: str) -> int:
        """one.vn.reserve: addresses of this network become a network of their own, or join an earlier reservation.

        Raises:
            Refused.
        """
        parent = self.get(caller, id_, "USE")
        wanted = template.parse(source)
        size = text(wanted, "SIZE")
        if not size.isdecimal() or int(size) <= 0:
            raise Refused("Wrong or missing SIZE attribute, a positive number of addresses is expected.")
        if parent["PARENT_NETWORK_ID"]:
            raise Refused("Cannot reserve from a reservation.")
        chosen = self._room(parent, wanted, int(size))
        if chosen is None:
            raise Refused("Not enough free addresses in an address range for the reservation.")
        ar, start = chosen
        into = text(wanted, "NETWORK_ID")
        child = (
            self.get(caller, int(into), "MANAGE") if into else self._reservation(caller, parent, text(wanted, "NAME"))
        )
        for index in range(start, start + int(size)):
            ar["ALLOCATED"][str(index)] = f"VNET {child['ID']}"
        self.save(parent)
        own = {key: value for key, value in ar.items() if key not in {"ALLOCATED", "PARENT_NETWORK_AR_ID"}}
        given = {**own, **ranges.address(ar, start), "SIZE": size}
        self._append(child, given, PARENT_NETWORK_AR_ID=ar["AR_ID"])
        self.save(child)
        return int(child["ID"])

    def _room(self, parent: Tree, wanted: Tree, size: int) -> tuple[Tree, int] | None:
        for ar in vectors(parent["AR_POOL"], "AR"):
            if text(wanted, "AR_ID") not in {"", ar["AR_ID"]}:
                continue
            first = None
            if any(text(wanted, key) for key in ("IP", "IP6", "MAC")):
                first = ranges.index_of(ar, text(wanted, "IP"), text(wanted, "MAC"), text(wanted, "IP6"))
                if first is None:
                    continue
            start = ranges.free_run(ar, size, first)
            if start is not None:
                return ar, start
        return None

    def _reservation(self, caller: Caller, parent: Tree, name: str) -> Tree:
        self.free_name(name, caller.uid)
        id_ = self.store.next_id(VNET.key)
        child: Tree = clone(parent)
        child.update(permissions.head(caller, id_, name))
        child.pop("LOCK", None)
        child.update({key: {} for key in _EMPTY_SETS}, AR_POOL={}, NEXT_AR_ID="0", PARENT_NETWORK_ID=parent["ID"])
        child["STATE"] = child["PREV_STATE"] = str(READY)
        return child

    def _return_to_parent(self, child: Tree, freed: list[Tree]) -> None:
        if not child["PARENT_NETWORK_ID"]:
            return
        parent = self.store.get(VNET.key, int(child["PARENT_NETWORK_ID"]))
        if parent is None:
            return
        for ar in vectors(parent["AR_POOL"], "AR"):
            for part in freed:
                if text(part, "PARENT_NETWORK_AR_ID") == ar["AR_ID"]:
                    start = ranges.index_of(ar, "", part["MAC"])
                    for index in range(start or 0, (start or 0) + int(part["SIZE"])):
                        if ar["ALLOCATED"].get(str(index)) == f"VNET {child['ID']}":
                            del ar["ALLOCATED"][str(index)]
        self.save(parent)

    # -- end -------------------------------------------------------------------------------------------------------

    def delete(self, caller: Caller, id_: int) -> None:
        """one.vn.delete: the network is gone a moment later (as recorded). Raises ActionRefused: leases are in use."""
        tree = self.get(caller, id_, "MANAGE")
        if any(ar["ALLOCATED"] for ar in vectors(tree["AR_POOL"], "AR")):
            raise ActionRefused("Cannot delete virtual network. Can not remove a virtual network with leases in use")
        self._return_to_parent(tree, vectors(tree["AR_POOL"], "AR"))
        tree["AR_POOL"] = {}
        tree["STATE"] = tree["PREV_STATE"] = str(LOCK_DELETE)
        self.save(tree)
        self.model.later("vnet_gone", id_, self.model.settings.delays.vnet_s)

    def gone(self, id_: int) -> None:
        """Finish a deletion."""
        tree = self.store.view(VNET.key, id_)
        if tree is not None and tree["STATE"] == str(LOCK_DELETE):
            self.store.drop(VNET.key, id_)
