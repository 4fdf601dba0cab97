"""ServiceContext: cONTEXT variables of the VMs of one role of a running service. A VM template changes what later VMs
are started with; this resource brings the same change to those that run, without a restart of the VM.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any, overload

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaResource, arguments, outputs

__all__ = ["ServiceContext", "ServiceContextArgs", "ServiceContextTimeouts", "ServiceContextTimeoutsArgs"]


@arguments
class ServiceContextTimeoutsArgs:
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: pulumi.Input[str] | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: pulumi.Input[str] | None = pulumi.property("update", default=None)
    """Longest wait of update, such as `10m`."""


@outputs
class ServiceContextTimeouts(dict[str, Any]):
    """How long operations wait for the cloud, as durations such as `90s` or `10m`."""

    create: str | None = pulumi.property("create", default=None)
    """Longest wait of create, such as `10m`."""
    update: str | None = pulumi.property("update", default=None)  # type: ignore[assignment]
    """Longest wait of update, such as `10m`."""


@arguments
class ServiceContextArgs:
    """What a ServiceContext is made of."""

    service_id: pulumi.Input[int] = pulumi.property("serviceId")
    """Id of the running service."""
    role: pulumi.Input[str] = pulumi.property("role")
    """Name of the role."""
    variables: pulumi.Input[dict[str, pulumi.Input[str]]] = pulumi.property("variables")
    """CONTEXT variables and their values; names in upper case. Variables that are not named stay as they are, one that
    is no longer named becomes empty.
    """
    acknowledgement: pulumi.Input[str] | None = pulumi.property("acknowledgement", default=None)
    """Name of one of `variables` that the guest writes back through OneGate, with the same value, once it works with
    the new CONTEXT. It is waited for. Without it nothing is: the guests may not know yet.
    """
    at_once: pulumi.Input[int] | None = pulumi.property("atOnce", default=None)
    """How many VMs get the change at the same time; the others wait for their acknowledgement."""
    timeouts: pulumi.Input[pulumi.InputType[ServiceContextTimeoutsArgs]] | None = pulumi.property(
        "timeouts", default=None
    )
    """Longest waits; the resource option `custom_timeouts` wins over it."""


class ServiceContext(OpenNebulaResource):
    """CONTEXT variables of the VMs of one role of a running service. A VM template changes what later VMs are started
    with; this resource brings the same change to those that run, without a restart of the VM.

    Arguments are those of `ServiceContextArgs`, as keywords or as one object.
    """

    resource_type = "opennebula:index/serviceContext:ServiceContext"
    arguments_type = ServiceContextArgs

    service_id: pulumi.Output[int] = pulumi.property("serviceId")
    """Id of the running service."""
    role: pulumi.Output[str] = pulumi.property("role")
    """Name of the role."""
    variables: pulumi.Output[dict[str, str]] = pulumi.property("variables")
    """CONTEXT variables and their values; names in upper case. Variables that are not named stay as they are, one that
    is no longer named becomes empty.
    """
    acknowledgement: pulumi.Output[str | None] = pulumi.property("acknowledgement")
    """Name of one of `variables` that the guest writes back through OneGate, with the same value, once it works with
    the new CONTEXT. It is waited for. Without it nothing is: the guests may not know yet.
    """
    at_once: pulumi.Output[int] = pulumi.property("atOnce")
    """How many VMs get the change at the same time; the others wait for their acknowledgement."""
    timeouts: pulumi.Output[ServiceContextTimeouts | None] = pulumi.property("timeouts")
    """Longest waits; the resource option `custom_timeouts` wins over it."""
    service_context_id: pulumi.Output[str] = pulumi.property("serviceContextId")
    """Number of the service and role in its zone, as a string."""
    vm_ids: pulumi.Output[list[int]] = pulumi.property("vmIds")
    """Ids of the role's VMs."""

    @overload
    def __init__(
        self, resource_name: str, args: ServiceContextArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        service_id: pulumi.Input[int],
        role: pulumi.Input[str],
        variables: pulumi.Input[dict[str, pulumi.Input[str]]],
        acknowledgement: pulumi.Input[str] | None = None,
        at_once: pulumi.Input[int] | None = None,
        timeouts: pulumi.Input[pulumi.InputType[ServiceContextTimeoutsArgs]] | None = None,
    ) -> None: ...
    def __init__(self, resource_name: str, *args: Any, **keywords: Any) -> None:
        super().__init__(resource_name, *args, **keywords)
