"""What a zone's VMs are plugged into and made from: security group, virtual network, address range, image.

A network that exists already is used as it is, with the security group put on each VM's card instead. Nothing here is
ever opened beyond `components.ports`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

import pulumi_opennebula as opennebula
from components.ports import Rule
from infra.site_settings import Common, ImageSettings, NetworkSettings

VERSION_TAG = "FL_FLOWER_VERSION"
"""Attribute of an image with the Flower version that it carries; `scripts/image publish` writes it, too."""


@dataclass(frozen=True, kw_only=True)
class ZoneNetwork:
    """A network that is ready for VMs."""

    network_id: pulumi.Input[int]
    """Known when the address range is there, too."""
    card_security_groups: tuple[pulumi.Input[int], ...]
    """Groups to put on VMs' cards; none where the network carries them."""


def zone_network(
    common: Common, settings: NetworkSettings, rules: Sequence[Rule], *, provider: opennebula.Provider
) -> ZoneNetwork:
    """Declare the security group and, unless one exists, the virtual network with its range.

    Args:
        common: For names.
        settings: Addresses and driver.
        rules: What the role may receive and send.
        provider: Connection to the zone.
    """
    options = pulumi.ResourceOptions(provider=provider)
    name = f"flower-{common.zone}"
    group = opennebula.SecurityGroup(
        name,
        name=name,
        description=f"Ports of the federation {common.federation} in {common.zone}",
        rules=[_rule(rule) for rule in rules],
        opts=options,
    )
    group_id = group.id.apply(int)
    if settings.existing_id is not None:
        return ZoneNetwork(network_id=settings.existing_id, card_security_groups=(group_id,))
    plan = settings.addresses
    network = opennebula.VirtualNetwork(
        name,
        name=name,
        description=f"VMs of the federation {common.federation} in {common.zone}",
        type=settings.type,
        bridge=settings.bridge,
        physical_device=settings.physical_device,
        vlan_id=settings.vlan_id,
        network_address=str(plan.cidr.network_address),
        network_mask=str(plan.cidr.netmask),
        gateway=settings.gateway,
        dns=settings.dns,
        security_groups=[group_id],
        opts=options,
    )
    addresses = opennebula.VirtualNetworkAddressRange(
        name,
        virtual_network_id=network.id.apply(int),
        ar_type="IP4",
        ip4=str(plan.first),
        size=plan.size,
        opts=options,
    )
    # Whoever takes an address waits for the range: the id comes through it.
    return ZoneNetwork(
        network_id=pulumi.Output.all(network.id, addresses.id).apply(lambda ids: int(ids[0])), card_security_groups=()
    )


def appliance_image(common: Common, settings: ImageSettings, *, provider: opennebula.Provider) -> pulumi.Input[int]:
    """The image's id: of one that exists, or of one that is uploaded.

    Args:
        common: For names, and for the Flower version that the image must say it carries.
        settings: Which image.
        provider: Connection to the zone.
    """
    tags: dict[str, pulumi.Input[str]] = {VERSION_TAG: common.flower_version}
    if settings.existing_id is not None or settings.name is not None:
        # Of another version than the stack's: the preview fails, with the names of the zone's images that have it.
        found = opennebula.get_image_output(
            id=settings.existing_id, name=settings.name, tags=tags, opts=pulumi.InvokeOptions(provider=provider)
        )
        return found.apply(lambda image: int(image.id or ""))
    name = f"flower-{common.zone}"
    image = opennebula.Image(
        name,
        name=f"flower-appliance-{common.flower_version}",
        description=f"Flower appliance {common.flower_version}; its role comes from CONTEXT",
        datastore_id=settings.datastore_id,
        path=str(settings.path),
        checksum=settings.checksum,
        size=settings.size_mb,
        type="OS",
        persistent=False,
        tags=tags,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    return image.id.apply(int)


def _rule(rule: Rule) -> opennebula.SecurityGroupRuleArgs:
    network = rule.network
    return opennebula.SecurityGroupRuleArgs(
        protocol=rule.protocol,
        rule_type=rule.direction,
        range=str(rule.port),
        ip=None if network is None else str(network.network_address),
        size=None if network is None else str(network.num_addresses),
    )
