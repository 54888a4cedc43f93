"""重要保障期: spans in which late changes need two people and nothing goes out unattended.

The whole province has the same periods. One that has begun is not rewritten: it is ended early or prolonged by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.catalog.models import ProtectedPeriod
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

LONGEST = timedelta(days=92)
PROVINCE = "13"


@dataclass(frozen=True)
class Period:
    """A protected period, [``starts_at``, ``ends_at``)."""

    id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    made_by_name: str
    made_at: datetime


def period_at(session: Session, at: datetime) -> Period | None:
    """The protected period in force at this instant, or None; of several the one that ends last."""
    row = session.scalars(
        select(ProtectedPeriod)
        .where(ProtectedPeriod.starts_at <= at, ProtectedPeriod.ends_at > at)
        .order_by(ProtectedPeriod.ends_at.desc())
        .limit(1)
    ).one_or_none()
    return _period(row) if row else None


def periods_between(session: Session, since: datetime, until: datetime) -> list[Period]:
    """Periods that touch the span [since, until), in order."""
    rows = session.scalars(
        select(ProtectedPeriod)
        .where(ProtectedPeriod.starts_at < until, ProtectedPeriod.ends_at > since)
        .order_by(ProtectedPeriod.starts_at, ProtectedPeriod.id)
    )
    return [_period(row) for row in rows]


def list_periods(session: Session, *, limit: int = 100) -> list[Period]:
    """All periods, the latest first."""
    rows: Sequence[ProtectedPeriod] = session.scalars(
        select(ProtectedPeriod).order_by(ProtectedPeriod.starts_at.desc()).limit(limit)
    ).all()
    return [_period(row) for row in rows]


def declare(
    session: Session,
    caller: Caller,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
) -> Period:
    """Declare a period. Raises Forbidden, Invalid (no reason, past, reversed, longer than LONGEST)."""
    caller.require(Action.PROTECTION_MANAGE, PROVINCE)
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= 200:
        raise Invalid(N_("请写明保障期的缘由（200 字以内）"))
    if ends_at <= starts_at or ends_at <= now:
        raise Invalid(N_("保障期的结束须在开始和现在之后"))
    if ends_at - starts_at > LONGEST:
        raise Invalid(N_("一个保障期不能超过 %(days)s 天"), days=LONGEST.days)
    row = ProtectedPeriod(
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        made_by=caller.id,
        made_by_name=caller.name,
        made_at=now,
        ended_by=None,
        ended_at=None,
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="protection.declare",
        subject=f"protection:{row.id}",
        detail={"from": starts_at.isoformat(), "until": ends_at.isoformat(), "reason": reason},
        now=now,
    )
    return _period(row)


def end(session: Session, caller: Caller, period_id: str, *, now: datetime) -> Period:
    """End a period now; one that has not begun never will. Raises Forbidden, NotFound, Conflict (it is over)."""
    caller.require(Action.PROTECTION_MANAGE, PROVINCE)
    row = session.get(ProtectedPeriod, period_id, with_for_update=True)
    if row is None:
        raise NotFound(N_("没有这个保障期"))
    if row.ends_at <= now:
        raise Conflict(N_("这个保障期已经结束"))
    row.starts_at = min(row.starts_at, now)
    row.ends_at, row.ended_by, row.ended_at = now, caller.id, now
    session.flush()
    audit.append(session, actor=caller, action="protection.end", subject=f"protection:{row.id}", now=now)
    return _period(row)


def _period(row: ProtectedPeriod) -> Period:
    return Period(row.id, row.starts_at, row.ends_at, row.reason, row.made_by, row.made_by_name, row.made_at)
