"""Times of scheduled policies: an instant, or five cron fields. Times without a zone are UTC. It schedules nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_HORIZON: Final = timedelta(days=366 * 8)
"""Eight years hold every date that exists, 29 February included."""


def instant_s(text: str) -> int:
    """Unix time of `start_time`: digits, or a date and time.

    Raises:
        ValueError: it is neither.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    moment = datetime.fromisoformat(text.strip())
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """Five cron fields: minute, hour, day of month, month, day of week (0 or 7 is Sunday)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Recurrence:
        """Read the fields.

        Raises:
            ValueError: not five fields, or a field out of its range.
        """
        fields = text.split()
        if len(fields) != 5:
            raise ValueError(
                f"{text!r} has {len(fields)} fields, cron expressions have 5: minute hour day month weekday"
            )
        minutes, hours, days, months, weekdays = fields
        return cls(
            minutes=_field(minutes, 0, 59),
            hours=_field(hours, 0, 23),
            days=_field(days, 1, 31),
            months=_field(months, 1, 12, _MONTHS, 1),
            weekdays=frozenset(day % 7 for day in _field(weekdays, 0, 7, _DAYS, 0)),
            any_day=days.startswith("*"),
            any_weekday=weekdays.startswith("*"),
        )

    def next_after_s(self, unix_s: int) -> int:
        """The first instant after `unix_s`, in Unix time.

        Raises:
            ValueError: the fields never meet, such as 31 February.
        """
        start = datetime.fromtimestamp(unix_s, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        moment, end = start, start + _HORIZON
        while moment < end:
            if moment.month not in self.months or not self._has_day(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return int(moment.timestamp())
        raise ValueError("no such date within eight years: check day and month of the cron expression")

    def _has_day(self, moment: datetime) -> bool:
        in_month = moment.day in self.days
        in_week = moment.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week


def _field(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    """The values of one field: lists of `*`, numbers, names and ranges, each with an optional step."""
    values: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        begin, _, end = ("*", "", "") if span == "*" else span.partition("-")
        start = low if begin == "*" else _value(begin, names, first)
        stop = _value(end, names, first) if end else (high if begin == "*" or step else start)
        width = int(step) if step else 1
        if not (low <= start <= stop <= high) or width < 1:
            raise ValueError(f"{part!r} is outside {low}-{high}")
        values.update(range(start, stop + 1, width))
    return frozenset(values)


def _value(text: str, names: tuple[str, ...], first: int) -> int:
    if text[:3] in names:
        return names.index(text[:3]) + first
    return int(text)
