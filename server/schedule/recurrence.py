"""When a rule happens: one-off instants and RRULEs (RFC 5545), expanded in Asia/Shanghai. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr

from protocol.times import SHANGHAI

MOST_OCCURRENCES = 5_000
"""More than these in one span means a rule nobody meant, such as every second."""

_COARSE = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")


class BadRecurrence(ValueError):
    """The recurrence rule cannot be read or is not allowed."""


def check_rrule(text: str) -> None:
    """Raises BadRecurrence unless the text is an RRULE of days or coarser, so that expansion stays small."""
    parts = dict(part.partition("=")[::2] for part in text.upper().split(";"))
    if parts.get("FREQ") not in _COARSE or "BYHOUR" in parts or "BYMINUTE" in parts or "BYSECOND" in parts:
        raise BadRecurrence("a rule repeats by day, week, month or year")
    try:
        rrulestr(text, dtstart=datetime(2026, 1, 1))  # noqa: DTZ001 -- wall time in Shanghai
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecurrence(str(error)) from error


def occurrences(starts_at: datetime, rrule: str | None, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Starts in [begin, end) of a rule that first happens at ``starts_at``; aware datetimes throughout.

    The wall time of the first start is kept in Asia/Shanghai. Raises BadRecurrence.
    """
    if rrule is None:
        if begin <= starts_at < end:
            yield starts_at
        return
    check_rrule(rrule)
    wall = starts_at.astimezone(SHANGHAI).replace(tzinfo=None)
    rule = rrulestr(rrule.replace("Z", ""), dtstart=wall)
    low, high = (moment.astimezone(SHANGHAI).replace(tzinfo=None) for moment in (begin, end))
    for start in islice(rule.xafter(low - timedelta(milliseconds=1)), MOST_OCCURRENCES):
        if start >= high:
            return
        yield start.replace(tzinfo=SHANGHAI).astimezone(starts_at.tzinfo)
