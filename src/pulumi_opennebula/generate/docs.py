"""Text of the provider's reference: an index, and a page a resource with its example. Reads examples, writes nothing.

What can be told from the definitions and the handlers is: properties, ids for imports, what replaces, secrets, waits.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES, SETTINGS
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource, Type, snake_case
from pulumi_opennebula.generate.support import support_table
from pulumi_opennebula.generate.tables import MARKS, cell, names, nested_tables, table, type_text
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.resources.base import DEFAULT_TIMEOUT_S

MADE = (
    "<!-- Made by `python -m pulumi_opennebula.generate` from the definitions and the examples; edit those instead. -->"
)
INTRODUCTION = """# The OpenNebula provider

`pulumi_opennebula` is a native Pulumi provider for OpenNebula: twelve resources and twelve functions, under the names
of the package that Pulumi bridges from the OpenNebula Terraform provider ([moving to and from
it](../opennebula-bridged.md)). It talks to oned (XML-RPC) and OneFlow (REST), and is tested against
[zonebox](testing.md) and recordings of OpenNebula 7.0.1. What it costs is [measured](benchmark.md).

- A preview changes nothing in the zone, and refuses what OpenNebula would refuse: with the value, the rule, the reason
  and what to do instead.
- What fails half way is in the state; the next `up` goes on with it, mends it or replaces it.
- Changes are made in place where OpenNebula can. Reads are repeated when a connection breaks, changes never.
- Names in the tables are those of the schema; in Python they are in snake case (`networkId` is `network_id`).
"""
LEGEND = f"Marks in the tables:\n\n{MARKS}"
IMPORT = """A preview after an import shows no change where the program says what the object is. Tags, sections,
CONTEXT variables of a running service and addresses on hold that the program does not name stay as they are.
"""
SECRETS = """A value that the program marks as a secret (`pulumi.Output.secret`, secret configuration) is one wherever
the same text turns up in the state. An import has no program to go by: values of CONTEXT variables and tags are then
secrets by their names, such as `*_KEY`, `*PASSWORD*`, `*SECRET*`.
"""


def reference_pages(examples: Mapping[str, str]) -> dict[str, str]:
    """The pages by path under `docs/reference`.

    Args:
        examples: Source of each example by its name: a resource's module in snake case, `provider`, `functions`.
    """
    pages = {"opennebula.md": _index(examples)}
    for resource in RESOURCES:
        pages[page_of(resource)] = _page(resource, examples[snake_case(resource.module)])
    return pages


def page_of(resource: Resource) -> str:
    """Path of a resource's page under `docs/reference`."""
    return f"opennebula/{snake_case(resource.module).replace('_', '-')}.md"


def _index(examples: Mapping[str, str]) -> str:
    lines = ["| resource | what it is |", "|---|---|"]
    for resource in RESOURCES:
        own = "" if resource.bridged else " Not in the bridged package."
        lines.append(f"| [{resource.name}]({page_of(resource)}) | {cell(resource.description)}{own} |")
    parts = [INTRODUCTION, MADE + "\n", "## Provider\n", _settings(), *_example(examples["provider"])]
    parts += ["## Resources\n", "\n".join(lines) + "\n", LEGEND]
    parts += ["## Functions\n", *_example(examples["functions"])]
    for function in FUNCTIONS:
        parts += [f"### {function.name}\n", f"{function.description}\n", "Arguments:\n", table(function.inputs)]
        if function.outputs:
            parts += ["Results, beside the arguments:\n", table(function.outputs)]
            parts += nested_tables(function.outputs, "####")
    return "\n".join([*parts, support_table()])


