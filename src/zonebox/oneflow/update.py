"""What of a service may change while it exists. It stores nothing."""

from __future__ import annotations

from typing import Final

from zonebox.oneflow.errors import BadRequest, Refused
from zonebox.oneflow.schema import validate_role
from zonebox.oneflow.service import Service
from zonebox.ports import Body

FIXED: Final = (
    "user_inputs",
    "user_inputs_values",
    "deployment",
    "log",
    "name",
    "networks",
    "networks_values",
    "ready_status_gate",
    "state",
    "start_time",
)
"""Keys of a service that an update may not change (OneFlow 7.0.1)."""

FIXED_IN_ROLES: Final = ("cardinality", "last_vmname", "nodes", "parents", "state", "template_id")
"""Keys of a role that an update may not change (OneFlow 7.0.1)."""


def _fixed(key: str) -> Refused:
    if key == "name":
        return Refused("To change `service/name` use rename operation")
    return Refused(f"Immutable value: `{key}` can not be changed")


def check_appended(service: Service, document: object) -> None:
    """Refuse an addition that touches a fixed key, or whose roles are none.

    Raises:
        BadRequest: it is no object, or its roles do not meet the schema.
        Refused: with the key.
    """
    if not isinstance(document, dict):
        raise BadRequest("KEY: '' must be an Object;")
    for key in FIXED:
        if document.get(key) is not None:
            raise _fixed(f"service/{key}")
    if "roles" in document:
        roles = document["roles"]
        if not isinstance(roles, list):
            raise BadRequest("KEY: 'roles' must be an Array;")
        _check_roles(service, [validate_role(role) for role in roles])


def check_replaced(service: Service, document: Body) -> None:
    """Refuse a replacement that changes a fixed key.

    Raises:
        Refused: with the key.
    """
    if len(document["roles"]) != len(service.roles):
        raise _fixed("service/roles size")
    for key in FIXED:
        if document.get(key) != service.body.get(key):
            raise _fixed(f"service/{key}")
    _check_roles(service, document["roles"])


def _check_roles(service: Service, roles: list[Body]) -> None:
    if len(roles) != len(service.roles):
        raise _fixed("service/roles size")
    for body in roles:
        role = service.role(body["name"])
        if role is None:
            raise _fixed("name")
        for key in FIXED_IN_ROLES:
            if body.get(key) != role.body.get(key):
                raise _fixed(f"role/{key}")
