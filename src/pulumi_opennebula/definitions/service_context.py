"""Definition of ServiceContext, which the bridged package does not have: CONTEXT of VMs that run. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Resource

SERVICE_CONTEXT = Resource(
    module="serviceContext",
    description=(
        "CONTEXT variables of the VMs of one role of a running service. A VM template changes what later VMs are "
        "started with; this resource brings the same change to those that run, without a restart of the VM."
    ),
    id_property="serviceContextId",
    unique_name=False,
    import_id="the service's number and the role's name",
    import_example="7:supernode",
    bridged=False,
    properties=(
        Property(
            name="serviceId", type="integer", required=True, replace=True, description="Id of the running service."
        ),
        Property(name="role", type="string", required=True, replace=True, description="Name of the role."),
        Property(
            name="variables",
            type=MapOf("string"),
            required=True,
            description=(
                "CONTEXT variables and their values; names in upper case. Variables that are not named stay as they "
                "are, one that is no longer named becomes empty."
            ),
        ),
        Property(
            name="acknowledgement",
            type="string",
            local=True,
            description=(
                "Name of one of `variables` that the guest writes back through OneGate, with the same value, once it "
                "works with the new CONTEXT. It is waited for. Without it nothing is: the guests may not know yet."
            ),
        ),
        Property(
            name="atOnce",
            type="integer",
            local=True,
            default=1,
            description="How many VMs get the change at the same time; the others wait for their acknowledgement.",
        ),
        common.timeouts("ServiceContext", "create", "update"),
        common.object_id("serviceContextId", "service and role"),
        Property(name="vmIds", type=ListOf("integer"), output=True, description="Ids of the role's VMs."),
    ),
)
