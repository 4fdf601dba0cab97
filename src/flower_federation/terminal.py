"""Tables for people: what they hold is text, whoever wrote it. It lays nothing out itself.

Rich takes `[/x]` and `:x:` in a text for styles and pictures; addresses (`[fd00::1]:9092`), names and reasons are none.
"""

from __future__ import annotations

from rich.console import Console


def terminal() -> Console:
    """Standard output, with colours where it is a terminal and NO_COLOR is not set."""
    return Console(markup=False, emoji=False)
