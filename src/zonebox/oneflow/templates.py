"""Service templates as documents: the 6.x form converted, values merged in at instantiation, placeholders filled.

Pure functions over the BODY; each returns what it made. It validates nothing (see `schema`) and stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from zonebox.oneflow.errors import BadRequest
from zonebox.ports import Body
from zonebox.trees import clone

_PLACEHOLDER: Final = re.compile(r"\$(\w+)")
_LINE_OUTSIDE_BRACKETS: Final = re.compile(r"\n(?![^\[]*\])")


def deep_merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> Body:
    """`base` with `update` over it: objects merge, arrays are joined, anything else is replaced.

    Arrays of objects lose repeated elements. Keys keep their places, new ones come last.
    """
    merged: Body = clone(dict(base))
    for key, value in update.items():
        present = merged.get(key)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            merged[key] = deep_merge(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            merged[key] = _joined(present, value)
        else:
            merged[key] = clone(value)
    return merged


def _joined(first: list[Any], second: list[Any]) -> list[Any]:
    joined: list[Any] = clone(first) + clone(second)
    if not all(isinstance(item, Mapping) for item in joined):
        return joined
    unique: list[Any] = []
    for item in joined:
        if item not in unique:
            unique.append(item)
    return unique


def convert_old_format(body: Body) -> None:
    """Turn the role keys of OpenNebula 6.x into those of 7.x, where every role has them.

    `vm_template` becomes `template_id` and `type`, `vm_template_contents` (text) becomes `template_contents`
    (an object), `custom_attrs` become `user_inputs` (recorded).
    """
    roles = body.get("roles")
    if not isinstance(roles, list) or not all(
        isinstance(role, dict) and ("vm_template" in role or "vm_template_contents" in role) for role in roles
    ):
        return
    for role in roles:
        role["template_id"] = _leading_int(role.pop("vm_template", None))
        role["type"] = "vm"
        if role.get("custom_attrs"):
            role["user_inputs"] = role.pop("custom_attrs")
        role.pop("custom_attrs_values", None)
        contents = role.pop("vm_template_contents", None)
        if contents:
            role["template_contents"] = parse_contents(str(contents))
    for old, new in (("custom_attrs", "user_inputs"), ("custom_attrs_values", "user_inputs_values")):
        if body.get(old):
            body[new] = body.pop(old)


def _leading_int(value: object) -> int:
    match = re.match(r"\s*-?\d+", str(value if value is not None else ""))
    return int(match.group()) if match else 0


def parse_contents(text: str) -> Body:
    """`vm_template_contents` of OpenNebula 6.x as an object; every vector becomes an array of objects."""
    contents: Body = {}
    for line in _LINE_OUTSIDE_BRACKETS.split(text):
        key, separator, raw = line.partition("=")
        if not separator:
            continue
        value: Any = raw.strip().replace('"', "")
        if value.startswith("[") and value.endswith("]"):
            pairs = (item.partition("=") for item in re.split(r"\s*,\s*", value[1:-1]))
            value = {name.strip(): inner.strip() for name, _, inner in pairs}
        name = key.strip()
        present = contents.get(name)
        if present is None:
            contents[name] = value
        else:
            contents[name] = [*(present if isinstance(present, list) else [present]), value]
    return {key: [value] if isinstance(value, dict) else value for key, value in contents.items()}


def default_networks(networks: Mapping[str, Any]) -> list[Body]:
    """`networks_values` from the defaults in a template's `networks`, such as `M|network|text||id:0`.

    Raises:
        BadRequest: a network has no default.
    """
    values: list[Body] = []
    for name, description in networks.items():
        fields = str(description).split("|")
        key, separator, value = fields[4].strip().partition(":") if len(fields) > 4 else ("", "", "")
        if not key or not separator:
            raise BadRequest("Wrong networks format")
        values.append({name: {key: value}})
    return values


def check_networks(body: Mapping[str, Any], values: object) -> None:
    """Hold `networks_values` against the template's `networks`.

    Raises:
        BadRequest: a value is missing or of the wrong form.
    """
    networks = body.get("networks")
    if not networks:
        return
    if not isinstance(networks, Mapping):
        raise BadRequest("Wrong networks format")
    if not isinstance(values, list):
        raise BadRequest("Missing networks_values")
    if not all(isinstance(value, Mapping) for value in values):
        raise BadRequest("Wrong networks_values format")
    if set(networks) - {name for value in values for name in value}:
        raise BadRequest("Every network key must have its value defined at networks_value")


def check_inputs(body: Mapping[str, Any], merge: Mapping[str, Any]) -> None:
    """Hold the values given at instantiation against the template's `user_inputs`, of the service and of each role.

    Raises:
        BadRequest: values are missing or of the wrong form.
    """
    _check_inputs(body.get("user_inputs"), merge.get("user_inputs_values"))
    for role in body.get("roles") or []:
        if not isinstance(role.get("template_contents", {}), Mapping):
            raise BadRequest(
                f"Error validating template_contents object for the role {role.get('name')}. "
                "The object must be a valid hash."
            )
        if role.get("user_inputs") is None:
            continue
        given = merge.get("roles")
        if given is None:
            raise BadRequest(
                f"The Service template specifies user inputs for the role {role.get('name')} "
                "but no values have been found"
            )
        if not isinstance(given, list) or not given:
            raise BadRequest("The role user inputs are empty or do not have a valid format")
        values = next((item for item in given if item.get("name") == role.get("name")), None)
        if values is not None:
            _check_inputs(role["user_inputs"], values.get("user_inputs_values"))


def _check_inputs(inputs: object, values: object) -> None:
    if not inputs:
        return
    if values is None:
        raise BadRequest("The Service template specifies User Inputs but no values have been found")
    if not isinstance(inputs, Mapping) or not isinstance(values, Mapping):
        raise BadRequest("Wrong User Inputs or User Inputs Values format")
    if set(inputs) - set(values):
        raise BadRequest("Verify that every User Input have its corresponding value defined")


def upgraded_merge(merge: Mapping[str, Any]) -> Body:
    """A `merge_template` with the names of OpenNebula 6.x (`custom_attrs_values`) replaced."""
    upgraded: Body = clone(dict(merge))
    for part in (upgraded, *(role for role in upgraded.get("roles") or [] if isinstance(role, dict))):
        if "custom_attrs_values" in part:
            part["user_inputs_values"] = part.pop("custom_attrs_values")
    return upgraded


def merged_for_instance(body: Mapping[str, Any], merge: Mapping[str, Any]) -> Body:
    """The BODY of a new service: the template with `merge_template` over it.

    Roles are matched by NAME and networks by name; a role of `merge` without a name of the template is ignored
    (recorded, and OneFlow 7.0.1's behaviour).
    """
    template: Body = clone(dict(body))
    rest: Body = clone(dict(merge))
    networks: list[Body] = template.get("networks_values") or []
    for given in rest.get("networks_values") or []:
        if not isinstance(given, Mapping) or not given:
            continue
        name = next(iter(given))
        index = next((at for at, known in enumerate(networks) if name in known), None)
        if index is None:
            networks.append(dict(given))
        else:
            networks[index] = dict(given)
    if rest.get("networks_values"):
        template["networks_values"] = networks
        rest["networks_values"] = []
    given_roles = {role.get("name"): role for role in rest.get("roles") or [] if isinstance(role, Mapping)}
    if given_roles:
        template["roles"] = [
            deep_merge(role, given_roles[role.get("name")]) if role.get("name") in given_roles else role
            for role in template.get("roles") or []
        ]
    rest.pop("roles", None)
    return deep_merge(template, rest)


def fill(body: Body) -> None:
    """Put networks and user inputs into each role's `template_contents`, in place.

    Inputs of the service go into EVERY role's CONTEXT (observed), those of a role into its own; the CONTEXT gets a
    reference to the attribute of the same name, as OpenNebula resolves it when it makes the VM.

    Raises:
        BadRequest: NIC is not an array of objects.
    """
    networks = body.get("networks_values") or []
    for role in body.get("roles") or []:
        contents = role.get("template_contents") or {}
        if contents.get("NIC"):
            contents["NIC"] = _with_network_ids(contents["NIC"], networks)
        inputs = deep_merge(body.get("user_inputs_values") or {}, role.get("user_inputs_values") or {})
        if inputs:
            context = contents.setdefault("CONTEXT", {})
            for key, value in inputs.items():
                contents[key] = value
                context[key] = f"${key}"
        role["template_contents"] = contents


def _with_network_ids(nics: object, networks: Iterable[Mapping[str, Any]]) -> list[Body]:
    if not isinstance(nics, list) or not all(isinstance(nic, dict) for nic in nics):
        raise BadRequest("Error generating VM template contents")
    for nic in nics:
        match = _PLACEHOLDER.search(nic["NETWORK_ID"]) if isinstance(nic.get("NETWORK_ID"), str) else None
        network = next((value for value in networks if match and match.group(1) in value), None)
        if match and network is not None:
            nic["NETWORK_ID"] = network[match.group(1)].get("id")
    return nics
