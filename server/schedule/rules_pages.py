"""编排规则: what the pages of the rules share: tabs, places, and the form that was refused, kept as it was filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.catalog.models import Section
from server.errors import Conflict, Invalid, YuanboError
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.schedule import resolve as r
from server.schedule import service
from server.schedule.models import Channel
from server.web import is_english, say, writing

TABS = (
    ("study_days.rules", N_("学习日")),
    ("tickers.tickers", N_("滚动字幕")),
    ("pushes.pushes", N_("推送")),
    ("airtime.rights", N_("播出权限")),
    ("windows.windows", N_("地方窗口")),
    ("channel_settings.channels", N_("频道设置")),
)
WEEKDAYS = {
    "MO": N_("周一"), "TU": N_("周二"), "WE": N_("周三"), "TH": N_("周四"), "FR": N_("周五"), "SA": N_("周六"),
    "SU": N_("周日"),
}  # fmt: skip
NEW = "new"
"""The name of the form that adds a rule; a form that changes one bears the rule's id."""


@dataclass(frozen=True)
class Refused:
    """A form that was not taken: which, why in words, and the status of the answer."""

    form: str
    reason: str
    status: int
    is_conflict: bool


def tried(form: str, change: Callable[[Session], object]) -> Refused | None:
    """Make a change in a transaction of its own; what was wrong with it, or None."""
    try:
        with writing() as session:
            change(session)
    except YuanboError as error:
        return Refused(form, say(error), error.status, isinstance(error, Conflict))
    return None


def answer(
    refused: Refused | None,
    page: Callable[[Refused], str],
    endpoint: str,
    said: str,
    region: str | None = None,
) -> Response:
    """Back to the list, or the page again with what was wrong beside the form and everything still in it."""
    if refused:
        return make_response(page(refused), refused.status)
    flash(said, "success")
    return redirect(url_for(endpoint, region=region))


def show(
    session: Session,
    template: str,
    who: Caller,
    *,
    refused: Refused | None,
    known: Collection[str],
    codes: Iterable[str],
    **more: object,
) -> str:
    """A page of the rules. ``codes``: the regions it names; ``known``: the forms on it that say themselves what was
    wrong with them."""
    scopes = [scope for scope in who.scopes(Action.SCHEDULE_EDIT) if scope]
    near = [child for scope in scopes for child in regions.children(session, scope)]
    return render_template(
        template,
        tabs=TABS,
        refused=refused,
        known=known,
        kept=_keeper(refused),
        picked=_picker(refused),
        places=regions.names(session, {*codes, *scopes, "13"}),
        near=[*((code, name) for code, name in regions.names(session, set(scopes)).items())]
        + [(child.code, child.name) for child in near],
        home=scopes[0] if scopes else "13",
        wall=wall,
        named=lambda pairs, key, otherwise: dict(pairs).get(key, otherwise),
        repeats=repeats,
        now=clock.now(),
        may=lambda rule: may_change(who, rule),
        may_add=bool(scopes),
        is_provincial=service.is_provincial(who),
        me=who.id,
        **more,
    )


def _keeper(refused: Refused | None) -> Callable[..., str]:
    """``kept(form, name, value)``: what was typed into the refused form, else the value as it is."""

    def kept(form: str, name: str, value: object = "") -> str:
        if refused and refused.form == form and name in request.form:
            return request.form[name]
        return "" if value is None else str(value)

    return kept


def _picker(refused: Refused | None) -> Callable[..., list[str]]:
    """``picked(form, name, values)``: what was ticked or chosen in the refused form, else the values as they are."""

    def picked(form: str, name: str, values: Iterable[object] = ()) -> list[str]:
        if refused and refused.form == form:
            return request.form.getlist(name)
        return [str(value) for value in values]

    return picked


def may_change(who: Caller, rule: object) -> bool:
    """Whether the caller may change a rule with a region and, where it has one, a level."""
    is_province = getattr(rule, "level", r.PROVINCE) == r.PROVINCE
    region = getattr(rule, "region", "13")
    return who.can(Action.SCHEDULE_EDIT, region) and (service.is_provincial(who) or not is_province)


def seen_version() -> int:
    """The version that the form was made from. Raises Invalid."""
    return number("version", 0)


def number(name: str, default: int) -> int:
    """A whole number of the form. Raises Invalid."""
    text = request.form.get(name, "").strip() or str(default)
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise Invalid(N_("须是一个整数：%(text)s"), code="number", text=text[:20])
    return int(text)


def chosen_numbers(name: str) -> list[int]:
    """The numbers ticked in the form. Raises Invalid."""
    texts = request.form.getlist(name)
    if not all(text.isascii() and text.isdigit() and len(text) < 3 for text in texts):
        raise Invalid(N_("须是一个整数：%(text)s"), code="number", text=" ".join(texts)[:20])
    return [int(text) for text in texts]


def wall(at: datetime | None) -> str:
    """A moment as a date and time field holds it, in Asia/Shanghai."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M") if at else ""


def repeats(rrule: str | None) -> str:
    """A recurrence in words where it is one of the usual ones, else as it is."""
    if rrule is None:
        return _("一次")
    if rrule == "FREQ=DAILY":
        return _("每天")
    monthly = re.fullmatch(r"FREQ=MONTHLY;BYMONTHDAY=([\d,]+)", rrule)
    if monthly:
        return _("每月 %(days)s 日", days=monthly[1].replace(",", "、"))
    weekly = re.fullmatch(r"FREQ=WEEKLY;BYDAY=([A-Z,]+)", rrule)
    if weekly and set(weekly[1].split(",")) <= set(WEEKDAYS):
        return _("每%(days)s", days="、".join(_(WEEKDAYS[day]) for day in weekly[1].split(",")))
    return rrule


def labelled(rows: Iterable[Section | Channel]) -> list[tuple[str, str]]:
    """Sections or channels as a form offers them: what they are called by, in the reader's language."""
    english = is_english()
    return [
        (row.slug if isinstance(row, Section) else row.id, row.name_en if english else row.name)
        for row in rows
    ]


def own(who: Caller) -> str:
    """The region asked for, else the caller's own."""
    return request.args.get("region", "").strip() or next(iter(who.scopes(Action.SCHEDULE_VIEW)), "13")
