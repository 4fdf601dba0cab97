"""Hosts: capacity, PCI devices, what runs on them. It decides no placement (placement.py does)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, clone, id_set, ids, put_listed, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

HOST = Kind(key="host", tag="HOST", pool_tag="HOST_POOL", noun="host", acl="HOST", taken="HOST", unique="zone")
MONITORED, DISABLED, OFFLINE = 2, 4, 8


@dataclass(frozen=True, kw_only=True)
class PciDevice:
    """A device that VMs may be given: ids in hexadecimal, address "BB:SS.F"."""

    short_address: str
    vendor: str
    device: str
    device_class: str
    vendor_name: str
    device_name: str
    class_name: str
    numa_node: int = 0


@dataclass(frozen=True, kw_only=True)
class HostSpec:
    """What a new zone's host has."""

    name: str
    cores: int = 64
    memory_mb: int = 262144
    pci: Sequence[PciDevice] = ()


# The inventory that OpenNebula's own dummy monitoring reports (recorded): a GPU and a controller of two functions.
DUMMY_PCI = (
    PciDevice(
        short_address="02:00.0",
        vendor="10de",
        device="0863",
        device_class="0302",
        vendor_name="NVIDIA Corporation",
        device_name="C79 [GeForce 9400M]",
        class_name="3D controller",
        numa_node=1,
    ),
    PciDevice(
        short_address="00:06.0",
        vendor="1b21",
        device="0aa7",
        device_class="0c03",
        vendor_name="ASMedia Technology Inc.",
        device_name="MCP79 OHCI USB 1.1 Controller",
        class_name="USB controller",
        numa_node=1,
    ),
    PciDevice(
        short_address="00:06.1",
        vendor="1022",
        device="0aa9",
        device_class="0c03",
        vendor_name="Advanced Micro Devices, Inc.",
        device_name="MCP79 EHCI USB 2.0 Controller",
        class_name="USB controller",
    ),
)


