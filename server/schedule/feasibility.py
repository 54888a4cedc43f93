"""Which stations cannot have an item by its air time, at the speed they really have. Pure.

A station fetches what it lacks in the order of air times, inside its allowed hours, at the speed it measured for each
hour of the day, within its monthly cap (lines.py). What it lacks is what it reported; what was announced after its last
report it lacks whole. A station whose line was never measured counts at ``ASSUMED_BPS``, and the answer says for how
many that was assumed.

54,145 stations: those that lack the same and may fetch in the same hours are one class. For each class the one steady
speed is computed that would do for everything; only a station whose slowest hour is below it is looked at item by item.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from protocol.regions import lineage, within
from server.schedule.lines import UNKNOWN, Line, allowed_hours, filled, slowest

SILENT_AFTER = timedelta(days=7)
MOST_MISSING = 100
"""A report names at most so many releases."""


class Cause(StrEnum):
    SLOW = "slow"
    CAP = "cap"
    SILENT = "silent"
    NO_HOURS = "no_hours"


@dataclass(frozen=True)
class Station:
    """A station as it last reported. ``missing`` are releases in the order of their air times, ``missing_bytes`` what
    they lack together. ``heard_at`` None: never."""

    id: str
    region: str
    line: Line = UNKNOWN
    missing: tuple[str, ...] = ()
    missing_bytes: int = 0
    heard_at: datetime | None = None


@dataclass(frozen=True)
class Need:
    """An item that stations of some regions are to have by ``starts_at``. ``size`` is its smallest adequate rendition in
    bytes; ``announced_at`` when stations could first know of it (None: not yet)."""

    item: str
    release: str
    size: int
    starts_at: datetime
    regions: tuple[str, ...]
    announced_at: datetime | None = None
    excluded: tuple[str, ...] = ()

    def is_for(self, region: str) -> bool:
        here = any(within(region, area) for area in self.regions)
        return here and not any(within(region, area) for area in self.excluded)


@dataclass
class Prospect:
    """What becomes of one item: how many stations are to have it, have it, will have it, and which cannot, and why."""

    item: str
    stations: int = 0
    have: int = 0
    can: int = 0
    cannot: dict[str, Cause] = field(default_factory=dict)


@dataclass
class Feasibility:
    """Prospects by item, and for how many stations what was assumed."""

    prospects: dict[str, Prospect] = field(default_factory=dict)
    unmeasured: int = 0
    silent: int = 0
    clipped: int = 0


@dataclass(frozen=True)
class _Class:
    """Stations that lack the same. ``announcements``: how many of them, in time, came before the last report."""

    needs: tuple[int, ...]
    missing: tuple[str, ...]
    fraction: float
    announcements: int
    from_hour: int
    to_hour: int


@dataclass(frozen=True)
class _Demand:
    """What a class lacks: for each lacking need (by place) the bits to fetch until it is whole, and the allowed time,
    by hour of the day in seconds, between the air time before and its own. ``steady_bps`` would do for everything."""

    lacking: tuple[int, ...] = ()
    bits: tuple[float, ...] = ()
    steps: tuple[tuple[tuple[int, float], ...], ...] = ()
    steady_bps: float = 0.0


def feasibility(stations: Iterable[Station], needs: Sequence[Need], *, now: datetime) -> Feasibility:
    """Every need of the future against every station."""
    ordered = sorted((need for need in needs if need.starts_at > now), key=lambda n: (n.starts_at, n.item))
    return _Reckoning(ordered, now).run(stations)


class _Reckoning:
    def __init__(self, needs: Sequence[Need], now: datetime) -> None:
        self._needs, self._now = needs, now
        self._result = Feasibility({need.item: Prospect(need.item) for need in needs})
        self._for_region: dict[str, tuple[int, ...]] = {}
        self._areas = {area for need in needs for area in (*need.regions, *need.excluded)}
        self._announced = sorted({need.announced_at for need in needs if need.announced_at is not None})
        self._demands: dict[_Class, _Demand] = {}
        self._sizes = {need.release: need.size for need in needs}
        self._have: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}

    def run(self, stations: Iterable[Station]) -> Feasibility:
        for station in stations:
            self._station(station)
        self._sum_up()
        return self._result

    def _station(self, station: Station) -> None:
        needs = self._needs_of(station.region)
        if not needs:
            return
        silent = station.heard_at is None or self._now - station.heard_at > SILENT_AFTER
        self._result.silent += silent
        self._result.unmeasured += not station.line.is_measured
        self._result.clipped += len(station.missing) >= MOST_MISSING
        demand = self._demand(station, needs)
        key = (needs, demand.lacking)
        self._have[key] = self._have.get(key, 0) + 1
        if not demand.lacking or self._is_easy(station.line, demand, silent):
            return
        for place, cause in self._failures(station.line, demand, silent):
            self._result.prospects[self._needs[place].item].cannot[station.id] = cause

    def _is_easy(self, line: Line, demand: _Demand, silent: bool) -> bool:
        enough = demand.steady_bps <= slowest(line) and not silent
        return enough and (line.cap_left is None or demand.bits[-1] / 8 <= line.cap_left)

    def _failures(self, line: Line, demand: _Demand, silent: bool) -> Iterable[tuple[int, Cause]]:
        if silent:
            yield from ((place, Cause.SILENT) for place in demand.lacking)
            return
        speeds = filled(line)
        reach = 0.0
        cap = float("inf") if line.cap_left is None else line.cap_left * 8
        for place, bits, step in zip(demand.lacking, demand.bits, demand.steps, strict=True):
            for hour, seconds in step:
                reach += seconds * speeds[hour]
            if bits > cap:
                yield place, Cause.CAP
            elif bits > reach:
                yield place, Cause.SLOW if reach else Cause.NO_HOURS

    # --- what a station lacks ---
    def _needs_of(self, region: str) -> tuple[int, ...]:
        """The needs that concern a region; all regions under the same areas share one answer."""
        key = "|".join(code for code in lineage(region) if code in self._areas)
        if key not in self._for_region:
            self._for_region[key] = tuple(n for n, need in enumerate(self._needs) if need.is_for(region))
        return self._for_region[key]

    def _demand(self, station: Station, needs: tuple[int, ...]) -> _Demand:
        heard = station.heard_at
        whole = sum(self._sizes.get(release, 0) for release in station.missing)
        fraction = min(1.0, station.missing_bytes / whole) if whole and station.missing_bytes else 1.0
        key = _Class(
            needs,
            station.missing,
            round(fraction, 1),
            bisect_right(self._announced, heard) if heard else 0,
            station.line.from_hour,
            station.line.to_hour,
        )
        if key not in self._demands:
            self._demands[key] = self._reckoned(key)
        return self._demands[key]

    def _reckoned(self, key: _Class) -> _Demand:
        missing = set(key.missing)
        known_until = self._announced[key.announcements - 1] if key.announcements else None
        lacking, bits, steps = [], [], []
        total = allowed = steady = 0.0
        counted: set[str] = set()
        before = self._now
        for n in key.needs:
            need = self._needs[n]
            known = (
                known_until is not None and need.announced_at is not None and need.announced_at <= known_until
            )
            if known and need.release not in missing:
                continue
            if need.release not in counted:
                counted.add(need.release)
                total += need.size * 8 * (key.fraction if need.release in missing else 1.0)
            step = allowed_hours(key.from_hour, key.to_hour, before, need.starts_at)
            allowed += sum(seconds for _, seconds in step)
            steady = max(steady, total / allowed if allowed else float("inf"))
            lacking.append(n)
            bits.append(total)
            steps.append(step)
            before = need.starts_at
        return _Demand(tuple(lacking), tuple(bits), tuple(steps), steady)

    def _sum_up(self) -> None:
        for (needs, lacking), count in self._have.items():
            lacked = set(lacking)
            for n in needs:
                prospect = self._result.prospects[self._needs[n].item]
                prospect.stations += count
                prospect.have += 0 if n in lacked else count
        for prospect in self._result.prospects.values():
            prospect.can = prospect.stations - prospect.have - len(prospect.cannot)
