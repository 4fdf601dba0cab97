"""Tables for people: what they hold is text, whoever wrote it, and none of it is left out.

Rich takes `[/x]` and `:x:` in a text for styles and pictures; addresses (`[fd00::1]:9092`), names and reasons are none.
It passes escape sequences on as they are: they are written out here. Where a column is narrow it ends
words with an ellipsis; half a serial number is none.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from flower_federation.plain import plain

FILE_WIDTH = 1000
"""Columns of a line in a file or a pipe: a table takes what it needs of them, and can be searched line by line."""


class _PlainConsole(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        """Every text that is no `Text` yet comes by here, a table's cells too."""
        return super().render_str(plain(text), **options)


def terminal() -> Console:
    """Standard output, with colours where it is a terminal and NO_COLOR is not set."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return _PlainConsole(markup=False, emoji=False, width=FILE_WIDTH if wide else None)


def table(*headings: str, title: str | None = None, numbers: bool = False) -> Table:
    """An empty table whose cells go on in the next line where they are longer than their column.

    Args:
        headings: Of the columns.
        title: Above them.
        numbers: Whether the columns hold numbers, which stand to the right.
    """
    columns = [Column(heading, overflow="fold", justify="right" if numbers else "left") for heading in headings]
    return Table(*columns, title=title)
