"""Nested arguments of VirtualMachine.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

import pulumi

from pulumi_opennebula.sdk.base import arguments

__all__ = [
    "VirtualMachineCpumodelArgs",
    "VirtualMachineDiskArgs",
    "VirtualMachineGraphicsArgs",
    "VirtualMachineNicAliasArgs",
    "VirtualMachineNicArgs",
    "VirtualMachineOsArgs",
    "VirtualMachineRawArgs",
    "VirtualMachineTemplateSectionArgs",
    "VirtualMachineTimeoutsArgs",
    "VirtualMachineVmgroupArgs",
]


@arguments
class VirtualMachineNicArgs:
    """A network card. A change detaches it and attaches another while the VM runs."""

    network_id: pulumi.Input[int] | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: pulumi.Input[str] | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: pulumi.Input[str] | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: pulumi.Input[str] | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: pulumi.Input[str] | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: pulumi.Input[str] | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: pulumi.Input[str] | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: pulumi.Input[str] | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: pulumi.Input[str] | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: pulumi.Input[str] | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name of the card, for aliases to refer to."""
    model: pulumi.Input[str] | None = pulumi.property("model", default=None)
    """Hardware that the guest sees: `virtio`, `e1000`, ..."""
    virtio_queues: pulumi.Input[str] | None = pulumi.property("virtioQueues", default=None)
    """Number of virtio queues."""
    physical_device: pulumi.Input[str] | None = pulumi.property("physicalDevice", default=None)
    """Host device, instead of the network's."""
    method: pulumi.Input[str] | None = pulumi.property("method", default=None)
    """How the guest configures IPv4: `static`, `dhcp`, `skip`."""
    network_mode_auto: pulumi.Input[bool] | None = pulumi.property("networkModeAuto", default=None)
    """Let the scheduler choose the network."""
    sched_requirements: pulumi.Input[str] | None = pulumi.property("schedRequirements", default=None)
    """Which networks the scheduler may choose."""
    sched_rank: pulumi.Input[str] | None = pulumi.property("schedRank", default=None)
    """Which network the scheduler prefers."""


