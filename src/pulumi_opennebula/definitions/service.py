"""Definitions of ServiceTemplate and Service, the two OneFlow resources. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource

SERVICE_TEMPLATE = Resource(
    module="serviceTemplate",
    description="A OneFlow service template: roles, their VM templates, order of deployment, elasticity.",
    id_property="serviceTemplateId",
    unique_name=False,
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        Property(
            name="template",
            type="string",
            required=True,
            json=True,
            description=(
                "The template as JSON: `roles` with `template_id`, `cardinality`, `parents`, ... A document that "
                'wraps it as `{"TEMPLATE": {"BODY": ...}}` is taken too. Compared by meaning: order of keys and white '
                "space are no difference."
            ),
        ),
        common.PERMISSIONS,
        *common.OWNER_INPUTS,
        common.object_id("serviceTemplateId", "service template"),
    ),
)

ROLE = Record(
    name="ServiceRole",
    description="A role of a running service.",
    properties=(
        Property(name="name", type="string", output=True, description="Name of the role."),
        Property(name="cardinality", type="integer", output=True, description="How many VMs the role is to have."),
        Property(name="nodes", type=ListOf("integer"), output=True, description="Ids of the role's VMs."),
        Property(name="state", type="integer", output=True, description="OneFlow's role state; 2 is running."),
    ),
)

SERVICE = Resource(
    module="service",
    description="A running OneFlow service, made from a service template.",
    id_property="serviceId",
    unique_name=False,
    replaced_when=(
        "`extraTemplate`, in anything but a role's `cardinality`",
        "nothing at all, where the undeployment of the service failed half way",
    ),
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        Property(
            name="templateId",
            type="integer",
            required=True,
            replace=True,
            description="Id of the service template.",
        ),
        Property(
            name="extraTemplate",
            type="string",
            json=True,
            description=(
                "JSON that is merged over the service template when the service is made. A change of `cardinality` in "
                "`roles` scales that role in place, by its name; any other change replaces the service."
            ),
        ),
        common.PERMISSIONS,
        *common.OWNER_INPUTS,
        common.timeouts("Service", "create", "update", "delete"),
        common.object_id("serviceId", "service"),
        Property(
            name="networks", type=MapOf("integer"), output=True, description="Ids of the service's networks, by name."
        ),
        Property(name="roles", type=ListOf(ROLE), output=True, description="Roles with the ids of their VMs."),
        Property(name="state", type="integer", output=True, description="OneFlow's service state; 2 is running."),
    ),
)
