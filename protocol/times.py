"""Time as it is written between machines.

A timestamp is RFC 3339 in UTC with exactly three decimals and ``Z`` (``2026-12-05T11:00:00.000Z``), so equal
instants are equal bytes. Rules work on integer milliseconds since 1970 (``_ms``). A listing's day is
00:00–24:00 in Asia/Shanghai, which has had no clock changes since 1991: a day is always 24 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY_MS = 24 * 60 * 60 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="RFC 3339, UTC, milliseconds",
        examples=["2026-12-05T11:00:00.000Z"],
    ),
]


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime; anything finer is cut off."""
    if moment.tzinfo is None:
        raise ValueError("naive datetime")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of a millisecond count."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_text(moment: datetime) -> str:
    """An aware datetime as a Timestamp."""
    return ms_to_text(to_ms(moment))


def ms_to_text(ms: int) -> str:
    """A millisecond count as a Timestamp."""
    moment = from_ms(ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def from_text(text: str) -> datetime:
    """An aware UTC datetime from a Timestamp (other RFC 3339 offsets are accepted and converted).

    Raises ValueError for anything else, a naive time included.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no zone in {text!r}")
    return moment.astimezone(UTC)


def text_to_ms(text: str) -> int:
    """Milliseconds since 1970 of a Timestamp."""
    return to_ms(from_text(text))


def day_bounds_ms(day: date) -> tuple[int, int]:
    """Start (included) and end (excluded) of a listing's day in Asia/Shanghai."""
    start = to_ms(datetime.combine(day, time.min, tzinfo=SHANGHAI))
    return start, start + DAY_MS


def day_of_ms(ms: int) -> date:
    """The listing day an instant belongs to."""
    return from_ms(ms).astimezone(SHANGHAI).date()
