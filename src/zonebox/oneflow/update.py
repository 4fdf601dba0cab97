"""What of a service may change while it exists. It stores nothing."""

from __future__ import annotations

from typing import Final

from zonebox.oneflow.errors import Refused
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


def check_appended(document: Body) -> None:
    """Refuse an addition that touches a fixed key.

    Raises:
        Refused: with the key.
    """
    for key in FIXED:
        if document.get(key) is not None:
            raise _fixed(f"service/{key}")


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
    for body in document["roles"]:
        role = service.role(body["name"])
        if role is None:
            raise _fixed("name")
        for key in FIXED_IN_ROLES:
            if body.get(key) != role.body.get(key):
                raise _fixed(f"role/{key}")
