"""Decides whether inputs are what a definition allows, and brings them to its types. Asks no cloud.

What only one resource knows (a CIDR, a JSON document) is checked by that resource's module on top of this.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Type
from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.templates import NAME, unrenderable
from pulumi_opennebula.provider.values import Path, Secrets, Unknown, Values, is_secret, path_text

SHOWN_CHARACTERS: Final = 80
WORDS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
TYPE_WORDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "any": "anything",
}


@dataclass(kw_only=True)
class Findings:
    """What is wrong with the inputs of one resource."""

    owner: str
    """`Template supernode`, as messages name it."""
    secrets: Secrets = frozenset()
    refusals: list[InputError] = field(default_factory=list)

    def refuse(self, path: Path, value: Any, rule: str, reason: str, remedy: str) -> None:
        """Note a refusal; a secret's value is not shown."""
        shown = "[secret]" if is_secret(path, self.secrets) else _shown(value)
        where = path_text(path)
        self.refusals.append(InputError(where, f"{self.owner}: {where} is {shown}", rule, reason, remedy))


def checked(record: Record, inputs: Values, findings: Findings, path: Path = ()) -> Values:
    """The inputs in the definition's types, with its defaults; refusals go to `findings`."""
    normal: Values = {}
    for name, value in inputs.items():
        if name.startswith("__") or value is None:
            continue
        item = record.get(name)
        if item is None:
            _refuse_unknown(record, name, value, findings, (*path, name))
        elif item.output:
            findings.refuse(
                (*path, name),
                value,
                "this property cannot be set",
                "OpenNebula chooses it and the provider only reports it",
                f"Remove {item.python_name}; to adopt an object that exists use `pulumi import`",
            )
        elif item.unsupported:
            findings.refuse((*path, name), value, "this property is not supported", item.unsupported, f"Remove {name}")
        else:
            normal[name] = _checked(item, item.type, value, findings, (*path, name))
    for item in record.properties:
        if item.name in normal or item.output:
            continue
        if item.required and inputs.get(item.name) is None:
            findings.refuse(
                (*path, item.name),
                "missing",
                "it is required",
                f"{_lower(item.description)}".rstrip("."),
                f"Give {item.python_name}",
            )
        elif item.default is not None:
            normal[item.name] = item.default
    return normal


def json_object(text: Any, findings: Findings, path: Path) -> Values | None:
    """The object of a JSON text, or None with a refusal."""
    try:
        value = json.loads(text)
    except ValueError as err:
        findings.refuse(path, text, "it must be a JSON object", f"JSON says: {err}", "Build it with json.dumps(...)")
        return None
    if not isinstance(value, dict):
        findings.refuse(
            path, text, "it must be a JSON object", f"it is a {type(value).__name__}", "Build it with json.dumps({...})"
        )
        return None
    return value


def _checked(item: Property, type_: Type, value: Any, findings: Findings, path: Path) -> Any:
    if isinstance(value, Unknown):
        return value
    match type_:
        case Record() if isinstance(value, Mapping):
            return checked(type_, dict(value), findings, path)
        case ListOf() if isinstance(value, list):
            return [_checked(item, type_.item, part, findings, (*path, index)) for index, part in enumerate(value)]
        case MapOf() if isinstance(value, Mapping):
            return _checked_map(item, type_, dict(value), findings, path)
        case Record() | ListOf() | MapOf():
            words = {"Record": "an object", "ListOf": "a list", "MapOf": "a map"}[type(type_).__name__]
            findings.refuse(
                path,
                value,
                f"it must be {words}",
                _lower(item.description).rstrip("."),
                f"Give {words} for {item.name}",
            )
            return value
        case _:
            return _checked_scalar(item, type_, value, findings, path)


def _checked_scalar(item: Property, type_: str, value: Any, findings: Findings, path: Path) -> Any:
    converted = _converted(type_, value)
    if converted is None:
        findings.refuse(
            path,
            value,
            f"it must be {TYPE_WORDS[type_]}",
            _lower(item.description).rstrip("."),
            f"Give {TYPE_WORDS[type_]} for {path[-1] if isinstance(path[-1], str) else item.name}",
        )
        return value
    if item.choices and str(converted).upper() not in {choice.upper() for choice in item.choices}:
        findings.refuse(
            path,
            value,
            f"it must be one of {', '.join(item.choices)}",
            "OpenNebula knows no other",
            f"Choose one of them for {item.name}",
        )
    if isinstance(converted, str) and not item.json and (problem := unrenderable(converted)):
        findings.refuse(path, value, "the text cannot be sent", problem, "Send it in base64, or change the text")
    return converted


def _checked_map(item: Property, type_: MapOf, value: Values, findings: Findings, path: Path) -> Values:
    spelled: dict[str, str] = {}
    normal: Values = {}
    for key, part in value.items():
        if part is None:
            continue
        if not NAME.fullmatch(key):
            findings.refuse(
                (*path, key),
                part,
                "the name may have letters, digits and underscores only",
                "OpenNebula's template parser takes no other names",
                f"Rename {key!r} in {item.name}",
            )
        if key.upper() in spelled:
            findings.refuse(
                (*path, key),
                part,
                f"the name is given twice, as {spelled[key.upper()]!r} and {key!r}",
                "OpenNebula does not tell upper case from lower case in names",
                f"Remove one of the two from {item.name}",
            )
        spelled[key.upper()] = key
        normal[key] = _checked(item, type_.value, part, findings, (*path, key))
    return normal


def _refuse_unknown(record: Record, name: str, value: Any, findings: Findings, path: Path) -> None:
    names = [item.name for item in record.properties if not item.output]
    close = difflib.get_close_matches(name, names, n=1)
    findings.refuse(
        path,
        value,
        f"{record.name} has no property {name}",
        "the provider would have to ignore it",
        f"Did you mean {close[0]}" if close else f"Use one of {', '.join(sorted(names))}",
    )


def _converted(type_: str, value: Any) -> Any:
    """The value in the type, or None. Ids arrive as texts where a program passes a resource's `id`."""
    result: Any = None
    if type_ == "any":
        result = value
    elif type_ == "boolean":
        result = value if isinstance(value, bool) else WORDS.get(str(value).lower())
    elif isinstance(value, bool):
        result = ("YES" if value else "NO") if type_ == "string" else None
    elif type_ == "string":
        result = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else None
    elif isinstance(value, int | float | str):
        try:
            number = float(value)
        except ValueError:
            return None
        result = int(number) if number.is_integer() else number if type_ == "number" else None
    return result


def _shown(value: Any) -> str:
    if value == "missing":
        return "missing"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
