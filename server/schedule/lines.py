"""A station's line over time: which bytes it can bring by when. Pure; the one model that every forecast rests on.

A line carries, hour by hour of the day in Asia/Shanghai, what was measured at that hour; hours without a measurement
count at the median of the others, else at the speed measured altogether, and a line nobody measured at ``ASSUMED_BPS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import median
from typing import Any

from protocol.times import SHANGHAI

ASSUMED_BPS = 500_000
"""A quarter of the 2 Mbit/s lines that village stations were given; used where nothing was measured."""
HOUR_S = 3600


@dataclass(frozen=True)
class Line:
    """How a station may fetch: bit/s by hour of the day (empty: nothing measured by the hour), the hours allowed, what is
    left of its month in bytes (None: no cap), and the speed measured altogether (0: never)."""

    speeds: tuple[int, ...] = ()
    from_hour: int = 0
    to_hour: int = 24
    cap_left: int | None = None
    usual_bps: int = 0

    @property
    def is_measured(self) -> bool:
        return self.usual_bps > 0 or any(self.speeds)


UNKNOWN = Line()
"""A line of which nothing was ever told."""


def line_of(health: Mapping[str, Any]) -> Line:
    """The line as a terminal's health report tells it (``protocol.batch.Health``)."""
    cap = health.get("monthly_cap_bytes") or 0
    return Line(
        speeds=tuple(health.get("speed_by_hour") or ()),
        from_hour=health.get("download_from_hour", 0),
        to_hour=health.get("download_to_hour", 24),
        cap_left=max(0, cap - (health.get("month_bytes") or 0)) if cap else None,
        usual_bps=health.get("throughput_bps") or 0,
    )


def reachable_bytes(line: Line, begin: datetime, until: datetime) -> int:
    """What the line brings in a span inside its allowed hours, the monthly cap left aside."""
    speeds = filled(line)
    hours = allowed_hours(line.from_hour, line.to_hour, begin, until)
    return int(sum(seconds * speeds[hour] for hour, seconds in hours) / 8)


def filled(line: Line) -> tuple[float, ...]:
    """Bit/s for every hour of the day."""
    return _filled(line.speeds, line.usual_bps)


def slowest(line: Line) -> float:
    """Bit/s of the slowest hour."""
    return min(filled(line))


@lru_cache(maxsize=65_536)
def _filled(speeds: tuple[int, ...], usual_bps: int) -> tuple[float, ...]:
    measured = [speed for speed in speeds if speed > 0]
    usual = median(measured) if measured else usual_bps or ASSUMED_BPS
    return tuple(float(speeds[h]) if h < len(speeds) and speeds[h] > 0 else float(usual) for h in range(24))


@lru_cache(maxsize=65_536)
def allowed_hours(
    from_hour: int, to_hour: int, begin: datetime, until: datetime
) -> tuple[tuple[int, float], ...]:
    """(hour of the day, seconds of it) in [begin, until) in which the line may fetch; equal hours: the whole day."""
    return tuple(
        (hour, seconds)
        for hour, seconds in _hours(begin, until)
        if seconds and _is_allowed(hour, from_hour, to_hour)
    )


def _is_allowed(hour: int, from_hour: int, to_hour: int) -> bool:
    if from_hour < to_hour:
        return from_hour <= hour < to_hour
    return hour >= from_hour or hour < to_hour if from_hour != to_hour else True


@lru_cache(maxsize=4_096)
def _hours(now: datetime, until: datetime) -> tuple[tuple[int, float], ...]:
    """How many seconds of each hour of the day in Asia/Shanghai lie in [now, until)."""
    seconds = [0.0] * 24
    at = now.astimezone(SHANGHAI)
    whole_days = max(0, (until - now).days)
    for hour in range(24):
        seconds[hour] += whole_days * HOUR_S
    at += timedelta(days=whole_days)
    end = until.astimezone(SHANGHAI)
    while at < end:
        following = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        seconds[at.hour] += (min(following, end) - at).total_seconds()
        at = following
    return tuple(enumerate(seconds))
