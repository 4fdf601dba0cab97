"""Nested results of VirtualMachine.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import outputs

__all__ = [
    "VirtualMachineCpumodel",
    "VirtualMachineDisk",
    "VirtualMachineGraphics",
    "VirtualMachineNic",
    "VirtualMachineNicAlias",
    "VirtualMachineOs",
    "VirtualMachineRaw",
    "VirtualMachineTemplateDisk",
    "VirtualMachineTemplateNic",
    "VirtualMachineTemplateNicAlias",
    "VirtualMachineTemplateSection",
    "VirtualMachineTimeouts",
    "VirtualMachineVmgroup",
]


@outputs
class VirtualMachineNic(dict[str, Any]):
    """A network card. A change detaches it and attaches another while the VM runs."""

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
    nic_id: int | None = pulumi.property("nicId", default=None)
    """Number of the card in its VM."""
    computed_alias_ids: str | None = pulumi.property("computedAliasIds", default=None)
    """Numbers of the aliases on the card."""
    computed_name: str | None = pulumi.property("computedName", default=None)
    """`name`, as the cloud has it."""
    computed_ip: str | None = pulumi.property("computedIp", default=None)
    """`ip`, as the cloud has it."""
    computed_ip6: str | None = pulumi.property("computedIp6", default=None)
    """`ip6`, as the cloud has it."""
    computed_ip6_global: str | None = pulumi.property("computedIp6Global", default=None)
    """`ip6Global`, as the cloud has it."""
    computed_ip6_link: str | None = pulumi.property("computedIp6Link", default=None)
    """`ip6Link`, as the cloud has it."""
    computed_ip6_ula: str | None = pulumi.property("computedIp6Ula", default=None)
    """`ip6Ula`, as the cloud has it."""
    computed_mac: str | None = pulumi.property("computedMac", default=None)
    """`mac`, as the cloud has it."""
    computed_dns: str | None = pulumi.property("computedDns", default=None)
    """`dns`, as the cloud has it."""
    computed_gateway: str | None = pulumi.property("computedGateway", default=None)
    """`gateway`, as the cloud has it."""
    computed_method: str | None = pulumi.property("computedMethod", default=None)
    """`method`, as the cloud has it."""
    computed_security_groups: list[int] | None = pulumi.property("computedSecurityGroups", default=None)
    """`securityGroups`, as the cloud has it."""
    computed_model: str | None = pulumi.property("computedModel", default=None)
    """`model`, as the cloud has it."""
    computed_virtio_queues: str | None = pulumi.property("computedVirtioQueues", default=None)
    """`virtioQueues`, as the cloud has it."""
    computed_physical_device: str | None = pulumi.property("computedPhysicalDevice", default=None)
    """`physicalDevice`, as the cloud has it."""


@outputs
class VirtualMachineNicAlias(dict[str, Any]):
    """A further address on a network card."""

    parent: str = pulumi.property("parent")
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
    nic_id: int | None = pulumi.property("nicId", default=None)
    """Number of the alias in its VM."""
    computed_alias_id: int | None = pulumi.property("computedAliasId", default=None)
    """Number of the alias on its card."""
    computed_parent_id: int | None = pulumi.property("computedParentId", default=None)
    """Number of the card that carries it."""
    computed_method: str | None = pulumi.property("computedMethod", default=None)
    """`method`, as the cloud has it."""
    computed_name: str | None = pulumi.property("computedName", default=None)
    """`name`, as the cloud has it."""
    computed_parent: str | None = pulumi.property("computedParent", default=None)
    """`parent`, as the cloud has it."""
    computed_network: str | None = pulumi.property("computedNetwork", default=None)
    """`network`, as the cloud has it."""
    computed_network_id: int | None = pulumi.property("computedNetworkId", default=None)
    """`networkId`, as the cloud has it."""
    computed_ip: str | None = pulumi.property("computedIp", default=None)
    """`ip`, as the cloud has it."""
    computed_ip6: str | None = pulumi.property("computedIp6", default=None)
    """`ip6`, as the cloud has it."""
    computed_ip6_global: str | None = pulumi.property("computedIp6Global", default=None)
    """`ip6Global`, as the cloud has it."""
    computed_ip6_link: str | None = pulumi.property("computedIp6Link", default=None)
    """`ip6Link`, as the cloud has it."""
    computed_ip6_ula: str | None = pulumi.property("computedIp6Ula", default=None)
    """`ip6Ula`, as the cloud has it."""
    computed_mac: str | None = pulumi.property("computedMac", default=None)
    """`mac`, as the cloud has it."""
    computed_dns: str | None = pulumi.property("computedDns", default=None)
    """`dns`, as the cloud has it."""
    computed_gateway: str | None = pulumi.property("computedGateway", default=None)
    """`gateway`, as the cloud has it."""
    computed_security_groups: list[int] | None = pulumi.property("computedSecurityGroups", default=None)
    """`securityGroups`, as the cloud has it."""


@outputs
class VirtualMachineDisk(dict[str, Any]):
    """A disk: of an image, or volatile. It grows in place; other changes detach it and attach another."""

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
    disk_id: int | None = pulumi.property("diskId", default=None)
    """Number of the disk in its VM."""
    computed_size: int | None = pulumi.property("computedSize", default=None)
    """`size`, as the cloud has it."""
    computed_target: str | None = pulumi.property("computedTarget", default=None)
    """`target`, as the cloud has it."""
    computed_driver: str | None = pulumi.property("computedDriver", default=None)
    """`driver`, as the cloud has it."""
    computed_dev_prefix: str | None = pulumi.property("computedDevPrefix", default=None)
    """`devPrefix`, as the cloud has it."""
    computed_cache: str | None = pulumi.property("computedCache", default=None)
    """`cache`, as the cloud has it."""
    computed_discard: str | None = pulumi.property("computedDiscard", default=None)
    """`discard`, as the cloud has it."""
    computed_io: str | None = pulumi.property("computedIo", default=None)
    """`io`, as the cloud has it."""
    computed_volatile_format: str | None = pulumi.property("computedVolatileFormat", default=None)
    """`volatileFormat`, as the cloud has it."""


@outputs
class VirtualMachineOs(dict[str, Any]):
    """How the guest boots."""

    arch: str = pulumi.property("arch")
    """`x86_64`, `aarch64`, ..."""
    boot: str = pulumi.property("boot")
    """Boot devices in order: `disk0,nic0`; may be empty."""
    machine: str | None = pulumi.property("machine", default=None)
    """Machine type, such as `q35`."""
    kernel: str | None = pulumi.property("kernel", default=None)
    """Path of a kernel on the host."""
    kernel_ds: str | None = pulumi.property("kernelDs", default=None)
    """Kernel image, such as `$FILE[IMAGE_ID=3]`."""
    initrd: str | None = pulumi.property("initrd", default=None)
    """Path of an initrd on the host."""
    initrd_ds: str | None = pulumi.property("initrdDs", default=None)
    """Initrd image, such as `$FILE[IMAGE_ID=4]`."""
    root: str | None = pulumi.property("root", default=None)
    """Root device for the kernel."""
    kernel_cmd: str | None = pulumi.property("kernelCmd", default=None)
    """Kernel command line."""
    bootloader: str | None = pulumi.property("bootloader", default=None)
    """Path of a boot loader on the host."""
    sd_disk_bus: str | None = pulumi.property("sdDiskBus", default=None)
    """Bus of `sd` disks: `scsi` or `sata`."""
    uuid: str | None = pulumi.property("uuid", default=None)
    """UUID that the guest sees."""
    firmware: str | None = pulumi.property("firmware", default=None)
    """`BIOS`, or path of a UEFI firmware."""
    firmware_secure: bool | None = pulumi.property("firmwareSecure", default=None)
    """UEFI secure boot."""


@outputs
class VirtualMachineGraphics(dict[str, Any]):
    """Console of the VM."""

    type: str = pulumi.property("type")
    """`VNC`, `SPICE` or `SDL`."""
    listen: str = pulumi.property("listen")
    """Address that the console listens on, such as `0.0.0.0`."""
    port: str | None = pulumi.property("port", default=None)
    """Port; OpenNebula chooses one where absent."""
    keymap: str | None = pulumi.property("keymap", default=None)
    """Keyboard map."""
    passwd: str | None = pulumi.property("passwd", default=None)
    """Password of the console."""
    random_passwd: bool | None = pulumi.property("randomPasswd", default=None)
    """Let OpenNebula make a password for each VM."""


@outputs
class VirtualMachineCpumodel(dict[str, Any]):
    """CPU that the guest sees."""

    model: str = pulumi.property("model")
    """Model, such as `host-passthrough`."""


@outputs
class VirtualMachineRaw(dict[str, Any]):
    """Text that is handed to the hypervisor as it is."""

    type: str = pulumi.property("type")
    """Hypervisor: `kvm`, `lxc`, ..."""
    data: str = pulumi.property("data")
    """The text."""


@outputs
class VirtualMachineVmgroup(dict[str, Any]):
    """Role of a VM group, for affinity."""

    vmgroup_id: int = pulumi.property("vmgroupId")
    """Id of the VM group."""
    role: str = pulumi.property("role")
    """Name of the role."""


@outputs
class VirtualMachineTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class VirtualMachineTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: str | None = pulumi.property("update", default=None)  # type: ignore[assignment]
    """Longest wait of update, such as `10m`."""
    delete: str | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class VirtualMachineTemplateNic(dict[str, Any]):
    """As the VM's template brought it; the program's own list replaces all of them."""

    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    nic_id: int | None = pulumi.property("nicId", default=None)
    """Number of the card in its VM."""
    computed_alias_ids: str | None = pulumi.property("computedAliasIds", default=None)
    """Numbers of the aliases on the card."""
    computed_name: str | None = pulumi.property("computedName", default=None)
    """`name`, as the cloud has it."""
    computed_ip: str | None = pulumi.property("computedIp", default=None)
    """`ip`, as the cloud has it."""
    computed_ip6: str | None = pulumi.property("computedIp6", default=None)
    """`ip6`, as the cloud has it."""
    computed_ip6_global: str | None = pulumi.property("computedIp6Global", default=None)
    """`ip6Global`, as the cloud has it."""
    computed_ip6_link: str | None = pulumi.property("computedIp6Link", default=None)
    """`ip6Link`, as the cloud has it."""
    computed_ip6_ula: str | None = pulumi.property("computedIp6Ula", default=None)
    """`ip6Ula`, as the cloud has it."""
    computed_mac: str | None = pulumi.property("computedMac", default=None)
    """`mac`, as the cloud has it."""
    computed_dns: str | None = pulumi.property("computedDns", default=None)
    """`dns`, as the cloud has it."""
    computed_gateway: str | None = pulumi.property("computedGateway", default=None)
    """`gateway`, as the cloud has it."""
    computed_method: str | None = pulumi.property("computedMethod", default=None)
    """`method`, as the cloud has it."""
    computed_security_groups: list[int] | None = pulumi.property("computedSecurityGroups", default=None)
    """`securityGroups`, as the cloud has it."""
    computed_model: str | None = pulumi.property("computedModel", default=None)
    """`model`, as the cloud has it."""
    computed_virtio_queues: str | None = pulumi.property("computedVirtioQueues", default=None)
    """`virtioQueues`, as the cloud has it."""
    computed_physical_device: str | None = pulumi.property("computedPhysicalDevice", default=None)
    """`physicalDevice`, as the cloud has it."""


@outputs
class VirtualMachineTemplateNicAlias(dict[str, Any]):
    """As the VM's template brought it; the program's own list replaces all of them."""

    parent: str | None = pulumi.property("parent", default=None)
    """Name of the NIC that carries the alias."""
    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    nic_id: int | None = pulumi.property("nicId", default=None)
    """Number of the alias in its VM."""
    computed_alias_id: int | None = pulumi.property("computedAliasId", default=None)
    """Number of the alias on its card."""
    computed_parent_id: int | None = pulumi.property("computedParentId", default=None)
    """Number of the card that carries it."""
    computed_method: str | None = pulumi.property("computedMethod", default=None)
    """`method`, as the cloud has it."""
    computed_name: str | None = pulumi.property("computedName", default=None)
    """`name`, as the cloud has it."""
    computed_parent: str | None = pulumi.property("computedParent", default=None)
    """`parent`, as the cloud has it."""
    computed_network: str | None = pulumi.property("computedNetwork", default=None)
    """`network`, as the cloud has it."""
    computed_network_id: int | None = pulumi.property("computedNetworkId", default=None)
    """`networkId`, as the cloud has it."""
    computed_ip: str | None = pulumi.property("computedIp", default=None)
    """`ip`, as the cloud has it."""
    computed_ip6: str | None = pulumi.property("computedIp6", default=None)
    """`ip6`, as the cloud has it."""
    computed_ip6_global: str | None = pulumi.property("computedIp6Global", default=None)
    """`ip6Global`, as the cloud has it."""
    computed_ip6_link: str | None = pulumi.property("computedIp6Link", default=None)
    """`ip6Link`, as the cloud has it."""
    computed_ip6_ula: str | None = pulumi.property("computedIp6Ula", default=None)
    """`ip6Ula`, as the cloud has it."""
    computed_mac: str | None = pulumi.property("computedMac", default=None)
    """`mac`, as the cloud has it."""
    computed_dns: str | None = pulumi.property("computedDns", default=None)
    """`dns`, as the cloud has it."""
    computed_gateway: str | None = pulumi.property("computedGateway", default=None)
    """`gateway`, as the cloud has it."""
    computed_security_groups: list[int] | None = pulumi.property("computedSecurityGroups", default=None)
    """`securityGroups`, as the cloud has it."""


@outputs
class VirtualMachineTemplateDisk(dict[str, Any]):
    """As the VM's template brought it; the program's own list replaces all of them."""

    image_id: int | None = pulumi.property("imageId", default=None)
    """Id of the image; absent for a volatile disk."""
    disk_id: int | None = pulumi.property("diskId", default=None)
    """Number of the disk in its VM."""
    computed_size: int | None = pulumi.property("computedSize", default=None)
    """`size`, as the cloud has it."""
    computed_target: str | None = pulumi.property("computedTarget", default=None)
    """`target`, as the cloud has it."""
    computed_driver: str | None = pulumi.property("computedDriver", default=None)
    """`driver`, as the cloud has it."""
    computed_dev_prefix: str | None = pulumi.property("computedDevPrefix", default=None)
    """`devPrefix`, as the cloud has it."""
    computed_cache: str | None = pulumi.property("computedCache", default=None)
    """`cache`, as the cloud has it."""
    computed_discard: str | None = pulumi.property("computedDiscard", default=None)
    """`discard`, as the cloud has it."""
    computed_io: str | None = pulumi.property("computedIo", default=None)
    """`io`, as the cloud has it."""
    computed_volatile_format: str | None = pulumi.property("computedVolatileFormat", default=None)
    """`volatileFormat`, as the cloud has it."""
