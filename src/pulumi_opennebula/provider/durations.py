"""Go-style durations (`90s`, `1h30m`) as seconds. Refuses everything else; reads no clock."""

from __future__ import annotations

import re
from typing import Final

UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(text: str) -> float | None:
    """Seconds of a duration, or None where the text is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * UNITS_S[unit] for number, unit in parts)
