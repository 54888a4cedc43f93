"""JSON of the further rules: study days, tickers, pushes, emergencies, airtime rights."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from flask import Blueprint
from msgspec import UNSET, Meta, Struct, UnsetType
from spectree import Response

from protocol.documents import RegionCode, Uuid
from protocol.times import day_bounds_ms, from_ms, to_text
from server import clock
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.schedule import further, history, notices
from server.schedule.history import Rule
from server.schedule.times import read_day, read_time
from server.schedule.views import Version
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("schedule_further_api", __name__)
MOST_DAYS = 366


class RuleView(Struct, kw_only=True):
    """A rule as its row is; times are Timestamps."""

    id: str
    version: int
    rule: dict[str, Any]


class RuleList(Struct, kw_only=True):
    items: list[RuleView]
    next: str | None = None


class RegionQuery(Struct, kw_only=True):
    region: str | None = None


class VersionQuery(Struct, kw_only=True):
    version: Version | None = None


class ApprovalRequest(Struct, kw_only=True):
    version: Version | None = None


_PUT = Response(HTTP_201=RuleView, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem)
_CHANGED = Response(HTTP_200=RuleView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem)
_REMOVED = Response(HTTP_204=None, HTTP_404=Problem, HTTP_409=Problem)


def _view(rule: Rule) -> RuleView:
    return RuleView(id=rule.id, version=rule.version, rule=history.as_json(rule))


# --- study days -------------------------------------------------------------------------------------------------------
class StudyRequest(Struct, kw_only=True):
    """``rrule`` may be a pattern's name: 5/15/25, 逢六, 每周一. ``at`` is the first one; its wall time is kept."""

    region: RegionCode
    at: str
    duration_ms: int = 7_200_000
    rrule: str = "5/15/25"
    channel: str = "main"
    title: str = "集中学习"


class StudyChange(Struct, kw_only=True):
    version: Version
    at: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    rrule: str | UnsetType = UNSET
    title: str | UnsetType = UNSET


class EveningRequest(Struct, kw_only=True):
    """``moved_to`` and ``cancelled`` need a ``reason``. ``version``: of what was set for this day before, if anything was."""

    programmes: list[Uuid] = []
    discussion_min: int = 0
    title: str = ""
    moved_to: str | None = None
    cancelled: bool = False
    reason: str = ""
    version: Version | None = None


class StudyDayQuery(Struct, kw_only=True):
    region: RegionCode
    day: str | None = None
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 31


class StudyDayView(Struct, kw_only=True):
    rule: str
    day: str
    starts_at: str
    ends_at: str
    title: str
    programmes: list[str]
    discussion_min: int
    moved_from: str | None
    reason: str
    level: str
    region: str


class StudyDayList(Struct, kw_only=True):
    items: list[StudyDayView]
    next: str | None = None


@blueprint.post("/api/v1/study")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_PUT, tags=["schedule"])
def put_study(json: StudyRequest) -> Any:
    """Lay down on which days a region studies, in place of its rule before."""
    with writing() as session:
        rule = further.put_study(
            session, caller(), region=json.region, starts_at=read_time(json.at), duration_ms=json.duration_ms,
            rrule=json.rrule, channel=json.channel, title=json.title, now=clock.now(),
        )  # fmt: skip
        return _view(rule), 201


@blueprint.get("/api/v1/study")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=RuleList), tags=["schedule"])
def list_study(query: RegionQuery) -> Any:
    """The study rules of a region and of those above it, the nearest first."""
    with reading() as session:
        return RuleList(items=[_view(rule) for rule in further.study_rules(session, query.region or "13")])


@blueprint.get("/api/v1/study/days")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=StudyDayList), tags=["schedule"])
def list_study_days(query: StudyDayQuery) -> Any:
    """The evenings on which a region studies."""
    first = read_day(query.day, clock.now())
    begin = from_ms(day_bounds_ms(first)[0])
    with reading() as session:
        found = further.study_days(session, query.region, begin, begin + timedelta(days=query.days))
    views = []
    for day in found:
        document = day.document([])
        views.append(
            StudyDayView(
                rule=day.plan.id,
                day=to_text(day.planned),
                starts_at=document.starts_at,
                ends_at=document.ends_at,
                title=document.title,
                programmes=list(day.programmes),
                discussion_min=document.discussion_ms // 60_000,
                moved_from=document.moved_from,
                reason=document.reason,
                level=day.plan.level,
                region=day.plan.region,
            )
        )
    return StudyDayList(items=views)


