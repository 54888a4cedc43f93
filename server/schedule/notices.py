"""滚动字幕 and 应急插播: what goes over the picture. Nothing goes out on one person's word: a second one approves it, and
whoever changes it afterwards starts over."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import Emergency, EmergencyItem
from protocol.times import to_text
from server.db import new_id
from server.errors import Conflict, Forbidden, Invalid
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.schedule import history
from server.schedule import resolve as r
from server.schedule.models import EmergencyRule, NoticeRule
from server.schedule.placing import airtime_level, is_provincial, known_region
from server.schedule.releases import ReleaseRef, as_release, playable, schedulable

LONGEST_NOTICE = 60
LONGEST_TEXT = 200
LONGEST_SHOWN = timedelta(days=31)
LONGEST_EMERGENCY = timedelta(hours=24)
MOST_AREAS = 200
DRILL = "【演练】"


# --- notices ---------------------------------------------------------------------------------------------------------------
def put_notice(
    session: Session,
    caller: Caller,
    *,
    region: str,
    text: str,
    until: datetime,
    starts_at: datetime | None = None,
    now: datetime,
) -> NoticeRule:
    """Write a ticker; it waits for a second person. Raises NotFound, Forbidden, Invalid."""
    known_region(session, region)
    caller.require(Action.SCHEDULE_EDIT, region)
    notice = NoticeRule(
        id=new_id(),
        region=region,
        level=airtime_level(caller, region),
        text=clean_text(text, LONGEST_NOTICE),
        starts_at=starts_at or now,
        until=until,
        written_by=caller.id,
        approved_by_name="",
        version=1,
        created_by_name=caller.name,
    )
    _check_span(notice.starts_at, until, LONGEST_SHOWN, now)
    history.added(session, caller, notice, now=now)
    return notice


def change_notice(
    session: Session,
    caller: Caller,
    notice_id: str,
    *,
    text: str | None = None,
    until: datetime | None = None,
    version: int | None,
    now: datetime,
) -> NoticeRule:
    """A changed ticker waits for approval again. Raises as :func:`put_notice`, and history.Stale."""
    notice = history.current(session, NoticeRule, notice_id, version, {"text": text, "until": until})
    _require_mine(caller, notice)
    values = {
        "text": clean_text(text, LONGEST_NOTICE) if text is not None else notice.text,
        "until": until or notice.until,
        "written_by": caller.id,
        "approved_by": None,
        "approved_by_name": "",
        "approved_at": None,
    }
    _check_span(notice.starts_at, until or notice.until, LONGEST_SHOWN, now)
    history.apply(session, caller, notice, values, deed="changed", now=now)
    return notice


def approve_notice(
    session: Session, caller: Caller, notice_id: str, *, version: int | None = None, now: datetime
) -> NoticeRule:
    """A second person lets it out with the next publication. Raises Forbidden, NotFound, Conflict, history.Stale."""
    notice = history.current(session, NoticeRule, notice_id, version, {"approved": True})
    caller.require(Action.NOTICE_APPROVE, notice.region)
    _check_second(caller, notice.written_by, notice.approved_at)
    values = {"approved_by": caller.id, "approved_by_name": caller.name, "approved_at": now}
    history.apply(session, caller, notice, values, deed="approved", now=now)
    _note(
        session,
        caller,
        "notice.approve",
        f"notice:{notice.id}",
        {"text": notice.text, "region": notice.region},
        now,
    )
    return notice


def remove_notice(
    session: Session, caller: Caller, notice_id: str, *, version: int | None = None, now: datetime
) -> NoticeRule:
    """Take a ticker off before its time. Raises NotFound, Forbidden, history.Stale."""
    notice = history.current(session, NoticeRule, notice_id, version, {"removed": True})
    _require_mine(caller, notice)
    history.apply(session, caller, notice, {"removed_at": now}, deed="removed", now=now)
    return notice


def notices(session: Session, *, region: str | None = None, now: datetime) -> Sequence[NoticeRule]:
    """Tickers that wait, run or will run, of a region's subtree; the newest first."""
    query = select(NoticeRule).where(NoticeRule.removed_at.is_(None), NoticeRule.until > now)
    if region:
        query = query.where(NoticeRule.region.startswith(region, autoescape=True))
    return session.scalars(query.order_by(NoticeRule.id.desc())).all()


# --- emergencies ------------------------------------------------------------------------------------------------------------
def propose_emergency(
    session: Session,
    caller: Caller,
    *,
    regions: Sequence[str],
    ends_at: datetime,
    starts_at: datetime | None = None,
    text: str | None = None,
    programme_id: str | None = None,
    priority: int = 0,
    drill: bool = False,
    now: datetime,
) -> EmergencyRule:
    """Propose an override: plain text, or a released programme, in some regions. It waits for a second person.

    Raises NotFound, Forbidden, Invalid, Conflict (a programme that is not released).
    """
    if not regions or len(regions) > MOST_AREAS:
        raise Invalid(N_("请指明应急插播的地区，最多 %(most)s 个"), most=MOST_AREAS)
    for region in regions:
        known_region(session, region)
        caller.require(Action.EMERGENCY_PROPOSE, region)
    if (text is None or not text.strip()) == (programme_id is None):
        raise Invalid(N_("应急插播须是一段文字或一个节目，二者选一"), code="empty")
    if not 0 <= priority <= 9:
        raise Invalid(N_("优先级须在 0 到 9 之间"))
    start = starts_at or now
    _check_span(start, ends_at, LONGEST_EMERGENCY, now)
    said = None
    if text is not None and text.strip():
        said = clean_text(text, LONGEST_TEXT - (len(DRILL) if drill else 0))
    rule = EmergencyRule(
        id=new_id(),
        regions=sorted(set(regions)),
        priority=priority,
        starts_at=start,
        ends_at=ends_at,
        programme_id=schedulable(session, programme_id).programme if programme_id else None,
        text=said,
        drill=drill,
        proposed_by=caller.id,
        approved_by_name="",
        version=1,
        created_by_name=caller.name,
    )
    history.added(session, caller, rule, now=now)
    _note_emergency(session, caller, "emergency.propose", rule, now)
    return rule


