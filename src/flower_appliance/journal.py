"""What systemd's journal says about a unit, as events. Pure: one line of `journalctl --output=json` in, one event out.

Message ids are those of systemd's catalogue (sd-messages.h, systemd 257): they do not depend on language or wording.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
_PROCESS_EXITED = "98e322203f7a4ed290d09fe03c09fe15"
_ENDED_WELL = "7ad2d189f7e94e70a38c781354912448"


@dataclass(frozen=True, kw_only=True)
class Started:
    """A process of the unit is about to be started."""

    unit: str
    at_us: int


@dataclass(frozen=True, kw_only=True)
class Exited:
    """The unit's main process ended."""

    unit: str
    at_us: int
    status: int
    """Exit status; negative for a signal."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """The unit printed a line."""

    unit: str
    at_us: int
    text: str


Event = Started | Exited | Line


def read_entry(line: str | bytes) -> Event | None:
    """The event that a journal entry stands for; None where it is of no interest, or no entry."""
    try:
        entry = json.loads(line)
        at_us = int(entry["__REALTIME_TIMESTAMP"])
    except (ValueError, KeyError, TypeError):
        return None
    unit = entry.get("UNIT")
    if unit and entry.get("_PID") == "1":
        return _of_systemd(entry, str(unit), at_us)
    unit = entry.get("_SYSTEMD_UNIT")
    text = _text(entry.get("MESSAGE"))
    return Line(unit=str(unit), at_us=at_us, text=text) if unit and text is not None else None


def _of_systemd(entry: dict[str, Any], unit: str, at_us: int) -> Event | None:
    match entry.get("MESSAGE_ID"):
        case str(id_) if id_ == _STARTING:
            return Started(unit=unit, at_us=at_us)
        case str(id_) if id_ == _PROCESS_EXITED:
            status = int(entry["EXIT_STATUS"]) if str(entry.get("EXIT_STATUS", "")).isdigit() else 1
            return Exited(unit=unit, at_us=at_us, status=status if entry.get("EXIT_CODE") == "exited" else -status)
        case str(id_) if id_ == _ENDED_WELL:
            return Exited(unit=unit, at_us=at_us, status=0)
    return None


def _text(message: Any) -> str | None:
    """A message is text, or a list of bytes where it is not valid UTF-8 or holds control characters."""
    if isinstance(message, str):
        return message
    if isinstance(message, list) and all(isinstance(byte, int) for byte in message):
        return bytes(message).decode("utf-8", errors="replace")
    return None


def follow_command(units: Sequence[str]) -> tuple[str, ...]:
    """The program that prints all entries of this boot about the units, and then new ones as they come."""
    chosen = (f"--unit={unit}" for unit in units)
    return ("journalctl", "--follow", "--boot", "--lines=all", "--output=json", "--no-pager", "--quiet", *chosen)
