"""The shape of service templates and roles, with OneFlow's messages. It converts, fills in defaults, stores nothing.

Fields and texts: OneFlow 7.0.1; those that the recordings show are held by tests/parity.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from zonebox.oneflow.errors import BadRequest
from zonebox.oneflow.schema_values import check_values
from zonebox.oneflow.templates import convert_old_format
from zonebox.ports import Body


@dataclass(frozen=True, kw_only=True)
class Field:
    """What one key of a document may hold."""

    kind: str
    """object, array, string, integer or boolean."""
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: int | None = None
    items: Field | None = None
    fields: dict[str, Field] = field(default_factory=dict)


_ACTIONS: Final = ("terminate", "terminate-hard", "shutdown", "shutdown-hard")
_ADJUSTMENTS: Final = ("CHANGE", "CARDINALITY", "PERCENTAGE_CHANGE")
_OBJECT: Final = Field(kind="object")
_COUNT: Final = Field(kind="integer", minimum=0)
_POLICY: Final = {
    "type": Field(kind="string", choices=_ADJUSTMENTS, required=True),
    "adjust": Field(kind="integer", required=True),
    "min_adjust_step": Field(kind="integer", minimum=1),
}
_ELASTIC: Final = _POLICY | {
    "period_number": _COUNT,
    "period": _COUNT,
    "expression": Field(kind="string", required=True),
    "cooldown": _COUNT,
}
_SCHEDULED: Final = _POLICY | {"start_time": Field(kind="string"), "recurrence": Field(kind="string")}

ROLE: Final = Field(
    kind="object",
    fields={
        "name": Field(kind="string", required=True, pattern=r"^\w+$"),
        "type": Field(kind="string", choices=("vm",), required=True),
        "cardinality": Field(kind="integer", default=0, minimum=0),
        "template_id": Field(kind="integer", required=True),
        "template_contents": _OBJECT,
        "user_inputs": _OBJECT,
        "user_inputs_values": _OBJECT,
        "parents": Field(kind="array", items=Field(kind="string")),
        "shutdown_action": Field(kind="string", choices=_ACTIONS),
        "min_vms": _COUNT,
        "max_vms": _COUNT,
        "cooldown": _COUNT,
        "on_hold": Field(kind="boolean"),
        "elasticity_policies": Field(kind="array", items=Field(kind="object", fields=_ELASTIC)),
        "scheduled_policies": Field(kind="array", items=Field(kind="object", fields=_SCHEDULED)),
    },
)
SERVICE: Final = Field(
    kind="object",
    fields={
        "name": Field(kind="string", required=True),
        "deployment": Field(kind="string", choices=("none", "straight"), default="none"),
        "description": Field(kind="string", default=""),
        "shutdown_action": Field(kind="string", choices=_ACTIONS),
        "roles": Field(kind="array", required=True),
        "user_inputs": _OBJECT,
        "user_inputs_values": _OBJECT,
        "ready_status_gate": Field(kind="boolean"),
        "automatic_deletion": Field(kind="boolean"),
        "networks": _OBJECT,
        "networks_values": Field(kind="array", items=_OBJECT),
        "on_hold": Field(kind="boolean"),
    },
)


def validate_service(body: object) -> Body:
    """Check a service (template) document, convert it from the 6.x form and fill in defaults, in place.

    Raises:
        BadRequest: with OneFlow's text.
    """
    if isinstance(body, dict):
        convert_old_format(body)
    document: Body = _checked(body, SERVICE, "")
    for role in document["roles"]:
        validate_role(role)
    check_values(document["roles"])
    return document


def validate_role(role: object) -> Body:
    """Check one role and fill in defaults, in place.

    Virtual router roles (`type: vr`) are refused: zonebox has no virtual routers.

    Raises:
        BadRequest: with OneFlow's text.
    """
    kind = role.get("type", "vm") if isinstance(role, dict) else "vm"
    if kind != "vm":
        raise BadRequest(f'Unsupported role type "{kind}"')
    checked: Body = _checked(role, ROLE, "")
    return checked


def _checked(value: Any, rule: Field, key: str) -> Any:
    if rule.kind == "object":
        return _checked_object(value, rule, key)
    if rule.kind == "array":
        if not isinstance(value, list):
            raise BadRequest(f"KEY: '{key}' must be an Array;")
        return [_checked(item, rule.items, key) for item in value] if rule.items else value
    if rule.kind == "integer":
        return _checked_integer(value, rule, key)
    if rule.kind == "boolean":
        if not isinstance(value, bool):
            raise BadRequest(f"KEY: '{key}' is not allowed in {{:type=>:boolean, :required=>false}};")
        return value
    return _checked_string(value, rule, key)


def _checked_object(value: Any, rule: Field, key: str) -> Any:
    if not isinstance(value, dict):
        raise BadRequest(f"KEY: '{key}' must be an Object;")
    for name, inner in rule.fields.items():
        present = value.get(name)
        if present is not None and present is not False:
            value[name] = _checked(present, inner, name)
        elif inner.required:
            shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            missing = f"Mandatory document key '{name} ({inner.kind})' is missing"
            raise BadRequest(f"Mandatory document key '{name} ({inner.kind})' is missing from {shown}", brief=missing)
        elif inner.default is not None:
            value[name] = inner.default
    return value


def _checked_integer(value: Any, rule: Field, key: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"KEY: '{key}' must be an Integer;") from None
    if rule.minimum is not None and number < rule.minimum:
        raise BadRequest(f"KEY: '{key}' must be greater than or equal to {rule.minimum};")
    return number


def _checked_string(value: Any, rule: Field, key: str) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"KEY: '{key}' must be a String;")
    if rule.choices and value not in rule.choices:
        raise BadRequest(f"KEY: '{key}' must be one of {', '.join(rule.choices)};")
    # Ruby's ^ and $ are the ends of a line, and its \w is ASCII: so is OneFlow's rule for names.
    if rule.pattern and not re.search(rule.pattern, value, re.ASCII | re.MULTILINE):
        raise BadRequest(f"KEY: '{key}' must match regexp /{rule.pattern}/;")
    return value