def approve_emergency(
    session: Session, caller: Caller, rule_id: str, *, version: int | None = None, now: datetime
) -> EmergencyRule:
    """A second person lets it out. Raises Forbidden, NotFound, Conflict (the same person, over already), Stale."""
    rule = history.current(session, EmergencyRule, rule_id, version, {"approved": True})
    for region in rule.regions:
        caller.require(Action.EMERGENCY_APPROVE, region)
    _check_second(caller, rule.proposed_by, rule.approved_at)
    if rule.ends_at <= now:
        raise Conflict(N_("这次应急插播已经结束"), code="over")
    values = {"approved_by": caller.id, "approved_by_name": caller.name, "approved_at": now}
    history.apply(session, caller, rule, values, deed="approved", now=now)
    _note_emergency(session, caller, "emergency.approve", rule, now)
    return rule


def end_emergency(
    session: Session, caller: Caller, rule_id: str, *, version: int | None = None, now: datetime
) -> EmergencyRule:
    """Withdraw an override; one person suffices to stop. Raises Forbidden, NotFound, history.Stale."""
    rule = history.current(session, EmergencyRule, rule_id, version, {"removed": True})
    for region in rule.regions:
        caller.require(Action.EMERGENCY_PROPOSE, region)
    history.apply(session, caller, rule, {"removed_at": now}, deed="removed", now=now)
    _note_emergency(session, caller, "emergency.end", rule, now)
    return rule


def emergencies(session: Session, *, now: datetime, past: bool = False) -> Sequence[EmergencyRule]:
    """Overrides that wait or run, the newest first; ``past``: all that ever were."""
    query = select(EmergencyRule).order_by(EmergencyRule.id.desc())
    if not past:
        query = query.where(EmergencyRule.removed_at.is_(None), EmergencyRule.ends_at > now)
    return session.scalars(query.limit(200)).all()


def emergency_document(session: Session, *, releases: Mapping[str, ReleaseRef], now: datetime) -> Emergency:
    """What emergency.json is to say, with serial 0: approved, not over, and admitted by the catalogue.

    ``releases`` by edition id, as for :func:`documents.compile_documents`. A drill says so in its text.
    """
    rows = session.scalars(
        select(EmergencyRule)
        .where(
            EmergencyRule.removed_at.is_(None),
            EmergencyRule.approved_at.is_not(None),
            EmergencyRule.ends_at > now,
        )
        .order_by(EmergencyRule.starts_at, EmergencyRule.id)
    ).all()
    found = playable(session, sorted({rule.programme_id for rule in rows if rule.programme_id}))
    items = []
    for rule in rows:
        ref = None
        if rule.programme_id:
            known = found.get(rule.programme_id)
            admitted = releases.get(known.edition) if known else None
            if known is None or admitted is None:
                continue
            ref = as_release(known, admitted).ref()
        items.append(
            EmergencyItem(
                id=rule.id,
                starts_at=to_text(rule.starts_at),
                ends_at=to_text(rule.ends_at),
                regions=rule.regions,
                priority=rule.priority,
                ref=ref,
                text=f"{DRILL if rule.drill else ''}{rule.text or ''}" or None,
            )
        )
    return Emergency(serial=0, items=items)


# --- parts -------------------------------------------------------------------------------------------------------------------
def clean_text(text: str, longest: int) -> str:
    """Plain text in one line: control and direction characters go, blanks run together. Raises Invalid."""
    kept = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    plain = " ".join(kept.split())
    if not plain:
        raise Invalid(N_("字幕没有文字"), code="empty")
    if len(plain) > longest:
        raise Invalid(
            N_("最多 %(most)s 个字，现有 %(count)s 个"), code="long", most=longest, count=len(plain)
        )
    return plain


def _check_span(starts_at: datetime, until: datetime, longest: timedelta, now: datetime) -> None:
    if until <= now or until <= starts_at:
        raise Invalid(N_("结束时间须在开始之后、现在之后"), code="past")
    if until - starts_at > longest:
        raise Invalid(N_("时间太长，最长 %(days)s 天"), code="too_long", days=longest.days or 1)


def _check_second(caller: Caller, first: str, approved_at: datetime | None) -> None:
    if caller.id == first:
        raise Forbidden(N_("须由另一人批准"), code="same_person")
    if approved_at is not None:
        raise Conflict(N_("已经批准过了"), code="approved")


def _require_mine(caller: Caller, notice: NoticeRule) -> None:
    caller.require(Action.SCHEDULE_EDIT, notice.region)
    if notice.level == r.PROVINCE and not is_provincial(caller):
        raise Forbidden(N_("省级编排只能由省级编辑修改"))


def _note_emergency(
    session: Session, caller: Caller, action: str, rule: EmergencyRule, now: datetime
) -> None:
    detail: dict[str, object] = {
        "regions": rule.regions, "text": rule.text, "programme": rule.programme_id, "drill": rule.drill,
        "until": to_text(rule.ends_at),
    }  # fmt: skip
    _note(session, caller, action, f"emergency:{rule.id}", detail, now)


def _note(
    session: Session, caller: Caller, action: str, subject: str, detail: dict[str, object], now: datetime
) -> None:
    audit.append(session, actor=caller, action=action, subject=subject, detail=detail, now=now)
