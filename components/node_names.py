"""From the names that OneFlow gives to VMs to the names and partitions of SuperNodes. It invents nothing: a VM name
that OneFlow did not make is refused.

OneFlow calls the n-th VM of a role `<role>_<n>_(service_<id>)` and never uses n again within a service (recorded on
OpenNebula 7.0.1), so names and partitions stay with their VM while a pool grows and shrinks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components.errors import RefusalError

PARTITIONS_PER_ZONE = 1000
"""Distance between the partition bases of two zones, and so the bound of n."""

MAX_PARTITION = 2**31
"""Partitions are below it: apps count with them in numbers of 32 bits."""

NODE = r"[A-Za-z0-9_]+-(?:0|[1-9][0-9]*)"
"""Regular expression for a node's name without its zone, in the one way in which `node_name` writes it."""

_VM_NAME = re.compile(r"(?P<role>\w+?)_(?P<number>\d+)_\(service_(?P<service>\d+)\)")
_ZONE_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, kw_only=True)
class VmName:
    """A VM name of OneFlow's, taken apart."""

    role: str
    number: int
    service_id: int


def parse_vm_name(name: str) -> VmName:
    """Take a VM name apart.

    Args:
        name: Such as `supernode_2_(service_15)`.

    Raises:
        RefusalError: OneFlow did not make this name.
    """
    match = _VM_NAME.fullmatch(name)
    if match is None:
        raise RefusalError(
            value=f"VM name: {name}",
            rule="a SuperNode's VM is called <role>_<n>_(service_<id>), as OneFlow names it",
            reason="the node's name and its partition come from n",
            remedy="rename the VM back in OpenNebula (onevm rename), or terminate it and let OneFlow make a new one",
        )
    return VmName(role=match["role"], number=int(match["number"]), service_id=int(match["service"]))


def service_vms_pattern(service_id: int | str) -> str:
    """A regular expression for the VM names of one service."""
    return rf"_\(service_{int(service_id)}\)$"


def node_name(zone: str, vm: VmName) -> str:
    """The SuperNode's name, unique in the federation: `berlin/supernode-2`."""
    return f"{zone}/{vm.role}-{vm.number}"


def partition_id(base: int, vm: VmName) -> int:
    """The node's partition.

    Args:
        base: The zone's `partitionBase`.
        vm: The node's VM.

    Raises:
        RefusalError: The service has made so many VMs that the next zone's partitions begin.
    """
    if vm.number >= PARTITIONS_PER_ZONE:
        raise RefusalError(
            value=f"VM number: {vm.number}",
            rule=f"a service makes at most {PARTITIONS_PER_ZONE} SuperNodes in its life",
            reason=f"partition bases of zones are {PARTITIONS_PER_ZONE} apart, and OneFlow never reuses a number",
            remedy="destroy and create the zone's stack: its numbers begin at 0 again, with new keys",
        )
    return base + vm.number


def check_zone_name(name: str, *, where: str) -> str:
    """Return a zone's name if it fits node names, context variables and host names.

    Raises:
        RefusalError: It does not.
    """
    if _ZONE_NAME.fullmatch(name) is None:
        raise RefusalError(
            value=f"{where}: {name!r}",
            rule="a zone name has 1 to 31 characters a-z, 0-9 and -, and begins with a letter",
            reason="it becomes part of node names and of names in OpenNebula",
            remedy=f"change {where} in the stack file",
        )
    return name


def check_partition_base(base: int, *, where: str) -> int:
    """Return a partition base if bases of different zones cannot overlap.

    Raises:
        RefusalError: It is negative, no multiple of 1000, or leaves its zone no room.
    """
    if not 0 <= base <= MAX_PARTITION - PARTITIONS_PER_ZONE or base % PARTITIONS_PER_ZONE:
        raise RefusalError(
            value=f"{where}: {base}",
            rule=f"a partition base is 0 or a multiple of {PARTITIONS_PER_ZONE}, and below {MAX_PARTITION}",
            reason="each zone numbers its nodes from its base, and two zones must never give out one partition twice",
            remedy=f"set {where} in the stack file to a multiple of {PARTITIONS_PER_ZONE} that no other zone has",
        )
    return base