@blueprint.patch("/api/v1/study/<rule_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_CHANGED, tags=["schedule"])
def change_study(rule_id: str, json: StudyChange) -> Any:
    """Change a study rule."""
    values: dict[str, Any] = {
        k: v for k in ("duration_ms", "rrule", "title") if (v := getattr(json, k)) is not UNSET
    }
    if json.at is not UNSET:
        values["starts_at"] = read_time(json.at)
    with writing() as session:
        return _view(
            further.change_study(session, caller(), rule_id, values, version=json.version, now=clock.now())
        )


@blueprint.delete("/api/v1/study/<rule_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_REMOVED, tags=["schedule"])
def remove_study(rule_id: str, query: VersionQuery) -> Any:
    """The region follows the level above again."""
    with writing() as session:
        further.remove_study(session, caller(), rule_id, version=query.version, now=clock.now())
    return "", 204


@blueprint.put("/api/v1/study/<rule_id>/days/<day>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_CHANGED, tags=["schedule"])
def set_evening(rule_id: str, day: str, json: EveningRequest) -> Any:
    """What is studied on one day (named as the rule has it); move it or call it off, with a reason."""
    with writing() as session:
        evening = further.set_evening(
            session, caller(), rule_id, _day(day), programmes=json.programmes, discussion_min=json.discussion_min,
            title=json.title, moved_to=read_time(json.moved_to) if json.moved_to else None, cancelled=json.cancelled,
            reason=json.reason, version=json.version, now=clock.now(),
        )  # fmt: skip
        return _view(evening)


def _day(text: str) -> date:
    if not text:
        raise Invalid(N_("看不懂的日期：%(text)s（例：2026-12-05）"), code="day", text=text)
    return read_day(text, clock.now())


# --- tickers ------------------------------------------------------------------------------------------------------------
class NoticeRequest(Struct, kw_only=True):
    region: RegionCode
    text: str
    until: str
    at: str | None = None


class NoticeChange(Struct, kw_only=True):
    version: Version
    text: str | None = None
    until: str | None = None


@blueprint.post("/api/v1/notices")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_PUT, tags=["schedule"])
def put_notice(json: NoticeRequest) -> Any:
    """Write a ticker of at most 60 characters; it waits for a second person."""
    with writing() as session:
        notice = notices.put_notice(
            session, caller(), region=json.region, text=json.text, until=read_time(json.until),
            starts_at=read_time(json.at) if json.at else None, now=clock.now(),
        )  # fmt: skip
        return _view(notice), 201


@blueprint.get("/api/v1/notices")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=RuleList), tags=["schedule"])
def list_notices(query: RegionQuery) -> Any:
    """Tickers that wait, run or will run, the newest first."""
    with reading() as session:
        return RuleList(
            items=[_view(n) for n in notices.notices(session, region=query.region, now=clock.now())]
        )


@blueprint.patch("/api/v1/notices/<notice_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_CHANGED, tags=["schedule"])
def change_notice(notice_id: str, json: NoticeChange) -> Any:
    """Change a ticker; it waits for approval again."""
    with writing() as session:
        notice = notices.change_notice(
            session, caller(), notice_id, text=json.text, until=read_time(json.until) if json.until else None,
            version=json.version, now=clock.now(),
        )  # fmt: skip
        return _view(notice)


@blueprint.post("/api/v1/notices/<notice_id>/approval")
@permit(Action.NOTICE_APPROVE)
@spec.validate(resp=_CHANGED, tags=["schedule"])
def approve_notice(notice_id: str, json: ApprovalRequest) -> Any:
    """A second person lets a ticker out."""
    with writing() as session:
        return _view(
            notices.approve_notice(session, caller(), notice_id, version=json.version, now=clock.now())
        )


@blueprint.delete("/api/v1/notices/<notice_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_REMOVED, tags=["schedule"])
def remove_notice(notice_id: str, query: VersionQuery) -> Any:
    """Take a ticker off before its time."""
    with writing() as session:
        notices.remove_notice(session, caller(), notice_id, version=query.version, now=clock.now())
    return "", 204


# --- pushes -----------------------------------------------------------------------------------------------------------------
class PushRequest(Struct, kw_only=True):
    """One of ``programme``, ``section`` and ``tag``; ``months`` (1–12) is the season, none the whole year."""

    region: RegionCode
    programme: Uuid | None = None
    section: str | None = None
    tag: str = ""
    months: list[int] = []
    until: str | None = None


@blueprint.post("/api/v1/pushes")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_PUT, tags=["schedule"])
def put_push(json: PushRequest) -> Any:
    """Have every station of a region store something without anybody choosing it."""
    with writing() as session:
        rule = further.put_push(
            session, caller(), region=json.region, programme_id=json.programme, section=json.section, tag=json.tag,
            months=json.months, until=read_time(json.until) if json.until else None, now=clock.now(),
        )  # fmt: skip
        return _view(rule), 201


@blueprint.get("/api/v1/pushes")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=RuleList), tags=["schedule"])
def list_pushes(query: RegionQuery) -> Any:
    """Pushes in force, the newest first."""
    with reading() as session:
        return RuleList(items=[_view(rule) for rule in further.pushes(session, query.region)])


