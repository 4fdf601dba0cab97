"""Which host a VM goes to: capacity, PCI devices, clusters, requirements, VM groups. Pure functions; the caller acts.

The policy is OpenNebula's default of old: among the hosts that fit, the one with the most free CPU, then the lowest id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zonebox.errors import Refused
from zonebox.model import requirements
from zonebox.model.states import Vm
from zonebox.trees import Tree, text, vectors


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Where a VM goes: a host and the short addresses of the devices for its PCI vectors, in their order."""

    host_id: int
    pci: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What VM groups say about hosts."""

    wanted: frozenset[int] | None = None
    """Hosts of which one must be taken; None for no such rule."""
    banned: frozenset[int] = frozenset()


def cpu_of(tree: Tree) -> int:
    """CPU of a VM's TEMPLATE in hundredths of a core."""
    return round(float(text(tree, "CPU", "0")) * 100)


def memory_kb_of(tree: Tree) -> int:
    """MEMORY of a VM's TEMPLATE in KiB."""
    return int(text(tree, "MEMORY", "0")) * 1024


def choose(vm: Tree, hosts: Sequence[Tree], neighbours: Neighbours) -> Choice | str:
    """The place for a VM, or the text that oned's scheduler would leave in SCHED_MESSAGE."""
    ready = [host for host in hosts if host["STATE"] == "2"]
    if not ready:
        return "Cannot allocate VM. No hosts are enabled to run VMs"
    try:
        suitable = [host for host in ready if _meets(vm, host)]
    except Refused as error:
        return f"Cannot allocate VM. {error.text}"
    if neighbours.wanted is not None:
        suitable = [host for host in suitable if int(host["ID"]) in neighbours.wanted]
    suitable = [host for host in suitable if int(host["ID"]) not in neighbours.banned]
    if not suitable:
        return "Cannot allocate VM. No host meets its requirements and affinity rules"
    fitting: list[tuple[int, int, Choice]] = []
    for host in suitable:
        free = free_cpu(host) - cpu_of(vm["TEMPLATE"])
        devices = pick_devices(vm["TEMPLATE"], host)
        if free >= 0 and free_memory_kb(host) >= memory_kb_of(vm["TEMPLATE"]) and devices is not None:
            choice = Choice(host_id=int(host["ID"]), pci=devices)
            fitting.append((-free, int(host["ID"]), choice))
    if not fitting:
        names = ",".join(host["ID"] for host in suitable)
        return f"Cannot allocate VM. Not enough capacity in hosts {names}"
    return min(fitting, key=lambda item: item[:2])[2]


def free_cpu(host: Tree) -> int:
    """Free hundredths of a core."""
    return int(host["HOST_SHARE"]["MAX_CPU"]) - int(host["HOST_SHARE"]["CPU_USAGE"])


def free_memory_kb(host: Tree) -> int:
    """Free memory in KiB."""
    return int(host["HOST_SHARE"]["MAX_MEM"]) - int(host["HOST_SHARE"]["MEM_USAGE"])


def pick_devices(tree: Tree, host: Tree) -> tuple[str, ...] | None:
    """A free device for each PCI vector, or None. A vector names a short address, or vendor, device and class."""
    free = [device for device in vectors(host["HOST_SHARE"]["PCI_DEVICES"], "PCI") if device["VMID"] == "-1"]
    chosen: list[str] = []
    # Vectors that name one address go first, so that a looser one does not take it.
    order = sorted(enumerate(vectors(tree, "PCI")), key=lambda item: not text(item[1], "SHORT_ADDRESS"))
    found: dict[int, str] = {}
    for number, wanted in order:
        match = next((d for d in free if d["SHORT_ADDRESS"] not in chosen and _is(d, wanted)), None)
        if match is None:
            return None
        chosen.append(match["SHORT_ADDRESS"])
        found[number] = match["SHORT_ADDRESS"]
    return tuple(found[number] for number in sorted(found))


def _is(device: Tree, wanted: Tree) -> bool:
    if text(wanted, "SHORT_ADDRESS"):
        return bool(device["SHORT_ADDRESS"] == text(wanted, "SHORT_ADDRESS"))
    keys = ("VENDOR", "DEVICE", "CLASS")
    return all(not text(wanted, key) or device[key].lower() == text(wanted, key).lower() for key in keys)


def _meets(vm: Tree, host: Tree) -> bool:
    attributes = host_attributes(host)
    return all(
        requirements.met(text(part, key), attributes)
        for part, key in ((vm["USER_TEMPLATE"], "SCHED_REQUIREMENTS"), (vm["TEMPLATE"], "AUTOMATIC_REQUIREMENTS"))
    )


def host_attributes(host: Tree) -> Mapping[str, str]:
    """What requirements may name: the host's own leaves, its template, what is free."""
    own = {key: value for key, value in host.items() if isinstance(value, str)}
    mine = {key: value for key, value in host["TEMPLATE"].items() if isinstance(value, str)}
    share = {key: value for key, value in host["HOST_SHARE"].items() if isinstance(value, str)}
    free = {"FREE_CPU": str(free_cpu(host)), "FREE_MEMORY": str(free_memory_kb(host))}
    return {**share, **free, **mine, **own}


def neighbours(vm: Tree, groups: Iterable[Tree], host_of: Mapping[int, int]) -> Neighbours:
    """What the VM's groups say, given where their VMs are.

    Args:
        vm: the VM to place.
        groups: all VM groups.
        host_of: VM id -> host id, of VMs that are on a host.
    """
    wanted: frozenset[int] | None = None
    banned: set[int] = set()
    for membership in vectors(vm["TEMPLATE"], "VMGROUP"):
        group = next((item for item in groups if item["ID"] == text(membership, "VMGROUP_ID")), None)
        if group is None:
            continue
        roles = {role["NAME"]: role for role in vectors(group["ROLES"], "ROLE")}
        mine = text(membership, "ROLE")
        role = roles.get(mine, {})
        if text(role, "HOST_AFFINED"):
            wanted = _narrow(wanted, {int(item) for item in role["HOST_AFFINED"].split(",") if item})
        banned |= {int(item) for item in text(role, "HOST_ANTI_AFFINED").split(",") if item}
        own_hosts = _hosts(role, vm, host_of)
        if text(role, "POLICY").upper() == "ANTI_AFFINED":
            banned |= own_hosts
        elif text(role, "POLICY").upper() == "AFFINED" and own_hosts:
            wanted = _narrow(wanted, own_hosts)
        for key, apart in (("ANTI_AFFINED", True), ("AFFINED", False)):
            values = group["TEMPLATE"].get(key, [])
            for value in [values] if isinstance(values, str) else values:
                names = {item.strip() for item in str(value).split(",")}
                if mine not in names:
                    continue
                others = {host for name in names - {mine} for host in _hosts(roles.get(name, {}), vm, host_of)}
                if apart:
                    banned |= others
                elif others:
                    wanted = _narrow(wanted, others)
    return Neighbours(wanted=wanted, banned=frozenset(banned))


def _hosts(role: Tree, vm: Tree, host_of: Mapping[int, int]) -> set[int]:
    members = [int(item) for item in text(role, "VMS").split(",") if item and item != vm["ID"]]
    return {host_of[member] for member in members if member in host_of}


def _narrow(wanted: frozenset[int] | None, hosts: set[int]) -> frozenset[int]:
    return frozenset(hosts) if wanted is None else wanted & hosts


def waiting(vms: Iterable[Tree]) -> list[Tree]:
    """VMs that want a host, oldest first."""
    return [vm for vm in vms if vm["STATE"] == str(int(Vm.PENDING))]
