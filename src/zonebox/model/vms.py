"""VMs: making one from a template, what clients see of it, its user template. Its life is lifecycle.py's, its disks and
NICs at run time devices.py's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zonebox import template, trees
from zonebox.errors import Refused
from zonebox.model import context, disks, nics, permissions, quotas
from zonebox.model.pool import Kind, Pool
from zonebox.model.states import Lcm, Vm, state_name
from zonebox.ports import Caller
from zonebox.trees import Tree, clone, flag, listed, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

VM = Kind(key="vm", tag="VM", pool_tag="VM_POOL", noun="virtual machine", acl="VM", taken="VM", unique="")
# Attributes that describe the machine; everything else of a template is the user's (USER_TEMPLATE).
_MACHINE = frozenset(
    (
        "BACKUP_CONFIG",
        "CONTEXT",
        "CPU",
        "CPU_COST",
        "CPU_MODEL",
        "DISK",
        "DISK_COST",
        "EMULATOR",
        "FEATURES",
        "GRAPHICS",
        "INPUT",
        "MEMORY",
        "MEMORY_COST",
        "MEMORY_MAX",
        "MEMORY_RESIZE_MODE",
        "MEMORY_SLOTS",
        "NIC",
        "NIC_ALIAS",
        "NIC_DEFAULT",
        "NUMA_NODE",
        "OS",
        "PCI",
        "RAW",
        "SCHED_ACTION",
        "SNAPSHOT",
        "SUBMIT_ON_HOLD",
        "TOPOLOGY",
        "TPM",
        "VCPU",
        "VCPU_MAX",
        "VIDEO",
        "VMGROUP",
    )
)
_CONFIG = ("OS", "FEATURES", "INPUT", "GRAPHICS", "VIDEO", "RAW", "CONTEXT", "CPU_MODEL", "BACKUP_CONFIG")
# States in which oned 7.0 takes a new configuration, of those that this zone knows (help of `onevm updateconf`).
_CONFIGURABLE = frozenset(
    (
        "PENDING",
        "HOLD",
        "POWEROFF",
        "UNDEPLOYED",
        "PROLOG",
        "RUNNING",
        "SHUTDOWN",
        "SHUTDOWN_POWEROFF",
        "SHUTDOWN_UNDEPLOY",
        "CLEANUP_DELETE",
        "BOOT_FAILURE",
        "CLONING",
        "CLONING_FAILURE",
    )
)
_LISTED_DISK = (
    "DISK_ID",
    "DATASTORE",
    "DATASTORE_ID",
    "IMAGE",
    "IMAGE_ID",
    "SIZE",
    "TYPE",
    "CLONE",
    "CLONE_TARGET",
    "LN_TARGET",
    "DISK_SNAPSHOT_TOTAL_SIZE",
)
_LISTED_NIC = ["IP", "IP6_GLOBAL", "IP6_ULA", "MAC", "NETWORK", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS"]
_LISTED_USER = ("LABELS", "SCHED_MESSAGE", "ERROR")


class VmPool(Pool):
    """The zone's VMs."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, VM)

    def allocate(self, caller: Caller, source: str, *, hold: bool) -> int:
        """one.vm.allocate."""
        self.require_create(caller)
        return self.create(caller, template.parse(source), hold=hold)

    def create(self, caller: Caller, given: Tree, *, hold: bool = False, template_id: int | None = None) -> int:
        """Store a VM with its images and leases, PENDING (or on hold).

        Raises:
            Refused: wrong CPU or MEMORY, no free address, unusable image: nothing is kept then.
        """
        cpu, memory = cpu_text(given), memory_text(given)
        check_vcpu(given)
        id_ = self.store.next_id(VM.key)
        name = (text(given, "NAME") or f"one-{id_}").replace("%i", str(id_))
        self.free_name(name, caller.uid)
        tree: Tree = {key: clone(value) for key, value in given.items() if key in _MACHINE}
        tree.update(CPU=cpu, MEMORY=memory, VMID=str(id_))
        if template_id is not None:
            tree["TEMPLATE_ID"] = str(template_id)
        user_tree = {key: clone(value) for key, value in given.items() if key not in _MACHINE and key != "NAME"}
        vm = self._new(caller, id_, name, tree, user_tree, hold=hold or given.get("SUBMIT_ON_HOLD") == "YES")
        self._attach_all(caller, vm)
        quotas.check(self.model, caller.uid, caller.gid, quotas.of_machine(tree))
        tree.update(requirements(tree))
        for group in vectors(tree, "VMGROUP"):
            number = text(group, "VMGROUP_ID")
            if not number.isdecimal():
                raise Refused(f"Wrong VMGROUP_ID {number}: a number is expected.")
            self.model.vmgroups.join(int(number), text(group, "ROLE"), id_)
        os_ = next(iter(vectors(tree, "OS")), {})
        tree["OS"] = dict(sorted({**os_, "UUID": text(os_, "UUID") or self.model.random_uuid()}.items()))
        if vectors(tree, "CONTEXT"):
            if flag(vectors(tree, "CONTEXT")[-1], "TOKEN"):
                tree["CREATED_BY"] = str(caller.uid)
            tree["CONTEXT"] = context.build(self.model, vm, vectors(tree, "CONTEXT")[-1])
        self.refresh(vm)
        self.save(vm)
        self.model.wake_scheduler()
        return id_

    def _new(self, caller: Caller, id_: int, name: str, tree: Tree, user_tree: Tree, *, hold: bool) -> Tree:
        state = str(int(Vm.HOLD if hold else Vm.PENDING))
        return {
            **permissions.head(caller, id_, name),
            "LAST_POLL": "0",
            "STATE": state,
            "LCM_STATE": "0",
            "PREV_STATE": state,
            "PREV_LCM_STATE": "0",
            "RESCHED": "0",
            "STIME": str(self.model.now()),
            "ETIME": "0",
            "DEPLOY_ID": "",
            "MONITORING": {},
            "SCHED_ACTIONS": {},
            "TEMPLATE": tree,
            "USER_TEMPLATE": user_tree,
            "HISTORY_RECORDS": {},
            "BACKUPS": {"BACKUP_CONFIG": {}, "BACKUP_IDS": {}},
        }

    def _attach_all(self, caller: Caller, vm: Tree) -> None:
        tree, id_ = vm["TEMPLATE"], int(vm["ID"])
        built: list[Tree] = []
        given_disks = vectors(tree, "DISK")
        for number, given in enumerate(given_disks):
            taken = [text(d, "TARGET") for d in [*built, *given_disks[number + 1 :]]]
            built.append(disks.build(self.model, caller, id_, given, disk_id=number, taken=taken))
        put_listed(tree, "DISK", built)
        default = next(iter(vectors(tree, "NIC_DEFAULT")), {})
        made: list[Tree] = []
        for given in vectors(tree, "NIC"):
            made.append(nics.build(self.model, caller, id_, {**default, **given}, nic_id=len(made), others=made))
        aliases: list[Tree] = []
        for given in vectors(tree, "NIC_ALIAS"):
            aliases.append(nics.build(self.model, caller, id_, given, nic_id=len(made) + len(aliases), others=made))
        put_listed(tree, "NIC", [dict(sorted(nic.items())) for nic in made])
        put_listed(tree, "NIC_ALIAS", aliases)

    def refresh(self, vm: Tree) -> None:
        """Bring what follows from NICs up to date: security group rules; and the order."""
        tree = vm["TEMPLATE"]
        put_listed(tree, "SECURITY_GROUP_RULE", nics.rules(self.model, nics.all_of(tree)))
        vm["TEMPLATE"] = dict(sorted(tree.items()))
        vm["USER_TEMPLATE"] = trees.ordered(vm["USER_TEMPLATE"])

    # -- reading ---------------------------------------------------------------------------------------------------

    def alive(self) -> list[Tree]:
        """VMs that are not DONE, by id, for reading only."""
        return [vm for vm in self.everything() if vm["STATE"] != "6"]

    def choose(self, caller: Caller, who: int, start: int, end: int, *, state: int, filter_: str) -> list[Tree]:
        """VMs that vmpool's methods list.

        Args:
            caller: who asks.
            who: as for Pool.select.
            start: as for Pool.select.
            end: as for Pool.select.
            state: a STATE, -1 for all but DONE, -2 for all.
            filter_: `KEY=VALUE` on user template and template, "" for none.
        """
        key, _, wanted = filter_.partition("=")

        def chosen(vm: Tree) -> bool:
            in_state = state == -2 or (state == -1 and vm["STATE"] != "6") or vm["STATE"] == str(state)
            return in_state and (not filter_ or wanted in {text(vm["USER_TEMPLATE"], key), text(vm["TEMPLATE"], key)})

        return self.select(caller, who, start, end, where=chosen)

    def listed(self, tree: Tree) -> Tree:
        """The short form that vmpool.info has (as recorded)."""
        machine = tree["TEMPLATE"]
        short: Tree = {"CPU": text(machine, "CPU"), "MEMORY": text(machine, "MEMORY"), "VCPU": text(machine, "VCPU")}
        for key, wanted in (("DISK", _LISTED_DISK), ("NIC", _LISTED_NIC), ("NIC_ALIAS", _LISTED_NIC)):
            put_listed(short, key, [_only(item, wanted) for item in vectors(machine, key)])
        if "GRAPHICS" in machine:
            short["GRAPHICS"] = machine["GRAPHICS"]
        records: Tree = {}
        last = vectors(tree["HISTORY_RECORDS"], "HISTORY")[-1:]
        wanted = ["OID", "SEQ", "HOSTNAME", "HID", "CID", "DS_ID", "VM_MAD", "TM_MAD", "ACTION"]
        put_listed(records, "HISTORY", [_only(record, wanted) for record in last])
        head = ("ID", "UID", "GID", "UNAME", "GNAME", "NAME", "LAST_POLL", "STATE", "LCM_STATE", "RESCHED")
        return {
            **_only(tree, [*head, "STIME", "ETIME", "DEPLOY_ID"]),
            "TEMPLATE": short,
            "MONITORING": tree["MONITORING"],
            "USER_TEMPLATE": _only(tree["USER_TEMPLATE"], _LISTED_USER),
            "HISTORY_RECORDS": records,
        }

    # -- changing --------------------------------------------------------------------------------------------------

    def update_template(self, tree: Tree, new: Tree) -> None:
        """one.vm.update changes the user template."""
        tree["USER_TEMPLATE"] = new

    def update(self, caller: Caller, id_: int, source: str, append: int) -> None:
        """one.vm.update: replace (0) or extend (1) the user template."""
        tree = self.get(caller, id_, "MANAGE")
        new = template.parse(source)
        tree["USER_TEMPLATE"] = template.merge(tree["USER_TEMPLATE"], new) if append == 1 else new
        self.save(tree)
        # SCHED_REQUIREMENTS is in the user template: a VM that waits may fit now.
        if tree["STATE"] == str(int(Vm.PENDING)):
            self.model.wake_scheduler()

    def set_user_attributes(self, id_: int, attributes: Tree, delete: tuple[str, ...] = ()) -> None:
        """Merge leaves into the user template and drop keys."""
        vm = self.find(id_)
        merged = template.merge(vm["USER_TEMPLATE"], attributes)
        vm["USER_TEMPLATE"] = {key: value for key, value in merged.items() if key not in delete}
        self.save(vm)

    def updateconf(self, caller: Caller, id_: int, source: str, append: int) -> None:
        """one.vm.updateconf: replace the parts of the machine that may change; empty values vanish (as recorded).

        A running guest gets its CONTEXT anew, in HOTPLUG, as oned does it; every other part waits for the next start.

        Raises:
            Refused: the state forbids it, or a VM without CONTEXT would get one.
        """
        vm = self.get(caller, id_, "MANAGE")
        if state_name(vm) not in _CONFIGURABLE:
            raise Refused(f"configuration cannot be updated in state {state_name(vm)}", id_)
        given = template.parse(source)
        tree = vm["TEMPLATE"]
        if "CONTEXT" in given and not vectors(tree, "CONTEXT"):
            raise Refused("Virtual machine does not have context, cannot add a new one.", id_)
        for key in _CONFIG:
            if key not in given:
                continue
            new = [item for item in listed(given, key) if not isinstance(item, dict) or item]
            old = next(iter(vectors(tree, key)), {})
            if append == 1 and len(new) == 1 and isinstance(new[0], dict):
                new = [{**old, **new[0]}]
            if key == "CONTEXT":
                # The CONTEXT disk stays where the guest knows it, whatever is asked for.
                place = {name: text(old, name) for name in ("DISK_ID", "TARGET")}
                new = [context.build(self.model, vm, {**item, **place}) for item in new]
            elif key == "OS":
                # Whatever is asked for: the guest's identity is in it, and a VM has an OS section always.
                given_os = next((item for item in new if isinstance(item, dict)), {})
                new = [_without_empty({"UUID": text(old, "UUID"), **given_os})]
            put_listed(tree, key, [dict(sorted(item.items())) if isinstance(item, dict) else item for item in new])
        vm["TEMPLATE"] = dict(sorted(tree.items()))
        if "CONTEXT" in given and state_name(vm) == "RUNNING":
            self.model.lifecycle.set_state(vm, Vm.ACTIVE, Lcm.HOTPLUG)
            self.model.later("vm_hotplug", id_, self.model.settings.delays.hotplug_s)
        self.save(vm)


