"""When a review is due, when to remind, and whom to call when it is urgent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from server.catalog.review import Stage
from server.errors import Invalid
from server.i18n import N_

Hours = Annotated[int, Meta(ge=1, le=24 * 60)]


class ReviewPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """审核规则 as data, versioned: how long each stage may take and what an approval needs."""

    first_hours: Hours = 24
    second_hours: Hours = 24
    final_hours: Hours = 24
    remind_hours: Hours = 4
    urgent_minutes: Annotated[int, Meta(ge=1, le=240)] = 15
    rereview_days: Annotated[int, Meta(ge=30, le=3650)] = 365
    checklist_required: bool = False
    proofreading_required: bool = False

    def hours(self, stage: Stage) -> int:
        return {
            Stage.FIRST: self.first_hours,
            Stage.SECOND: self.second_hours,
            Stage.FINAL: self.final_hours,
        }[stage]


def parse_policy(plain: Any) -> ReviewPolicy:
    """Raises Invalid naming the field."""
    try:
        return msgspec.convert(plain, ReviewPolicy, strict=True)
    except msgspec.ValidationError as error:
        raise Invalid(N_("审核规则不正确：%(detail)s"), code="bad_policy", detail=str(error)) from error


def due_at(policy: ReviewPolicy, stage: Stage, opened_at: datetime, *, urgent: bool) -> datetime:
    """When a stage that opened then should be decided."""
    if urgent:
        return opened_at + timedelta(minutes=policy.urgent_minutes)
    return opened_at + timedelta(hours=policy.hours(stage))


class Step(StrEnum):
    """What the clock does about a waiting review."""

    REMIND = "remind"
    OVERDUE = "overdue"
    CALL_DEPUTY = "call_deputy"


@dataclass(frozen=True)
class Waiting:
    """A review that nobody has decided yet."""

    opened_at: datetime
    due_at: datetime
    is_urgent: bool
    reminded: bool
    overdue_told: bool
    deputy_called: bool


def steps(task: Waiting, policy: ReviewPolicy, now: datetime) -> list[Step]:
    """What is to be done now; each step once in a task's life."""
    wanted = []
    if now >= task.due_at:
        if task.is_urgent and not task.deputy_called:
            wanted.append(Step.CALL_DEPUTY)
        if not task.overdue_told:
            wanted.append(Step.OVERDUE)
    elif not task.is_urgent and not task.reminded and now >= _remind_at(task, policy):
        wanted.append(Step.REMIND)
    return wanted


def _remind_at(task: Waiting, policy: ReviewPolicy) -> datetime:
    """Some hours before it is due, but never before half of the time is over."""
    half = task.opened_at + (task.due_at - task.opened_at) / 2
    return max(half, task.due_at - timedelta(hours=policy.remind_hours))
