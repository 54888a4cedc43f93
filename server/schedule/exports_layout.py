"""What the poster and the shared picture have in common: days with rows, texts that the font can draw, QR codes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import segno
from fontTools.ttLib import TTFont

from server.fonts import font_path
from server.schedule.guide import Guide, Showing

WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
STUDY_MARK = "集中学习"
PINE, INK, GREY, GOLD, RED, PAPER = (
    (15, 76, 67), (24, 38, 35), (92, 107, 103), (185, 128, 42), (178, 44, 34), (246, 247, 244),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of a day; ``note`` is what is said beside the title (place, channel)."""

    time: str
    title: str
    note: str
    study: bool


@dataclass(frozen=True)
class Day:
    """One day; ``study`` when villages study together on it."""

    day: date
    weekday: str
    label: str
    study: bool
    rows: tuple[Row, ...]


def days_of(guide: Guide) -> list[Day]:
    """Every day of the guide, also the empty ones."""
    several = sum(1 for line in guide.lines if line.showings) > 1
    names = {line.id: line.name for line in guide.lines}
    rows: dict[date, list[Showing]] = {day: [] for day in guide.all_days}
    for showing in guide.showings:
        if showing.day in rows:
            rows[showing.day].append(showing)
    return [
        Day(
            day=day,
            weekday=WEEKDAYS[day.weekday()],
            label=f"{day.month}月{day.day}日",
            study=guide.is_study_day(day),
            rows=tuple(_row(s, names[s.channel] if several else "") for s in found),
        )
        for day, found in rows.items()
    ]


def _row(showing: Showing, channel: str) -> Row:
    notes = [n for n in (showing.place and f"{showing.place}节目", channel) if n]
    return Row(
        time=f"{showing.starts_at:%H:%M}",
        title=drawable(showing.title) or "节目",
        note=drawable("·".join(notes)),
        study=showing.is_study,
    )


def span_label(guide: Guide) -> str:
    """12月5日—12月11日, one day alone without the dash."""
    first, last = guide.first_day, guide.last_day
    start = f"{first.month}月{first.day}日"
    return start if guide.days == 1 else f"{start}—{last.month}月{last.day}日"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """The characters that both weights of the font have."""
    found: list[set[int]] = []
    for weight in ("regular", "bold"):
        with TTFont(font_path(weight), lazy=True) as font:
            found.append(set(font.getBestCmap() or {}))
    return frozenset(found[0] & found[1])


def drawable(text: str) -> str:
    """The text without what the font has no picture of (signs of other scripts, emoji)."""
    return " ".join("".join(c for c in text if ord(c) in _glyphs()).split())


def wrapped(text: str, width: float, measure: Callable[[str], float], most: int = 2) -> list[str]:
    """The text in at most ``most`` lines of ``width``; what does not fit ends in an ellipsis. At least one line."""
    lines: list[str] = []
    rest = text
    while rest and len(lines) < most:
        cut = _fitting(rest, width, measure)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest and lines:
        last = lines[-1]
        while last and measure(last + "…") > width:
            last = last[:-1]
        lines[-1] = last + "…"
    return lines or [""]


def _fitting(text: str, width: float, measure: Callable[[str], float]) -> int:
    """How many characters fit, by halving: at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def qr_matrix(url: str) -> list[list[bool]]:
    """The QR code of a URL without its quiet zone, True where it is dark."""
    return [[bool(cell) for cell in row] for row in segno.make(url, error="m", micro=False).matrix]
