"""加急值班: who answers for a stage now, and who when he is silent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.catalog.models import DutyShift
from server.catalog.review import Stage
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.messages import holders
from server.identity.rules import Action, Caller
from server.identity.service import get_account, names_of

PROVINCE = "13"
LONGEST = timedelta(days=14)
STAGE_ACTIONS: dict[Stage, Action] = {
    Stage.FIRST: Action.REVIEW_FIRST,
    Stage.SECOND: Action.REVIEW_SECOND,
    Stage.FINAL: Action.REVIEW_FINAL,
}


@dataclass(frozen=True)
class Shift:
    """A shift with the names of its people."""

    id: str
    stage: Stage
    starts_at: datetime
    ends_at: datetime
    account_id: str
    name: str
    deputy_id: str | None
    deputy_name: str | None


@dataclass(frozen=True)
class OnDuty:
    """Whom to call for an urgent review: first, and when he is silent."""

    first: str | None
    deputy: str | None


def set_shift(
    session: Session,
    caller: Caller,
    *,
    stage: Stage,
    starts_at: datetime,
    ends_at: datetime,
    username: str,
    deputy: str | None = None,
    now: datetime,
) -> Shift:
    """Put two people on the roster of a stage. Raises Forbidden, NotFound, Invalid (not a reviewer of this stage, the
    same person twice, times), Conflict (the stage has a shift then)."""
    caller.require(Action.DUTY_MANAGE, PROVINCE)
    if ends_at <= starts_at or ends_at <= now or ends_at - starts_at > LONGEST:
        raise Invalid(N_("值班时间不对：结束须在开始和现在之后，一班不超过 %(days)s 天"), days=LONGEST.days)
    first = get_account(session, username)
    second = get_account(session, deputy) if deputy else None
    able = set(holders(session, STAGE_ACTIONS[stage], PROVINCE))
    for account in (first, second):
        if account is not None and account.id not in able:
            raise Invalid(N_("%(name)s 不是全省范围的这一审审核员"), name=account.name)
    if second is not None and second.id == first.id:
        raise Invalid(N_("值班人和替补须是两个人"))
    taken = session.scalar(
        select(DutyShift.id).where(
            DutyShift.stage == stage, DutyShift.starts_at < ends_at, DutyShift.ends_at > starts_at
        )
    )
    if taken is not None:
        raise Conflict(N_("这段时间已经有人值班"))
    row = DutyShift(
        stage=stage,
        starts_at=starts_at,
        ends_at=ends_at,
        account_id=first.id,
        deputy_id=second.id if second else None,
        made_by=caller.id,
        made_at=now,
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="duty.set",
        subject=f"duty:{stage.value}",
        detail={
            "from": starts_at.isoformat(),
            "until": ends_at.isoformat(),
            "on": first.username,
            "deputy": second.username if second else None,
        },
        now=now,
    )
    return _shifts(session, [row])[0]


def remove_shift(session: Session, caller: Caller, shift_id: str, *, now: datetime) -> None:
    """Take a shift off the roster. Raises Forbidden, NotFound."""
    caller.require(Action.DUTY_MANAGE, PROVINCE)
    row = session.get(DutyShift, shift_id)
    if row is None:
        raise NotFound(N_("没有这一班"))
    session.execute(delete(DutyShift).where(DutyShift.id == row.id))
    audit.append(session, actor=caller, action="duty.remove", subject=f"duty:{row.stage}", now=now)


def roster(session: Session, *, since: datetime, limit: int = 200) -> list[Shift]:
    """Shifts that end after ``since``, in order."""
    rows = session.scalars(
        select(DutyShift)
        .where(DutyShift.ends_at > since)
        .order_by(DutyShift.starts_at, DutyShift.stage)
        .limit(limit)
    ).all()
    return _shifts(session, rows)


def on_duty(session: Session, stage: Stage, *, barred: Collection[str], now: datetime) -> OnDuty:
    """Who is called now. Whoever may not decide this edition is passed over, so the deputy may be the first."""
    row = session.scalars(
        select(DutyShift)
        .where(DutyShift.stage == stage, DutyShift.starts_at <= now, DutyShift.ends_at > now)
        .order_by(DutyShift.starts_at.desc())
        .limit(1)
    ).one_or_none()
    able = set(holders(session, STAGE_ACTIONS[stage], PROVINCE)) - set(barred)
    people = [p for p in ((row.account_id, row.deputy_id) if row else ()) if p in able]
    return OnDuty(people[0] if people else None, people[1] if len(people) > 1 else None)


def _shifts(session: Session, rows: Sequence[DutyShift]) -> list[Shift]:
    people = {row.account_id for row in rows} | {row.deputy_id for row in rows if row.deputy_id}
    names = names_of(session, people)
    return [
        Shift(
            id=row.id,
            stage=Stage(row.stage),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            account_id=row.account_id,
            name=names.get(row.account_id, ""),
            deputy_id=row.deputy_id,
            deputy_name=names.get(row.deputy_id) if row.deputy_id else None,
        )
        for row in rows
    ]
