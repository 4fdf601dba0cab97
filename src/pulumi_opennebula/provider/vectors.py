"""Records of the definitions to vectors of template text and back. Pure: knows no object and calls nothing.

Case: oned stores names of attributes in upper case. What the program wrote is compared without regard to case, and its
spelling is the one that the state keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_opennebula.definitions.model import ListOf, Property, Record
from pulumi_opennebula.provider.templates import Attribute, Vector, attributes_of, text_at
from pulumi_opennebula.provider.values import Values


def scalar_text(item: Property, value: Any) -> str:
    """A value as template text has it."""
    if item.name == "networkModeAuto":
        return "auto" if value else ""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, list):
        return ",".join(scalar_text(item, part) for part in value)
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


def scalar_value(item: Property, text: str) -> Any:
    """A value of template text as the property's type has it; None where it is none of that type."""
    value: Any = text
    if item.name == "networkModeAuto":
        value = text.lower() == "auto" or None
    elif isinstance(item.type, ListOf):
        value = [int(part) for part in text.replace(",", " ").split() if part.lstrip("-").isdigit()]
    elif item.type == "boolean":
        value = text.upper() in {"YES", "TRUE", "1"}
    elif item.type == "integer":
        value = int(text) if text.lstrip("-").isdigit() else None
    elif item.type == "number":
        value = number_of(text)
    return value


def number_of(text: str) -> int | float | None:
    """A number of template text, such as `0.500000`."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else number


def vector_of(record: Record, values: Mapping[str, Any]) -> Vector:
    """The vector of a record: only what has a value, in the order of the definition."""
    return {
        item.attribute_name: scalar_text(item, values[item.name])
        for item in record.properties
        if values.get(item.name) is not None and not item.output and scalar_text(item, values[item.name]) != ""
    }


def record_of(record: Record, vector: Mapping[str, str], old: Mapping[str, Any] | None = None) -> Values:
    """The record of a vector. An empty text equals absence, unless the state had an empty text there."""
    upper = {key.upper(): value for key, value in vector.items()}
    values: Values = {}
    for item in record.properties:
        text = upper.get(item.attribute_name)
        if text is None or not isinstance(text, str):
            text = ""
        if text == "" and not item.required and (old or {}).get(item.name) != "":
            continue
        values[item.name] = scalar_value(item, text)
    return {name: value for name, value in values.items() if value is not None}


def scalar_attributes(record: Record, names: Iterable[str], values: Mapping[str, Any]) -> list[Attribute]:
    """Attributes of the named properties that have a value."""
    found: list[Attribute] = []
    for name in names:
        item = record.get(name)
        assert item is not None, name
        if values.get(name) is not None:
            found.append((item.attribute_name, scalar_text(item, values[name])))
    return found


def scalar_properties(record: Record, names: Iterable[str], template: Any, old: Mapping[str, Any] | None) -> Values:
    """The named properties as a TEMPLATE has them; an empty text equals absence unless the state had it."""
    found: Values = {}
    for name in names:
        item = record.get(name)
        assert item is not None, name
        text = text_at(template, item.attribute_name) if isinstance(template, Mapping) else ""
        if text != "" or (old or {}).get(name) == "":
            found[name] = scalar_value(item, text)
    return found


def unknown_keys(record: Record, vector: Mapping[str, str]) -> Vector:
    """Keys of a vector that the record has no property for; an update keeps them."""
    known = {item.attribute_name for item in record.properties}
    return {key: value for key, value in vector.items() if key.upper() not in known}


def spelled_like(cloud: Mapping[str, Any], program: Mapping[str, Any] | None) -> dict[str, Any]:
    """A map of the cloud under the program's spelling of its keys."""
    spelling = {key.upper(): key for key in program or {}}
    return {spelling.get(key.upper(), key): value for key, value in cloud.items()}


def sections_of(attributes: list[Attribute]) -> list[Values]:
    """Vectors as `templateSections`."""
    return [{"name": name, "elements": dict(value)} for name, value in attributes if isinstance(value, dict)]


def section_attributes(sections: list[Values] | None) -> list[Attribute]:
    """`templateSections` as vectors, in order."""
    return [(str(item["name"]).upper(), dict(item.get("elements") or {})) for item in sections or []]


