"""线路规则: when and how fast stations may fetch, how much a month, and how often they look for something new.

The rule of the nearest region holds, as terminals read it (client_agent/line_rules.py); what somebody set at the
station itself wins there, and the station says so in its health report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.documents import LineRule
from protocol.regions import lineage
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.stations.models import LineSetting, NetworkSetting
from server.stations.queries import inside

POLL = "poll_s"
LEAST_POLL_S, MOST_POLL_S = 60, 86_400
MOST_BYTES_A_SECOND = 125_000_000
MOST_CAP_BYTES = 10**15
HOURS = 24
PROVINCE = "13"


@dataclass(frozen=True)
class Wanted:
    """A rule as somebody wants it."""

    from_hour: int = 0
    to_hour: int = HOURS
    bytes_a_second: tuple[int, ...] = ()
    monthly_cap_bytes: int = 0


def limited(kilobits: int, from_hour: int, to_hour: int) -> tuple[int, ...]:
    """One limit in kbit/s for some hours of the day (over midnight where the end comes first), none in the others."""
    if kilobits <= 0:
        return ()
    over = from_hour >= to_hour
    within = [(h >= from_hour or h < to_hour) if over else from_hour <= h < to_hour for h in range(HOURS)]
    return tuple(kilobits * 125 if limited_then else 0 for limited_then in within)


def set_rule(
    session: Session, caller: Caller, region: str, wanted: Wanted, *, version: int | None, now: datetime
) -> LineSetting:
    """Set a region's rule. ``version``: of the rule that was seen (None: there was none). Raises Forbidden, Invalid,
    Conflict when somebody was quicker."""
    caller.require(Action.LINES_MANAGE, regions.require_code(region))
    if regions.find(session, region) is None:
        raise Invalid(N_("没有行政区划 %(region)s"), region=region)
    _check(wanted)
    row = _locked(session, region)
    if (row.version if row else None) != version:
        raise Conflict(N_("这条线路规则刚被别人改过，请刷新后再试"), code="line_changed")
    if row is None:
        row = LineSetting(region=region, version=0)
        session.add(row)
    row.from_hour, row.to_hour = wanted.from_hour, wanted.to_hour
    row.bytes_a_second, row.monthly_cap_bytes = list(wanted.bytes_a_second), wanted.monthly_cap_bytes
    row.version += 1
    row.changed_by, row.changed_by_name, row.changed_at = caller.id, caller.name, now
    session.flush()
    audit.append(
        session, actor=caller, action="line.set", subject=f"line:{region}",
        detail={
            "from_hour": row.from_hour, "to_hour": row.to_hour, "bytes_a_second": row.bytes_a_second,
            "monthly_cap_bytes": row.monthly_cap_bytes,
        },
        now=now,
    )  # fmt: skip
    return row


def drop_rule(session: Session, caller: Caller, region: str, *, version: int, now: datetime) -> None:
    """The level above decides again. Raises Forbidden, NotFound, Conflict."""
    caller.require(Action.LINES_MANAGE, regions.require_code(region))
    row = _locked(session, region)
    if row is None:
        raise NotFound(N_("没有这条线路规则"))
    if row.version != version:
        raise Conflict(N_("这条线路规则刚被别人改过，请刷新后再试"), code="line_changed")
    session.delete(row)
    session.flush()
    audit.append(session, actor=caller, action="line.drop", subject=f"line:{region}", now=now)


def _locked(session: Session, region: str) -> LineSetting | None:
    return session.scalars(
        select(LineSetting).where(LineSetting.region == region).with_for_update()
    ).one_or_none()


def _check(wanted: Wanted) -> None:
    if not (0 <= wanted.from_hour < HOURS and 1 <= wanted.to_hour <= HOURS):
        raise Invalid(N_("允许下载的时段应为 0–24 点"))
    if wanted.from_hour == wanted.to_hour:
        raise Invalid(N_("允许下载的时段不能是空的"))
    rates = wanted.bytes_a_second
    if len(rates) > HOURS or any(not 0 <= rate <= MOST_BYTES_A_SECOND for rate in rates):
        raise Invalid(N_("限速不对"))
    if not 0 <= wanted.monthly_cap_bytes <= MOST_CAP_BYTES:
        raise Invalid(N_("每月流量不对"))


def set_poll(session: Session, caller: Caller, seconds: int, *, now: datetime) -> None:
    """How often every station looks for something new; 0: as each was set up. Raises Forbidden, Invalid."""
    caller.require(Action.LINES_MANAGE, PROVINCE)
    if seconds and not LEAST_POLL_S <= seconds <= MOST_POLL_S:
        raise Invalid(
            N_("检查间隔应为 %(least)s–%(most)s 秒，0 表示不规定"), least=LEAST_POLL_S, most=MOST_POLL_S
        )
    row = session.get(NetworkSetting, POLL)
    if row is None:
        row = NetworkSetting(name=POLL, version=0)
        session.add(row)
    row.value, row.version, row.changed_at = seconds, row.version + 1, now
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="line.poll",
        subject="network:poll_s",
        detail={"poll_s": seconds},
        now=now,
    )


# --- what holds -------------------------------------------------------------------------------------------------------
def in_scope(session: Session, caller: Caller) -> Sequence[LineSetting]:
    """The rules in the caller's regions, by region. Raises Forbidden."""
    caller.require(Action.LINES_MANAGE)
    return session.scalars(
        select(LineSetting)
        .where(inside(LineSetting.region, caller.scopes(Action.LINES_MANAGE)))
        .order_by(LineSetting.region)
    ).all()


def holding_in(session: Session, region: str) -> LineSetting | None:
    """The rule that holds in a region: its own or the nearest above."""
    codes = lineage(region)
    found = {
        row.region: row for row in session.scalars(select(LineSetting).where(LineSetting.region.in_(codes)))
    }
    return next((found[code] for code in codes if code in found), None)


def line_rules(session: Session) -> list[LineRule]:
    """Every rule, as terminals are told."""
    return [
        LineRule(
            region=row.region,
            from_hour=row.from_hour,
            to_hour=row.to_hour,
            bytes_a_second=list(row.bytes_a_second),
            monthly_cap_bytes=row.monthly_cap_bytes,
        )
        for row in session.scalars(select(LineSetting).order_by(LineSetting.region))
    ]


def poll_seconds(session: Session) -> int:
    """0: not said."""
    row = session.get(NetworkSetting, POLL)
    return row.value if row else 0


def change_mark(session: Session) -> tuple[object, ...]:
    """Differs from an earlier one when a rule changed."""
    counted = session.execute(
        select(
            func.count(LineSetting.region), func.sum(LineSetting.version), func.max(LineSetting.changed_at)
        )
    ).one()
    return (*counted, session.scalar(select(func.sum(NetworkSetting.version))))