def _page(resource: Resource, example: str) -> str:
    handler = HANDLERS[resource.token]
    parts = [f"# {resource.name}\n", MADE + "\n", f"{resource.description}\n"]
    parts.append(f"Type `{resource.token}`, in Python `pulumi_opennebula.{resource.name}`.\n")
    if handler.needs_flow:
        parts.append("OneFlow's: the provider needs `flowEndpoint`.\n")
    if not resource.bridged:
        parts.append("Of this package only; the bridged one does not have it.\n")
    parts += ["## Example\n", *_example(example)]
    parts += ["## Import\n", f"```console\npulumi import {resource.token} NAME {resource.import_example}\n```\n"]
    parts.append(f"The id is {resource.import_id}, such as `{resource.import_example}`.\n")
    parts.append(IMPORT)
    parts += ["## What a change does\n", _changes(resource, failed=handler.replaced_where_failed)]
    parts += ["## Secrets\n", _secrets(resource), SECRETS, "## Waits\n", _waits(resource)]
    parts += ["## Properties\n", "The marks are explained in [the index](../opennebula.md#resources).\n"]
    parts += [table(resource.properties), *nested_tables(resource.properties, "###")]
    return "\n".join(parts)


def _example(source: str) -> list[str]:
    """The example's docstring as text, the rest as code."""
    module = ast.parse(source)
    text = ast.get_docstring(module)
    assert text is not None
    code = source.split('"""', 2)[2].strip()
    return [f"{text}\n", f"```python\n{code}\n```\n"]


def _settings() -> str:
    lines = ["| setting | type | environment | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        item = setting.definition
        environment = f"`{setting.environment}`" if setting.environment else ""
        marks = "**required** " if item.required else ""
        lines.append(f"| `{item.name}` | {type_text(item.type)} | {environment} | {marks}{cell(item.description)} |")
    return "\n".join(lines) + "\n"


def _changes(resource: Resource, *, failed: bool) -> str:
    changeable = [item for item in resource.inputs if not item.unsupported]
    replacing = [item for item in changeable if item.replace]
    local = [item for item in changeable if item.local and not item.replace]
    in_place = [item for item in changeable if not item.replace and not item.local]
    lines = ["| a change of | does |", "|---|---|", f"| {names(in_place)} | an update in place |"]
    if replacing:
        lines.append(f"| {names(replacing)} | a replacement |")
    if local:
        lines.append(f"| {names(local)} | nothing in the cloud: only the provider uses it |")
    lines += [f"| {cell(when)} | a replacement |" for when in resource.replaced_when]
    if failed:
        lines.append("| nothing at all, where the object ended in an error state when it was made | a replacement |")
    order = (
        "A replacement deletes the old object first: a second one of its name, addresses and disks would be refused."
        if resource.unique_name
        else "A replacement makes the new object before it deletes the old one."
    )
    return "\n".join(lines) + f"\n\n{order}\n"


def _secrets(resource: Resource) -> str:
    found = ", ".join(f"`{path}`" for path in _secret_paths(resource.properties, ""))
    return f"Always secrets: {found}.\n" if found else "No property is a secret by itself.\n"


def _secret_paths(properties: tuple[Property, ...], before: str) -> Iterator[str]:
    for item in properties:
        if item.secret:
            yield before + item.name
        inner, mark = _inner(item.type)
        if inner is not None:
            yield from _secret_paths(inner.properties, f"{before}{item.name}{mark}.")


def _inner(type_: Type) -> tuple[Record | None, str]:
    match type_:
        case Record():
            return type_, ""
        case ListOf(Record() as record):
            return record, "[]"
        case MapOf(Record() as record):
            return record, "[]"
        case _:
            return None, ""


def _waits(resource: Resource) -> str:
    timeouts = resource.record.get("timeouts")
    if timeouts is None or not isinstance(timeouts.type, Record):
        return "OpenNebula does what this resource asks at once; there is nothing to wait for.\n"
    operations = names(timeouts.type.properties)
    minutes = " or `timeout` (minutes, as in the bridged package)" if resource.record.get("timeout") else ""
    return (
        f"Waited for: {operations}. The longest wait is `custom_timeouts` of the resource options, else `timeouts`"
        f"{minutes}, else {DEFAULT_TIMEOUT_S / 60:g} minutes.\nWhen it is over, the object is in the state and "
        "the next `up` goes on with it.\n"
    )
