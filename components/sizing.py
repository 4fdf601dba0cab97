"""Sizes and addresses of a zone, decided before anything exists. It knows no cloud and reads no configuration.

Memory floors are measured (flwr 1.41.0, 2026-11-24): an idle SuperLink with its SuperExec takes 273 MB and peaks at
1.2 GB with a 100 MB model beside a ServerApp of 1.0 GB; an idle SuperNode takes 258 MB, and its ClientApp comes on top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from components.errors import RefusalError

SUPERLINK_MEMORY_FLOOR_MB = 512
SUPERNODE_MEMORY_FLOOR_MB = 512
CPU_FLOOR = 0.1


@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The addresses that a zone's virtual network leases: one contiguous range."""

    cidr: IPv4Network
    first: IPv4Address
    size: int

    @property
    def last(self) -> IPv4Address:
        """The range's last address."""
        return self.first + (self.size - 1)

    def holds(self, address: IPv4Address) -> bool:
        """Whether the range leases this address."""
        return self.first <= address <= self.last


def plan_addresses(*, cidr: IPv4Network, first: IPv4Address, size: int) -> AddressPlan:
    """A range inside its network.

    Args:
        cidr: The network, such as 10.66.0.0/24.
        first: First address that is leased.
        size: Number of addresses.

    Raises:
        RefusalError: The range is empty, leaves the network, or takes its network or broadcast address.
    """
    if size < 1:
        raise RefusalError(
            value=f"network.size: {size}",
            rule="a virtual network leases at least 1 address",
            reason="each VM takes one address of the range",
            remedy="set network.size in the stack file to the largest pool you expect",
        )
    usable = _usable(cidr)
    if not usable[0] <= first <= usable[1]:
        raise RefusalError(
            value=f"network.first: {first}",
            rule=f"the first address lies in {cidr}, from {usable[0]} to {usable[1]}",
            reason="a VM outside its network's CIDR cannot reach its gateway or its neighbours",
            remedy="change network.first or network.cidr in the stack file",
        )
    room = int(usable[1]) - int(first) + 1
    if size > room:
        raise RefusalError(
            value=f"network.cidr: {cidr} with {size} addresses from {first}",
            rule=f"the CIDR holds the pool: from {first} it has {room} addresses",
            reason="OpenNebula would lease addresses that lie outside the network",
            remedy=f"in the stack file, let network.first and network.size end at {usable[1]} or before, or choose a "
            "wider network.cidr",
        )
    return AddressPlan(cidr=cidr, first=first, size=size)


def _usable(cidr: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """First and last address that a machine may have; RFC 3021 gives /31 and /32 no network and broadcast address."""
    if cidr.prefixlen >= 31:
        return cidr.network_address, cidr.broadcast_address
    return cidr.network_address + 1, cidr.broadcast_address - 1


def check_pool_size(supernodes: int, plan: AddressPlan) -> int:
    """Return the pool's size if the network has an address for each node.

    Raises:
        RefusalError: It is below 1 or above the range's addresses.
    """
    if not 1 <= supernodes <= plan.size:
        reason = (
            "a zone without a SuperNode takes part in nothing"
            if supernodes < 1
            else f"each SuperNode takes one address, and the range ends at {plan.last}"
        )
        raise RefusalError(
            value=f"supernodes: {supernodes}",
            rule=f"a pool has 1 to {plan.size} SuperNodes, as many as the virtual network has addresses",
            reason=reason,
            remedy="change supernodes in the stack file, or network.size and network.cidr; "
            "to take a zone out use pulumi destroy",
        )
    return supernodes


def check_superlink_address(address: IPv4Address, plan: AddressPlan) -> IPv4Address:
    """Return the SuperLink's address if its network leases it.

    Raises:
        RefusalError: It lies outside the range.
    """
    if not plan.holds(address):
        raise RefusalError(
            value=f"superlink.address: {address}",
            rule=f"the SuperLink's address lies in the range {plan.first} to {plan.last} of {plan.cidr}",
            reason="it is in the server certificate and in every zone's settings, so it is fixed, and OpenNebula "
            "leases only addresses of the range",
            remedy="change superlink.address, or network.first and network.size, in the stack file",
        )
    return address


def check_gateway(gateway: IPv4Address, plan: AddressPlan) -> IPv4Address:
    """Return the gateway that VMs are told if they can reach it, and none of them can get its address.

    Raises:
        RefusalError: It lies outside the network, or inside the range that is leased.
    """
    usable = _usable(plan.cidr)
    if not usable[0] <= gateway <= usable[1]:
        raise RefusalError(
            value=f"network.gateway: {gateway}",
            rule=f"the gateway lies in {plan.cidr}, from {usable[0]} to {usable[1]}",
            reason="a VM reaches its gateway through its own network, and nothing beyond it without",
            remedy="change network.gateway or network.cidr in the stack file",
        )
    if plan.holds(gateway):
        raise RefusalError(
            value=f"network.gateway: {gateway}",
            rule=f"the gateway is no address of the range {plan.first} to {plan.last}, which VMs get",
            reason="the VM that got it would answer in the gateway's place",
            remedy="change network.gateway, or network.first and network.size, in the stack file",
        )
    return gateway


def check_vcpu(vcpu: int, *, where: str) -> int:
    """Return the number of CPUs that a guest sees, if it sees one.

    Raises:
        RefusalError: It is below 1.
    """
    if vcpu < 1:
        raise RefusalError(
            value=f"{where}: {vcpu}",
            rule="at least 1",
            reason="a guest without a CPU does not boot",
            remedy=f"raise {where} in the stack file, or leave it out",
        )
    return vcpu


def check_memory(memory_mb: int, *, floor_mb: int, where: str) -> int:
    """Return the memory if the role can live in it.

    Raises:
        RefusalError: It is below the floor.
    """
    if memory_mb < floor_mb:
        raise RefusalError(
            value=f"{where}: {memory_mb}",
            rule=f"at least {floor_mb} MB",
            reason="Flower with its executor takes about 270 MB idle (flwr 1.41.0), and an app's model comes on top",
            remedy=f"raise {where} in the stack file; models of 100 MB need 4096 on the SuperLink",
        )
    return memory_mb


def check_cpu(cpu: float, *, where: str) -> float:
    """Return the share of physical CPU if it is one OpenNebula can schedule.

    Raises:
        RefusalError: It is below a tenth of a CPU, or no number.
    """
    if not (math.isfinite(cpu) and cpu >= CPU_FLOOR):
        raise RefusalError(
            value=f"{where}: {cpu}",
            rule=f"at least {CPU_FLOOR} of a CPU",
            reason="with less, starting Flower takes longer than the readiness gate waits",
            remedy=f"raise {where} in the stack file",
        )
    return cpu
