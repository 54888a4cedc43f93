"""月计划, the pure part: the county's study days as the village adjusts them, and how each of them went.

The county's days come with the signed documents and stay what they are; the village's changes lie over them. A change
holds for the date it was made against: when the county moves that day itself, its word is the newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from protocol.documents import Ref, StudyDay, Why
from protocol.times import day_of_ms, ms_to_text, text_to_ms

OWN = "own@"
"""How the id of a day begins that the village added."""


class Change(StrEnum):
    MOVE = "move"
    ADD = "add"
    RESTORE = "restore"
    """The county's day as it was; a day of one's own is gone."""


class Reason(StrEnum):
    """Why a village moves or adds a day: picked, never typed."""

    FARMING = "farming"
    WEATHER = "weather"
    POWER = "power"
    MEETING = "meeting"
    OTHER = "other"


REASONS: dict[Reason, str] = {
    Reason.FARMING: "农忙",
    Reason.WEATHER: "天气",
    Reason.POWER: "停电",
    Reason.MEETING: "会议",
    Reason.OTHER: "其他",
}


class PlanChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. ``against_ms`` is the county's beginning it was made against, 0 for a day of one's own."""

    day: str
    what: Change
    at_ms: int
    by: str = ""
    reason: str = ""
    against_ms: int = 0
    starts_ms: int = 0
    ends_ms: int = 0
    programmes: list[Ref] = []


class DayState(StrEnum):
    COMING = "coming"
    TODAY = "today"
    DONE = "done"
    PARTLY = "partly"
    """Begun and ended early, or some programmes were left out."""
    LATE = "late"
    """No record of it, but entered late."""
    MISSED = "missed"


def latest(changes: Iterable[PlanChange]) -> dict[str, PlanChange]:
    """Day → the last thing said about it."""
    return {change.day: change for change in changes}


def adjusted(days: Sequence[StudyDay], changes: Iterable[PlanChange]) -> list[StudyDay]:
    """The study days as the village holds them, in order."""
    last = latest(changes)
    found = [_moved(day, last.get(day.id)) for day in days]
    found += [own_day(change) for change in last.values() if change.what is Change.ADD]
    return sorted(found, key=lambda day: (day.starts_at, day.id))


def _moved(day: StudyDay, change: PlanChange | None) -> StudyDay:
    if change is None or change.what is not Change.MOVE or change.against_ms != text_to_ms(day.starts_at):
        return day
    return StudyDay(
        id=day.id, channel=day.channel, starts_at=ms_to_text(change.starts_ms), ends_at=ms_to_text(change.ends_ms),
        title=day.title, programmes=day.programmes, discussion_ms=day.discussion_ms, moved_from=day.starts_at,
        reason=_reason(change.reason), why=day.why,
    )  # fmt: skip


def own_day(change: PlanChange) -> StudyDay:
    """A day that the village added."""
    return StudyDay(
        id=change.day, channel="", starts_at=ms_to_text(change.starts_ms), ends_at=ms_to_text(change.ends_ms),
        programmes=change.programmes, discussion_ms=10 * 60_000, reason=_reason(change.reason),
        why=Why(rule="own", level="village", region="0"),
    )  # fmt: skip


def _reason(word: str) -> str:
    return REASONS[Reason(word)] if word in set(Reason) else ""


def state_of(
    day: StudyDay, sessions: Mapping[str, bool], late_days: set[str], today: str, now_ms: int
) -> DayState:
    """How a day went. ``sessions``: id → whether a session of it was completed; ``late_days``: dates with a session
    entered late; ``today``: the present date."""
    if day.id in sessions:
        return DayState.DONE if sessions[day.id] else DayState.PARTLY
    date = local_date(day)
    if date in late_days:
        return DayState.LATE
    if date == today:
        return DayState.TODAY
    return DayState.MISSED if text_to_ms(day.ends_at) < now_ms else DayState.COMING


def local_date(day: StudyDay) -> str:
    """The date it begins on in Asia/Shanghai."""
    return day_of_ms(text_to_ms(day.starts_at)).isoformat()
