"""The table of every property that the bridged package's schema has: given, reported, refused. Pure.

The definitions have exactly the schema's properties (tests/unit/test_opennebula_schema.py), so the table does too.
"""

from __future__ import annotations

from collections.abc import Iterable

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import Property
from pulumi_opennebula.generate.tables import cell, names, records

HEADING = "## Every property of the bridged package's schema"
REFUSED_OUTPUT = "only reported; `pulumi import` adopts an object"
INTRODUCTION = f"""{HEADING}

For these resources, their nested types and these functions: what can be given, what is only reported, what is refused
as an input and why. A refusal is an error of the preview that says the same. What is in italics is this package's own.

| of | can be given | reported | refused as an input |
|---|---|---|---|
"""


def support_table() -> str:
    """The section."""
    rows = [_row("Provider", [setting.definition for setting in SETTINGS if setting.bridged])]
    own_settings = [setting.definition for setting in SETTINGS if not setting.bridged]
    rows.append(_row("*Provider, in addition*", own_settings))
    done: set[str] = set()
    for resource in RESOURCES:
        own = resource.name if resource.bridged else f"*{resource.name}*"
        rows.append(_row(own, resource.properties, refused_output=resource.id_property))
        rows += _nested(resource.properties, done, "" if resource.bridged else "*")
    for function in FUNCTIONS:
        results = (*function.outputs, *(item for item in function.inputs if item.name not in _names(function.outputs)))
        refused = [item for item in function.inputs if item.unsupported]
        given = [item for item in function.inputs if not item.unsupported]
        rows.append(_cells(function.name, names(given), names(results), _refused(refused)))
        rows += _nested(function.outputs, done, "", results=True)
    return INTRODUCTION + "\n".join(rows) + "\n"


def _nested(properties: Iterable[Property], done: set[str], mark: str, *, results: bool = False) -> list[str]:
    rows = []
    for record in records(properties):
        if record.name in done:
            continue
        done.add(record.name)
        label = f"{mark}{record.name}{mark}"
        rows.append(_cells(label, "-", names(record.properties), "-") if results else _row(label, record.properties))
    return rows


def _row(label: str, properties: Iterable[Property], *, refused_output: str = "") -> str:
    items = list(properties)
    given = [item for item in items if not item.output and not item.unsupported]
    refused = _refused([item for item in items if item.unsupported])
    if refused_output:
        own = f"`{refused_output}`: {REFUSED_OUTPUT}"
        refused = own if refused == "-" else f"{own}; {refused}"
    return _cells(label, names(given), names(item for item in items if item.output), refused)


def _refused(items: Iterable[Property]) -> str:
    return "; ".join(f"`{item.name}`: {cell(item.unsupported)}" for item in items) or "-"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _names(properties: Iterable[Property]) -> set[str]:
    return {item.name for item in properties}
