"""What a VM writes about itself, from the text of a PUT to attributes. It stores nothing.

OneGate quotes the values itself and hands the text to oned, whose lexer takes the longest match. Their quirks are
part of the interface (recorded): a JSON value keeps its outer quotes, an unquoted comma breaks the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from zonebox.onegate.errors import Broken, Forbidden
from zonebox.ports import Body

RESTRICTED: Final = frozenset({"SCHED_REQUIREMENTS", "SERVICE_ID", "ROLE_NAME"})
"""Attributes that a VM may not change (OpenNebula's default for `restricted_attrs`)."""

_SKIPPED: Final = re.compile(r"(?:[ \t]*#[^\n]*\n|[ \t\n\r]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_EMPTY: Final = re.compile(r"[ \t]*=[ \t]*\n")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_OPEN: Final = re.compile(r"[ \t]*\[[ \t\n]*")
_CLOSE: Final = re.compile(r"[ \t\n]*\][ \t\n]*")
_COMMA: Final = re.compile(r"[ \t\n]*,[ \t\n]*")
_QUOTED: Final = re.compile(r'"((?:\\"|[^"])*)"')
_BARE: Final = re.compile(r"[^=# \t\n,\[\]]+")


def quoted(text: str) -> str:
    """The text with OneGate's quotes around values."""
    out: list[str] = []
    inside = False
    for at, char in enumerate(text):
        after = text[at + 1 : at + 2]
        # As in Ruby, the character before the first one is the last one.
        before = text[at - 1]
        if char == "=" and not inside and after not in {"[", '"'}:
            out.append('="')
            inside = True
        elif char == "=":
            out.append(char)
        elif char == "," and before != '"':
            out.append('",')
        elif char == "[" and before not in {"=", '"'}:
            out.append('"[')
        elif char in {"]", "\\", "\n"} and before != '"' and not (char == "]" and before == "="):
            out.append('"' + char)
            inside = False
        else:
            out.append(char)
    result = "".join(out).replace("\\n", "\n")
    return result + '"' if inside and result[-1:] not in {"]", '"'} else result


def check_restricted(text: str, verb: str) -> None:
    """Refuse a text that names a restricted attribute.

    Args:
        text: `KEY=VALUE` lines, or names alone.
        verb: what cannot be done with it: `modified` or `deleted`.

    Raises:
        Forbidden: with the attribute as it was written.
    """
    for line in text.split("\n"):
        name = line.partition("=")[0]
        if name.strip().upper() in RESTRICTED:
            raise Forbidden(f"Attribute ({name}) cannot be {verb}")


def check_names(names: Iterable[str]) -> None:
    """Refuse restricted attributes by what oned makes of a text, where `check_restricted` sees lines only.

    One line holds several attributes (`A="x" SERVICE_ID="5"`), which OpenNebula's OneGate does not notice (its source,
    read on 2026-11-24): a VM could claim another service. zonebox does.

    Args:
        names: of attributes, in upper case.

    Raises:
        Forbidden: with the first restricted one.
    """
    for name in names:
        if name in RESTRICTED:
            raise Forbidden(f"Attribute ({name}) cannot be modified")


def parse(text: str) -> Body:
    """The attributes in a text that `quoted` has been through, names in upper case.

    Raises:
        Broken: oned's grammar does not take it.
    """
    attributes: Body = {}
    at = _after(_SKIPPED, text, 0)
    while at < len(text):
        name, at = _take(_NAME, text, at)
        empty = _EMPTY.match(text, at)
        if empty:
            attributes[name.upper()] = ""
            at = empty.end()
        else:
            attributes[name.upper()], at = _value(text, _after(_EQUALS, text, at, needed=True))
        at = _after(_SKIPPED, text, at)
    return attributes


def _value(text: str, at: int) -> tuple[str | dict[str, str], int]:
    opening = _OPEN.match(text, at)
    if not opening:
        return _scalar(text, at)
    vector: dict[str, str] = {}
    at = opening.end()
    while not (closing := _CLOSE.match(text, at)):
        if vector:
            at = _after(_COMMA, text, at, needed=True)
        name, at = _take(_NAME, text, at)
        vector[name.upper()], at = _scalar(text, _after(_EQUALS, text, at, needed=True))
    return vector, closing.end()


def _scalar(text: str, at: int) -> tuple[str, int]:
    """A quoted string or bare text, whichever is longer; a quoted one where both are as long."""
    strict, bare = _QUOTED.match(text, at), _BARE.match(text, at)
    if strict and (not bare or strict.end() >= bare.end()):
        return strict.group(1).replace('\\"', '"'), strict.end()
    if bare:
        return bare.group().replace('\\"', '"'), bare.end()
    raise Broken


def _take(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    match = pattern.match(text, at)
    if not match:
        raise Broken
    return match.group(), match.end()


def _after(pattern: re.Pattern[str], text: str, at: int, *, needed: bool = False) -> int:
    match = pattern.match(text, at)
    if not match:
        if needed:
            raise Broken
        return at
    return match.end()
