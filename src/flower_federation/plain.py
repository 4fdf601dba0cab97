"""What others wrote, as a terminal may show it: nothing of it moves the cursor, hides a line or turns the writing.

An operator decides by what the terminal shows, and some of it comes from elsewhere: names out of another organisation's
file, what a VM says of itself, what a SuperLink answers. Standard library only, as `errors` is.
"""

from __future__ import annotations

_LAYOUT = "\n\t"


def plain(text: str) -> str:
    """The text with every character that is not printable written as Python would, such as `\\x1b`.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _LAYOUT else each.encode("unicode_escape").decode() for each in text
    )
