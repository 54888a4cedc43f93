"""One study session, told by two: the station's own records, and phones on the province's page. Pure.

Per roll the station's last count holds; a phone's count holds only where the station made none. Both stay, each with
its source and time, and a difference between them is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from protocol.batch import Roll


class Source(StrEnum):
    STATION = "station"
    PHONE = "phone"
    """A phone on the province's page."""


@dataclass(frozen=True)
class HeadCount:
    """Heads counted once. ``order``: of one source, a later count has a higher one."""

    source: Source
    roll: Roll
    present: int
    expected: int
    members: int
    public: int
    at: datetime
    by: str = ""
    order: int = 0


@dataclass(frozen=True)
class MergedRoll:
    """A roll: the count that holds, all that were made (the one that holds first), and by how many heads the last
    counts of the two sources differ (0 where one source is silent)."""

    roll: Roll
    holds: HeadCount
    counts: tuple[HeadCount, ...]
    difference: int


def merge(counts: Iterable[HeadCount]) -> list[MergedRoll]:
    """Rolls in their order: at the beginning, at the end, entered late."""
    rolls: dict[Roll, list[HeadCount]] = {}
    for count in counts:
        rolls.setdefault(count.roll, []).append(count)
    return [_merged(roll, rolls[roll]) for roll in Roll if roll in rolls]


def _merged(roll: Roll, counts: list[HeadCount]) -> MergedRoll:
    newest_first = sorted(counts, key=lambda count: (count.at, count.order), reverse=True)
    last = {source: next((c for c in newest_first if c.source is source), None) for source in Source}
    station, phone = last[Source.STATION], last[Source.PHONE]
    holds = station or phone
    assert holds is not None
    difference = abs(station.present - phone.present) if station and phone else 0
    others = [count for count in newest_first if count is not holds]
    return MergedRoll(roll, holds, (holds, *others), difference)
