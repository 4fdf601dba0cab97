"""Text of the reference page: every property of every resource and function, and which of them are refused."""

from __future__ import annotations

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Type, records_of

INTRODUCTION = """# Properties of `pulumi_opennebula`

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.

Names are those of the schema; in Python they are in snake case (`networkId` -> `network_id`). Marks:

- **required**
- *chosen*: OpenNebula chooses a value where the program gives none, and absence is then no difference
- *output*: cannot be given
- *replaces*: OpenNebula cannot change it, so a change replaces the object
- *local*: only the provider uses it
- *secret*: always a secret in the state
"""


def reference_page() -> str:
    """The page."""
    parts = [INTRODUCTION, "## Provider\n", _settings()]
    for resource in RESOURCES:
        parts += [f"## {resource.name}\n", f"{resource.description}\n", f"Type `{resource.token}`.\n"]
        parts += [_table(resource.properties), *_records(resource.properties)]
    for function in FUNCTIONS:
        parts += [f"## {function.name}\n", f"{function.description}\n", "Arguments:\n", _table(function.inputs)]
        if function.outputs:
            parts += ["Results, beside the arguments:\n", _table(function.outputs), *_records(function.outputs)]
    return "\n".join(parts)


def _settings() -> str:
    lines = ["| setting | type | environment | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        item = setting.definition
        environment = f"`{setting.environment}`" if setting.environment else ""
        marks = "**required** " if item.required else ""
        lines.append(f"| `{item.name}` | {_type(item.type)} | {environment} | {marks}{_cell(item.description)} |")
    return "\n".join(lines) + "\n"


def _records(properties: tuple[Property, ...]) -> list[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for item in properties:
        for record in records_of(item.type):
            if record.name not in seen:
                seen.add(record.name)
                parts += [f"### {record.name}\n", f"{record.description}\n", _table(record.properties)]
    return parts


def _table(properties: tuple[Property, ...]) -> str:
    lines = ["| property | type | meaning |", "|---|---|---|"]
    for item in properties:
        lines.append(f"| `{item.name}` | {_type(item.type)} | {_meaning(item)} |")
    return "\n".join(lines) + "\n"


def _meaning(item: Property) -> str:
    if item.unsupported:
        return f"**Refused**: {_cell(item.unsupported)}."
    marks = [
        mark
        for mark, given in (
            ("**required**", item.required),
            ("*chosen*", item.computed),
            ("*output*", item.output),
            ("*replaces*", item.replace),
            ("*local*", item.local),
            ("*secret*", item.secret),
        )
        if given
    ]
    default = f" Default `{str(item.default).lower() if isinstance(item.default, bool) else item.default}`."
    return " ".join([*marks, _cell(item.description)]) + (default if item.default is not None else "")


def _type(type_: Type) -> str:
    match type_:
        case Record():
            return type_.name
        case ListOf():
            return f"list of {_type(type_.item)}"
        case MapOf():
            return f"map of {_type(type_.value)}"
        case _:
            return type_


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