@arguments
class VirtualMachineNicAliasArgs:
    """A further address on a network card."""

    parent: pulumi.Input[str] = pulumi.property("parent")
    """Name of the NIC that carries the alias."""
    network_id: pulumi.Input[int] | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: pulumi.Input[str] | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: pulumi.Input[str] | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: pulumi.Input[str] | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: pulumi.Input[str] | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: pulumi.Input[str] | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: pulumi.Input[str] | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: pulumi.Input[str] | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: pulumi.Input[str] | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: pulumi.Input[str] | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name of the alias."""


@arguments
class VirtualMachineDiskArgs:
    """A disk: of an image, or volatile. It grows in place; other changes detach it and attach another."""

    image_id: pulumi.Input[int] | None = pulumi.property("imageId", default=None)
    """Id of the image; absent for a volatile disk."""
    size: pulumi.Input[int] | None = pulumi.property("size", default=None)
    """Size in MB; of an image: grow it to this."""
    target: pulumi.Input[str] | None = pulumi.property("target", default=None)
    """Device that the disk appears as, such as `vda`."""
    driver: pulumi.Input[str] | None = pulumi.property("driver", default=None)
    """Image mapping driver, such as `qcow2`."""
    dev_prefix: pulumi.Input[str] | None = pulumi.property("devPrefix", default=None)
    """Device prefix: `hd`, `sd`, `vd`, ..."""
    cache: pulumi.Input[str] | None = pulumi.property("cache", default=None)
    """Cache mode of the hypervisor."""
    discard: pulumi.Input[str] | None = pulumi.property("discard", default=None)
    """Discard mode of the hypervisor."""
    io: pulumi.Input[str] | None = pulumi.property("io", default=None)
    """IO policy of the hypervisor."""
    volatile_type: pulumi.Input[str] | None = pulumi.property("volatileType", default=None)
    """Type of a volatile disk: `fs` or `swap`."""
    volatile_format: pulumi.Input[str] | None = pulumi.property("volatileFormat", default=None)
    """Format of a volatile disk: `raw` or `qcow2`."""


@arguments
class VirtualMachineOsArgs:
    """How the guest boots."""

    arch: pulumi.Input[str] = pulumi.property("arch")
    """`x86_64`, `aarch64`, ..."""
    boot: pulumi.Input[str] = pulumi.property("boot")
    """Boot devices in order: `disk0,nic0`; may be empty."""
    machine: pulumi.Input[str] | None = pulumi.property("machine", default=None)
    """Machine type, such as `q35`."""
    kernel: pulumi.Input[str] | None = pulumi.property("kernel", default=None)
    """Path of a kernel on the host."""
    kernel_ds: pulumi.Input[str] | None = pulumi.property("kernelDs", default=None)
    """Kernel image, such as `$FILE[IMAGE_ID=3]`."""
    initrd: pulumi.Input[str] | None = pulumi.property("initrd", default=None)
    """Path of an initrd on the host."""
    initrd_ds: pulumi.Input[str] | None = pulumi.property("initrdDs", default=None)
    """Initrd image, such as `$FILE[IMAGE_ID=4]`."""
    root: pulumi.Input[str] | None = pulumi.property("root", default=None)
    """Root device for the kernel."""
    kernel_cmd: pulumi.Input[str] | None = pulumi.property("kernelCmd", default=None)
    """Kernel command line."""
    bootloader: pulumi.Input[str] | None = pulumi.property("bootloader", default=None)
    """Path of a boot loader on the host."""
    sd_disk_bus: pulumi.Input[str] | None = pulumi.property("sdDiskBus", default=None)
    """Bus of `sd` disks: `scsi` or `sata`."""
    uuid: pulumi.Input[str] | None = pulumi.property("uuid", default=None)
    """UUID that the guest sees."""
    firmware: pulumi.Input[str] | None = pulumi.property("firmware", default=None)
    """`BIOS`, or path of a UEFI firmware."""
    firmware_secure: pulumi.Input[bool] | None = pulumi.property("firmwareSecure", default=None)
    """UEFI secure boot."""


@arguments
class VirtualMachineGraphicsArgs:
    """Console of the VM."""

    type: pulumi.Input[str] = pulumi.property("type")
    """`VNC`, `SPICE` or `SDL`."""
    listen: pulumi.Input[str] = pulumi.property("listen")
    """Address that the console listens on, such as `0.0.0.0`."""
    port: pulumi.Input[str] | None = pulumi.property("port", default=None)
    """Port; OpenNebula chooses one where absent."""
    keymap: pulumi.Input[str] | None = pulumi.property("keymap", default=None)
    """Keyboard map."""
    passwd: pulumi.Input[str] | None = pulumi.property("passwd", default=None)
    """Password of the console."""
    random_passwd: pulumi.Input[bool] | None = pulumi.property("randomPasswd", default=None)
    """Let OpenNebula make a password for each VM."""


@arguments
class VirtualMachineCpumodelArgs:
    """CPU that the guest sees."""

    model: pulumi.Input[str] = pulumi.property("model")
    """Model, such as `host-passthrough`."""


@arguments
class VirtualMachineRawArgs:
    """Text that is handed to the hypervisor as it is."""

    type: pulumi.Input[str] = pulumi.property("type")
    """Hypervisor: `kvm`, `lxc`, ..."""
    data: pulumi.Input[str] = pulumi.property("data")
    """The text."""


@arguments
class VirtualMachineVmgroupArgs:
    """Role of a VM group, for affinity."""

    vmgroup_id: pulumi.Input[int] = pulumi.property("vmgroupId")
    """Id of the VM group."""
    role: pulumi.Input[str] = pulumi.property("role")
    """Name of the role."""


@arguments
class VirtualMachineTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class VirtualMachineTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: pulumi.Input[str] | None = pulumi.property("update", default=None)
    """Longest wait of update, such as `10m`."""
    delete: pulumi.Input[str] | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""
