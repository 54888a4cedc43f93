"""Study days, pushes and airtime rights: further rules that editors keep, with the same versions and history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import lineage
from protocol.times import SHANGHAI
from server.catalog.models import Programme, Section
from server.db import new_id
from server.errors import Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller, Role
from server.schedule import history
from server.schedule import resolve as r
from server.schedule.loading import load_rules
from server.schedule.models import AirtimeRight, PushRule, StudyEvening, StudyRule
from server.schedule.placing import (
    MAIN_CHANNEL,
    airtime_level,
    clean_rrule,
    is_provincial,
    known_channel,
    known_region,
)
from server.schedule.recurrence import occurrences
from server.schedule.study import MOST_MOVED, PATTERNS, Day, days
from server.schedule.windows import known_programme

LONGEST_STUDY_MS = 6 * 3_600_000
MOST_STUDIED = 20
MOST_DISCUSSION_MIN = 120
MOST_REGIONS = 200
"""As many regions may be named at once for one push."""

_R = TypeVar("_R", StudyRule, StudyEvening, PushRule, AirtimeRight)


# --- what all share -------------------------------------------------------------------------------------------------------
def _require(caller: Caller, region: str, level: str) -> None:
    caller.require(Action.SCHEDULE_EDIT, region)
    if level == r.PROVINCE and not is_provincial(caller):
        raise Forbidden(N_("省级编排只能由省级编辑修改"))


def _change(
    session: Session, caller: Caller, rule: _R, values: Mapping[str, Any], deed: str, now: datetime
) -> _R:
    history.apply(session, caller, rule, values, deed=deed, now=now)
    return rule


# --- study days -----------------------------------------------------------------------------------------------------------
def put_study(
    session: Session,
    caller: Caller,
    *,
    region: str,
    starts_at: datetime,
    duration_ms: int = 2 * 3_600_000,
    rrule: str = PATTERNS["5/15/25"],
    channel: str = MAIN_CHANNEL,
    title: str = "集中学习",
    now: datetime,
) -> StudyRule:
    """Lay down on which days a region studies; ``rrule`` may be a pattern's name. Replaces the region's rule of the
    same level. Raises NotFound, Forbidden, Invalid."""
    known_region(session, region)
    known_channel(session, channel)
    caller.require(Action.SCHEDULE_EDIT, region)
    level = airtime_level(caller, region)
    for old in _study_rules(session, region, level):
        _change(session, caller, old, {"removed_at": now}, "removed", now)
    rule = StudyRule(
        id=new_id(), region=region, channel=channel, level=level, title=title.strip()[:60], starts_at=starts_at,
        duration_ms=duration_ms, rrule=_study_rrule(rrule), version=1, created_by_name=caller.name,
    )  # fmt: skip
    _check_length(duration_ms)
    history.added(session, caller, rule, now=now)
    return rule


def change_study(
    session: Session,
    caller: Caller,
    rule_id: str,
    values: Mapping[str, Any],
    *,
    version: int | None,
    now: datetime,
) -> StudyRule:
    """Change ``starts_at``, ``duration_ms``, ``rrule`` or ``title``. Raises as :func:`put_study`, and history.Stale."""
    rule = history.current(session, StudyRule, rule_id, version, values)
    _require(caller, rule.region, rule.level)
    wanted = dict(values)
    if "rrule" in wanted:
        wanted["rrule"] = _study_rrule(wanted["rrule"])
    _check_length(wanted.get("duration_ms", rule.duration_ms))
    return _change(session, caller, rule, wanted, "changed", now)


def remove_study(
    session: Session, caller: Caller, rule_id: str, *, version: int | None = None, now: datetime
) -> StudyRule:
    """The region follows the level above again. Raises NotFound, Forbidden, history.Stale."""
    rule = history.current(session, StudyRule, rule_id, version, {"removed": True})
    _require(caller, rule.region, rule.level)
    return _change(session, caller, rule, {"removed_at": now}, "removed", now)


def set_evening(
    session: Session,
    caller: Caller,
    rule_id: str,
    day: date,
    *,
    programmes: Sequence[str] = (),
    discussion_min: int = 0,
    title: str = "",
    moved_to: datetime | None = None,
    cancelled: bool = False,
    reason: str = "",
    version: int | None = None,
    now: datetime,
) -> StudyEvening:
    """Say what is studied on one day of a rule, move it or call it off; the last two need a reason.

    Raises NotFound, Forbidden, Invalid (the rule has no such day), history.Stale.
    """
    rule = history.current(session, StudyRule, rule_id, None, {})
    _require(caller, rule.region, rule.level)
    planned = _planned(rule, day)
    if (moved_to or cancelled) and not reason.strip():
        raise Invalid(N_("学习日改期或取消，请写明原因"), code="reason")
    if moved_to and abs(moved_to - planned) > MOST_MOVED:
        raise Invalid(N_("学习日最多前后移动 31 天"), code="moved")
    if len(programmes) > MOST_STUDIED or not 0 <= discussion_min <= MOST_DISCUSSION_MIN:
        raise Invalid(N_("一次学习最多 20 个节目，每次讨论最长 120 分钟"))
    for programme in programmes:
        known_programme(session, programme)
    values = {
        "programmes": list(programmes), "discussion_min": discussion_min, "title": title.strip()[:60],
        "moved_to": moved_to, "cancelled": cancelled, "reason": reason.strip()[:200],
    }  # fmt: skip
    query = select(StudyEvening).where(StudyEvening.rule_id == rule_id, StudyEvening.day == day)
    known = session.scalars(query.with_for_update()).one_or_none()
    if known is None:
        evening = StudyEvening(
            id=new_id(), rule_id=rule_id, day=day, version=1, created_by_name=caller.name, **values
        )
        history.added(session, caller, evening, now=now)
        return evening
    if version is not None and known.version != version:
        raise history.Stale(known, values)
    return _change(session, caller, known, {**values, "removed_at": None}, "changed", now)


def study_rules(session: Session, region: str) -> list[StudyRule]:
    """The rules in force for a region and those above it, the nearest first."""
    order = {code: place for place, code in enumerate(lineage(region))}
    rows = session.scalars(
        select(StudyRule).where(StudyRule.region.in_(order), StudyRule.removed_at.is_(None))
    )
    return sorted(rows, key=lambda rule: (order[rule.region], rule.level == r.PROVINCE, rule.id))


def study_days(session: Session, region: str, begin: datetime, end: datetime) -> list[Day]:
    """The evenings on which a region studies in [begin, end): its own, or those of the nearest level that sets any."""
    rules = load_rules(session, None, begin, end)
    line = lineage(region)
    holders = [(code, is_local) for is_local in (True, False) for code in line]
    for code, is_local in holders:
        plans = [p for p in rules.study if p.region == code and (p.level != r.PROVINCE) is is_local]
        if plans:
            found = [day for plan in plans for day in days(plan, rules.releases, begin, end)]
            return sorted(found, key=lambda day: day.starts_at)
    return []


def study_rules_below(session: Session, region: str) -> list[StudyRule]:
    """The rules in force for places within a region, the region itself included, by their code."""
    rows = session.scalars(
        select(StudyRule)
        .where(StudyRule.region.startswith(region, autoescape=True), StudyRule.removed_at.is_(None))
        .order_by(StudyRule.region, StudyRule.id)
    )
    return list(rows)


@dataclass(frozen=True)
class PlannedEvening:
    """A day as its rule has it, and what was set for it, if anything was: it may be off or elsewhere."""

    day: date
    planned: datetime
    evening: StudyEvening | None


def planned_evenings(
    session: Session, rule: StudyRule, begin: datetime, end: datetime
) -> list[PlannedEvening]:
    """The days a rule gives in [begin, end), those called off and moved away included."""
    known = session.scalars(
        select(StudyEvening).where(StudyEvening.rule_id == rule.id, StudyEvening.removed_at.is_(None))
    )
    by_day = {evening.day: evening for evening in known}
    planned = [
        (at.astimezone(SHANGHAI).date(), at) for at in occurrences(rule.starts_at, rule.rrule, begin, end)
    ]
    return [PlannedEvening(day, at, by_day.get(day)) for day, at in planned]


def titles(session: Session, programmes: Collection[str]) -> dict[str, str]:
    """Programmes' titles by their ids."""
    query = select(Programme.id, Programme.title).where(Programme.id.in_(programmes))
    return dict(session.execute(query).all())


