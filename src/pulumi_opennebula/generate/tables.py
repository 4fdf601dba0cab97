"""Tables of properties in Markdown, from the definitions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Type, records_of

MARKS = """- **required**
- *chosen*: OpenNebula chooses a value where the program gives none, and absence is then no difference
- *output*: cannot be given
- *replaces*: OpenNebula cannot change it, so a change replaces the object
- *local*: only the provider uses it
- *secret*: always a secret in the state
"""


def table(properties: Iterable[Property]) -> str:
    """One row a property."""
    lines = ["| property | type | meaning |", "|---|---|---|"]
    lines += [f"| `{item.name}` | {type_text(item.type)} | {_meaning(item)} |" for item in properties]
    return "\n".join(lines) + "\n"


def nested_tables(properties: Iterable[Property], heading: str) -> list[str]:
    """A section for each record that the properties mention."""
    parts: list[str] = []
    for record in records(properties):
        parts += [f"{heading} {record.name}\n", f"{record.description}\n", table(record.properties)]
    return parts


def records(properties: Iterable[Property]) -> Iterator[Record]:
    """Every record that the properties mention, once."""
    seen: set[str] = set()
    for item in properties:
        for record in records_of(item.type):
            if record.name not in seen:
                seen.add(record.name)
                yield record


def type_text(type_: Type) -> str:
    """`list of TemplateNic`."""
    match type_:
        case Record():
            return type_.name
        case ListOf():
            return f"list of {type_text(type_.item)}"
        case MapOf():
            return f"map of {type_text(type_.value)}"
        case _:
            return type_


def cell(text: str) -> str:
    """The text as a cell of a table."""
    return text.replace("|", "\\|")


def names(properties: Iterable[Property]) -> str:
    """The properties' names, those that the bridged package does not have in italics, or a dash."""
    return ", ".join(f"`{item.name}`" if item.bridged else f"*`{item.name}`*" for item in properties) or "-"


def _meaning(item: Property) -> str:
    if item.unsupported:
        return f"**Refused**: {cell(item.unsupported)}."
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
    return " ".join([*marks, cell(item.description)]) + (default if item.default is not None else "")
