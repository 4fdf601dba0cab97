"""MarketplaceAppliance: an appliance of a marketplace: an image, VM template or service template that others can
import.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = [
    "MarketplaceAppliance",
    "MarketplaceApplianceArgs",
    "MarketplaceApplianceTemplateSection",
    "MarketplaceApplianceTemplateSectionArgs",
    "MarketplaceApplianceTimeouts",
    "MarketplaceApplianceTimeoutsArgs",
]


@arguments
class MarketplaceApplianceTemplateSectionArgs:
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: pulumi.Input[str] = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@arguments
class MarketplaceApplianceTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: pulumi.Input[str] | None = pulumi.property("update", default=None)
    """Longest wait of update, such as `10m`."""
    delete: pulumi.Input[str] | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class MarketplaceApplianceTemplateSection(dict[str, Any]):
    """One vector attribute of the template: `NAME = [ KEY = "value" ]`."""

    name: str = pulumi.property("name")
    """Name of the vector, such as `PCI`."""
    elements: dict[str, str] | None = pulumi.property("elements", default=None)
    """The vector's keys and values."""


@outputs
class MarketplaceApplianceTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: str | None = pulumi.property("update", default=None)  # type: ignore[assignment]
    """Longest wait of update, such as `10m`."""
    delete: str | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@arguments
class MarketplaceApplianceArgs:
    """What a MarketplaceAppliance is made of."""

    market_id: pulumi.Input[int] = pulumi.property("marketId")
    """Id of the marketplace it is in."""
    type: pulumi.Input[str] = pulumi.property("type")
    """`IMAGE`, `VMTEMPLATE` or `SERVICE_TEMPLATE`."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    description: pulumi.Input[str] | None = pulumi.property("description", default=None)
    """Free text, the DESCRIPTION attribute."""
    origin_id: pulumi.Input[int] | None = pulumi.property("originId", default=None)
    """Id of the object that is published; -1 for none. An `IMAGE` needs one."""
    version: pulumi.Input[str] | None = pulumi.property("version", default=None)
    """Version of the appliance."""
    apptemplate64: pulumi.Input[str] | None = pulumi.property("apptemplate64", default=None)
    """Template, in base64, of the object that an import makes."""
    vmtemplate64: pulumi.Input[str] | None = pulumi.property("vmtemplate64", default=None)
    """Template, in base64, of the VM template that an import makes."""
    disabled: pulumi.Input[bool] | None = pulumi.property("disabled", default=None)
    """Whether nobody may use it for now."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Input[str] | None = pulumi.property("group", default=None)
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Input[str] | None = pulumi.property("lock", default=None)
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Input[list[pulumi.InputType[MarketplaceApplianceTemplateSectionArgs]]] | None = (
        pulumi.property("templateSections", default=None)
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Input[pulumi.InputType[MarketplaceApplianceTimeoutsArgs]] | None = pulumi.property(
        "timeouts", default=None
    )
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class MarketplaceAppliance(OpenNebulaResource):
    """An appliance of a marketplace: an image, VM template or service template that others can import.

    Arguments are those of `MarketplaceApplianceArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/marketplaceAppliance:MarketplaceAppliance"
    arguments_type = MarketplaceApplianceArgs
    unique = True

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    description: pulumi.Output[str | None] = pulumi.property("description")
    """Free text, the DESCRIPTION attribute."""
    market_id: pulumi.Output[int] = pulumi.property("marketId")
    """Id of the marketplace it is in."""
    type: pulumi.Output[str] = pulumi.property("type")
    """`IMAGE`, `VMTEMPLATE` or `SERVICE_TEMPLATE`."""
    origin_id: pulumi.Output[int] = pulumi.property("originId")
    """Id of the object that is published; -1 for none. An `IMAGE` needs one."""
    version: pulumi.Output[str | None] = pulumi.property("version")
    """Version of the appliance."""
    apptemplate64: pulumi.Output[str | None] = pulumi.property("apptemplate64")
    """Template, in base64, of the object that an import makes."""
    vmtemplate64: pulumi.Output[str | None] = pulumi.property("vmtemplate64")
    """Template, in base64, of the VM template that an import makes."""
    disabled: pulumi.Output[bool | None] = pulumi.property("disabled")
    """Whether nobody may use it for now."""
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    group: pulumi.Output[str] = pulumi.property("group")
    """Name of the group that owns the object; the user's primary group where absent."""
    lock: pulumi.Output[str | None] = pulumi.property("lock")
    """Lock level: `USE`, `MANAGE`, `ADMIN` or `ALL`; `UNLOCK` removes a lock."""
    tags: pulumi.Output[dict[str, str] | None] = pulumi.property("tags")
    """Attributes added to the object's template. OpenNebula keeps names in upper case."""
    template_sections: pulumi.Output[list[MarketplaceApplianceTemplateSection] | None] = pulumi.property(
        "templateSections"
    )
    """Vectors that no other property covers. Several of the same name are all kept, in order."""
    timeouts: pulumi.Output[MarketplaceApplianceTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    marketplace_appliance_id: pulumi.Output[str] = pulumi.property("marketplaceApplianceId")
    """Number of the appliance in its zone, as a string."""
    default_tags: pulumi.Output[dict[str, str]] = pulumi.property("defaultTags")
    """The provider's default tags that apply to this object."""
    tags_all: pulumi.Output[dict[str, str]] = pulumi.property("tagsAll")
    """`tags` and the provider's default tags together."""

    @overload
    def __init__(
        self, resource_name: str, args: MarketplaceApplianceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        market_id: pulumi.Input[int],
        type: pulumi.Input[str],
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        origin_id: pulumi.Input[int] | None = None,
        version: pulumi.Input[str] | None = None,
        apptemplate64: pulumi.Input[str] | None = None,
        vmtemplate64: pulumi.Input[str] | None = None,
        disabled: pulumi.Input[bool] | None = None,
        permissions: pulumi.Input[str] | None = None,
        group: pulumi.Input[str] | None = None,
        lock: pulumi.Input[str] | None = None,
        tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
        template_sections: pulumi.Input[list[pulumi.InputType[MarketplaceApplianceTemplateSectionArgs]]] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[MarketplaceApplianceTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
