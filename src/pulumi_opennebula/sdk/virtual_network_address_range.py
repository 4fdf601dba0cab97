"""VirtualNetworkAddressRange: a range of addresses of a virtual network, managed apart from the network.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "VirtualNetworkAddressRange",
    "VirtualNetworkAddressRangeArgs",
    "VirtualNetworkAddressRangeTimeouts",
    "VirtualNetworkAddressRangeTimeoutsArgs",
]


@arguments
class VirtualNetworkAddressRangeTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    delete: pulumi.Input[str] | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class VirtualNetworkAddressRangeTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    delete: str | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@arguments
class VirtualNetworkAddressRangeArgs:
    """What a VirtualNetworkAddressRange is made of."""

    virtual_network_id: pulumi.Input[int] = pulumi.property("virtualNetworkId")
    """Id of the network that the range belongs to."""
    size: pulumi.Input[int] = pulumi.property("size")
    """How many addresses."""
    ar_type: pulumi.Input[str] | None = pulumi.property("arType", default=None)
    """`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`."""
    ip4: pulumi.Input[str] | None = pulumi.property("ip4", default=None)
    """First IPv4 address."""
    ip6: pulumi.Input[str] | None = pulumi.property("ip6", default=None)
    """First IPv6 address."""
    mac: pulumi.Input[str] | None = pulumi.property("mac", default=None)
    """First MAC address; OpenNebula makes one where absent."""
    global_prefix: pulumi.Input[str] | None = pulumi.property("globalPrefix", default=None)
    """IPv6 global prefix."""
    ula_prefix: pulumi.Input[str] | None = pulumi.property("ulaPrefix", default=None)
    """IPv6 unique local prefix."""
    prefix_length: pulumi.Input[str] | None = pulumi.property("prefixLength", default=None)
    """Prefix length of `ip6`."""
    hold_ips: pulumi.Input[list[pulumi.Input[str]]] | None = pulumi.property("holdIps", default=None)
    """Addresses of the range that OpenNebula must not lease."""
    ipam: pulumi.Input[str] | None = pulumi.property("ipam", default=None)
    """IPAM driver (IPAM_MAD) that keeps the leases."""
    shared: pulumi.Input[bool] | None = pulumi.property("shared", default=None)
    """Whether the same address may be leased more than once."""
    custom: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("custom", default=None)
    """Further attributes of the range."""
    timeouts: pulumi.Input[pulumi.InputType[VirtualNetworkAddressRangeTimeoutsArgs]] | None = pulumi.property(
        "timeouts", default=None
    )
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class VirtualNetworkAddressRange(OpenNebulaResource):
    """A range of addresses of a virtual network, managed apart from the network.

    Arguments are those of `VirtualNetworkAddressRangeArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/virtualNetworkAddressRange:VirtualNetworkAddressRange"
    arguments_type = VirtualNetworkAddressRangeArgs
    unique = True

    virtual_network_id: pulumi.Output[int] = pulumi.property("virtualNetworkId")
    """Id of the network that the range belongs to."""
    ar_type: pulumi.Output[str] = pulumi.property("arType")
    """`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`."""
    size: pulumi.Output[int] = pulumi.property("size")
    """How many addresses."""
    ip4: pulumi.Output[str | None] = pulumi.property("ip4")
    """First IPv4 address."""
    ip6: pulumi.Output[str] = pulumi.property("ip6")
    """First IPv6 address."""
    mac: pulumi.Output[str] = pulumi.property("mac")
    """First MAC address; OpenNebula makes one where absent."""
    global_prefix: pulumi.Output[str] = pulumi.property("globalPrefix")
    """IPv6 global prefix."""
    ula_prefix: pulumi.Output[str] = pulumi.property("ulaPrefix")
    """IPv6 unique local prefix."""
    prefix_length: pulumi.Output[str] = pulumi.property("prefixLength")
    """Prefix length of `ip6`."""
    hold_ips: pulumi.Output[list[str] | None] = pulumi.property("holdIps")
    """Addresses of the range that OpenNebula must not lease."""
    ipam: pulumi.Output[str | None] = pulumi.property("ipam")
    """IPAM driver (IPAM_MAD) that keeps the leases."""
    shared: pulumi.Output[bool | None] = pulumi.property("shared")
    """Whether the same address may be leased more than once."""
    custom: pulumi.Output[dict[str, str] | None] = pulumi.property("custom")
    """Further attributes of the range."""
    timeouts: pulumi.Output[VirtualNetworkAddressRangeTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    virtual_network_address_range_id: pulumi.Output[str] = pulumi.property("virtualNetworkAddressRangeId")
    """Number of the range in its zone, as a string."""
    held_ips: pulumi.Output[list[str]] = pulumi.property("heldIps")
    """Addresses of the range that are on hold."""

    @overload
    def __init__(
        self, resource_name: str, args: VirtualNetworkAddressRangeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        virtual_network_id: pulumi.Input[int],
        size: pulumi.Input[int],
        ar_type: pulumi.Input[str] | None = None,
        ip4: pulumi.Input[str] | None = None,
        ip6: pulumi.Input[str] | None = None,
        mac: pulumi.Input[str] | None = None,
        global_prefix: pulumi.Input[str] | None = None,
        ula_prefix: pulumi.Input[str] | None = None,
        prefix_length: pulumi.Input[str] | None = None,
        hold_ips: pulumi.Input[list[pulumi.Input[str]]] | None = None,
        ipam: pulumi.Input[str] | None = None,
        shared: pulumi.Input[bool] | None = None,
        custom: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[VirtualNetworkAddressRangeTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
