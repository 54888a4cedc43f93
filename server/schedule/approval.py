"""Use cases of approving a week: submit, approve, return, reopen; and what was changed afterwards.

In the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import Level, level_of
from protocol.times import SHANGHAI
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit, messages
from server.identity.rules import Action, Caller
from server.regions.models import Region
from server.schedule.approval_models import LateReason, WeekApproval
from server.schedule.approval_rules import (
    MOVES,
    Move,
    WeekState,
    bounds,
    monday_of,
    state_at,
    touches,
    usual_lock,
)
from server.schedule.history import change_number
from server.schedule.models import RuleChange

LONGEST = 200
SHOWN = 200
LOOKED_AT = 5_000
LOCAL_KINDS = frozenset({"slot", "study", "notice", "push"})
"""Rules that a city or county may make for its own document; their ``level`` says whose airtime they use."""
_WEEKS_AHEAD = 53


@dataclass(frozen=True)
class Late:
    """A change of a rule after its week was approved; ``is_late``: after the lock time too."""

    change: RuleChange
    reason: str
    is_late: bool


@dataclass(frozen=True)
class Week:
    """A region's week: its state now, who moved it, and what changed after it was submitted."""

    region: str
    week: date
    state: WeekState
    row: WeekApproval | None
    since: Sequence[Late] = ()

    @property
    def lock_at(self) -> datetime:
        return (self.row.lock_at if self.row else None) or usual_lock(self.week)


# --- looking ----------------------------------------------------------------------------------------------------------
def week_of(session: Session, caller: Caller, region: str, day: date, *, now: datetime) -> Week:
    """The week that a day lies in. Raises Forbidden, NotFound."""
    caller.require(Action.SCHEDULE_VIEW)
    _known(session, region)
    return _week(session, region, monday_of(day), now)


def weeks(session: Session, caller: Caller, region: str, *, count: int = 6, now: datetime) -> list[Week]:
    """This week and the following ones. Raises Forbidden, NotFound."""
    caller.require(Action.SCHEDULE_VIEW)
    _known(session, region)
    first = monday_of(now.astimezone(SHANGHAI).date())
    return [_week(session, region, first + timedelta(weeks=n), now) for n in range(count)]


def submitted_spans(session: Session, region: str) -> list[tuple[datetime, datetime]]:
    """Weeks of a region that wait for approval, as spans."""
    rows = session.scalars(
        select(WeekApproval.week).where(
            WeekApproval.region == region, WeekApproval.state == WeekState.SUBMITTED
        )
    )
    return [bounds(week) for week in rows]


def _week(session: Session, region: str, monday: date, now: datetime) -> Week:
    row = _row(session, region, monday)
    if row is None:
        return Week(region, monday, WeekState.DRAFT, None)
    state = state_at(WeekState(row.state), row.lock_at, now)
    since = () if state is WeekState.DRAFT else _since(session, row)
    return Week(region, monday, state, row, since)


def _row(session: Session, region: str, monday: date) -> WeekApproval | None:
    return session.scalars(
        select(WeekApproval).where(WeekApproval.region == region, WeekApproval.week == monday)
    ).one_or_none()


def _since(session: Session, row: WeekApproval) -> list[Late]:
    """Changes that touch the week and came after it was submitted, the oldest first."""
    begin, end = bounds(row.week)
    found = session.scalars(
        select(RuleChange).where(RuleChange.seq > row.seq).order_by(RuleChange.seq).limit(LOOKED_AT)
    )
    changes = [
        change
        for change in found
        if _belongs(change, row.region) and touches(change.before, change.after, begin, end)
    ][:SHOWN]
    reasons = {
        late.change: late.reason
        for late in session.scalars(
            select(LateReason).where(LateReason.change.in_([change.seq for change in changes]))
        )
    }
    lock_at = row.lock_at or usual_lock(row.week)
    return [Late(change, reasons.get(change.seq, ""), change.at >= lock_at) for change in changes]


