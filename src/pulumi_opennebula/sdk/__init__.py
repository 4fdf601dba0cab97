"""Every public name of the SDK.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from pulumi_opennebula.sdk.get_image import GetImageResult, get_image, get_image_output
from pulumi_opennebula.sdk.get_virtual_machines import (
    GetVirtualMachinesResult,
    GetVirtualMachinesVirtualMachine,
    GetVirtualMachinesVirtualMachineDisk,
    GetVirtualMachinesVirtualMachineNic,
    GetVirtualMachinesVirtualMachineNicAlias,
    GetVirtualMachinesVirtualMachineVmgroup,
    get_virtual_machines,
    get_virtual_machines_output,
)
from pulumi_opennebula.sdk.get_virtual_network import (
    GetVirtualNetworkResult,
    get_virtual_network,
    get_virtual_network_output,
)
from pulumi_opennebula.sdk.image import (
    Image,
    ImageArgs,
    ImageTemplateSection,
    ImageTemplateSectionArgs,
    ImageTimeouts,
    ImageTimeoutsArgs,
)
from pulumi_opennebula.sdk.provider_resource import Provider, ProviderArgs, ProviderDefaultTagArgs
from pulumi_opennebula.sdk.security_group import (
    SecurityGroup,
    SecurityGroupArgs,
    SecurityGroupRule,
    SecurityGroupRuleArgs,
    SecurityGroupTemplateSection,
    SecurityGroupTemplateSectionArgs,
)
from pulumi_opennebula.sdk.service import Service, ServiceArgs, ServiceRole, ServiceTimeouts, ServiceTimeoutsArgs
from pulumi_opennebula.sdk.service_context import (
    ServiceContext,
    ServiceContextArgs,
    ServiceContextTimeouts,
    ServiceContextTimeoutsArgs,
)
from pulumi_opennebula.sdk.service_template import ServiceTemplate, ServiceTemplateArgs
from pulumi_opennebula.sdk.template import Template, TemplateArgs
from pulumi_opennebula.sdk.template_inputs import (
    TemplateCpumodelArgs,
    TemplateDiskArgs,
    TemplateFeatureArgs,
    TemplateGraphicsArgs,
    TemplateNicAliasArgs,
    TemplateNicArgs,
    TemplateOsArgs,
    TemplateRawArgs,
    TemplateTemplateSectionArgs,
    TemplateVmgroupArgs,
)
from pulumi_opennebula.sdk.template_outputs import (
    TemplateCpumodel,
    TemplateDisk,
    TemplateFeature,
    TemplateGraphics,
    TemplateNic,
    TemplateNicAlias,
    TemplateOs,
    TemplateRaw,
    TemplateTemplateSection,
    TemplateVmgroup,
)
from pulumi_opennebula.sdk.virtual_network import (
    VirtualNetwork,
    VirtualNetworkAr,
    VirtualNetworkArArgs,
    VirtualNetworkArgs,
    VirtualNetworkTemplateSection,
    VirtualNetworkTemplateSectionArgs,
    VirtualNetworkTimeouts,
    VirtualNetworkTimeoutsArgs,
)
from pulumi_opennebula.sdk.virtual_network_address_range import (
    VirtualNetworkAddressRange,
    VirtualNetworkAddressRangeArgs,
    VirtualNetworkAddressRangeTimeouts,
    VirtualNetworkAddressRangeTimeoutsArgs,
)

__all__ = [
    "GetImageResult",
    "GetVirtualMachinesResult",
    "GetVirtualMachinesVirtualMachine",
    "GetVirtualMachinesVirtualMachineDisk",
    "GetVirtualMachinesVirtualMachineNic",
    "GetVirtualMachinesVirtualMachineNicAlias",
    "GetVirtualMachinesVirtualMachineVmgroup",
    "GetVirtualNetworkResult",
    "Image",
    "ImageArgs",
    "ImageTemplateSection",
    "ImageTemplateSectionArgs",
    "ImageTimeouts",
    "ImageTimeoutsArgs",
    "Provider",
    "ProviderArgs",
    "ProviderDefaultTagArgs",
    "SecurityGroup",
    "SecurityGroupArgs",
    "SecurityGroupRule",
    "SecurityGroupRuleArgs",
    "SecurityGroupTemplateSection",
    "SecurityGroupTemplateSectionArgs",
    "Service",
    "ServiceArgs",
    "ServiceContext",
    "ServiceContextArgs",
    "ServiceContextTimeouts",
    "ServiceContextTimeoutsArgs",
    "ServiceRole",
    "ServiceTemplate",
    "ServiceTemplateArgs",
    "ServiceTimeouts",
    "ServiceTimeoutsArgs",
    "Template",
    "TemplateArgs",
    "TemplateCpumodel",
    "TemplateCpumodelArgs",
    "TemplateDisk",
    "TemplateDiskArgs",
    "TemplateFeature",
    "TemplateFeatureArgs",
    "TemplateGraphics",
    "TemplateGraphicsArgs",
    "TemplateNic",
    "TemplateNicAlias",
    "TemplateNicAliasArgs",
    "TemplateNicArgs",
    "TemplateOs",
    "TemplateOsArgs",
    "TemplateRaw",
    "TemplateRawArgs",
    "TemplateTemplateSection",
    "TemplateTemplateSectionArgs",
    "TemplateVmgroup",
    "TemplateVmgroupArgs",
    "VirtualNetwork",
    "VirtualNetworkAddressRange",
    "VirtualNetworkAddressRangeArgs",
    "VirtualNetworkAddressRangeTimeouts",
    "VirtualNetworkAddressRangeTimeoutsArgs",
    "VirtualNetworkAr",
    "VirtualNetworkArArgs",
    "VirtualNetworkArgs",
    "VirtualNetworkTemplateSection",
    "VirtualNetworkTemplateSectionArgs",
    "VirtualNetworkTimeouts",
    "VirtualNetworkTimeoutsArgs",
    "get_image",
    "get_image_output",
    "get_virtual_machines",
    "get_virtual_machines_output",
    "get_virtual_network",
    "get_virtual_network_output",
]
