"""Reads and writes context.sh: shell assignments in single quotes. It never executes, expands or sources anything.

OpenNebula closes the quote, adds an escaped one and opens it again where a value holds a single quote (`'\\''`); values
may span lines. Anything that a shell would have to evaluate (`$`, back quotes, commands) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flower_appliance.errors import ContextSyntaxError, Problem

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_BARE = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")
_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\$`]|\\["\\$`])*)"', re.DOTALL)
_SPACE = " \t\r\n"


def read_assignments(path: Path) -> dict[str, str]:
    """Variables of a context.sh on disk.

    Bytes that are no UTF-8 become U+FFFD: OpenNebula passes on what it was given, in variables that are nobody's
    business here, and those of this appliance are refused by their own rules then.

    Raises:
        ContextSyntaxError: as `parse_assignments`.
        OSError: it cannot be read.
    """
    return parse_assignments(path.read_bytes().decode("utf-8", errors="replace"))


def parse_assignments(text: str) -> dict[str, str]:
    """Variables of a context.sh, in order; a later assignment of the same name wins, as in a shell.

    Raises:
        ContextSyntaxError: something other than a comment or an assignment of literal text was found.
    """
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if text[position] in _SPACE or text[position] == ";":
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            found = _ASSIGNMENT.match(text, position)
            if found is None:
                raise _refusal(text, position, "only NAME='value' lines and comments are allowed")
            values[found[1]], position = _word(text, found.end())
    return values


def render_assignments(values: Mapping[str, str]) -> str:
    """The inverse of `parse_assignments`, quoted the way OpenNebula does."""
    return "".join(f"{name}={quote(value)}\n" for name, value in values.items())


def quote(value: str) -> str:
    """One shell word for any text."""
    return "'" + value.replace("'", "'\\''") + "'"


def _word(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while position < len(text) and text[position] not in _SPACE and text[position] != ";":
        if text[position] == "'":
            end = text.find("'", position + 1)
            if end < 0:
                raise _refusal(text, position, "a single quote is opened and never closed")
            parts.append(text[position + 1 : end])
            position = end + 1
        elif text[position] == "\\" and position + 1 < len(text):
            parts.append(text[position + 1])
            position += 2
        elif double := _DOUBLE_QUOTED.match(text, position):
            parts.append(re.sub(r'\\(["\\$`])', r"\1", double[1]))
            position = double.end()
        elif bare := _BARE.match(text, position):
            parts.append(bare[0])
            position = bare.end()
        else:
            raise _refusal(text, position, "a value must be literal text in single quotes")
    return "".join(parts), position


def _refusal(text: str, position: int, rule: str) -> ContextSyntaxError:
    line = text.count("\n", 0, position) + 1
    return ContextSyntaxError(
        [
            Problem(
                given=f"line {line} of context.sh",
                rule=rule,
                reason="the file is parsed and never executed, so that a CONTEXT cannot run code in the machine",
                remedy="Correct the CONTEXT section of the VM template; OpenNebula writes this file from it",
            )
        ]
    )
