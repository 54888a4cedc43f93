"""学习日: on which days a region studies, and what on one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from protocol.regions import lineage
from protocol.times import day_bounds_ms, from_ms
from server import clock
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.regions import service as regions
from server.schedule import further, service
from server.schedule.models import StudyRule
from server.schedule.rules_pages import (
    NEW,
    WEEKDAYS,
    Refused,
    answer,
    may_change,
    number,
    own,
    seen_version,
    show,
    tried,
)
from server.schedule.study import PATTERNS
from server.schedule.times import read_day, read_time
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("study_days", __name__)

SHOWN = timedelta(days=62)
MOST_RULES = 200
EVENING_ROWS = 4
USUAL_TITLE = "集中学习"


@blueprint.get("/schedule/rules")
@permit(Action.SCHEDULE_VIEW)
def rules() -> str:
    """The rule a region studies by, its evenings, and the rules below it."""
    return _page(None)


def _page(refused: Refused | None, region: str | None = None, opened: str = "") -> str:
    who, now = caller(), clock.now()
    region = region or own(who)
    opened = opened or request.args.get("evening", "")
    with reading() as session:
        path = regions.path_of(session, region)
        above = further.study_rules(session, region)
        below = [rule for rule in further.study_rules_below(session, region) if rule not in above][
            :MOST_RULES
        ]
        governing = _governing(above, region)
        begin = from_ms(day_bounds_ms(read_day(None, now))[0])
        evenings = [
            (rule, found)
            for rule in governing
            for found in further.planned_evenings(session, rule, begin, begin + SHOWN)
        ]
        shown = sorted(evenings, key=lambda pair: pair[1].planned)
        may_here = who.can(Action.SCHEDULE_EDIT, region) and (
            service.is_provincial(who) or len(region) in (4, 6)
        )
        mine = [rule for rule in (*above, *below) if may_change(who, rule)]
        known = {*([NEW] if may_here else ()), *(rule.id for rule in mine)}
        return show(
            session,
            "schedule/rules/study.html",
            who,
            refused=refused,
            known=known | {f"{rule.id}@{found.day}" for rule, found in shown if rule in mine},
            codes={rule.region for rule in (*above, *below)},
            region=region,
            path=path,
            above=above,
            below=below,
            governing=governing,
            evenings=shown,
            opened=opened,
            choices=_choices(session, opened),
            titles=further.titles(session, {p for _, e in shown if e.evening for p in e.evening.programmes}),
            patterns=_patterns(),
            rows=EVENING_ROWS,
            usual_title=USUAL_TITLE,
            may_here=may_here,
        )


def _choices(session: Session, opened: str) -> list[service.Choice]:
    """Only where a form is open: the list may be long."""
    return service.choices(session) if opened else []


def _governing(above: list[StudyRule], region: str) -> list[StudyRule]:
    """The rules that hold: those of the nearest local level, else the nearest of the province's."""
    for is_local in (True, False):
        for code in lineage(region):
            held = [rule for rule in above if rule.region == code and (rule.level != "province") is is_local]
            if held:
                return held
    return []


def _patterns() -> list[tuple[str, str]]:
    weekly = [(f"FREQ=WEEKLY;BYDAY={day}", _("每%(days)s", days=_(name))) for day, name in WEEKDAYS.items()]
    return [
        (PATTERNS["5/15/25"], _("每月 5、15、25 日")),
        (PATTERNS["逢六"], _("每月逢六（6、16、26 日）")),
        *weekly,
    ]


def _rrule() -> str:
    """The days of the month that were written, else the pattern that was chosen. Raises Invalid."""
    days = request.form.get("days", "").replace("，", ",").replace("、", ",").replace(" ", ",").strip(",")
    if not days:
        return request.form.get("rrule", "")
    numbers = [part for part in days.split(",") if part]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 31 for part in numbers):
        raise Invalid(N_("每月的日子须在 1 到 31 之间（例：8、18、28）"), code="days")
    return "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(sorted(set(numbers), key=int))


def _length_ms() -> int:
    return number("minutes", 120) * 60_000


def _moment(name: str) -> datetime | None:
    text = request.form.get(name, "").strip()
    return read_time(text) if text else None


@blueprint.post("/schedule/rules/study")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Lay down a region's study days, in place of its rule before."""
    form, region = request.form, request.form.get("region", "").strip()
    refused = tried(
        NEW,
        lambda session: further.put_study(
            session, caller(), region=region, starts_at=read_time(form.get("at", "")), duration_ms=_length_ms(),
            rrule=_rrule(), title=form.get("title", "").strip() or USUAL_TITLE, now=clock.now(),
        ),
    )  # fmt: skip
    return answer(refused, lambda why: _page(why, shown()), "study_days.rules", _("学习日已定；发布后送达站点"), region=region)  # fmt: skip


@blueprint.post("/schedule/rules/study/<uuid:rule_id>")
@permit(Action.SCHEDULE_EDIT)
def change(rule_id: object) -> Response:
    """Change a study rule."""

    def changed(session: Session) -> object:
        values = {
            "starts_at": read_time(request.form.get("at", "")), "duration_ms": _length_ms(), "rrule": _rrule(),
            "title": request.form.get("title", "").strip()[:60] or USUAL_TITLE,
        }  # fmt: skip
        return further.change_study(
            session, caller(), str(rule_id), values, version=seen_version(), now=clock.now()
        )

    refused = tried(str(rule_id), changed)
    return answer(refused, lambda why: _page(why, shown()), "study_days.rules", _("已修改；发布后送达站点"), region=shown())  # fmt: skip


@blueprint.post("/schedule/rules/study/<uuid:rule_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(rule_id: object) -> Response:
    """The region follows the level above again."""
    refused = tried(
        str(rule_id),
        lambda session: further.remove_study(
            session, caller(), str(rule_id), version=seen_version(), now=clock.now()
        ),
    )
    return answer(refused, lambda why: _page(why, shown()), "study_days.rules", _("已移除，改按上级的学习日"), region=shown())  # fmt: skip


@blueprint.post("/schedule/rules/study/<uuid:rule_id>/evenings/<day>")
@permit(Action.SCHEDULE_EDIT)
def evening(rule_id: object, day: str) -> Response:
    """What is studied on one day; move it or call it off, with a reason."""
    name = f"{rule_id}@{day}"
    form = request.form

    def changed(session: Session) -> object:
        return further.set_evening(
            session, caller(), str(rule_id), read_day(day, clock.now()),
            programmes=[programme for programme in form.getlist("programme") if programme],
            discussion_min=number("discussion_min", 0), title=form.get("title", ""), moved_to=_moment("moved_to"),
            cancelled="cancelled" in form, reason=form.get("reason", ""), version=seen_version() or None,
            now=clock.now(),
        )  # fmt: skip

    refused = tried(name, changed)
    return answer(refused, lambda why: _page(why, shown(), name), "study_days.rules", _("这一天已安排；发布后送达站点"), region=shown())  # fmt: skip


def shown() -> str:
    """The region whose page the form stood on."""
    return request.form.get("shown", "").strip() or own(caller())
