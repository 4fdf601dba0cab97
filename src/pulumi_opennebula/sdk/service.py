"""Service: a running OneFlow service, made from a service template.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = ["Service", "ServiceArgs", "ServiceRole", "ServiceTimeouts", "ServiceTimeoutsArgs"]


@arguments
class ServiceTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: pulumi.Input[str] | None = pulumi.property("update", default=None)
    """Longest wait of update, such as `10m`."""
    delete: pulumi.Input[str] | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class ServiceTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: str | None = pulumi.property("update", default=None)  # type: ignore[assignment]
    """Longest wait of update, such as `10m`."""
    delete: str | None = pulumi.property("delete", default=None)
    """Longest wait of delete, such as `10m`."""


@outputs
class ServiceRole(dict[str, Any]):
    """A role of a running service."""

    name: str | None = pulumi.property("name", default=None)
    """Name of the role."""
    cardinality: int | None = pulumi.property("cardinality", default=None)
    """How many VMs the role is to have."""
    nodes: list[int] | None = pulumi.property("nodes", default=None)
    """Ids of the role's VMs."""
    state: int | None = pulumi.property("state", default=None)
    """OneFlow's role state; 2 is running."""


@arguments
class ServiceArgs:
    """What a Service is made of."""

    template_id: pulumi.Input[int] = pulumi.property("templateId")
    """Id of the service template."""
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    """Name; the resource's name where absent."""
    extra_template: pulumi.Input[str] | None = pulumi.property("extraTemplate", default=None)
    """JSON that is merged over the service template when the service is made. A change of `cardinality` in `roles`
    scales that role in place, by its name; any other change replaces the service.
    """
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
    timeouts: pulumi.Input[pulumi.InputType[ServiceTimeoutsArgs]] | None = pulumi.property("timeouts", default=None)
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class Service(OpenNebulaResource):
    """A running OneFlow service, made from a service template.

    Arguments are those of `ServiceArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/service:Service"
    arguments_type = ServiceArgs

    name: pulumi.Output[str] = pulumi.property("name")
    """Name; the resource's name where absent."""
    template_id: pulumi.Output[int] = pulumi.property("templateId")
    """Id of the service template."""
    extra_template: pulumi.Output[str | None] = pulumi.property("extraTemplate")
    """JSON that is merged over the service template when the service is made. A change of `cardinality` in `roles`
    scales that role in place, by its name; any other change replaces the service.
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
    timeouts: pulumi.Output[ServiceTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    service_id: pulumi.Output[str] = pulumi.property("serviceId")
    """Number of the service in its zone, as a string."""
    networks: pulumi.Output[dict[str, int]] = pulumi.property("networks")
    """Ids of the service's networks, by name."""
    roles: pulumi.Output[list[ServiceRole]] = pulumi.property("roles")
    """Roles with the ids of their VMs."""
    state: pulumi.Output[int] = pulumi.property("state")
    """OneFlow's service state; 2 is running."""

    @overload
    def __init__(self, resource_name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        template_id: pulumi.Input[int],
        name: pulumi.Input[str] | None = None,
        extra_template: pulumi.Input[str] | None = None,
        permissions: pulumi.Input[str] | None = None,
        uid: pulumi.Input[int] | None = None,
        gid: pulumi.Input[int] | None = None,
        uname: pulumi.Input[str] | None = None,
        gname: pulumi.Input[str] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[ServiceTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
