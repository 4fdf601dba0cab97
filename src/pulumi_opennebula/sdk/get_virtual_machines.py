"""get_virtual_machines: virtual machines that match every criterion given. None matching is an empty list here (the
bridged package fails), because a service that is scaled to nothing is no mistake.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = [
    "GetVirtualMachinesResult",
    "GetVirtualMachinesVirtualMachine",
    "GetVirtualMachinesVirtualMachineDisk",
    "GetVirtualMachinesVirtualMachineNic",
    "GetVirtualMachinesVirtualMachineNicAlias",
    "GetVirtualMachinesVirtualMachineVmgroup",
    "get_virtual_machines",
    "get_virtual_machines_output",
]


@outputs
class GetVirtualMachinesVirtualMachineNic(dict[str, Any]):
    """A network card. Cards keep the order given."""

    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: list[int] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: str | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: str | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: str | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: str | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: str | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: str | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: str | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: str | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the card, for aliases to refer to."""
    model: str | None = pulumi.property("model", default=None)
    """Hardware that the guest sees: `virtio`, `e1000`, ..."""
    virtio_queues: str | None = pulumi.property("virtioQueues", default=None)
    """Number of virtio queues."""
    physical_device: str | None = pulumi.property("physicalDevice", default=None)
    """Host device, instead of the network's."""
    method: str | None = pulumi.property("method", default=None)
    """How the guest configures IPv4: `static`, `dhcp`, `skip`."""
    network_mode_auto: bool | None = pulumi.property("networkModeAuto", default=None)
    """Let the scheduler choose the network."""
    sched_requirements: str | None = pulumi.property("schedRequirements", default=None)
    """Which networks the scheduler may choose."""
    sched_rank: str | None = pulumi.property("schedRank", default=None)
    """Which network the scheduler prefers."""


@outputs
class GetVirtualMachinesVirtualMachineNicAlias(dict[str, Any]):
    """A further address on a network card."""

    parent: str | None = pulumi.property("parent", default=None)
    """Name of the NIC that carries the alias."""
    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: list[int] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: str | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: str | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: str | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: str | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: str | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: str | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: str | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: str | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the alias."""


@outputs
class GetVirtualMachinesVirtualMachineDisk(dict[str, Any]):
    """A disk: of an image, or volatile. Disks keep the order given."""

    image_id: int | None = pulumi.property("imageId", default=None)
    """Id of the image; absent for a volatile disk."""
    size: int | None = pulumi.property("size", default=None)
    """Size in MB; of an image: grow it to this."""
    target: str | None = pulumi.property("target", default=None)
    """Device that the disk appears as, such as `vda`."""
    driver: str | None = pulumi.property("driver", default=None)
    """Image mapping driver, such as `qcow2`."""
    dev_prefix: str | None = pulumi.property("devPrefix", default=None)
    """Device prefix: `hd`, `sd`, `vd`, ..."""
    cache: str | None = pulumi.property("cache", default=None)
    """Cache mode of the hypervisor."""
    discard: str | None = pulumi.property("discard", default=None)
    """Discard mode of the hypervisor."""
    io: str | None = pulumi.property("io", default=None)
    """IO policy of the hypervisor."""
    volatile_type: str | None = pulumi.property("volatileType", default=None)
    """Type of a volatile disk: `fs` or `swap`."""
    volatile_format: str | None = pulumi.property("volatileFormat", default=None)
    """Format of a volatile disk: `raw` or `qcow2`."""


@outputs
class GetVirtualMachinesVirtualMachineVmgroup(dict[str, Any]):
    """Role of a VM group, for affinity."""

    vmgroup_id: int | None = pulumi.property("vmgroupId", default=None)
    """Id of the VM group."""
    role: str | None = pulumi.property("role", default=None)
    """Name of the role."""


@outputs
class GetVirtualMachinesVirtualMachine(dict[str, Any]):
    """A virtual machine."""

    id: int | None = pulumi.property("id", default=None)
    """Number of the VM."""
    name: str | None = pulumi.property("name", default=None)
    """Name; OneFlow's are `role_0_(service_15)`."""
    cpu: float | None = pulumi.property("cpu", default=None)
    """Share of a physical CPU."""
    vcpu: int | None = pulumi.property("vcpu", default=None)
    """CPUs that the guest sees."""
    memory: int | None = pulumi.property("memory", default=None)
    """Memory in MB."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes of the user template, names in upper case; what a VM says through OneGate is here."""
    nics: list[GetVirtualMachinesVirtualMachineNic] | None = pulumi.property("nics", default=None)
    """Network cards, in order, with the addresses they have."""
    nic_aliases: list[GetVirtualMachinesVirtualMachineNicAlias] | None = pulumi.property("nicAliases", default=None)
    """Further addresses on network cards."""
    disks: list[GetVirtualMachinesVirtualMachineDisk] | None = pulumi.property("disks", default=None)
    """Disks, in order; the CONTEXT disk is not among them."""
    vmgroups: list[GetVirtualMachinesVirtualMachineVmgroup] | None = pulumi.property("vmgroups", default=None)
    """Role of a VM group."""


