"""OpenNebula's template syntax: KEY="v", VECTOR=[A="x", B="y"], or the same as XML. It knows no attribute's meaning.

Names of attributes, and in the text syntax names inside vectors too, are stored in upper case; in a quoted value only
`\\"` is an escape; an unquoted value ends at the end of the line, in a vector at a comma or bracket (oned's grammar,
7.0; tests/parity holds the templates of the recordings to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zonebox.errors import Refused
from zonebox.trees import Tree, clone, ordered, put_listed
from zonebox.xmltree import check_names
from zonebox.xmltree import parse as parse_xml

_NAME_END = frozenset(" \t\r\n=")


def parse(source: str) -> Tree:
    """The tree of a template, sorted as oned sorts it.

    Args:
        source: text or XML. An XML document's root element is dropped, whatever its name.

    Raises:
        Refused: with oned's "Parse error: ... at line L, columns A:B", or a name that no attribute may have.
    """
    if source.lstrip().startswith("<"):
        _, tree = parse_xml(source.strip())
        tree = {key.upper(): value for key, value in tree.items()}
    else:
        tree = _Reader(source).template()
    check_names(tree)
    return ordered(tree)


def merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> Tree:
    """`base` with every attribute that `update` names replaced by the update's (all repetitions of it)."""
    merged: Tree = clone(dict(base))
    for key, value in update.items():
        merged[key] = clone(value)
    return ordered(merged)


def render(tree: Mapping[str, Any]) -> str:
    """The tree in text syntax, one attribute a line."""
    lines: list[str] = []
    for key, value in tree.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                inner = ",".join(f'{name}="{_quoted(str(text))}"' for name, text in item.items())
                lines.append(f"{key}=[{inner}]")
            else:
                lines.append(f'{key}="{_quoted(str(item))}"')
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return text.replace('"', '\\"')


class _Reader:
    """A cursor over the text; it stops at the first error."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def template(self) -> Tree:
        found: dict[str, list[Any]] = {}
        self._skip_blank(comments=True)
        while self.at < len(self.source):
            values = found.setdefault(self._name().upper(), [])
            self._equals()
            if self._peek() == "[":
                self.at += 1
                values.append(self._vector())
            else:
                values.append(self._value(end="\n"))
            self._skip_blank(comments=True)
        tree: Tree = {}
        for name, values in found.items():
            put_listed(tree, name, values)
        return tree

    def _vector(self) -> Tree:
        tree: Tree = {}
        self._skip_blank()
        if self._peek() == "]":
            self.at += 1
            return tree
        while True:
            self._skip_blank()
            name = self._name("CBRACKET or VARIABLE" if not tree else "VARIABLE").upper()
            self._equals()
            value = self._value(end=",]\n")
            tree.setdefault(name, value)
            self._skip_blank()
            mark = self._peek()
            if mark not in {",", "]"}:
                raise self._error("COMMA or CBRACKET")
            self.at += 1
            if mark == "]":
                return tree

    def _name(self, expected: str = "VARIABLE") -> str:
        start = self.at
        while self.at < len(self.source) and self.source[self.at] not in _NAME_END:
            if self.source[self.at] in '"[],#':
                break
            self.at += 1
        if self.at == start:
            raise self._error(expected)
        return self.source[start : self.at]

    def _equals(self) -> None:
        self._skip_spaces()
        if self._peek() != "=":
            raise self._error("EQUAL or EQUAL_EMPTY")
        self.at += 1
        self._skip_spaces()

    def _value(self, end: str) -> str:
        if self._peek() == '"':
            return self._quoted_value()
        start = self.at
        while self.at < len(self.source) and self.source[self.at] not in end:
            self.at += 1
        return self.source[start : self.at].strip()

    def _quoted_value(self) -> str:
        start = self.at + 1
        close = self.source.find('"', start)
        while close > 0 and self.source[close - 1] == "\\" and close > start:
            close = self.source.find('"', close + 1)
        if close < 0:
            self.at = len(self.source)
            raise self._error("STRING")
        self.at = close + 1
        return self.source[start:close].replace('\\"', '"')

    def _peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def _skip_spaces(self) -> None:
        while self._peek() in {" ", "\t"}:
            self.at += 1

    def _skip_blank(self, *, comments: bool = False) -> None:
        while self.at < len(self.source):
            if self.source[self.at].isspace():
                self.at += 1
            elif comments and self.source[self.at] == "#":
                end = self.source.find("\n", self.at)
                self.at = len(self.source) if end < 0 else end
            else:
                return

    def _error(self, expected: str) -> Refused:
        line = self.source.count("\n", 0, self.at) + 1
        column = self.at - (self.source.rfind("\n", 0, self.at) + 1)
        found = f"'{self._peek()}'" if self._peek() else "$end"
        return Refused(
            f"Parse error: syntax error, unexpected {found}, expecting {expected} at line {line}, "
            f"columns {column}:{column + 1}"
        )