@blueprint.delete("/api/v1/pushes/<rule_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_REMOVED, tags=["schedule"])
def remove_push(rule_id: str, query: VersionQuery) -> Any:
    """Stations keep what they have; it is no longer kept for them."""
    with writing() as session:
        further.remove_push(session, caller(), rule_id, version=query.version, now=clock.now())
    return "", 204


# --- emergencies ------------------------------------------------------------------------------------------------------------
class EmergencyRequest(Struct, kw_only=True):
    """``text`` or a ``programme``. ``drill``: 演练, said before the text."""

    regions: list[RegionCode]
    until: str
    at: str | None = None
    text: str | None = None
    programme: Uuid | None = None
    priority: int = 0
    drill: bool = False


@blueprint.post("/api/v1/emergencies")
@permit(Action.EMERGENCY_PROPOSE)
@spec.validate(resp=_PUT, tags=["schedule"])
def propose_emergency(json: EmergencyRequest) -> Any:
    """Propose an emergency override; it waits for a second person."""
    with writing() as session:
        rule = notices.propose_emergency(
            session, caller(), regions=json.regions, ends_at=read_time(json.until),
            starts_at=read_time(json.at) if json.at else None, text=json.text, programme_id=json.programme,
            priority=json.priority, drill=json.drill, now=clock.now(),
        )  # fmt: skip
        return _view(rule), 201


@blueprint.get("/api/v1/emergencies")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=RuleList), tags=["schedule"])
def list_emergencies() -> Any:
    """Overrides that wait or run."""
    with reading() as session:
        return RuleList(items=[_view(rule) for rule in notices.emergencies(session, now=clock.now())])


@blueprint.post("/api/v1/emergencies/<rule_id>/approval")
@permit(Action.EMERGENCY_APPROVE)
@spec.validate(resp=_CHANGED, tags=["schedule"])
def approve_emergency(rule_id: str, json: ApprovalRequest) -> Any:
    """A second person lets an override out with the next publication."""
    with writing() as session:
        return _view(
            notices.approve_emergency(session, caller(), rule_id, version=json.version, now=clock.now())
        )


@blueprint.delete("/api/v1/emergencies/<rule_id>")
@permit(Action.EMERGENCY_PROPOSE)
@spec.validate(resp=_REMOVED, tags=["schedule"])
def end_emergency(rule_id: str, query: VersionQuery) -> Any:
    """Withdraw an override; one person suffices."""
    with writing() as session:
        notices.end_emergency(session, caller(), rule_id, version=query.version, now=clock.now())
    return "", 204


# --- airtime rights -----------------------------------------------------------------------------------------------------------
class AirtimeRequest(Struct, kw_only=True):
    """For a ``role`` or an ``account``. Minutes from midnight; ``weekdays`` 0 (Monday) to 6, none meaning all."""

    region: RegionCode
    role: str = ""
    account: Uuid | None = None
    channel: str = "main"
    weekdays: list[int] = []
    from_minute: int = 0
    to_minute: int = 1_440
    sections: list[str] = []
    daily_min: int = 0


@blueprint.post("/api/v1/airtime")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_PUT, tags=["schedule"])
def put_airtime(json: AirtimeRequest) -> Any:
    """Limit what an account or a role may place in a region."""
    with writing() as session:
        right = further.put_airtime(
            session, caller(), region=json.region, role=json.role, account_id=json.account, channel=json.channel,
            weekdays=json.weekdays, from_minute=json.from_minute, to_minute=json.to_minute, sections=json.sections,
            daily_min=json.daily_min, now=clock.now(),
        )  # fmt: skip
        return _view(right), 201


@blueprint.get("/api/v1/airtime")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=RuleList), tags=["schedule"])
def list_airtime(query: RegionQuery) -> Any:
    """Airtime rights in force."""
    with reading() as session:
        return RuleList(items=[_view(right) for right in further.airtime_rights(session, query.region)])


@blueprint.delete("/api/v1/airtime/<right_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=_REMOVED, tags=["schedule"])
def remove_airtime(right_id: str, query: VersionQuery) -> Any:
    """Lift a limit."""
    with writing() as session:
        further.remove_airtime(session, caller(), right_id, version=query.version, now=clock.now())
    return "", 204
