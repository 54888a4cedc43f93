"""The states of a week, and whether a change of the rules touches it. Pure.

::

    draft ──submit──► submitted ──approve──► approved ──(lock time)──► frozen
      ▲                   │                     │
      └─ return, take back ┘────── reopen ───────┘

Whoever submits does not approve. What was approved is what was submitted: a change in between needs another submission.
After the lock time nothing is forbidden, but every change is late: marked and listed, with who, what and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from protocol.times import SHANGHAI, from_text
from server.schedule.recurrence import BadRecurrence, occurrences

LOCK_BEFORE_MONDAY = timedelta(days=2, hours=6)
"""Friday 18:00, unless the approver says otherwise: the printed week hangs on the wall by the weekend."""


class WeekState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    FROZEN = "frozen"


class Move(StrEnum):
    SUBMIT = "submit"
    TAKE_BACK = "take_back"
    APPROVE = "approve"
    RETURN = "return"
    REOPEN = "reopen"


MOVES: Mapping[tuple[WeekState, Move], WeekState] = {
    (WeekState.DRAFT, Move.SUBMIT): WeekState.SUBMITTED,
    (WeekState.SUBMITTED, Move.TAKE_BACK): WeekState.DRAFT,
    (WeekState.SUBMITTED, Move.APPROVE): WeekState.APPROVED,
    (WeekState.SUBMITTED, Move.RETURN): WeekState.DRAFT,
    (WeekState.APPROVED, Move.REOPEN): WeekState.DRAFT,
}
"""Every legal move; all others are refused. A frozen week moves no more."""


def state_at(state: WeekState, lock_at: datetime | None, now: datetime) -> WeekState:
    """An approved week is frozen from its lock time on."""
    if state is WeekState.APPROVED and lock_at is not None and now >= lock_at:
        return WeekState.FROZEN
    return state


def monday_of(day: date) -> date:
    """The week a day belongs to, named by its Monday."""
    return day - timedelta(days=day.weekday())


def bounds(monday: date) -> tuple[datetime, datetime]:
    """The week in Asia/Shanghai, the end not included."""
    begin = datetime(monday.year, monday.month, monday.day, tzinfo=SHANGHAI)
    return begin, begin + timedelta(days=7)


def usual_lock(monday: date) -> datetime:
    """When a week is frozen unless somebody says otherwise."""
    return bounds(monday)[0] - LOCK_BEFORE_MONDAY


def touches(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, begin: datetime, end: datetime
) -> bool:
    """Whether a rule, as it was or as it is, speaks of a span. Rules as the history keeps them: JSON by column."""
    return any(_speaks(rule, begin, end) for rule in (before, after) if rule is not None)


def _speaks(rule: Mapping[str, Any], begin: datetime, end: datetime) -> bool:
    if rule.get("removed_at"):
        return False
    until = rule.get("until") or rule.get("ends_at")
    if rule.get("day"):
        return begin.date() <= date.fromisoformat(rule["day"]) < end.date()
    starts = rule.get("starts_at")
    if not starts:
        return True  # a push or a right: it holds always
    if until:
        return from_text(starts) < end and from_text(until) > begin
    try:
        found = occurrences(
            from_text(starts),
            rule.get("rrule"),
            begin,
            end,
            exdates=rule.get("exdates") or (),
            rdates=rule.get("rdates") or (),
        )
        return next(iter(found), None) is not None
    except BadRecurrence:
        return True
