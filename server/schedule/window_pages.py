"""地方窗口: which spans of the frame cities and counties fill, with what, until when."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from protocol.regions import Level
from server import clock
from server.catalog import service as catalog
from server.i18n import N_
from server.identity.rules import Action
from server.schedule import further, service
from server.schedule.rules_pages import (
    NEW,
    WEEKDAYS,
    Refused,
    answer,
    labelled,
    number,
    own,
    repeats,
    seen_version,
    show,
    tried,
)
from server.schedule.times import read_time
from server.schedule.windows import WindowChanges
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("windows", __name__)

LEVELS = {Level.CITY: N_("市"), Level.COUNTY: N_("县")}


@blueprint.get("/schedule/rules/windows")
@permit(Action.SCHEDULE_VIEW)
def windows() -> str:
    """Windows in force, and the form."""
    return _page(None)


def _page(refused: Refused | None) -> str:
    who = caller()
    with reading() as session:
        region = own(who)
        found = [
            window
            for window in service.list_windows(session)
            if region.startswith(window.region) or window.region.startswith(region)
        ]
        return show(
            session,
            "schedule/rules/windows.html",
            who,
            refused=refused,
            known={NEW, *(window.id for window in found)},
            codes={code for window in found for code in (window.region, *window.excluded)},
            windows=found,
            opened=refused.form if refused else request.args.get("edit", ""),
            shelves=labelled(catalog.sections(session)),
            lines=labelled(service.channels(session)),
            choices=service.choices(session) if service.is_provincial(who) else [],
            titles=further.titles(session, {programme for window in found for programme in window.fill}),
            levels=[(level.value, _(name)) for level, name in LEVELS.items()],
            patterns=[
                ("FREQ=DAILY", repeats("FREQ=DAILY")),
                ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", _("周一到周五")),
                ("FREQ=WEEKLY;BYDAY=SA,SU", _("周末")),
                *((f"FREQ=WEEKLY;BYDAY={day}", repeats(f"FREQ=WEEKLY;BYDAY={day}")) for day in WEEKDAYS),
            ],
        )


def _values() -> dict[str, Any]:
    """A window as the form has it. Raises Invalid."""
    form = request.form
    excluded = form.get("excluded", "").replace("，", " ").replace(",", " ").replace("、", " ").split()
    return {
        "region": form.get("region", "").strip(),
        "level": form.get("level", ""),
        "starts_at": read_time(form.get("at", "")),
        "duration_ms": number("minutes", 60) * 60_000,
        "rrule": form.get("rrule") or None,
        "channel": form.get("channel", service.MAIN_CHANNEL),
        "admits": form.getlist("section"),
        "excluded": sorted(set(excluded)),
        "fill": [programme for programme in form.getlist("programme") if programme],
        "deadline_hours": number("deadline_hours", 0),
        "title": form.get("title", "").strip()[:60],
    }


@blueprint.post("/schedule/rules/windows")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Open a window."""
    refused = tried(NEW, lambda session: service.put_window(session, caller(), now=clock.now(), **_values()))
    return _answer(refused, _("窗口已开设；发布后送达站点"))


@blueprint.post("/schedule/rules/windows/<uuid:window_id>")
@permit(Action.SCHEDULE_EDIT)
def change(window_id: object) -> Response:
    """Move, resize or change a window."""

    def changed(session: Session) -> object:
        changes = WindowChanges(**_values())  # type: ignore[typeddict-item]
        return service.change_window(
            session, caller(), str(window_id), changes, version=seen_version(), now=clock.now()
        )

    return _answer(tried(str(window_id), changed), _("已修改；发布后送达站点"))


@blueprint.post("/schedule/rules/windows/<uuid:window_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(window_id: object) -> Response:
    """Close a window for good."""

    def removed(session: Session) -> object:
        return service.remove_window(
            session, caller(), str(window_id), version=seen_version(), now=clock.now()
        )

    return _answer(tried(str(window_id), removed), _("窗口已关闭；里面排的节目不再播出"))


def _answer(refused: Refused | None, said: str) -> Response:
    return answer(refused, _page, "windows.windows", said)
