"""JSON documents of OneFlow: what means the same, roles by name, and owner actions. Decides in pure functions.

OneFlow completes and converts what it is given (recorded on 7.0.1): it adds `description` and `registration_time`,
`type` and `cardinality` of roles, and turns the older `vm_template` keys into `template_id` and `template_contents`.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from pulumi_opennebula.errors import CloudError
from pulumi_opennebula.provider.checks import Findings, json_object
from pulumi_opennebula.provider.resources.base import Call
from pulumi_opennebula.provider.templates import parse, text_at
from pulumi_opennebula.provider.values import Path, Values

ADDED_TO_TEMPLATE: Final = ("registration_time", "name")
BODY_DEFAULTS: Final = {"description": "", "deployment": "none"}
"""What OneFlow adds to a service template that does not say it."""
ROLE_DEFAULTS: Final = {"type": "vm", "cardinality": 0}
"""What OneFlow adds to a role that does not say it."""


def body_of_text(text: str) -> Values:
    """The service template of a JSON text, taken out of `{"TEMPLATE": {"BODY": ...}}` where it is wrapped."""
    value: Values = json.loads(text)
    for key in ("DOCUMENT", "TEMPLATE", "BODY"):
        if isinstance(value.get(key), dict):
            value = value[key]
    return value


def normal_form(body: Values) -> Values:
    """A service template with OneFlow's own additions taken away and its conversions made."""
    normal = {key: value for key, value in copy.deepcopy(body).items() if key not in ADDED_TO_TEMPLATE}
    for key, value in BODY_DEFAULTS.items():
        if normal.get(key) == value:
            del normal[key]
    roles = normal.get("roles")
    normal["roles"] = [_normal_role(role) for role in roles] if isinstance(roles, list) else roles
    return normal


def same_template(left: str, right: str) -> bool:
    """Whether two JSON texts make the same service template."""
    if left == right:
        return True
    try:
        return normal_form(body_of_text(left)) == normal_form(body_of_text(right))
    except (ValueError, TypeError, AttributeError):
        return False


def template_text(body: Values) -> str:
    """A service template of the cloud as the JSON text that a program would give."""
    return json.dumps(normal_form(body), sort_keys=True, separators=(",", ":"))


def request_body(text: str, name: str) -> Values:
    """What OneFlow is sent for a service template: the program's, under the resource's name, with roles' types.

    OneFlow 7 refuses a role without `type`, except one in the older form with `vm_template` (recorded on 7.0.1).
    """
    body = body_of_text(text)
    roles = body.get("roles")
    if isinstance(roles, list):
        roles = [{"type": "vm", **role} if isinstance(role, dict) else role for role in roles]
    return {**body, "name": name, "roles": roles}


def cardinalities(extra: Values | None) -> dict[str, int]:
    """Role name -> cardinality that an `extraTemplate` asks for."""
    found: dict[str, int] = {}
    for role in (extra or {}).get("roles") or []:
        if isinstance(role, dict) and isinstance(role.get("name"), str) and isinstance(role.get("cardinality"), int):
            found[role["name"]] = role["cardinality"]
    return found


def without_cardinalities(extra: Values | None) -> Values:
    """An `extraTemplate` without what scales in place: what is left replaces the service where it changes.

    A role that is named for its cardinality alone is left out, so that naming one more role is no replacement.
    """
    rest = copy.deepcopy(extra or {})
    roles = []
    for role in rest.pop("roles", None) or []:
        left = {key: value for key, value in role.items() if key != "cardinality"} if isinstance(role, dict) else role
        if left and not (isinstance(left, dict) and set(left) == {"name"}):
            roles.append(left)
    if roles:
        rest["roles"] = sorted(roles, key=lambda role: json.dumps(role, sort_keys=True))
    return rest


def only_scales(old: Any, new: Any) -> bool:
    """Whether two `extraTemplate` texts differ in cardinalities alone."""
    try:
        before, after = json.loads(old or "{}"), json.loads(new or "{}")
    except (TypeError, ValueError):
        return False
    return without_cardinalities(before) == without_cardinalities(after)


def with_cardinalities(text: str, wanted: dict[str, int]) -> str:
    """An `extraTemplate` text with other cardinalities of the roles that it names; as it is where none differs."""
    extra = json.loads(text)
    if all(wanted.get(name, count) == count for name, count in cardinalities(extra).items()):
        return text
    for role in extra["roles"]:
        if isinstance(role, dict) and role.get("name") in wanted and "cardinality" in role:
            role["cardinality"] = wanted[role["name"]]
    return json.dumps(extra)


