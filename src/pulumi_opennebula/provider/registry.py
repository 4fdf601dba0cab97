"""The handler of each resource type, by token."""

from __future__ import annotations

from typing import Final

from pulumi_opennebula.provider.resources.address_range import AddressRangeHandler
from pulumi_opennebula.provider.resources.base import Handler
from pulumi_opennebula.provider.resources.image import ImageHandler
from pulumi_opennebula.provider.resources.marketplace import MarketplaceHandler
from pulumi_opennebula.provider.resources.marketplace_appliance import MarketplaceApplianceHandler
from pulumi_opennebula.provider.resources.security_group import SecurityGroupHandler
from pulumi_opennebula.provider.resources.service import ServiceHandler
from pulumi_opennebula.provider.resources.service_context import ServiceContextHandler
from pulumi_opennebula.provider.resources.service_template import ServiceTemplateHandler
from pulumi_opennebula.provider.resources.template import TemplateHandler
from pulumi_opennebula.provider.resources.virtual_machine import VirtualMachineHandler
from pulumi_opennebula.provider.resources.virtual_machine_group import VirtualMachineGroupHandler
from pulumi_opennebula.provider.resources.virtual_network import VirtualNetworkHandler

HANDLERS: Final[dict[str, Handler]] = {
    handler.definition.token: handler
    for handler in (
        SecurityGroupHandler(),
        VirtualNetworkHandler(),
        AddressRangeHandler(),
        ImageHandler(),
        TemplateHandler(),
        ServiceTemplateHandler(),
        ServiceHandler(),
        ServiceContextHandler(),
        VirtualMachineHandler(),
        VirtualMachineGroupHandler(),
        MarketplaceHandler(),
        MarketplaceApplianceHandler(),
    )
}
