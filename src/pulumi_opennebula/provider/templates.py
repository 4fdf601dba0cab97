"""OpenNebula's template text: rendering attributes to it, reading it, and reading the XML that comes back.

An attribute is `NAME="value"` or a vector `NAME=[KEY="value", ...]`; names repeat, and their order among equals means
something (NIC, DISK, PCI). Neither form is ever evaluated here: `$variables` stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

Vector = dict[str, str]
Attribute = tuple[str, str | Vector]
Body = dict[str, Any]
"""XML as nested dicts: leaves are strings, an element that occurs more than once is a list."""

NAME = re.compile(r"[A-Za-z0-9_]+")
_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*
        (?P<name>[A-Za-z0-9_]+)[ \t]*=[ \t]*
        (?P<open>\[\s*)?""",
    re.VERBOSE,
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry in any form."""
_VALUE = re.compile(r'"(?P<quoted>(?:\\"|[^"])*)"|(?P<bare>[^=\#\s,\[\]]*)')


def unrenderable(text: str) -> str | None:
    """Why oned's parser cannot take a value, or None.

    The parser (src/parsers/template_parser.l, OpenNebula 6.x and 7.x) unescapes `\\"` and nothing else, so a backslash
    before the closing quote would escape it, and it refuses lines that hold `]]>`.
    """
    if text.endswith("\\"):
        return "a value cannot end with a backslash in OpenNebula's template text"
    if '\\"' in text:
        return "a backslash before a double quote cannot be told from an escaped quote in OpenNebula's template text"
    if "]]>" in text:
        return "OpenNebula's parser refuses `]]>`"
    if "\r" in text:
        return "XML turns a carriage return into a line feed, so another text would arrive and differ for ever"
    if found := _NOT_XML.search(text):
        return f"XML cannot carry the character U+{ord(found[0]):04X}"
    return None


def render(attributes: Iterable[Attribute]) -> str:
    """Template text of the attributes, in their order. Vectors without keys are left out: the grammar has none."""
    lines = []
    for name, value in attributes:
        if isinstance(value, str):
            lines.append(f"{name}={_quoted(value)}")
        elif value:
            keys = ",\n".join(f"    {key}={_quoted(item)}" for key, item in value.items())
            lines.append(f"{name}=[\n{keys} ]")
    return "\n".join(lines)


def parse(text: str) -> list[Attribute]:
    """Attributes of template text.

    Raises:
        ValueError: where the text is no template.
    """
    found: list[Attribute] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        token = _TOKEN.match(stripped, position)
        if token is None:
            raise ValueError(f"no attribute at {stripped[position : position + 20]!r}")
        position = token.end()
        if not token["open"]:
            value, position = _value(stripped, position)
            found.append((token["name"].upper(), value))
            continue
        vector: Vector = {}
        while True:
            key = _TOKEN.match(stripped, position)
            if key is None or key["open"]:
                raise ValueError(f"no key at {stripped[position : position + 20]!r}")
            value, position = _value(stripped, key.end())
            vector[key["name"].upper()] = value
            separator = re.compile(r"\s*([,\]])").match(stripped, position)
            if separator is None:
                raise ValueError(f"neither a comma nor a bracket at {stripped[position : position + 20]!r}")
            position = separator.end()
            if separator[1] == "]":
                break
        found.append((token["name"].upper(), vector))
    return found


def body_of(xml: str) -> Body:
    """The root element of an answer of oned as nested dicts."""
    root = ElementTree.fromstring(xml)  # noqa: S314 - the answer of an endpoint that the user chose and authenticated
    body = _body(root)
    return body if isinstance(body, dict) else {}


def attributes_of(template: Any) -> list[Attribute]:
    """The attributes of a TEMPLATE element, vectors of the same name in their order."""
    if not isinstance(template, Mapping):
        return []
    # An empty text is an attribute, too: oned keeps and shows it (recorded on 7.0.1).
    return [(name, item) for name, value in template.items() for item in ([value] if value == "" else listed(value))]


def listed(value: Any) -> list[Any]:
    """An element that may be absent, single or repeated, as a list."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) else [value]


def children(body: Any, *names: str) -> Iterator[Any]:
    """What lies under a path of element names; nothing where one is missing."""
    if not names:
        yield from listed(body)
        return
    for item in listed(body):
        if isinstance(item, Mapping) and names[0] in item:
            yield from children(item[names[0]], *names[1:])


def text_at(body: Mapping[str, Any], *names: str) -> str:
    """The text under a path of element names; empty where it is missing."""
    return next((item for item in children(body, *names) if isinstance(item, str)), "")


def _value(text: str, position: int) -> tuple[str, int]:
    match = _VALUE.match(text, position)
    if match is None:
        raise ValueError(f"no value at {text[position : position + 20]!r}")
    value = match["bare"] if match["quoted"] is None else match["quoted"].replace('\\"', '"')
    return value, match.end()


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def _body(element: ElementTree.Element) -> str | Body:
    if len(element) == 0:
        return element.text or ""
    body: Body = {}
    for child in element:
        value = _body(child)
        if child.tag not in body:
            body[child.tag] = value
        elif isinstance(body[child.tag], list):
            body[child.tag].append(value)
        else:
            body[child.tag] = [body[child.tag], value]
    return body