def _belongs(change: RuleChange, region: str) -> bool:
    """The province's week is its frame, everywhere; a city's or county's is its own document."""
    rule = change.after or change.before or {}
    is_frame = change.kind not in LOCAL_KINDS or rule.get("level") == Level.PROVINCE
    if level_of(region) is Level.PROVINCE:
        return is_frame
    return not is_frame and change.region == region


# --- moving -----------------------------------------------------------------------------------------------------------
def submit(session: Session, caller: Caller, region: str, day: date, *, now: datetime) -> Week:
    """Lay a week before whoever approves. Raises NotFound, Forbidden, Invalid (over, too far), Conflict."""
    caller.require(Action.SCHEDULE_EDIT, region)
    row = _for_move(session, region, day, now)
    _move(row, Move.SUBMIT, now)
    row.seq = change_number(session)
    row.submitted_by, row.submitted_by_name, row.submitted_at = caller.id, caller.name, now
    row.decided_by, row.decided_by_name, row.decided_at, row.comment = None, "", None, ""
    session.flush()
    _tell_approvers(session, caller, row, now)
    return _note(session, caller, row, Move.SUBMIT, now)


def take_back(session: Session, caller: Caller, region: str, day: date, *, now: datetime) -> Week:
    """Take a submitted week back to go on with it. Raises as :func:`submit`."""
    caller.require(Action.SCHEDULE_EDIT, region)
    row = _for_move(session, region, day, now)
    _move(row, Move.TAKE_BACK, now)
    return _note(session, caller, row, Move.TAKE_BACK, now)


def approve(
    session: Session,
    caller: Caller,
    region: str,
    day: date,
    *,
    comment: str = "",
    lock_at: datetime | None = None,
    now: datetime,
) -> Week:
    """Approve what was submitted; the week is frozen from ``lock_at`` (Friday 18:00 before it) on.

    Raises Forbidden (also for who submitted it), Conflict where something was changed since, or the move is illegal.
    """
    row = _for_decision(session, caller, region, day, now)
    if _since(session, row):
        raise Conflict(N_("提交以后又有改动，请编辑重新提交"), code="changed")
    _move(row, Move.APPROVE, now)
    row.lock_at = lock_at or usual_lock(row.week)
    return _decided(session, caller, row, Move.APPROVE, comment, now)


def give_back(
    session: Session, caller: Caller, region: str, day: date, *, comment: str, now: datetime
) -> Week:
    """Return a week to who submitted it, with the reason. Raises as :func:`approve`, Invalid without a reason."""
    if not comment.strip():
        raise Invalid(N_("退回时请写明理由"))
    row = _for_decision(session, caller, region, day, now)
    _move(row, Move.RETURN, now)
    return _decided(session, caller, row, Move.RETURN, comment, now)


def reopen(session: Session, caller: Caller, region: str, day: date, *, comment: str, now: datetime) -> Week:
    """Open an approved week again, before its lock time. Raises as :func:`give_back`."""
    if not comment.strip():
        raise Invalid(N_("重新开放时请写明理由"))
    row = _for_decision(session, caller, region, day, now)
    _move(row, Move.REOPEN, now)
    return _decided(session, caller, row, Move.REOPEN, comment, now)


def move(
    session: Session,
    caller: Caller,
    region: str,
    day: date,
    what: Move,
    *,
    comment: str = "",
    lock_at: datetime | None = None,
    now: datetime,
) -> Week:
    """Any of the moves, by name. Raises what each raises."""
    match what:
        case Move.SUBMIT:
            return submit(session, caller, region, day, now=now)
        case Move.TAKE_BACK:
            return take_back(session, caller, region, day, now=now)
        case Move.APPROVE:
            return approve(session, caller, region, day, comment=comment, lock_at=lock_at, now=now)
        case Move.RETURN:
            return give_back(session, caller, region, day, comment=comment, now=now)
        case Move.REOPEN:
            return reopen(session, caller, region, day, comment=comment, now=now)


