"""Times and days as people write them: a naive time is Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime

from protocol.times import SHANGHAI
from server.errors import Invalid
from server.i18n import N_


def read_time(text: str) -> datetime:
    """An aware UTC datetime from ISO 8601. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
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
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(N_("看不懂的日期：%(text)s（例：2026-12-05）"), code="day", text=text) from error