def _study_rules(session: Session, region: str, level: str) -> Sequence[StudyRule]:
    return session.scalars(
        select(StudyRule).where(
            StudyRule.region == region, StudyRule.level == level, StudyRule.removed_at.is_(None)
        )
    ).all()


def _study_rrule(text: str) -> str:
    rrule = clean_rrule(PATTERNS.get(text.strip(), text))
    if rrule is None:
        raise Invalid(N_("学习日须有重复规则（例：5/15/25、逢六、FREQ=WEEKLY;BYDAY=MO）"), code="rrule")
    return rrule


def _check_length(duration_ms: int) -> None:
    if not 0 < duration_ms <= LONGEST_STUDY_MS:
        raise Invalid(N_("集中学习最长 6 小时"))


def _planned(rule: StudyRule, day: date) -> datetime:
    begin = datetime.combine(day, datetime.min.time(), tzinfo=SHANGHAI)
    found = next(occurrences(rule.starts_at, rule.rrule, begin, begin + timedelta(days=1)), None)
    if found is None:
        raise Invalid(N_("%(day)s 不是学习日"), code="no_study_day", day=day.isoformat())
    return found


# --- pushes -----------------------------------------------------------------------------------------------------------------
def put_push(
    session: Session,
    caller: Caller,
    *,
    region: str,
    programme_id: str | None = None,
    section: str | None = None,
    tag: str = "",
    months: Sequence[int] = (),
    until: datetime | None = None,
    now: datetime,
) -> PushRule:
    """Have every station of a region store a programme, a section's or a tag's. Raises NotFound, Forbidden, Invalid."""
    known_region(session, region)
    caller.require(Action.SCHEDULE_EDIT, region)
    if sum(map(bool, (programme_id, section, tag.strip()))) != 1:
        raise Invalid(N_("推送须指明一个节目、一个板块或一个标签，三者选一"), code="push")
    if programme_id:
        known_programme(session, programme_id)
    if section and session.get(Section, section) is None:
        raise NotFound(N_("没有这个板块：%(section)s"), section=section)
    _check_season(months, until, now)
    rule = PushRule(
        id=new_id(), region=region, level=airtime_level(caller, region), programme_id=programme_id,
        section=section, tag=tag.strip()[:40], months=sorted(set(months)), until=until, version=1,
        created_by_name=caller.name,
    )  # fmt: skip
    history.added(session, caller, rule, now=now)
    return rule


