"""The declarative definitions of everything this package offers, and the lists of them. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions.configuration import SETTINGS
from pulumi_opennebula.definitions.functions import GET_IMAGE, GET_VIRTUAL_MACHINES, GET_VIRTUAL_NETWORK
from pulumi_opennebula.definitions.image import IMAGE
from pulumi_opennebula.definitions.security_group import SECURITY_GROUP
from pulumi_opennebula.definitions.service import SERVICE, SERVICE_TEMPLATE
from pulumi_opennebula.definitions.service_context import SERVICE_CONTEXT
from pulumi_opennebula.definitions.template import TEMPLATE
from pulumi_opennebula.definitions.virtual_network import VIRTUAL_NETWORK, VIRTUAL_NETWORK_ADDRESS_RANGE

RESOURCES = (
    SECURITY_GROUP,
    VIRTUAL_NETWORK,
    VIRTUAL_NETWORK_ADDRESS_RANGE,
    IMAGE,
    TEMPLATE,
    SERVICE_TEMPLATE,
    SERVICE,
    SERVICE_CONTEXT,
)
FUNCTIONS = (GET_VIRTUAL_MACHINES, GET_IMAGE, GET_VIRTUAL_NETWORK)

__all__ = ["FUNCTIONS", "RESOURCES", "SETTINGS"]
