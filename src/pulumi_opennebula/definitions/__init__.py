"""The declarative definitions of everything this package offers, and the lists of them. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions.configuration import SETTINGS
from pulumi_opennebula.definitions.functions import (
    GET_CLUSTER,
    GET_DATASTORE,
    GET_GROUP,
    GET_HOST,
    GET_IMAGE,
    GET_MARKETPLACE,
    GET_SECURITY_GROUP,
    GET_VIRTUAL_MACHINES,
    GET_VIRTUAL_NETWORK,
    GET_ZONE,
)
from pulumi_opennebula.definitions.image import IMAGE
from pulumi_opennebula.definitions.marketplace import MARKETPLACE, MARKETPLACE_APPLIANCE
from pulumi_opennebula.definitions.security_group import SECURITY_GROUP
from pulumi_opennebula.definitions.service import SERVICE, SERVICE_TEMPLATE
from pulumi_opennebula.definitions.service_context import SERVICE_CONTEXT
from pulumi_opennebula.definitions.template import TEMPLATE
from pulumi_opennebula.definitions.template_functions import GET_TEMPLATE, GET_TEMPLATES
from pulumi_opennebula.definitions.virtual_machine import VIRTUAL_MACHINE
from pulumi_opennebula.definitions.virtual_machine_group import VIRTUAL_MACHINE_GROUP
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
    VIRTUAL_MACHINE,
    VIRTUAL_MACHINE_GROUP,
    MARKETPLACE,
    MARKETPLACE_APPLIANCE,
)
FUNCTIONS = (
    GET_VIRTUAL_MACHINES,
    GET_IMAGE,
    GET_VIRTUAL_NETWORK,
    GET_SECURITY_GROUP,
    GET_TEMPLATE,
    GET_TEMPLATES,
    GET_DATASTORE,
    GET_CLUSTER,
    GET_HOST,
    GET_GROUP,
    GET_ZONE,
    GET_MARKETPLACE,
)

__all__ = ["FUNCTIONS", "RESOURCES", "SETTINGS"]
