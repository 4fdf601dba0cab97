"""The files of one audit: the one that grows, and older ones that it was renamed to when it was full. Reads names only.

A chain does not end with its file: the first line of a file follows the last one of the file before. An older file is
named by the numbers of its first and last line, so that names sort as the lines do and a missing file shows.
"""

from __future__ import annotations

import re
from pathlib import Path

_DIGITS = 12
"""Enough for a line every microsecond over eleven days, or one a second over 30,000 years."""


def segment_path(path: Path, *, first: int, last: int) -> Path:
    """Where the lines `first` to `last` go when the audit at `path` is full."""
    return path.with_name(f"{path.stem}-{first:0{_DIGITS}}-{last:0{_DIGITS}}{path.suffix}")


def older_segments(path: Path) -> list[Path]:
    """Older files of the audit at `path`, in the order of their lines."""
    name = re.compile(rf"{re.escape(path.stem)}-[0-9]{{{_DIGITS}}}-[0-9]{{{_DIGITS}}}{re.escape(path.suffix)}")
    return sorted(each for each in path.parent.glob(f"{path.stem}-*{path.suffix}") if name.fullmatch(each.name))


def segments(path: Path) -> list[Path]:
    """All files of the audit at `path` that there are, in the order of their lines."""
    return [*older_segments(path), *([path] if path.exists() else [])]
