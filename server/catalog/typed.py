"""What people type into the catalogue's forms, read and written back. Pure.

Days are days in Beijing; a right that holds until a day holds that whole day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from protocol.documents import Chapter
from protocol.times import SHANGHAI
from server.errors import Invalid
from server.i18n import N_

_BETWEEN = re.compile(r"[\n,，、;；]+")
_CHAPTER = re.compile(r"(?:(\d{1,2})[:：])?(\d{1,3})[:：](\d{2})(?:[.．](\d{1,3}))?\s+(\S.*)")
YEARS = range(1949, 2200)
"""Of days that people mean; others are typing errors."""


def words_of(text: str) -> list[str]:
    """What stands between commas, semicolons and line ends."""
    return [word for part in _BETWEEN.split(text) if (word := part.strip())]


def chapters_of(text: str) -> list[tuple[int, str]]:
    """One chapter a line, ``12:30 title`` or ``1:02:30.5 title``, as (at_ms, title). Raises Invalid naming the line."""
    return [_chapter(line.strip()) for line in text.splitlines() if line.strip()]


def _chapter(line: str) -> tuple[int, str]:
    found = _CHAPTER.fullmatch(line)
    if found is None or int(found[3]) > 59:
        raise Invalid(N_("章节“%(line)s”应写成“12:30 名称”，一行一个"), code="chapters", line=line[:60])
    hours, minutes, seconds, fraction, title = found.groups()
    whole_s = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole_s * 1000 + int((fraction or "0").ljust(3, "0")), title


def chapters_text(chapters: Iterable[Chapter]) -> str:
    """The same, back as lines."""
    return "\n".join(f"{_clock(chapter.at_ms)} {chapter.title}" for chapter in chapters)


def _clock(at_ms: int) -> str:
    seconds, fraction = divmod(at_ms, 1000)
    minutes, hours = seconds // 60 % 60, seconds // 3600
    text = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return f"{text}.{fraction:03}".rstrip("0") if fraction else text


def first_instant(day: str) -> datetime | None:
    """When a day (2026-12-05) begins; None for an empty text. Raises Invalid."""
    if not day.strip():
        return None
    try:
        begins = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise _no_day(day) from error
    if begins.year not in YEARS:
        raise _no_day(day)
    return begins


def _no_day(text: str) -> Invalid:
    return Invalid(N_("“%(text)s”不是有效的日期"), text=text[:20])


def after_day(day: str) -> datetime | None:
    """When a day is over; None for an empty text. Raises Invalid."""
    begins = first_instant(day)
    return begins + timedelta(days=1) if begins else None


def day_text(at: datetime | None) -> str:
    """The day of a moment at which something begins."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d") if at else ""


def last_day_text(until: datetime | None) -> str:
    """The last day on which something that ends at this moment still holds."""
    return day_text(until - timedelta(microseconds=1)) if until else ""


def moved(ids: Sequence[str], move: str, one: str) -> list[str]:
    """The list after ``one`` went up, down or away; as it was when that cannot be."""
    found = list(ids)
    if one not in found:
        return found
    at = found.index(one)
    found.pop(at)
    if move == "remove":
        return found
    found.insert(max(0, at - 1) if move == "up" else at + 1, one)
    return found


def ordered(ids: Sequence[str], places: dict[str, str]) -> list[str]:
    """The list by the places people wrote beside it; what has none keeps the one it had. What was given another's
    place pushes that one away: down where it comes from below, up where it comes from above."""

    def key(at: int) -> tuple[int, int]:
        text = places.get(ids[at], "").strip()
        place = int(text) if text.isdecimal() and len(text) < 6 else at + 1
        return place, (place > at + 1) - (place < at + 1)

    return [ids[at] for at in sorted(range(len(ids)), key=key)]


def moment_of(text: str) -> datetime:
    """A minute in Beijing as a form sends it: ``2026-12-05T19:00``. Raises Invalid."""
    try:
        at = datetime.strptime(text.strip(), "%Y-%m-%dT%H:%M").replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Invalid(N_("“%(text)s”不是有效的时间"), text=text[:20]) from error
    if at.year not in YEARS:
        raise Invalid(N_("“%(text)s”不是有效的时间"), text=text[:20])
    return at


def moment_text(at: datetime) -> str:
    """The same, for a form."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")