def check_roles(body: Values, findings: Findings, path: Path, *, complete: bool) -> None:
    """Refuse roles that OneFlow refuses, or accepts and never deploys.

    Args:
        body: Service template or `extraTemplate`.
        findings: Takes the refusals.
        path: The property the text came from.
        complete: Whether every role is there (`template`), so that parents can be checked.
    """
    roles = body.get("roles")
    if roles is None and not complete:
        return
    if not isinstance(roles, list) or (complete and not roles):
        findings.refuse(
            path, roles, "roles must be a list that is not empty", "a service is its roles", "Give roles in the JSON"
        )
        return
    names = [role.get("name") if isinstance(role, dict) else None for role in roles]
    for index, role in enumerate(roles):
        name = names[index]
        if not isinstance(name, str) or not name.replace("_", "a").isalnum() or not name.isascii():
            findings.refuse(
                path,
                name,
                "every role needs a name of letters, digits and underscores",
                "OneFlow answers 400 to others (`/^\\w+$/`), and roles are matched by name",
                f"Correct the name of role {index + 1}",
            )
            continue
        _check_role(role, name, names, findings, path, complete=complete)


async def set_document_owner(call: Call, path: str, old: Values, new: Values) -> None:
    """Set permissions and owner of a OneFlow document where they differ."""
    flow = call.zone.flow
    if new.get("permissions") is not None and new["permissions"] != old.get("permissions"):
        await flow.action(path, "chmod", octet=new["permissions"])
    user, group = new.get("uid"), new.get("gid")
    if new.get("uname") is not None and new["uname"] != old.get("uname"):
        user = await call.zone.user_id(new["uname"], "uname")
    if new.get("gname") is not None and new["gname"] != old.get("gname"):
        group = await call.zone.group_id(new["gname"], "gname")
    owner = int(user) if user is not None and user != old.get("uid") else -1
    group_id = int(group) if group is not None and group != old.get("gid") else -1
    if (owner, group_id) != (-1, -1):
        await flow.action(path, "chown", owner_id=owner, group_id=group_id)


async def set_document_name(call: Call, path: str, old: Values, new: Values) -> None:
    """Rename a OneFlow document where the name differs."""
    if new.get("name") is not None and new["name"] != old.get("name"):
        await call.zone.flow.action(path, "rename", name=new["name"])


def parsed(text: Any, findings: Findings, path: Path) -> Values | None:
    """The body of a JSON property, or None with a refusal; None for what is not known yet."""
    if not isinstance(text, str):
        return None
    value = json_object(text, findings, path)
    return None if value is None else body_of_text(text)


def document_id(answer: Any) -> str:
    """Number of a document that OneFlow made.

    Raises:
        CloudError: the answer has none.
    """
    found = text_at(answer if isinstance(answer, dict) else {}, "DOCUMENT", "ID")
    if not found:
        raise CloudError(
            f"OneFlow's answer {str(answer)[:100]!r}",
            "it must hold the new document's ID",
            "without it the object cannot be found again",
            "Check that opennebula:flowEndpoint names OneFlow itself",
        )
    return found


def _normal_role(role: Any) -> Any:
    if not isinstance(role, dict):
        return role
    normal = dict(role)
    legacy = normal.pop("vm_template", None)
    if legacy is not None and normal.get("template_id") is None:
        normal["template_id"] = legacy
    text = normal.pop("vm_template_contents", None)
    if text and normal.get("template_contents") is None:
        normal["template_contents"] = _contents(str(text))
    contents = normal.pop("template_contents", None)
    if isinstance(contents, dict) and contents:
        normal["template_contents"] = {key: _unlisted(value) for key, value in contents.items()}
    for key, value in ROLE_DEFAULTS.items():
        if normal.get(key) == value:
            del normal[key]
    return normal


def _contents(text: str) -> Values:
    """Template text as OneFlow's JSON: vectors as lists of objects (recorded on 7.0.1)."""
    found: Values = {}
    for name, value in parse(text):
        if isinstance(value, str):
            found[name] = value
        else:
            found.setdefault(name, []).append(value)
    return found


def _unlisted(value: Any) -> Any:
    """A list of one vector says the same as the vector: OneFlow takes and writes both."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _check_role(role: Values, name: str, names: list[Any], findings: Findings, path: Path, *, complete: bool) -> None:
    if names.count(name) > 1:
        findings.refuse(
            path, name, "role names must differ", "roles are found by name", f"Rename one of the roles {name}"
        )
    cardinality = role.get("cardinality")
    if cardinality is not None and (not isinstance(cardinality, int) or cardinality < 0):
        findings.refuse(
            path,
            cardinality,
            "a cardinality must be a whole number of at least 0",
            "it is how many VMs the role has",
            f"Correct the cardinality of role {name}",
        )
    if not complete:
        return
    for parent in role.get("parents") or []:
        if parent not in names:
            findings.refuse(
                path,
                parent,
                "a parent must be a role of the service",
                "OneFlow does not check it, and the role would never be deployed",
                f"Correct parents of role {name}; roles are {', '.join(str(item) for item in names)}",
            )
    if role.get("template_id") is None and role.get("vm_template") is None:
        findings.refuse(
            path,
            role,
            "a role needs template_id",
            "its VMs are made from a VM template",
            f"Give template_id in role {name}",
        )
