"""JSON of approving weeks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from msgspec import Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.schedule import approval
from server.schedule.approval_rules import Move
from server.schedule.times import read_day, read_time
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("weeks_api", __name__)


class LateView(Struct, kw_only=True):
    """A change of a rule after its week was submitted; ``late``: after the lock time. ``change`` is its number."""

    change: int
    at: Timestamp
    by: str
    kind: str
    deed: str
    rule: str
    late: bool
    reason: str


class WeekView(Struct, kw_only=True):
    """A region's week, named by its Monday: draft, submitted, approved or frozen (from ``lock_at`` on)."""

    region: str
    week: str
    state: str
    lock_at: Timestamp
    submitted_by: str
    decided_by: str
    comment: str
    since: list[LateView]


class WeekList(Struct, kw_only=True):
    items: list[WeekView]
    next: str | None = None


class WeekQuery(Struct, kw_only=True):
    region: str
    count: int = 6


class MoveRequest(Struct, kw_only=True):
    """``comment`` is needed to return or reopen; ``lock_at`` may be said when approving."""

    comment: str = ""
    lock_at: str | None = None


class ReasonRequest(Struct, kw_only=True):
    reason: str


def _view(week: approval.Week) -> WeekView:
    row = week.row
    return WeekView(
        region=week.region,
        week=week.week.isoformat(),
        state=week.state,
        lock_at=to_text(week.lock_at),
        submitted_by=row.submitted_by_name if row else "",
        decided_by=row.decided_by_name if row else "",
        comment=row.comment if row else "",
        since=[
            LateView(
                change=late.change.seq,
                at=to_text(late.change.at),
                by=late.change.actor_name,
                kind=late.change.kind,
                deed=late.change.deed,
                rule=late.change.rule_id,
                late=late.is_late,
                reason=late.reason,
            )
            for late in week.since
        ],
    )


@blueprint.get("/api/v1/weeks")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=WeekList, HTTP_404=Problem), tags=["schedule"])
def list_weeks(query: WeekQuery) -> WeekList:
    """This week and the following ones of a region (province, city or county)."""
    count = max(1, min(query.count, 26))
    with reading() as session:
        found = approval.weeks(session, caller(), query.region, count=count, now=clock.now())
        return WeekList(items=[_view(week) for week in found])


@blueprint.post("/api/v1/weeks/<region>/<week>/<move>")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(
    resp=Response(HTTP_200=WeekView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["schedule"],
)
def move_week(region: str, week: str, move: str, json: MoveRequest) -> WeekView:
    """submit, take_back, approve, return or reopen the week that a day lies in. Whoever submits does not approve."""
    lock_at = read_time(json.lock_at) if json.lock_at else None
    with writing() as session:
        made = approval.move(
            session,
            caller(),
            region,
            read_day(week, clock.now()),
            _move(move),
            comment=json.comment,
            lock_at=lock_at,
            now=clock.now(),
        )
        return _view(made)


def _move(text: str) -> Move:
    try:
        return Move(text)
    except ValueError as error:
        raise Invalid(N_("没有这个动作：%(move)s"), move=text[:20]) from error


@blueprint.post("/api/v1/weeks/late/<int:change>")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(
    resp=Response(HTTP_204=None, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"]
)
def explain_late(change: int, json: ReasonRequest) -> Any:
    """Say why a change was made after its week was approved."""
    with writing() as session:
        approval.explain_late(session, caller(), change, json.reason, now=clock.now())
    return "", 204