class OwnedTemplate:
    """Which attributes of a TEMPLATE belong to a resource, and how tags and sections are told from them.

    An attribute that neither the resource's properties nor the program's tags or sections name belongs to somebody
    else: it is neither reported as drift nor removed by an update. An import, which knows no program, takes everything.
    """

    def __init__(
        self,
        *,
        scalars: tuple[str, ...],
        vectors: tuple[str, ...],
        foreign: tuple[str, ...] = (),
        elsewhere: tuple[str, ...] = (),
    ) -> None:
        """Say whose the attributes are.

        Args:
            scalars: Attributes of the resource's properties.
            vectors: The same, of vectors.
            foreign: What OpenNebula writes there itself, or takes out of the text that an object is made from.
            elsewhere: What is no tag on import, but may be one where a program says so.
        """
        self.scalars = frozenset(scalars)
        self.vectors = frozenset(vectors)
        self.foreign = frozenset(foreign)
        self.elsewhere = frozenset(elsewhere)

    @property
    def taken(self) -> frozenset[str]:
        """Names that neither a tag nor a section can have: nobody could tell them from the property's attribute."""
        return self.scalars | self.vectors | self.foreign

    def tags(self, template: Any, old: Values | None, default_tags: Mapping[str, str]) -> Values:
        """`tags`, `defaultTags`, `tagsAll` and `templateSections` as the cloud has them."""
        reserved = self.taken if old is not None else self.taken | self.elsewhere
        rest = [item for item in attributes_of(template) if item[0].upper() not in reserved]
        scalars = {name: value for name, value in rest if isinstance(value, str)}
        if old is None:
            tags = {k: v for k, v in scalars.items() if k.upper() not in upper_keys(default_tags)}
            sections = sections_of(rest)
        else:
            wanted = upper_keys(old.get("tags"))
            tags = spelled_like({k: v for k, v in scalars.items() if k.upper() in wanted}, old.get("tags"))
            names = [str(item.get("name", "")) for item in old.get("templateSections") or []]
            sections = _sections_like(rest, old.get("templateSections") or [], {name.upper() for name in names})
        applied = {k: v for k, v in scalars.items() if k.upper() in upper_keys(default_tags)}
        defaults = spelled_like(applied, default_tags)
        overridden = upper_keys(tags)
        defaults = {key: value for key, value in defaults.items() if key.upper() not in overridden}
        found: Values = {"tags": tags, "defaultTags": defaults, "tagsAll": {**defaults, **tags}}
        if sections:
            found["templateSections"] = sections
        if not tags:
            found["tags"] = {} if old is not None and old.get("tags") == {} else None
        return found

    def kept(self, template: Any, old: Values) -> list[Attribute]:
        """Attributes that an update sends back as they are, because they belong to somebody else."""
        ours = self.scalars | self.vectors | upper_keys(old.get("tagsAll")) | upper_keys(old.get("tags"))
        ours |= {str(item.get("name", "")).upper() for item in old.get("templateSections") or []}
        return [item for item in attributes_of(template) if item[0].upper() not in ours]


def tag_attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Default tags, the resource's own tags over them, and template sections."""
    return [(key.upper(), str(value)) for key, value in all_tags(inputs, default_tags).items()] + section_attributes(
        inputs.get("templateSections")
    )


def all_tags(inputs: Values, default_tags: Mapping[str, str]) -> dict[str, str]:
    """`tagsAll`: default tags that no tag of the resource overrides, and its own."""
    own = {key: str(value) for key, value in (inputs.get("tags") or {}).items()}
    return {k: v for k, v in default_tags.items() if k.upper() not in upper_keys(own)} | own


def upper_keys(values: Mapping[str, Any] | None) -> frozenset[str]:
    """Keys of a map in upper case."""
    return frozenset(key.upper() for key in values or {})


def _sections_like(rest: list[Attribute], old: list[Values], names: set[str]) -> list[Values]:
    """Sections of the cloud with the program's spelling, in the program's order of names."""
    remaining = [item for item in rest if isinstance(item[1], dict) and item[0].upper() in names]
    found: list[Values] = []
    for wanted in old:
        name = str(wanted.get("name", ""))
        match = next((item for item in remaining if item[0].upper() == name.upper()), None)
        if match is None:
            continue
        remaining.remove(match)
        assert isinstance(match[1], dict)
        found.append({"name": name, "elements": spelled_like(match[1], wanted.get("elements"))})
    return found + sections_of(remaining)
