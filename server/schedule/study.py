"""集中学习日: from a region's rule to its evenings. Pure.

A provincial study day also stands in the timetable: its programmes one after another from the beginning, with the
discussion after each. They begin on the dot and win over a series at the same time, like any one-off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from protocol.documents import Ref, StudyDay, Why
from protocol.times import SHANGHAI, to_text
from server.schedule.recurrence import occurrences
from server.schedule.rulebook import PROVINCE, Evening, Release, SlotRule, StudyPlan

PATTERNS = {
    "5/15/25": "FREQ=MONTHLY;BYMONTHDAY=5,15,25",
    "逢六": "FREQ=MONTHLY;BYMONTHDAY=6,16,26",
    "每周一": "FREQ=WEEKLY;BYDAY=MO",
}
"""Rules that counties really have, by the name people use."""
MOST_MOVED = timedelta(days=31)


@dataclass(frozen=True)
class Day:
    """One evening of a plan, as it will be."""

    plan: StudyPlan
    evening: Evening
    planned: datetime
    starts_at: datetime
    ends_at: datetime
    slots: tuple[SlotRule, ...]

    @property
    def programmes(self) -> tuple[str, ...]:
        return self.evening.programmes

    @property
    def id(self) -> str:
        return f"{self.plan.id}@{self.planned.astimezone(SHANGHAI):%Y%m%d}"

    def document(self, programmes: list[Ref]) -> StudyDay:
        moved = self.starts_at != self.planned
        return StudyDay(
            id=self.id,
            channel=self.plan.channel,
            starts_at=to_text(self.starts_at),
            ends_at=to_text(self.ends_at),
            title=self.evening.title or self.plan.title,
            programmes=programmes,
            discussion_ms=self.evening.discussion_ms,
            moved_from=to_text(self.planned) if moved else None,
            reason=self.evening.reason,
            why=Why(
                rule=f"study:{self.plan.id}", level=self.plan.level, region=self.plan.region, by=self.plan.by
            ),
        )


def days(plan: StudyPlan, releases: Mapping[str, Release], begin: datetime, end: datetime) -> Iterator[Day]:
    """The evenings of a plan that begin in [begin, end): those moved into the span too, not those moved out of it or off."""
    for planned in occurrences(plan.starts_at, plan.rrule, begin - MOST_MOVED, end + MOST_MOVED):
        evening = plan.evenings.get(planned.astimezone(SHANGHAI).date().isoformat(), Evening())
        starts_at = evening.moved_to or planned
        if evening.cancelled or not begin <= starts_at < end:
            continue
        slots = tuple(_slots(plan, evening, planned, starts_at, releases)) if plan.level == PROVINCE else ()
        yield Day(
            plan, evening, planned, starts_at, starts_at + timedelta(milliseconds=plan.duration_ms), slots
        )


def _slots(
    plan: StudyPlan, evening: Evening, planned: datetime, starts_at: datetime, releases: Mapping[str, Release]
) -> Iterator[SlotRule]:
    at = starts_at
    for number, programme in enumerate(evening.programmes, 1):
        yield SlotRule(
            id=f"{plan.id}@{planned.astimezone(SHANGHAI):%Y%m%d}#{number}",
            channel=plan.channel,
            region=plan.region,
            level=plan.level,
            programme=programme,
            starts_at=at,
            rrule=None,
            required=True,
            by=plan.by,
            kind="study",
            fixed=True,
            why=f"study:{plan.id}",
        )
        release = releases.get(programme)
        at += timedelta(milliseconds=(release.duration_ms if release else 0) + evening.discussion_ms)
