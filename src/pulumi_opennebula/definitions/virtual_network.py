"""Definitions of VirtualNetwork and VirtualNetworkAddressRange. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource

AR_TYPES = ("IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC", "ETHER")

AR = Record(
    name="VirtualNetworkAr",
    description="A range of addresses that belongs to the network.",
    properties=(
        Property(
            name="arType",
            type="string",
            attribute="TYPE",
            choices=AR_TYPES,
            default="IP4",
            description="`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`.",
        ),
        Property(name="size", type="integer", required=True, description="How many addresses."),
        Property(name="ip4", type="string", attribute="IP", description="First IPv4 address."),
        Property(name="ip6", type="string", description="First IPv6 address (`IP6_STATIC`, `IP4_6_STATIC`)."),
        Property(
            name="mac",
            type="string",
            computed=True,
            description="First MAC address; OpenNebula makes one where absent.",
        ),
        Property(name="globalPrefix", type="string", description="IPv6 global prefix."),
        Property(name="ulaPrefix", type="string", description="IPv6 unique local prefix."),
        Property(name="prefixLength", type="string", description="Prefix length of `ip6`; the static types need it."),
        Property(
            name="id", type="string", attribute="AR_ID", output=True, description="Number of the range in its network."
        ),
        Property(
            name="computedIp6",
            type="string",
            attribute="IP6",
            output=True,
            description="First IPv6 address, as OpenNebula has it.",
        ),
        Property(
            name="computedMac",
            type="string",
            attribute="MAC",
            output=True,
            description="First MAC address, as OpenNebula has it.",
        ),
        Property(
            name="computedGlobalPrefix",
            type="string",
            attribute="GLOBAL_PREFIX",
            output=True,
            description="Global prefix, as OpenNebula has it.",
        ),
        Property(
            name="computedUlaPrefix",
            type="string",
            attribute="ULA_PREFIX",
            output=True,
            description="ULA prefix, as OpenNebula has it.",
        ),
    ),
)

VIRTUAL_NETWORK = Resource(
    module="virtualNetwork",
    description="A virtual network: how VMs are linked, and which addresses they get.",
    id_property="virtualNetworkId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(
            name="type",
            type="string",
            attribute="VN_MAD",
            replace=True,
            computed=True,
            description="Network driver (VN_MAD): `bridge`, `802.1Q`, `vxlan`, `ovswitch`, ...; `bridge` where absent.",
        ),
        Property(
            name="bridge",
            type="string",
            computed=True,
            replace=True,
            description="Bridge on the hosts that NICs are attached to; some drivers name it themselves.",
        ),
        Property(
            name="physicalDevice",
            type="string",
            attribute="PHYDEV",
            computed=True,
            description="Host device that the bridge is linked to.",
        ),
        Property(name="vlanId", type="string", computed=True, replace=True, description="VLAN or VNI number."),
        Property(
            name="automaticVlanId",
            type="boolean",
            computed=True,
            replace=True,
            description="Let OpenNebula choose the VLAN; excludes `vlanId`.",
        ),
        Property(name="mtu", type="integer", description="MTU of the bridge."),
        Property(name="guestMtu", type="integer", description="MTU that guests are told."),
        Property(name="gateway", type="string", description="Default gateway that guests are told."),
        Property(name="networkAddress", type="string", description="Network base address, such as `192.168.0.0`."),
        Property(name="networkMask", type="string", description="Network mask, such as `255.255.255.0`."),
        Property(name="dns", type="string", description="Name servers, separated by spaces."),
        Property(name="searchDomain", type="string", description="DNS search domain that guests are told."),
        Property(
            name="ars",
            type=ListOf(AR),
            computed=True,
            unordered=True,
            description=(
                "Address ranges. Leave it out where VirtualNetworkAddressRange resources manage them; an empty list "
                "removes every range."
            ),
        ),
        Property(
            name="holdIps",
            type=ListOf("string"),
            unordered=True,
            description="Addresses that OpenNebula must not lease.",
        ),
        Property(
            name="securityGroups",
            type=ListOf("integer"),
            computed=True,
            unordered=True,
            description="Ids of the security groups that apply to every NIC; OpenNebula adds group 0 where absent.",
        ),
        Property(
            name="clusterIds",
            type=ListOf("integer"),
            computed=True,
            unordered=True,
            description="Ids of the clusters that may use the network.",
        ),
        Property(
            name="reservationVnet",
            type="integer",
            replace=True,
            description="Id of the network to reserve addresses from; the new network is then that reservation.",
        ),
        Property(name="reservationSize", type="integer", replace=True, description="How many addresses to reserve."),
        Property(
            name="reservationArId", type="integer", replace=True, description="Range of the parent to reserve from."
        ),
        Property(name="reservationFirstIp", type="string", replace=True, description="First IPv4 address to reserve."),
        Property(name="reservationFirstIp6", type="string", replace=True, description="First IPv6 address to reserve."),
        Property(name="user", type="string", computed=True, description="Name of the user that owns the network."),
        common.PERMISSIONS,
        common.GROUP,
        common.LOCK,
        common.TAGS,
        common.template_sections("VirtualNetwork"),
        common.timeouts("VirtualNetwork", "create"),
        common.object_id("virtualNetworkId", "network"),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)

VIRTUAL_NETWORK_ADDRESS_RANGE = Resource(
    module="virtualNetworkAddressRange",
    description="A range of addresses of a virtual network, managed apart from the network.",
    id_property="virtualNetworkAddressRangeId",
    # No name, but addresses that no two ranges of a network may have.
    unique_name=True,
    import_id="the network's number and the range's number in it",
    import_example="3:0",
    properties=(
        Property(
            name="virtualNetworkId",
            type="integer",
            required=True,
            replace=True,
            description="Id of the network that the range belongs to.",
        ),
        Property(
            name="arType",
            type="string",
            attribute="TYPE",
            choices=AR_TYPES,
            default="IP4",
            replace=True,
            description="`IP4`, `IP6`, `IP6_STATIC`, `IP4_6`, `IP4_6_STATIC` or `ETHER`.",
        ),
        Property(name="size", type="integer", required=True, description="How many addresses."),
        Property(name="ip4", type="string", attribute="IP", replace=True, description="First IPv4 address."),
        Property(name="ip6", type="string", computed=True, replace=True, description="First IPv6 address."),
        Property(
            name="mac",
            type="string",
            computed=True,
            replace=True,
            description="First MAC address; OpenNebula makes one where absent.",
        ),
        Property(name="globalPrefix", type="string", computed=True, replace=True, description="IPv6 global prefix."),
        Property(name="ulaPrefix", type="string", computed=True, replace=True, description="IPv6 unique local prefix."),
        Property(
            name="prefixLength", type="string", computed=True, replace=True, description="Prefix length of `ip6`."
        ),
        Property(
            name="holdIps",
            type=ListOf("string"),
            unordered=True,
            description="Addresses of the range that OpenNebula must not lease.",
        ),
        Property(name="ipam", type="string", replace=True, description="IPAM driver (IPAM_MAD) that keeps the leases."),
        Property(name="shared", type="boolean", description="Whether the same address may be leased more than once."),
        Property(name="custom", type=MapOf("string"), description="Further attributes of the range."),
        common.timeouts("VirtualNetworkAddressRange", "create", "delete"),
        common.object_id("virtualNetworkAddressRangeId", "range"),
        Property(
            name="heldIps",
            type=ListOf("string"),
            output=True,
            follows=("holdIps", "size"),
            description="Addresses of the range that are on hold.",
        ),
    ),
)