def change_push(
    session: Session,
    caller: Caller,
    rule_id: str,
    *,
    months: Sequence[int],
    until: datetime | None,
    version: int | None,
    now: datetime,
) -> PushRule:
    """Change when a push holds. Raises NotFound, Forbidden, Invalid, history.Stale."""
    values = {"months": sorted(set(months)), "until": until}
    rule = history.current(session, PushRule, rule_id, version, values)
    _require(caller, rule.region, rule.level)
    _check_season(months, until, now)
    return _change(session, caller, rule, values, "changed", now)


def _check_season(months: Sequence[int], until: datetime | None, now: datetime) -> None:
    if any(not 1 <= month <= 12 for month in months):
        raise Invalid(N_("月份须在 1 到 12 之间"))
    if until is not None and until <= now:
        raise Invalid(N_("这个时间已经过去"), code="past")


def remove_push(
    session: Session, caller: Caller, rule_id: str, *, version: int | None = None, now: datetime
) -> PushRule:
    """Stations keep what they have; it is no longer kept for them. Raises NotFound, Forbidden, history.Stale."""
    rule = history.current(session, PushRule, rule_id, version, {"removed": True})
    _require(caller, rule.region, rule.level)
    return _change(session, caller, rule, {"removed_at": now}, "removed", now)


