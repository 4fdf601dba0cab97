"""ServiceTemplate: a OneFlow service template: roles, their VM templates, order of deployment, elasticity.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments

__all__ = ["ServiceTemplate", "ServiceTemplateArgs"]


@arguments
class ServiceTemplateArgs:
    """What a ServiceTemplate is made of."""

    template: pulumi.Input[str] = pulumi.property("template")
    """The template as JSON: `roles` with `template_id`, `cardinality`, `parents`, ... A document that wraps it as
    `{"TEMPLATE": {"BODY": ...}}` is taken too. Compared by meaning: order of keys and white space are no difference.
    """
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    permissions: pulumi.Input[str] | None = pulumi.property("permissions", default=None)
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    uid: pulumi.Input[int] | None = pulumi.property("uid", default=None)
    """Id of the user that owns the object."""
    gid: pulumi.Input[int] | None = pulumi.property("gid", default=None)
    """Id of the group that owns the object."""
    uname: pulumi.Input[str] | None = pulumi.property("uname", default=None)
    """Name of the user that owns the object."""
    gname: pulumi.Input[str] | None = pulumi.property("gname", default=None)
    """Name of the group that owns the object."""


class ServiceTemplate(OpenNebulaResource):
    """A OneFlow service template: roles, their VM templates, order of deployment, elasticity.

    Arguments are those of `ServiceTemplateArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/serviceTemplate:ServiceTemplate"
    arguments_type = ServiceTemplateArgs

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    template: pulumi.Output[str] = pulumi.property("template")
    """The template as JSON: `roles` with `template_id`, `cardinality`, `parents`, ... A document that wraps it as
    `{"TEMPLATE": {"BODY": ...}}` is taken too. Compared by meaning: order of keys and white space are no difference.
    """
    permissions: pulumi.Output[str] = pulumi.property("permissions")
    """Three octal digits for owner, group and others (use 4, manage 2, admin 1): `660`."""
    uid: pulumi.Output[int] = pulumi.property("uid")
    """Id of the user that owns the object."""
    gid: pulumi.Output[int] = pulumi.property("gid")
    """Id of the group that owns the object."""
    uname: pulumi.Output[str] = pulumi.property("uname")
    """Name of the user that owns the object."""
    gname: pulumi.Output[str] = pulumi.property("gname")
    """Name of the group that owns the object."""
    service_template_id: pulumi.Output[str] = pulumi.property("serviceTemplateId")
    """Number of the service template in its zone, as a string."""

    @overload
    def __init__(
        self, resource_name: str, args: ServiceTemplateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        template: pulumi.Input[str],
        name: pulumi.Input[str] | None = None,
        permissions: pulumi.Input[str] | None = None,
        uid: pulumi.Input[int] | None = None,
        gid: pulumi.Input[int] | None = None,
        uname: pulumi.Input[str] | None = None,
        gname: pulumi.Input[str] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
