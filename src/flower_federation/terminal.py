"""Tables for people: what they hold is text, whoever wrote it, and none of it is left out.

Rich takes `[/x]` and `:x:` in a text for styles and pictures; addresses (`[fd00::1]:9092`), names and reasons are none.
Where a column is narrow it ends words with an ellipsis; half a serial number is none.
"""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Column, Table

FILE_WIDTH = 1000
"""Columns of a line in a file or a pipe: a table takes what it needs of them, and can be searched line by line."""


def terminal() -> Console:
    """Standard output, with colours where it is a terminal and NO_COLOR is not set."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(markup=False, emoji=False, width=FILE_WIDTH if wide else None)


def table(*headings: str, title: str | None = None, numbers: bool = False) -> Table:
    """An empty table whose cells go on in the next line where they are longer than their column.

    Args:
        headings: Of the columns.
        title: Above them.
        numbers: Whether the columns hold numbers, which stand to the right.
    """
    columns = [Column(heading, overflow="fold", justify="right" if numbers else "left") for heading in headings]
    return Table(*columns, title=title)