def pushes(session: Session, region: str | None = None) -> Sequence[PushRule]:
    """Pushes in force, of a region's subtree."""
    query = select(PushRule).where(PushRule.removed_at.is_(None)).order_by(PushRule.id.desc())
    return session.scalars(
        query.where(PushRule.region.startswith(region, autoescape=True)) if region else query
    ).all()


# --- airtime rights -----------------------------------------------------------------------------------------------------------
def put_airtime(
    session: Session,
    caller: Caller,
    *,
    region: str,
    role: str = "",
    account_id: str | None = None,
    channel: str = MAIN_CHANNEL,
    weekdays: Sequence[int] = (),
    from_minute: int = 0,
    to_minute: int = 1_440,
    sections: Sequence[str] = (),
    daily_min: int = 0,
    now: datetime,
) -> AirtimeRight:
    """Limit what an account, or whoever holds a role, may place in a region. Raises NotFound, Forbidden, Invalid."""
    known_region(session, region)
    known_channel(session, channel)
    _require(caller, region, r.PROVINCE)
    if bool(role) == bool(account_id) or (role and role not in set(Role)):
        raise Invalid(N_("播出权限须属于一个账号或一个岗位"), code="airtime")
    _check_limits(session, weekdays, from_minute, to_minute, sections, daily_min)
    right = AirtimeRight(
        id=new_id(), region=region, channel=channel, role=role, account_id=account_id,
        weekdays=sorted(set(weekdays)), from_minute=from_minute, to_minute=to_minute,
        sections=sorted(set(sections)), daily_min=daily_min, version=1, created_by_name=caller.name,
    )  # fmt: skip
    history.added(session, caller, right, now=now)
    return right


def change_airtime(
    session: Session,
    caller: Caller,
    right_id: str,
    *,
    weekdays: Sequence[int],
    from_minute: int,
    to_minute: int,
    sections: Sequence[str],
    daily_min: int,
    version: int | None,
    now: datetime,
) -> AirtimeRight:
    """Change what a right allows; whose it is and where stay. Raises NotFound, Forbidden, Invalid, history.Stale."""
    values = {
        "weekdays": sorted(set(weekdays)), "from_minute": from_minute, "to_minute": to_minute,
        "sections": sorted(set(sections)), "daily_min": daily_min,
    }  # fmt: skip
    right = history.current(session, AirtimeRight, right_id, version, values)
    _require(caller, right.region, r.PROVINCE)
    _check_limits(session, weekdays, from_minute, to_minute, sections, daily_min)
    return _change(session, caller, right, values, "changed", now)


def _check_limits(
    session: Session,
    weekdays: Sequence[int],
    from_minute: int,
    to_minute: int,
    sections: Sequence[str],
    daily_min: int,
) -> None:
    minutes = 0 <= from_minute < 1_440 and 0 < to_minute <= 1_440 and 0 <= daily_min <= 1_440
    if not minutes or any(not 0 <= day <= 6 for day in weekdays):
        raise Invalid(N_("播出权限的时间不对"), code="airtime")
    for section in sections:
        if session.get(Section, section) is None:
            raise NotFound(N_("没有这个板块：%(section)s"), section=section)


def remove_airtime(
    session: Session, caller: Caller, right_id: str, *, version: int | None = None, now: datetime
) -> AirtimeRight:
    """Lift a limit. Raises NotFound, Forbidden, history.Stale."""
    right = history.current(session, AirtimeRight, right_id, version, {"removed": True})
    _require(caller, right.region, r.PROVINCE)
    return _change(session, caller, right, {"removed_at": now}, "removed", now)


def airtime_rights(session: Session, region: str | None = None) -> Sequence[AirtimeRight]:
    """Rights in force, of a region's subtree."""
    query = select(AirtimeRight).where(AirtimeRight.removed_at.is_(None)).order_by(AirtimeRight.id)
    return session.scalars(
        query.where(AirtimeRight.region.startswith(region, autoescape=True)) if region else query
    ).all()