class HostPool(Pool):
    """The zone's hosts."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, HOST)

    def create(self, spec: HostSpec, im_mad: str, vm_mad: str, cluster_id: int) -> int:
        """Store a monitored host."""
        self.free_name(spec.name, -1)
        id_ = self.store.next_id(HOST.key)
        total_cpu, total_mem = spec.cores * 100, spec.memory_mb * 1024
        cluster = self.model.clusters.peek(cluster_id)
        self.save(
            {
                "ID": str(id_),
                "NAME": spec.name,
                "STATE": str(MONITORED),
                "PREV_STATE": str(MONITORED),
                "IM_MAD": im_mad,
                "VM_MAD": vm_mad,
                "CLUSTER_ID": str(cluster_id),
                "CLUSTER": cluster["NAME"],
                "HOST_SHARE": _share(total_cpu, total_mem, spec.pci),
                "VMS": {},
                "TEMPLATE": template.merge(
                    _discovered(spec.name, im_mad, vm_mad, total_cpu, total_mem),
                    {"RESERVED_CPU": "", "RESERVED_MEM": ""},
                ),
                "MONITORING": _monitoring(id_, self.model.now(), total_cpu, total_mem),
            }
        )
        return id_

    def allocate(self, caller: Caller, name: str, im_mad: str, vm_mad: str, cluster_id: int) -> int:
        """one.host.allocate: a host with the capacity of the recorded dummy ones."""
        self.require_create(caller)
        spec = HostSpec(name=name, cores=8, memory_mb=16384, pci=DUMMY_PCI)
        return self.create(spec, im_mad, vm_mad, self.model.clusters.resolve(cluster_id))

    def move(self, id_: int, cluster_id: int) -> None:
        """Put a host into another cluster."""
        tree = self.find(id_)
        tree["CLUSTER_ID"] = str(cluster_id)
        tree["CLUSTER"] = self.model.clusters.peek(cluster_id)["NAME"]
        self.save(tree)

    def status(self, caller: Caller, id_: int, status: int) -> None:
        """one.host.status: 0 enable, 1 disable, 2 offline. Raises Refused: another number."""
        tree = self.get(caller, id_, "ADMIN")
        states = {0: MONITORED, 1: DISABLED, 2: OFFLINE}
        if status not in states:
            raise Refused(f"Wrong status code {status}: 0 (enable), 1 (disable) or 2 (offline) is expected.")
        tree["PREV_STATE"], tree["STATE"] = tree["STATE"], str(states[status])
        self.save(tree)
        self.model.wake_scheduler()

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace what the operator wrote; what monitoring finds comes back, reservations change the capacity."""
        share = tree["HOST_SHARE"]
        total_cpu, total_mem = int(share["TOTAL_CPU"]), int(share["TOTAL_MEM"])
        found = _discovered(tree["NAME"], tree["IM_MAD"], tree["VM_MAD"], total_cpu, total_mem)
        tree["TEMPLATE"] = template.merge(found, new)
        share["MAX_CPU"] = str(_reserved(total_cpu, text(new, "RESERVED_CPU")))
        share["MAX_MEM"] = str(_reserved(total_mem, text(new, "RESERVED_MEM")))
        self.model.wake_scheduler()

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove a host without VMs. Raises ActionRefused: it has VMs."""
        tree = self.get(caller, id_, "ADMIN")
        if ids(tree["VMS"]):
            raise ActionRefused("Cannot delete host. Can not remove a host with running VMs")
        self.store.drop(HOST.key, id_)

    # -- usage -----------------------------------------------------------------------------------------------------

    def occupy(self, id_: int, vm_id: int, cpu: int, memory_kb: int, pci: Sequence[str]) -> None:
        """Count a VM in: hundredths of a core, KiB, short addresses of its devices."""
        self._count(id_, vm_id, cpu, memory_kb, 1)
        tree = self.find(id_)
        for device in vectors(tree["HOST_SHARE"]["PCI_DEVICES"], "PCI"):
            if device["SHORT_ADDRESS"] in pci:
                device["VMID"] = str(vm_id)
        self.save(tree)

    def release(self, id_: int, vm_id: int, cpu: int, memory_kb: int) -> None:
        """Count a VM out."""
        if self.store.view(HOST.key, id_) is None:
            return
        self._count(id_, vm_id, -cpu, -memory_kb, -1)
        tree = self.find(id_)
        for device in vectors(tree["HOST_SHARE"]["PCI_DEVICES"], "PCI"):
            if device["VMID"] == str(vm_id):
                device["VMID"] = "-1"
        self.save(tree)
        self.model.wake_scheduler()

    def resize(self, id_: int, cpu: int, memory_kb: int) -> None:
        """Add to, or with negative numbers take from, what runs on a host."""
        tree = self.find(id_)
        share = tree["HOST_SHARE"]
        share["CPU_USAGE"] = str(int(share["CPU_USAGE"]) + cpu)
        share["MEM_USAGE"] = str(int(share["MEM_USAGE"]) + memory_kb)
        self.save(tree)

    def _count(self, id_: int, vm_id: int, cpu: int, memory_kb: int, vms: int) -> None:
        tree = self.find(id_)
        share = tree["HOST_SHARE"]
        share["CPU_USAGE"] = str(max(0, int(share["CPU_USAGE"]) + cpu))
        share["MEM_USAGE"] = str(max(0, int(share["MEM_USAGE"]) + memory_kb))
        running = set(ids(tree["VMS"]))
        running = running | {vm_id} if vms > 0 else running - {vm_id}
        share["RUNNING_VMS"] = str(len(running))
        tree["VMS"] = id_set(sorted(running))
        self.save(tree)


def _reserved(total: int, reserved: str) -> int:
    """Capacity less a reservation, absolute or in percent; a negative one overcommits (recorded)."""
    try:
        if reserved.endswith("%"):
            return int(total * (1 - float(reserved[:-1]) / 100))
        return total - int(float(reserved or 0))
    except (ValueError, OverflowError):
        return total


def _discovered(name: str, im_mad: str, vm_mad: str, total_cpu: int, total_mem: int) -> Tree:
    return {
        "ARCH": "x86_64",
        "CPUSPEED": "3200",
        "HOSTNAME": name,
        "HYPERVISOR": vm_mad,
        "IM_MAD": im_mad,
        "KVM_CPU_FEATURES": "",
        "KVM_CPU_MODELS": "",
        "MODELNAME": "zonebox",
        "TOTALCPU": str(total_cpu),
        "TOTALMEMORY": str(total_mem),
        "VM_MAD": vm_mad,
    }


def _share(total_cpu: int, total_mem: int, devices: Sequence[PciDevice]) -> Tree:
    pci: Tree = {}
    put_listed(pci, "PCI", [_pci(device) for device in devices])
    numa: Tree = {}
    put_listed(numa, "NODE", [_node(index, total_cpu // 100, total_mem // 2) for index in range(2)])
    return {
        "MEM_USAGE": "0",
        "CPU_USAGE": "0",
        "TOTAL_MEM": str(total_mem),
        "TOTAL_CPU": str(total_cpu),
        "MAX_MEM": str(total_mem),
        "MAX_CPU": str(total_cpu),
        "RUNNING_VMS": "0",
        "VMS_THREAD": "1",
        "DATASTORES": {"DISK_USAGE": "0", "FREE_DISK": "20480", "MAX_DISK": "20480", "USED_DISK": "9720"},
        "PCI_DEVICES": pci,
        "NUMA_NODES": numa,
    }


def _pci(device: PciDevice) -> Tree:
    bus, rest = device.short_address.split(":")
    slot, function = rest.split(".")
    return {
        "ADDRESS": f"0000:{bus}:{slot}:{function}",
        "BUS": bus,
        "CLASS": device.device_class,
        "CLASS_NAME": device.class_name,
        "DEVICE": device.device,
        "DEVICE_NAME": device.device_name,
        "DOMAIN": "0000",
        "FUNCTION": function,
        "NUMA_NODE": str(device.numa_node),
        "SHORT_ADDRESS": device.short_address,
        "SLOT": slot,
        "TYPE": f"{device.vendor}:{device.device}:{device.device_class}",
        "VENDOR": device.vendor,
        "VENDOR_NAME": device.vendor_name,
        "VMID": "-1",
    }


def _node(index: int, cores: int, memory_kb: int) -> Tree:
    half = max(1, cores // 2)
    numbers = range(index * half, (index + 1) * half)
    return {
        "CORE": [{"CPUS": f"{n}:-1", "DEDICATED": "NO", "FREE": "1", "ID": str(n)} for n in numbers],
        "HUGEPAGE": [{"PAGES": "0", "SIZE": size, "USAGE": "0"} for size in ("2048", "1048576")],
        "MEMORY": {"DISTANCE": "0 1" if index == 0 else "1 0", "TOTAL": str(memory_kb), "USAGE": "0"},
        "NODE_ID": str(index),
    }


def _monitoring(id_: int, now: int, total_cpu: int, total_mem: int) -> Tree:
    node: dict[str, Any] = {
        "HUGEPAGE": [{"FREE": "0", "SIZE": size} for size in ("2048", "1048576")],
        "MEMORY": {"FREE": str(total_mem // 2), "USED": "0"},
    }
    return {
        "TIMESTAMP": str(now),
        "ID": str(id_),
        "CAPACITY": {
            "FREE_CPU": str(total_cpu),
            "FREE_MEMORY": str(total_mem),
            "USED_CPU": "0",
            "USED_MEMORY": "0",
        },
        "SYSTEM": {"NETRX": "0", "NETTX": "0"},
        "NUMA_NODE": [{**clone(node), "NODE_ID": str(index)} for index in range(2)],
    }
