"""Times and days as people write them: a naive time is Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime

from protocol.times import SHANGHAI
from server.errors import Invalid
from server.i18n import N_

YEARS = range(2000, 2200)
"""Beyond these a date is a slip of the finger, and arithmetic with zones could leave the calendar."""


def _check_year(year: int) -> None:
    if year not in YEARS:
        raise ValueError(year)


def read_time(text: str) -> datetime:
    """An aware UTC datetime from ISO 8601. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
        _check_year(moment.year)
    except ValueError as error:
        raise Invalid(N_("看不懂的时间：%(text)s（例：2026-12-05T19:00）"), code="time", text=text) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def read_day(text: str | None, now: datetime) -> date:
    """A day in Asia/Shanghai; today's when nothing is said. Raises Invalid."""
    if not text:
        return now.astimezone(SHANGHAI).date()
    try:
        day = date.fromisoformat(text)
        _check_year(day.year)
        return day
    except ValueError as error:
        raise Invalid(N_("看不懂的日期：%(text)s（例：2026-12-05）"), code="day", text=text) from error
