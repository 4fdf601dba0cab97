"""VirtualNetwork: a virtual network: how VMs are linked, and which addresses they get.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "VirtualNetwork",
    "VirtualNetworkAr",
    "VirtualNetworkArArgs",
    "VirtualNetworkArgs",
    "VirtualNetworkTemplateSection",
    "VirtualNetworkTemplateSectionArgs",
    "VirtualNetworkTimeouts",
    "VirtualNetworkTimeoutsArgs",
]


@arguments
class VirtualNetworkArArgs:
    """A range of addresses that belongs to the network."""

    size: pulumi.Input[int] = pulumi.property("size")
    """How many addresses."""
    ar_type: pulumi.Input[str] | None = pulumi.property("arType", default=None)
    """`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`."""
    ip4: pulumi.Input[str] | None = pulumi.property("ip4", default=None)
    """First IPv4 address."""
    ip6: pulumi.Input[str] | None = pulumi.property("ip6", default=None)
    """First IPv6 address (`IP6_STATIC`, `IP4_6_STATIC`)."""
    mac: pulumi.Input[str] | None = pulumi.property("mac", default=None)
    """First MAC address; OpenNebula makes one where absent."""
    global_prefix: pulumi.Input[str] | None = pulumi.property("globalPrefix", default=None)
    """IPv6 global prefix."""
    ula_prefix: pulumi.Input[str] | None = pulumi.property("ulaPrefix", default=None)
    """IPv6 unique local prefix."""
    prefix_length: pulumi.Input[str] | None = pulumi.property("prefixLength", default=None)
    """Prefix length of `ip6`; the static types need it."""


@arguments
class VirtualNetworkTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class VirtualNetworkTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""


@outputs
class VirtualNetworkAr(dict[str, Any]):
    """A range of addresses that belongs to the network."""

    size: int = pulumi.property("size")
    """How many addresses."""
    ar_type: str | None = pulumi.property("arType", default=None)
    """`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`."""
    ip4: str | None = pulumi.property("ip4", default=None)
    """First IPv4 address."""
    ip6: str | None = pulumi.property("ip6", default=None)
    """First IPv6 address (`IP6_STATIC`, `IP4_6_STATIC`)."""
    mac: str | None = pulumi.property("mac", default=None)
    """First MAC address; OpenNebula makes one where absent."""
    global_prefix: str | None = pulumi.property("globalPrefix", default=None)
    """IPv6 global prefix."""
    ula_prefix: str | None = pulumi.property("ulaPrefix", default=None)
    """IPv6 unique local prefix."""
    prefix_length: str | None = pulumi.property("prefixLength", default=None)
    """Prefix length of `ip6`; the static types need it."""
    id: str | None = pulumi.property("id", default=None)
    """Number of the range in its network."""
    computed_ip6: str | None = pulumi.property("computedIp6", default=None)
    """First IPv6 address, as OpenNebula has it."""
    computed_mac: str | None = pulumi.property("computedMac", default=None)
    """First MAC address, as OpenNebula has it."""
    computed_global_prefix: str | None = pulumi.property("computedGlobalPrefix", default=None)
    """Global prefix, as OpenNebula has it."""
    computed_ula_prefix: str | None = pulumi.property("computedUlaPrefix", default=None)
    """ULA prefix, as OpenNebula has it."""


@outputs
class VirtualNetworkTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class VirtualNetworkTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""


@arguments
class VirtualNetworkArgs:
    """What a VirtualNetwork is made of."""

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    type: pulumi.Input[str] | None = pulumi.property("type", default=None)
    """Network driver (VN_MAD): `bridge`, `802.1Q`, `vxlan`, `ovswitch`, ...; `bridge` where absent."""
    bridge: pulumi.Input[str] | None = pulumi.property("bridge", default=None)
    """Bridge on the hosts that NICs are attached to; some drivers name it themselves."""
    physical_device: pulumi.Input[str] | None = pulumi.property("physicalDevice", default=None)
    """Host device that the bridge is linked to."""
    vlan_id: pulumi.Input[str] | None = pulumi.property("vlanId", default=None)
    """VLAN or VNI number."""
    automatic_vlan_id: pulumi.Input[bool] | None = pulumi.property("automaticVlanId", default=None)
    """Let OpenNebula choose the VLAN; excludes `vlanId`."""
    mtu: pulumi.Input[int] | None = pulumi.property("mtu", default=None)
    """MTU of the bridge."""
    guest_mtu: pulumi.Input[int] | None = pulumi.property("guestMtu", default=None)
    """MTU that guests are told."""
    gateway: pulumi.Input[str] | None = pulumi.property("gateway", default=None)
    """Default gateway that guests are told."""
    network_address: pulumi.Input[str] | None = pulumi.property("networkAddress", default=None)
    """Network base address, such as `192.168.0.0`."""
    network_mask: pulumi.Input[str] | None = pulumi.property("networkMask", default=None)
    """Network mask, such as `255.255.255.0`."""
    dns: pulumi.Input[str] | None = pulumi.property("dns", default=None)
    """Name servers, separated by spaces."""
    search_domain: pulumi.Input[str] | None = pulumi.property("searchDomain", default=None)
    """DNS search domain that guests are told."""
    ars: pulumi.Input[list[pulumi.InputType[VirtualNetworkArArgs]]] | None = pulumi.property("ars", default=None)
    """Address ranges. Leave it out where VirtualNetworkAddressRange resources manage them; an empty list removes every
    range.
    """
    hold_ips: pulumi.Input[list[pulumi.Input[str]]] | None = pulumi.property("holdIps", default=None)
    """Addresses that OpenNebula must not lease."""
    security_groups: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("securityGroups", default=None)
    """Ids of the security groups that apply to every NIC; OpenNebula adds group 0 where absent."""
    cluster_ids: pulumi.Input[list[pulumi.Input[int]]] | None = pulumi.property("clusterIds", default=None)
    """Ids of the clusters that may use the network."""
    reservation_vnet: pulumi.Input[int] | None = pulumi.property("reservationVnet", default=None)
    """Id of the network to reserve addresses from; the new network is then that reservation."""
    reservation_size: pulumi.Input[int] | None = pulumi.property("reservationSize", default=None)
    """How many addresses to reserve."""
    reservation_ar_id: pulumi.Input[int] | None = pulumi.property("reservationArId", default=None)
    """Range of the parent to reserve from."""
    reservation_first_ip: pulumi.Input[str] | None = pulumi.property("reservationFirstIp", default=None)
    """First IPv4 address to reserve."""
    reservation_first_ip6: pulumi.Input[str] | None = pulumi.property("reservationFirstIp6", default=None)
    """First IPv6 address to reserve."""
    user: pulumi.Input[str] | None = pulumi.property("user", default=None)
    """Name of the user that owns the network."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Input[str] | None = pulumi.property("lock", default=None)
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[VirtualNetworkTemplateSectionArgs]]] | None = pulumi.property(
        "templateSections", default=None
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Input[pulumi.InputType[VirtualNetworkTimeoutsArgs]] | None = pulumi.property(
        "timeouts", default=None
    )
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class VirtualNetwork(OpenNebulaResource):
    """A virtual network: how VMs are linked, and which addresses they get.

    Arguments are those of `VirtualNetworkArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/virtualNetwork:VirtualNetwork"
    arguments_type = VirtualNetworkArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    type: pulumi.Output[str] = pulumi.property("type")
    """Network driver (VN_MAD): `bridge`, `802.1Q`, `vxlan`, `ovswitch`, ...; `bridge` where absent."""
    bridge: pulumi.Output[str] = pulumi.property("bridge")
    """Bridge on the hosts that NICs are attached to; some drivers name it themselves."""
    physical_device: pulumi.Output[str] = pulumi.property("physicalDevice")
    """Host device that the bridge is linked to."""
    vlan_id: pulumi.Output[str] = pulumi.property("vlanId")
    """VLAN or VNI number."""
    automatic_vlan_id: pulumi.Output[bool] = pulumi.property("automaticVlanId")
    """Let OpenNebula choose the VLAN; excludes `vlanId`."""
    mtu: pulumi.Output[int | None] = pulumi.property("mtu")
    """MTU of the bridge."""
    guest_mtu: pulumi.Output[int | None] = pulumi.property("guestMtu")
    """MTU that guests are told."""
    gateway: pulumi.Output[str | None] = pulumi.property("gateway")
    """Default gateway that guests are told."""
    network_address: pulumi.Output[str | None] = pulumi.property("networkAddress")
    """Network base address, such as `192.168.0.0`."""
    network_mask: pulumi.Output[str | None] = pulumi.property("networkMask")
    """Network mask, such as `255.255.255.0`."""
    dns: pulumi.Output[str | None] = pulumi.property("dns")
    """Name servers, separated by spaces."""
    search_domain: pulumi.Output[str | None] = pulumi.property("searchDomain")
    """DNS search domain that guests are told."""
    ars: pulumi.Output[list[VirtualNetworkAr]] = pulumi.property("ars")
    """Address ranges. Leave it out where VirtualNetworkAddressRange resources manage them; an empty list removes every
    range.
    """
    hold_ips: pulumi.Output[list[str] | None] = pulumi.property("holdIps")
    """Addresses that OpenNebula must not lease."""
    security_groups: pulumi.Output[list[int]] = pulumi.property("securityGroups")
    """Ids of the security groups that apply to every NIC; OpenNebula adds group 0 where absent."""
    cluster_ids: pulumi.Output[list[int]] = pulumi.property("clusterIds")
    """Ids of the clusters that may use the network."""
    reservation_vnet: pulumi.Output[int | None] = pulumi.property("reservationVnet")
    """Id of the network to reserve addresses from; the new network is then that reservation."""
    reservation_size: pulumi.Output[int | None] = pulumi.property("reservationSize")
    """How many addresses to reserve."""
    reservation_ar_id: pulumi.Output[int | None] = pulumi.property("reservationArId")
    """Range of the parent to reserve from."""
    reservation_first_ip: pulumi.Output[str | None] = pulumi.property("reservationFirstIp")
    """First IPv4 address to reserve."""
    reservation_first_ip6: pulumi.Output[str | None] = pulumi.property("reservationFirstIp6")
    """First IPv6 address to reserve."""
    user: pulumi.Output[str] = pulumi.property("user")
    """Name of the user that owns the network."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Output[str | None] = pulumi.property("lock")
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[VirtualNetworkTemplateSection] | None] = pulumi.property("templateSections")
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Output[VirtualNetworkTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    virtual_network_id: pulumi.Output[str] = pulumi.property("virtualNetworkId")
    """Number of the network in its zone, as a string."""
    uid: pulumi.Output[int] = pulumi.property("uid")
    """Id of the user that owns the object."""
    gid: pulumi.Output[int] = pulumi.property("gid")
    """Id of the group that owns the object."""
    uname: pulumi.Output[str] = pulumi.property("uname")
    """Name of the user that owns the object."""
    gname: pulumi.Output[str] = pulumi.property("gname")
    """Name of the group that owns the object."""
    default_tags: pulumi.Output[dict[str, str]] = pulumi.property("defaultTags")
    """The provider's default tags that apply to this object."""
    tags_all: pulumi.Output[dict[str, str]] = pulumi.property("tagsAll")
    """`tags` and the provider's default tags together."""

    @overload
    def __init__(
        self, resource_name: str, args: VirtualNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        type: pulumi.Input[str] | None = None,
        bridge: pulumi.Input[str] | None = None,
        physical_device: pulumi.Input[str] | None = None,
        vlan_id: pulumi.Input[str] | None = None,
        automatic_vlan_id: pulumi.Input[bool] | None = None,
        mtu: pulumi.Input[int] | None = None,
        guest_mtu: pulumi.Input[int] | None = None,
        gateway: pulumi.Input[str] | None = None,
        network_address: pulumi.Input[str] | None = None,
        network_mask: pulumi.Input[str] | None = None,
        dns: pulumi.Input[str] | None = None,
        search_domain: pulumi.Input[str] | None = None,
        ars: pulumi.Input[list[pulumi.InputType[VirtualNetworkArArgs]]] | None = None,
        hold_ips: pulumi.Input[list[pulumi.Input[str]]] | None = None,
        security_groups: pulumi.Input[list[pulumi.Input[int]]] | None = None,
        cluster_ids: pulumi.Input[list[pulumi.Input[int]]] | None = None,
        reservation_vnet: pulumi.Input[int] | None = None,
        reservation_size: pulumi.Input[int] | None = None,
        reservation_ar_id: pulumi.Input[int] | None = None,
        reservation_first_ip: pulumi.Input[str] | None = None,
        reservation_first_ip6: pulumi.Input[str] | None = None,
        user: pulumi.Input[str] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        lock: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[VirtualNetworkTemplateSectionArgs]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[VirtualNetworkTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
