"""Trees to XML text and back, in oned's manner: leaves of templates as CDATA, no whitespace between elements.

It validates nothing and resolves no entity beyond XML's own five.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from zonebox.errors import Refused
from zonebox.trees import Tree

_FREE_TEXT = frozenset({"TEMPLATE", "USER_TEMPLATE", "LEASES", "AR_POOL", "ROLES", "PCI_DEVICES", "DATASTORES"})
# What XML 1.0 cannot carry even escaped; oned would send it and break its clients, so it is dropped.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MOST_LEVELS = 32
"""Of elements within each other: templates have two or three, and what is stored must be readable again."""
_NAME = re.compile(r"[^\W\d][\w.-]*")


def render(tag: str, tree: Any) -> str:
    """One element with everything below it."""
    parts: list[str] = []
    _element(parts, tag, tree, free=False)
    return "".join(parts)


def _element(parts: list[str], tag: str, value: Any, *, free: bool) -> None:
    if isinstance(value, list):
        for item in value:
            _element(parts, tag, item, free=free)
        return
    parts.append(f"<{tag}>")
    if isinstance(value, Mapping):
        below = free or tag in _FREE_TEXT
        for key, item in value.items():
            _element(parts, key, item, free=below)
    elif value:
        parts.append(_leaf(str(value), free=free))
    elif free:
        parts.append("<![CDATA[]]>")
    parts.append(f"</{tag}>")


def _leaf(text: str, *, free: bool) -> str:
    clean = _NOT_XML.sub("", text)
    if free:
        return "<![CDATA[" + clean.replace("]]>", "]]]]><![CDATA[>") + "]]>"
    return escape(clean)


def parse(document: str) -> tuple[str, Tree]:
    """Tag and tree of an XML document; repeated elements become lists.

    Raises:
        Refused: not well formed, nested too deeply, or it declares a document type (an XML bomb needs one).
    """
    if "<!DOCTYPE" in document.upper() or "<!ENTITY" in document.upper():
        raise Refused("Parse error: a document type declaration is not accepted in a template.")
    try:
        root = ET.fromstring(document)  # noqa: S314 - declarations are refused above
    except ET.ParseError as error:
        raise Refused(f"Parse error: {error}") from error
    value = _tree(root, _MOST_LEVELS)
    return root.tag, value if isinstance(value, dict) else {}


def check_names(tree: Mapping[str, Any]) -> None:
    """Hold the names of attributes against XML: an object with another one breaks every pool that it is in.

    oned's own lexer takes letters, digits and `_`, and its database no object that is not XML.

    Raises:
        Refused: with the name.
    """
    for key, value in tree.items():
        if _NAME.fullmatch(key) is None:
            raise Refused(f"Parse error: {key!r} is no name of an attribute: letters, digits and _, not a digit first.")
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                check_names(item)


def _tree(element: ET.Element, levels: int) -> Any:
    if len(element) == 0:
        return element.text or ""
    if levels == 0:
        raise Refused(f"Parse error: more than {_MOST_LEVELS} elements within each other, at {element.tag}.")
    tree: Tree = {}
    for child in element:
        value = _tree(child, levels - 1)
        if child.tag not in tree:
            tree[child.tag] = value
        elif isinstance(tree[child.tag], list):
            tree[child.tag].append(value)
        else:
            tree[child.tag] = [tree[child.tag], value]
    return tree
