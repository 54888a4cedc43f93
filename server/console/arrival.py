"""节目到村: which stations have a publication with everything it schedules, which will by an hour, which cannot and why.

Pure. Everything rests on what terminals reported last; what is only assumed is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from protocol.regions import lineage
from protocol.times import SHANGHAI
from server.i18n import N_
from server.schedule.lines import line_of, reachable_bytes

EVENING = time(19, 0)
SILENT_AFTER = timedelta(hours=26)
"""Health comes at least hourly over a line; a day and a bit of silence is a fault or a village without a line. The
conflict report forgives a week: it looks days ahead, this at tonight."""
KEPT_FREE = 0.10
POLL = timedelta(minutes=10)
"""Within this a station that is there has asked for what is new."""


class Reach(StrEnum):
    ARRIVED = "arrived"
    """Documents and every programme they schedule for the next days are stored and verified."""
    COMING = "coming"
    """Not yet, and by its measured line it will be in time."""
    CANNOT = "cannot"


class Cause(StrEnum):
    NO_TERMINAL = "no_terminal"
    NEVER = "never"
    SILENT = "silent"
    DISK = "disk"
    CAP = "cap"
    HOURS = "hours"
    SLOW = "slow"


CAUSES: dict[Cause, str] = {
    Cause.NO_TERMINAL: N_("还没有装终端"),
    Cause.NEVER: N_("终端装好后还没有报到过"),
    Cause.SILENT: N_("一天以上没有报到"),
    Cause.DISK: N_("磁盘空间不够"),
    Cause.CAP: N_("本月流量已用完"),
    Cause.HOURS: N_("到时之前不在允许下载的时段"),
    Cause.SLOW: N_("线路慢，来不及下载"),
}


class Report(Struct, frozen=True):
    """What of a terminal's last health report matters here; bytes and bit/s as in ``protocol.batch.Health``."""

    publication: int = 0
    ready: int = 0
    wanted: int = 0
    missing_bytes: int = 0
    throughput_bps: int = 0
    speed_by_hour: list[int] = []
    download_from_hour: int = 0
    download_to_hour: int = 24
    monthly_cap_bytes: int = 0
    month_bytes: int = 0
    disk_free: int = 0
    disk_total: int = 0


@dataclass(frozen=True)
class Place:
    """A station as its best terminal reported it; ``report`` None where none did."""

    station: str
    name: str
    region: str
    has_terminal: bool
    last_seen: datetime | None
    report: Report | None


@dataclass(frozen=True)
class Verdict:
    reach: Reach
    cause: Cause | None = None
    lacking: int = 0
    is_assumed: bool = False


@dataclass
class Arrival:
    """Counts of stations; ``cannot`` holds those that cannot, for a list; ``below`` arrived and all by region."""

    until: datetime
    stations: int = 0
    arrived: int = 0
    coming: int = 0
    assumed: int = 0
    causes: Counter[Cause] = field(default_factory=Counter)
    cannot: list[tuple[Place, Verdict]] = field(default_factory=list)
    below: dict[str, list[int]] = field(default_factory=dict)

    @property
    def in_time(self) -> int:
        return self.arrived + self.coming

    @property
    def unable(self) -> int:
        return self.stations - self.in_time


def next_evening(now: datetime) -> datetime:
    """The next 19:00 in Asia/Shanghai."""
    local = now.astimezone(SHANGHAI)
    evening = datetime.combine(local.date(), EVENING, tzinfo=SHANGHAI)
    return evening if evening > local else evening + timedelta(days=1)


def sum_up(
    places: Iterable[Place],
    *,
    number: int,
    new_bytes: Mapping[str, int],
    width: int,
    now: datetime,
    until: datetime,
    most: int = 50,
) -> Arrival:
    """Judge every station. ``new_bytes``: what a publication newly schedules, by the document's region; ``width``: how
    long codes of the regions below are that counts are wanted for; ``most``: how many that cannot are listed."""
    found = Arrival(until=until)
    for place in places:
        verdict = judge(place, number=number, new_bytes=new_bytes, now=now, until=until)
        counts = found.below.setdefault(place.region[:width], [0, 0])
        counts[1] += 1
        found.stations += 1
        found.assumed += verdict.is_assumed
        if verdict.reach is Reach.ARRIVED:
            found.arrived += 1
            counts[0] += 1
        elif verdict.reach is Reach.COMING:
            found.coming += 1
        else:
            assert verdict.cause is not None
            found.causes[verdict.cause] += 1
            if len(found.cannot) < most:
                found.cannot.append((place, verdict))
    return found


def judge(
    place: Place, *, number: int, new_bytes: Mapping[str, int], now: datetime, until: datetime
) -> Verdict:
    """One station."""
    report = place.report
    if not place.has_terminal:
        return Verdict(Reach.CANNOT, Cause.NO_TERMINAL)
    if report is None or place.last_seen is None:
        return Verdict(Reach.CANNOT, Cause.NEVER)
    has_documents = report.publication >= number
    if has_documents and report.missing_bytes == 0 and report.ready >= report.wanted:
        return Verdict(Reach.ARRIVED)
    if now - place.last_seen > SILENT_AFTER:
        return Verdict(Reach.CANNOT, Cause.SILENT)
    lacking = report.missing_bytes
    if not has_documents:
        lacking += sum(new_bytes.get(code, 0) for code in lineage(place.region))
    return _by_line(report, lacking, now, until)


def _by_line(report: Report, lacking: int, now: datetime, until: datetime) -> Verdict:
    if report.disk_total and report.disk_free - lacking < report.disk_total * KEPT_FREE and lacking:
        return Verdict(Reach.CANNOT, Cause.DISK, lacking)
    if report.monthly_cap_bytes and report.month_bytes + lacking > report.monthly_cap_bytes:
        return Verdict(Reach.CANNOT, Cause.CAP, lacking)
    line = line_of(msgspec.structs.asdict(report))
    can = reachable_bytes(line, now + POLL, until)
    if lacking <= can:
        return Verdict(Reach.COMING, None, lacking, not line.is_measured)
    return Verdict(Reach.CANNOT, Cause.SLOW if can else Cause.HOURS, lacking, not line.is_measured)


def as_json(found: Arrival, number: int, signed_at: str) -> dict[str, Any]:
    """The counts as an API gives them."""
    return {
        "number": number,
        "signed_at": signed_at,
        "stations": found.stations,
        "arrived": found.arrived,
        "in_time": found.in_time,
        "cannot": found.unable,
        "assumed": found.assumed,
        "causes": {cause.value: count for cause, count in found.causes.items()},
    }


def listed(found: Arrival) -> Sequence[tuple[Place, Verdict]]:
    """Stations that cannot, the worst known causes first."""
    order = list(Cause)
    return sorted(found.cannot, key=lambda pair: (order.index(pair[1].cause or Cause.SLOW), pair[0].region))
