"""Airtime rights: who may place what, where, beyond what roles and windows say already.

A right limits: whoever has rights for a region and channel, by account or by role, places only inside one of them.
Whoever has none is bound by roles and windows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import lineage
from protocol.times import SHANGHAI, day_bounds_ms, from_ms
from server.errors import Forbidden
from server.i18n import N_
from server.identity.rules import Caller
from server.schedule.models import AirtimeRight, Slot
from server.schedule.recurrence import occurrences
from server.schedule.releases import playable


def check_airtime(session: Session, caller: Caller, slot: Slot, length: timedelta, section: str) -> None:
    """Raises Forbidden where the caller's rights do not cover a slot."""
    rights = rights_of(session, caller, slot.region, slot.channel)
    if not rights:
        return
    fitting = [right for right in rights if covers(right, slot.starts_at, length, section)]
    if not fitting:
        raise Forbidden(N_("您的播出权限不包括这个时间或板块"), code="airtime")
    daily = max((right.daily_min or 1_440) for right in fitting)
    if daily < 1_440 and _placed_that_day(session, slot) + length > timedelta(minutes=daily):
        raise Forbidden(N_("这一天已排满 %(minutes)s 分钟的播出权限"), code="airtime_daily", minutes=daily)


def rights_of(session: Session, caller: Caller, region: str, channel: str) -> Sequence[AirtimeRight]:
    """The rights that limit somebody in a region: his own, else those of his roles."""
    rows = session.scalars(
        select(AirtimeRight).where(
            AirtimeRight.region.in_(lineage(region)),
            AirtimeRight.channel == channel,
            AirtimeRight.removed_at.is_(None),
        )
    ).all()
    own = [row for row in rows if row.account_id == caller.id]
    roles = {role.value for role, _ in caller.grants}
    return own or [row for row in rows if row.account_id is None and row.role in roles]


def covers(right: AirtimeRight, starts_at: datetime, length: timedelta, section: str) -> bool:
    """Whether a right allows a programme of a section from ``starts_at`` on. A span over midnight ends before it begins."""
    wall = starts_at.astimezone(SHANGHAI)
    first = wall.hour * 60 + wall.minute
    last = first + length / timedelta(minutes=1)
    begins, ends = right.from_minute, right.to_minute
    if ends <= begins:
        ends += 1_440
        if first < begins:
            first, last = first + 1_440, last + 1_440
    on_day = not right.weekdays or wall.weekday() in right.weekdays
    return on_day and (not right.sections or section in right.sections) and begins <= first and last <= ends


def _placed_that_day(session: Session, slot: Slot) -> timedelta:
    begin, end = (from_ms(ms) for ms in day_bounds_ms(slot.starts_at.astimezone(SHANGHAI).date()))
    others = session.scalars(
        select(Slot).where(
            Slot.region == slot.region,
            Slot.channel == slot.channel,
            Slot.level == slot.level,
            Slot.removed_at.is_(None),
            Slot.id != slot.id,
        )
    ).all()
    lengths = playable(session, sorted({other.programme_id for other in others})) if others else {}
    total = timedelta(0)
    for other in others:
        found = lengths.get(other.programme_id)
        times = occurrences(
            other.starts_at, other.rrule, begin, end, exdates=other.exdates, rdates=other.rdates
        )
        total += (found.length if found else timedelta(0)) * sum(1 for _ in times)
    return total