@outputs
class GetVirtualMachinesResult(dict[str, Any]):
    """What `get_virtual_machines` finds."""

    id: str = pulumi.property("id")
    """Identifies this look-up."""
    virtual_machines: list[GetVirtualMachinesVirtualMachine] = pulumi.property("virtualMachines")
    """The VMs that match, sorted."""
    name_regex: str | None = pulumi.property("nameRegex", default=None)
    """Regular expression that the VM's name must contain a match of."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that the VM's user template must have, with these values."""
    cpu: float | None = pulumi.property("cpu", default=None)
    """CPU share that the VM must have."""
    vcpu: int | None = pulumi.property("vcpu", default=None)
    """Number of CPUs that the VM must have."""
    memory: int | None = pulumi.property("memory", default=None)
    """Memory in MB that the VM must have."""
    sort_on: str | None = pulumi.property("sortOn", default=None)
    """What to sort by: `id`, `name`, `cpu`, `vcpu` or `memory`; `id` where absent."""
    order: str | None = pulumi.property("order", default=None)
    """`ASC` or `DESC`; `ASC` where absent."""


def get_virtual_machines(
    *,
    name_regex: str | None = None,
    tags: dict[str, str] | None = None,
    cpu: float | None = None,
    vcpu: int | None = None,
    memory: int | None = None,
    sort_on: str | None = None,
    order: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetVirtualMachinesResult:
    """Virtual machines that match every criterion given. None matching is an empty list here (the bridged package
    fails), because a service that is scaled to nothing is no mistake.

    Args:
        name_regex: Regular expression that the VM's name must contain a match of.
        tags: Attributes that the VM's user template must have, with these values.
        cpu: CPU share that the VM must have.
        vcpu: Number of CPUs that the VM must have.
        memory: Memory in MB that the VM must have.
        sort_on: What to sort by: `id`, `name`, `cpu`, `vcpu` or `memory`; `id` where absent.
        order: `ASC` or `DESC`; `ASC` where absent.
        opts: Options, such as the provider to ask.
    """
    values = {
        "nameRegex": name_regex,
        "tags": tags,
        "cpu": cpu,
        "vcpu": vcpu,
        "memory": memory,
        "sortOn": sort_on,
        "order": order,
    }
    return call("opennebula:index/getVirtualMachines:getVirtualMachines", values, opts, GetVirtualMachinesResult)


def get_virtual_machines_output(
    *,
    name_regex: pulumi.Input[str] | None = None,
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
    cpu: pulumi.Input[float] | None = None,
    vcpu: pulumi.Input[int] | None = None,
    memory: pulumi.Input[int] | None = None,
    sort_on: pulumi.Input[str] | None = None,
    order: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetVirtualMachinesResult]:
    """As `get_virtual_machines`, for arguments that are outputs of other resources."""
    values = {
        "nameRegex": name_regex,
        "tags": tags,
        "cpu": cpu,
        "vcpu": vcpu,
        "memory": memory,
        "sortOn": sort_on,
        "order": order,
    }
    return call_output("opennebula:index/getVirtualMachines:getVirtualMachines", values, opts, GetVirtualMachinesResult)
