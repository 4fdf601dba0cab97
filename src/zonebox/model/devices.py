"""What is changed of a VM that exists: disks, NICs, size. One that runs is in HOTPLUG, HOTPLUG_NIC or DISK_RESIZE then.

As in oned, the device that is on its way is marked with ATTACH="YES" (a disk that grows: with RESIZE and SIZE_PREV);
the recordings do not show the marks, because the recorded drivers were done before anybody looked. What was attached
goes again where the host fails, what was to be detached stays. A guest is shown its new CONTEXT at once, and a new disk
after its next boot; docs/reference/zonebox.md says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import context, disks, history, nics, placement, quotas
from zonebox.model.states import HOTPLUGGED, Lcm, Vm, refuse_unless, state_name
from zonebox.model.vms import check_vcpu, cpu_text, memory_text
from zonebox.ports import Caller
from zonebox.trees import Tree, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

# History action numbers: pyone.HISTORY_ACTION.
_DISK_ATTACH, _DISK_DETACH, _NIC_ATTACH, _NIC_DETACH, _DISK_RESIZE, _RESIZE = 21, 22, 23, 24, 29, 35
_STATES = {
    _DISK_ATTACH: Lcm.HOTPLUG,
    _DISK_DETACH: Lcm.HOTPLUG,
    _NIC_ATTACH: Lcm.HOTPLUG_NIC,
    _NIC_DETACH: Lcm.HOTPLUG_NIC,
    _DISK_RESIZE: Lcm.DISK_RESIZE,
}
_CHANGEABLE = ("RUNNING", "POWEROFF", "SUSPENDED", "PENDING", "HOLD")
_RESIZABLE = ("POWEROFF", "UNDEPLOYED", "RUNNING", "PENDING", "HOLD")


class Devices:
    """Changes of the zone's VMs.

    Args:
        model: the zone's objects.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def attach_disk(self, caller: Caller, id_: int, source: str) -> None:
        """one.vm.attach. Raises OneError."""
        vm = self._get(caller, id_, "attach-disk")
        given = next(iter(vectors(template.parse(source), "DISK")), None)
        if given is None:
            raise Refused("Could not add disk. No DISK attribute in the template.")
        tree = vm["TEMPLATE"]
        existing = vectors(tree, "DISK")
        targets = [text(disk, "TARGET") for disk in existing]
        made = disks.build(self.model, caller, id_, given, disk_id=self._next_disk(tree), taken=targets)
        made["TM_MAD_SYSTEM"] = self.model.tm_mad
        quotas.check(self.model, int(vm["UID"]), int(vm["GID"]), quotas.of_devices([], [made]))
        if _runs(vm):
            made["ATTACH"] = "YES"
        put_listed(tree, "DISK", [*existing, dict(sorted(made.items()))])
        self._done(caller, vm, _DISK_ATTACH)

    @staticmethod
    def _next_disk(tree: Tree) -> int:
        used = [int(disk["DISK_ID"]) for disk in vectors(tree, "DISK")]
        used += [int(text(item, "DISK_ID", "-1")) for item in vectors(tree, "CONTEXT")]
        return max(used, default=-1) + 1

    def detach_disk(self, caller: Caller, id_: int, disk_id: int) -> None:
        """one.vm.detach."""
        vm = self._get(caller, id_, "detach-disk")
        gone = self._disk(vm, disk_id)
        if _runs(vm):
            gone["ATTACH"] = "YES"
        else:
            self._drop_disk(vm, gone)
        self._done(caller, vm, _DISK_DETACH)

    def _drop_disk(self, vm: Tree, gone: Tree) -> None:
        kept = [disk for disk in vectors(vm["TEMPLATE"], "DISK") if disk is not gone]
        put_listed(vm["TEMPLATE"], "DISK", kept)
        image = text(gone, "IMAGE_ID")
        if image and all(text(disk, "IMAGE_ID") != image for disk in kept):
            self.model.images.release(int(image), int(vm["ID"]))

    def resize_disk(self, caller: Caller, id_: int, disk_id: int, size: str) -> None:
        """one.vm.diskresize: a disk only grows; a persistent image grows with it (as recorded). Raises OneError."""
        vm = self._get(caller, id_, "disk-resize")
        disk = self._disk(vm, disk_id)
        if not size.isdecimal():
            raise Refused(f"Could not resize disk. SIZE {size} is not a number of MB.")
        if int(size) < int(disk["SIZE"]):
            raise ActionRefused("Could not resize disk. A disk cannot shrink.")
        grows = {"SYSTEM_DISK_SIZE": float(size) - float(disk["SIZE"])}
        demand = quotas.Demand(section="VM", key="", amounts=grows)
        quotas.check(self.model, int(vm["UID"]), int(vm["GID"]), [demand])
        if _runs(vm):
            disk.update(RESIZE="YES", SIZE_PREV=disk["SIZE"])
        disk["SIZE"] = size
        if text(disk, "PERSISTENT") == "YES" and not _runs(vm):
            self.model.images.resize(int(disk["IMAGE_ID"]), int(size))
        self._done(caller, vm, _DISK_RESIZE)

    @staticmethod
    def _disk(vm: Tree, disk_id: int) -> Tree:
        for disk in vectors(vm["TEMPLATE"], "DISK"):
            if disk["DISK_ID"] == str(disk_id):
                return disk
        raise ActionRefused(f"Could not find disk with ID {disk_id} in VM {vm['ID']}.")

    def attach_nic(self, caller: Caller, id_: int, source: str) -> None:
        """one.vm.attachnic: a NIC or a NIC_ALIAS. Raises OneError."""
        vm = self._get(caller, id_, "attach-nic")
        parsed = template.parse(source)
        key = "NIC" if vectors(parsed, "NIC") else "NIC_ALIAS"
        given = next(iter(vectors(parsed, key)), None)
        if given is None:
            raise Refused("Could not add nic. No NIC attribute in the template.")
        tree = vm["TEMPLATE"]
        used = [int(nic["NIC_ID"]) for nic in nics.all_of(tree)]
        made = nics.build(self.model, caller, id_, given, nic_id=max(used, default=-1) + 1, others=vectors(tree, "NIC"))
        if key == "NIC":
            quotas.check(self.model, int(vm["UID"]), int(vm["GID"]), quotas.of_devices([made], []))
        if _runs(vm):
            made["ATTACH"] = "YES"
        put_listed(tree, key, [*vectors(tree, key), made])
        self._networks_changed(vm)
        self._done(caller, vm, _NIC_ATTACH)

    def detach_nic(self, caller: Caller, id_: int, nic_id: int) -> None:
        """one.vm.detachnic: a NIC with its aliases, or one alias. Raises ActionRefused: there is no such NIC."""
        vm = self._get(caller, id_, "detach-nic")
        tree = vm["TEMPLATE"]
        gone = [nic for nic in nics.all_of(tree) if nic["NIC_ID"] == str(nic_id)]
        if not gone:
            raise ActionRefused(f"Could not find nic with ID {nic_id} in VM {id_}.")
        if _runs(vm):
            gone[0]["ATTACH"] = "YES"
        else:
            self._drop_nic(vm, gone[0])
        self._done(caller, vm, _NIC_DETACH)

    def _drop_nic(self, vm: Tree, nic: Tree) -> None:
        tree = vm["TEMPLATE"]
        aliases = [alias for alias in vectors(tree, "NIC_ALIAS") if text(alias, "PARENT_ID") == nic["NIC_ID"]]
        for gone in [nic, *aliases]:
            for key in ("NIC", "NIC_ALIAS"):
                put_listed(tree, key, [other for other in vectors(tree, key) if other is not gone])
            for parent in vectors(tree, "NIC"):
                _forget_alias(parent, gone["NIC_ID"])
            nics.release(self.model, int(vm["ID"]), gone, nics.all_of(tree))
        self._networks_changed(vm)

    def _networks_changed(self, vm: Tree) -> None:
        tree = vm["TEMPLATE"]
        made = vectors(tree, "CONTEXT")
        if made:
            own = {key: value for key, value in made[-1].items() if not context.is_network_key(key)}
            tree["CONTEXT"] = context.build(self.model, vm, own)

    def resize(self, caller: Caller, id_: int, source: str, *, enforce: bool) -> None:
        """one.vm.resize: CPU, VCPU, MEMORY; the host's capacity is respected where `enforce` says so.

        Raises:
            OneError.
        """
        vm = self._get(caller, id_, "resize", _RESIZABLE)
        given = template.parse(source)
        tree = vm["TEMPLATE"]
        cpu = cpu_text({"CPU": text(given, "CPU") or text(tree, "CPU")})
        memory = memory_text({"MEMORY": text(given, "MEMORY") or text(tree, "MEMORY")})
        check_vcpu(given)
        more_cpu = round(float(cpu) * 100) - placement.cpu_of(tree)
        more_kb = int(memory) * 1024 - placement.memory_kb_of(tree)
        added = {"CPU": more_cpu / 100, "MEMORY": more_kb / 1024}
        quotas.check(self.model, int(vm["UID"]), int(vm["GID"]), [quotas.Demand(section="VM", key="", amounts=added)])
        host_id = history.host_of(vm)
        if host_id is not None:
            host = self.model.hosts.peek(host_id)
            if enforce and (placement.free_cpu(host) < more_cpu or placement.free_memory_kb(host) < more_kb):
                raise ActionRefused(f"Host {host_id} does not have enough capacity.")
            self.model.hosts.resize(host_id, more_cpu, more_kb)
        tree.update(CPU=cpu, MEMORY=memory)
        if text(given, "VCPU"):
            tree["VCPU"] = text(given, "VCPU")
        self._done(caller, vm, _RESIZE)
        self.model.wake_scheduler()

    def _get(self, caller: Caller, id_: int, action: str, states: tuple[str, ...] = _CHANGEABLE) -> Tree:
        vm = self.model.vms.get(caller, id_, "MANAGE")
        refuse_unless(vm, action, states)
        return vm

    def _done(self, caller: Caller, vm: Tree, action: int) -> None:
        """Store the VM; while it is on a host each change opens a new history record (as recorded)."""
        self.model.vms.refresh(vm)
        host_id = history.host_of(vm)
        if host_id is not None and state_name(vm) == "RUNNING":
            now = self.model.now()
            history.acted(vm, action, caller.uid, caller.gid, self.model.request_id())
            history.stopped(vm, now)
            host = self.model.hosts.peek(host_id)
            history.placed(vm, {**host, "TM_MAD": self.model.tm_mad}, now, with_prolog=False)
            if action in _STATES:
                self.model.lifecycle.set_state(vm, Vm.ACTIVE, _STATES[action])
                self.model.later("vm_hotplug", int(vm["ID"]), self.model.settings.delays.hotplug_s)
        self.model.vms.save(vm)

    def bring_to_an_end(self, id_: int, reason: str) -> None:
        """What is on its way arrives or leaves; with a reason why the host could not, it is as it was before.

        The VM stays in its state: its guest is shown its new CONTEXT before anybody is told that all is done.
        """
        vm = self.model.vms.find(id_)
        if state_name(vm) not in HOTPLUGGED:
            return
        self._finish(vm, reason)
        self.model.vms.refresh(vm)
        self.model.vms.save(vm)

    def _finish(self, vm: Tree, reason: str) -> None:
        tree = vm["TEMPLATE"]
        # The action is in the record that it ended (as recorded); which of the two it was, a mark alone does not say.
        ended = vectors(vm["HISTORY_RECORDS"], "HISTORY")[-2:-1]
        leaves = bool(ended) and int(ended[0]["ACTION"]) in {_DISK_DETACH, _NIC_DETACH}
        for disk in vectors(tree, "DISK"):
            if disk.pop("ATTACH", "") and leaves != bool(reason):
                self._drop_disk(vm, disk)
            before = disk.pop("SIZE_PREV", "")
            if disk.pop("RESIZE", "") and reason:
                disk["SIZE"] = before
            elif before and text(disk, "PERSISTENT") == "YES":
                self.model.images.resize(int(disk["IMAGE_ID"]), int(disk["SIZE"]))
        for nic in nics.all_of(tree):
            if nic.pop("ATTACH", "") and leaves != bool(reason):
                self._drop_nic(vm, nic)


def _forget_alias(parent: Tree, nic_id: str) -> None:
    left = [item for item in text(parent, "ALIAS_IDS").split(",") if item and item != nic_id]
    if left:
        parent["ALIAS_IDS"] = ",".join(left)
    else:
        parent.pop("ALIAS_IDS", None)


def _runs(vm: Tree) -> bool:
    return state_name(vm) == "RUNNING"