def explain_late(session: Session, caller: Caller, seq: int, reason: str, *, now: datetime) -> None:
    """Say why a late change was made: who made it, or who may approve there. Raises NotFound, Forbidden, Invalid."""
    change = session.get(RuleChange, seq)
    if change is None:
        raise NotFound(N_("没有这次改动"))
    if change.actor_id != caller.id:
        caller.require(Action.SCHEDULE_APPROVE, change.region)
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= LONGEST:
        raise Invalid(N_("理由应为 1–%(most)s 个字"), most=LONGEST)
    row = session.get(LateReason, seq) or LateReason(change=seq)
    row.reason, row.by_name, row.at = reason, caller.name, now
    session.add(row)
    session.flush()


# --- parts ------------------------------------------------------------------------------------------------------------
def _known(session: Session, region: str) -> None:
    if session.get(Region, region) is None:
        raise NotFound(N_("没有这个行政区划：%(region)s"), region=region)
    if level_of(region) not in (Level.PROVINCE, Level.CITY, Level.COUNTY):
        raise Invalid(N_("只有省、市、县有自己的一周编排"))


def _for_move(session: Session, region: str, day: date, now: datetime) -> WeekApproval:
    _known(session, region)
    monday = monday_of(day)
    begin, end = bounds(monday)
    if end <= now or begin > now + timedelta(weeks=_WEEKS_AHEAD):
        raise Invalid(N_("这一周已经过去，或太远"), code="week")
    row = session.scalars(
        select(WeekApproval)
        .where(WeekApproval.region == region, WeekApproval.week == monday)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        row = WeekApproval(region=region, week=monday, state=WeekState.DRAFT)
        session.add(row)
        session.flush()
    return row


def _for_decision(session: Session, caller: Caller, region: str, day: date, now: datetime) -> WeekApproval:
    caller.require(Action.SCHEDULE_APPROVE, region)
    row = _for_move(session, region, day, now)
    if caller.id == row.submitted_by:
        raise Forbidden(N_("提交的人不能自己批准，请另一个人来看"))
    return row


def _move(row: WeekApproval, move: Move, now: datetime) -> None:
    state = state_at(WeekState(row.state), row.lock_at, now)
    following = MOVES.get((state, move))
    if following is None:
        raise Conflict(N_("这一周现在的状态不允许这样做"), code="illegal_move")
    row.state = following


def _decided(
    session: Session, caller: Caller, row: WeekApproval, move: Move, comment: str, now: datetime
) -> Week:
    if len(comment) > LONGEST:
        raise Invalid(N_("意见最多 %(most)s 个字"), most=LONGEST)
    row.comment = comment.strip()
    row.decided_by, row.decided_by_name, row.decided_at = caller.id, caller.name, now
    session.flush()
    title = {
        Move.APPROVE: N_("%(region)s %(week)s 这一周的编排已批准"),
        Move.RETURN: N_("%(region)s %(week)s 这一周的编排被退回：%(comment)s"),
        Move.REOPEN: N_("%(region)s %(week)s 这一周的编排重新开放：%(comment)s"),
    }[move]
    messages.post(
        session,
        [row.submitted_by] if row.submitted_by else [],
        kind=messages.MessageKind.SCHEDULE,
        title=title,
        params={"region": row.region, "week": row.week.isoformat(), "comment": row.comment},
        link=f"/schedule/weeks?region={row.region}",
        now=now,
    )
    return _note(session, caller, row, move, now)


def _tell_approvers(session: Session, caller: Caller, row: WeekApproval, now: datetime) -> None:
    approvers = set(messages.holders(session, Action.SCHEDULE_APPROVE, row.region)) - {caller.id}
    messages.post(
        session,
        approvers,
        kind=messages.MessageKind.SCHEDULE,
        title=N_("%(region)s %(week)s 这一周的编排等待批准"),
        params={"region": row.region, "week": row.week.isoformat()},
        link=f"/schedule/weeks?region={row.region}",
        key=f"week:{row.id}:{row.seq}",
        now=now,
    )


def _note(session: Session, caller: Caller, row: WeekApproval, move: Move, now: datetime) -> Week:
    audit.append(
        session,
        actor=caller,
        action=f"week.{move}",
        subject=f"week:{row.region}/{row.week.isoformat()}",
        detail={"seq": row.seq, "comment": row.comment},
        now=now,
    )
    return _week(session, row.region, row.week, now)
