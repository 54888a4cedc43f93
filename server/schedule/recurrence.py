"""When a rule happens: one-off instants and RRULEs (RFC 5545), expanded in Asia/Shanghai. Pure.

A rule's wall time is that of its first start in Asia/Shanghai, whatever zone it was given in: clock changes elsewhere
move nothing. An occurrence is named by its start, as a Timestamp, in a rule's exceptions and additions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import cast

from dateutil.rrule import rrule as DateutilRule  # noqa: N812 -- a class in all but its name
from dateutil.rrule import rrulestr

from protocol.times import SHANGHAI, from_text, to_text
from server.i18n import N_

MOST_OCCURRENCES = 5_000
"""More than these in one span means a rule nobody meant, such as every second."""
LONGEST_RRULE = 500
MOST_INTERVAL = 366
MOST_COUNT = 10_000

_COARSE = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_FINER = ("BYHOUR", "BYMINUTE", "BYSECOND")
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
_LONGEST_MONTH = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_UNTIL_UTC = re.compile(r"UNTIL=(\d{8}T\d{6})Z")
_PERIOD_DAYS = {"DAILY": 1, "WEEKLY": 7}


class BadRecurrence(ValueError):
    """The recurrence rule cannot be read or is not allowed; the message is a Chinese source text."""


def check_rrule(text: str) -> None:
    """Raises BadRecurrence unless the text is an RRULE of days or coarser that happens at all, so that expansion stays
    small: a rule for the 30th of February would be looked for until the end of the calendar."""
    if len(text) > LONGEST_RRULE or "\n" in text:
        raise BadRecurrence(N_("重复规则太长，或不止一条"))
    parts = _parts(text)
    if parts.get("FREQ") not in _COARSE or any(part in parts for part in _FINER):
        raise BadRecurrence(N_("只能按日、周、月、年重复"))
    if "COUNT" in parts and "UNTIL" in parts:
        raise BadRecurrence(N_("次数和截止日期只能写一个"))
    try:
        if not set(parts) <= _KNOWN or not _in_bounds(parts):
            raise ValueError(text)
        _rule(text, datetime(2026, 1, 1))  # noqa: DTZ001 -- wall time in Shanghai
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadRecurrence(N_("重复规则不对（例：FREQ=WEEKLY;BYDAY=MO,SA）")) from error
    if not _ever_happens(parts):
        raise BadRecurrence(N_("按这条重复规则，一天也排不上"))


def _in_bounds(parts: dict[str, str]) -> bool:
    """Raises ValueError for what is no number."""
    small = (
        1 <= int(parts.get("INTERVAL", "1")) <= MOST_INTERVAL
        and 1 <= int(parts.get("COUNT", "1")) <= MOST_COUNT
    )
    months = all(1 <= month <= 12 for month in _numbers(parts, "BYMONTH"))
    days = all(1 <= abs(day) <= 31 for day in _numbers(parts, "BYMONTHDAY"))
    places = _numbers(parts, "BYSETPOS")
    return small and months and days and (not places or parts["FREQ"] in ("MONTHLY", "YEARLY"))


def _ever_happens(parts: dict[str, str]) -> bool:
    days = _numbers(parts, "BYMONTHDAY")
    months = _numbers(parts, "BYMONTH") or list(range(1, 13))
    return not days or any(abs(day) <= _LONGEST_MONTH[month] for day in days for month in months)


def _numbers(parts: dict[str, str], name: str) -> list[int]:
    return [int(text) for text in parts.get(name, "").split(",") if text]


def occurrences(
    starts_at: datetime,
    rrule: str | None,
    begin: datetime,
    end: datetime,
    *,
    exdates: Collection[str] = (),
    rdates: Collection[str] = (),
) -> Iterator[datetime]:
    """Starts in [begin, end) of a rule that first happens at ``starts_at``, in order; aware datetimes throughout.

    ``exdates`` and ``rdates`` are starts as Timestamps: those that fall out, and those that come in addition. Raises
    BadRecurrence.
    """
    if rrule is None:
        found = [starts_at] if begin <= starts_at < end else []
    else:
        found = [at.astimezone(starts_at.tzinfo) for at in _expanded(starts_at, rrule, begin, end)]
    if not exdates and not rdates:
        yield from found
        return
    left_out = set(exdates)
    kept = {to_text(at): at for at in found if to_text(at) not in left_out}
    added = {text: from_text(text) for text in rdates if text not in left_out}
    kept.update({text: at for text, at in added.items() if begin <= at < end})
    yield from (kept[text] for text in sorted(kept))


@lru_cache(maxsize=8192)
def _expanded(starts_at: datetime, rrule: str, begin: datetime, end: datetime) -> tuple[datetime, ...]:
    check_rrule(rrule)
    wall = starts_at.astimezone(SHANGHAI).replace(tzinfo=None)
    low, high = (moment.astimezone(SHANGHAI).replace(tzinfo=None) for moment in (begin, end))
    rule = _rule(rrule, _nearer(wall, rrule, low))
    found = []
    for start in islice(rule.xafter(low - timedelta(microseconds=1)), MOST_OCCURRENCES):
        if start >= high:
            break
        found.append(start.replace(tzinfo=SHANGHAI).astimezone(UTC))
    return tuple(found)


def _nearer(wall: datetime, rrule: str, low: datetime) -> datetime:
    """A later first start from which the same occurrences follow, so that an old daily rule is not walked through
    from its beginning. A rule that counts its occurrences must be."""
    parts = _parts(rrule)
    days = _PERIOD_DAYS.get(parts["FREQ"])
    if days is None or "COUNT" in parts:
        return wall
    period = timedelta(days=days * int(parts.get("INTERVAL", "1")))
    skipped = (low - wall) // period - 1
    if skipped <= 0:
        return wall
    # In a weekly rule the first start's own weekday counts only where BYDAY is not given; whole periods keep both.
    return wall + skipped * period


def _rule(rrule: str, wall: datetime) -> DateutilRule:
    """Raises what dateutil raises for a rule that is none."""
    text = _UNTIL_UTC.sub(lambda found: "UNTIL=" + _wall_text(found[1]), rrule.upper())
    return cast("DateutilRule", rrulestr(text, dtstart=wall))


def _wall_text(utc: str) -> str:
    at = datetime.strptime(utc, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return at.astimezone(SHANGHAI).strftime("%Y%m%dT%H%M%S")


def _parts(text: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in text.upper().split(";"))