def _only(tree: Tree, keys: list[str] | tuple[str, ...]) -> Tree:
    return {key: tree[key] for key in keys if key in tree}


def _without_empty(os_: Tree) -> Tree:
    return {key: value for key, value in os_.items() if value or key in {"INITRD_DS", "KERNEL_DS"}}


def cpu_text(given: Tree) -> str:
    """CPU as oned writes it. Raises Refused where it is no positive number: one that is none stops the scheduler."""
    try:
        value = float(text(given, "CPU"))
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value > 0):
        raise Refused("CPU attribute must be a positive float or integer value.")
    return f"{value:g}"


def memory_text(given: Tree) -> str:
    """MEMORY, in MiB. Raises Refused where it is no positive number."""
    value = text(given, "MEMORY")
    if not value.isdecimal() or int(value) <= 0:
        raise Refused("MEMORY attribute must be a positive integer value.")
    return value


def check_vcpu(given: Tree) -> None:
    """Raise Refused where VCPU is there and no positive number."""
    value = text(given, "VCPU")
    if value and (not value.isdecimal() or int(value) <= 0):
        raise Refused("VCPU attribute must be a positive integer value.")


def requirements(tree: Tree) -> Tree:
    """AUTOMATIC_*REQUIREMENTS: the clusters that a new VM's datastores and networks have in common (recorded).

    Raises:
        Refused: none.
    """
    stores = {text(disk, "CLUSTER_ID") for disk in vectors(tree, "DISK") if text(disk, "IMAGE_ID")}
    networks = {text(nic, "CLUSTER_ID") for nic in nics.all_of(tree) if text(nic, "CLUSTER_ID")}
    not_pinned = "!(PIN_POLICY = PINNED)"
    if not stores | networks:
        return {"AUTOMATIC_REQUIREMENTS": not_pinned}
    common = sorted(_common_clusters(stores | networks))
    if not common:
        raise Refused("Incompatible cluster IDs: the VM's images and networks have no cluster in common.")
    contains = "(" + " | ".join(f'"CLUSTERS/ID" @> {number}' for number in common) + ")"
    return {
        "AUTOMATIC_DS_REQUIREMENTS": contains,
        "AUTOMATIC_NIC_REQUIREMENTS": contains,
        "AUTOMATIC_REQUIREMENTS": "(" + " | ".join(f"CLUSTER_ID = {number}" for number in common) + f") & {not_pinned}",
    }


def _common_clusters(sets: set[str]) -> set[int]:
    parsed = [{int(part) for part in item.split(",") if part} for item in sets]
    return set.intersection(*parsed)
