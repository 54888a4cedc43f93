"""Shapes of the viewing chart: every day of the period, the programmes watched most. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

_MINUTE_MS = 60_000


class Figures(Struct, kw_only=True):
    """Counts over some viewing sessions. ``on_minutes`` by the clock, ``played_minutes`` what really advanced;
    ``disputed_minutes`` played under a key that two devices use, not contained in the others."""

    played_minutes: float = 0
    on_minutes: float = 0
    sessions: int = 0
    stations: int = 0
    disputed_minutes: float = 0


class DayFigures(Figures, kw_only=True):
    day: str


class ProgrammeFigures(Figures, kw_only=True):
    """``title`` and ``section`` as they were when it was last watched."""

    programme: str
    title: str
    section: str


class ViewingReport(Struct, kw_only=True):
    """``regions`` are the codes counted; ``days`` holds every day from ``first_day`` to ``last_day``."""

    regions: list[str]
    first_day: str
    last_day: str
    total: Figures
    days: list[DayFigures]
    programmes: list[ProgrammeFigures]


@dataclass(frozen=True)
class Sums:
    """What a query adds up for one day, programme or all."""

    played_ms: int = 0
    on_ms: int = 0
    sessions: int = 0
    stations: int = 0
    disputed_ms: int = 0


def figures(sums: Sums) -> Figures:
    return Figures(**_numbers(sums))


def days(first: date, last: date, sums: Mapping[date, Sums]) -> list[DayFigures]:
    """One entry for every day of the period, zeros where nothing was watched."""
    count = (last - first).days + 1
    period = (first + timedelta(days=step) for step in range(count))
    return [DayFigures(day=day.isoformat(), **_numbers(sums.get(day, Sums()))) for day in period]


def programmes(rows: Iterable[tuple[str, str, str, Sums]], top: int) -> list[ProgrammeFigures]:
    """(programme, title, section, sums): the ``top`` most played first, equals by title."""
    ordered = sorted(rows, key=lambda row: (-row[3].played_ms, row[1], row[0]))
    return [
        ProgrammeFigures(programme=programme, title=title, section=section, **_numbers(sums))
        for programme, title, section, sums in ordered[:top]
    ]


def _numbers(sums: Sums) -> dict[str, Any]:
    return {
        "played_minutes": round(sums.played_ms / _MINUTE_MS, 1),
        "on_minutes": round(sums.on_ms / _MINUTE_MS, 1),
        "sessions": sums.sessions,
        "stations": sums.stations,
        "disputed_minutes": round(sums.disputed_ms / _MINUTE_MS, 1),
    }
