"""播出权限: who may place what, where and when."""

from __future__ import annotations

import re
from typing import Any

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import service as catalog
from server.errors import Invalid
from server.i18n import N_
from server.identity import service as identity
from server.identity.rules import ROLE_NAMES, TABLE, Action
from server.schedule import further, service
from server.schedule.rules_pages import (
    NEW,
    WEEKDAYS,
    Refused,
    answer,
    chosen_numbers,
    labelled,
    number,
    own,
    seen_version,
    show,
    tried,
)
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("airtime", __name__)


@blueprint.get("/schedule/rules/airtime")
@permit(Action.SCHEDULE_VIEW)
def rights() -> str:
    """Rights in force, and the form."""
    return _page(None)


def _page(refused: Refused | None) -> str:
    who = caller()
    with reading() as session:
        found = further.airtime_rights(session, own(who))
        return show(
            session,
            "schedule/rules/airtime.html",
            who,
            refused=refused,
            known={NEW, *(right.id for right in found)},
            codes={right.region for right in found},
            rights=found,
            shelves=labelled(catalog.sections(session)),
            lines=labelled(service.channels(session)),
            people=identity.names_of(session, {right.account_id for right in found if right.account_id}),
            roles=[
                (role.value, _(ROLE_NAMES[role]))
                for role in ROLE_NAMES
                if role in TABLE[Action.SCHEDULE_EDIT]
            ],
            weekdays=list(WEEKDAYS.values()),
            days=[(number, _(name)) for number, name in enumerate(WEEKDAYS.values())],
            clock_time=clock_time,
        )


def clock_time(minute: int) -> str:
    """Minutes from midnight as 19:00; the end of a day is 24:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minute(name: str, default: int) -> int:
    text = request.form.get(name, "").strip()
    if not text:
        return default
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text, re.ASCII)
    if not found or int(found[2]) > 59 or int(found[1]) * 60 + int(found[2]) > 1_440:
        raise Invalid(N_("看不懂的时刻：%(text)s（例：19:00）"), code="time", text=text[:20])
    return int(found[1]) * 60 + int(found[2])


def _limits() -> dict[str, Any]:
    """What a right allows, as the form has it. Raises Invalid."""
    return {
        "weekdays": chosen_numbers("weekday"),
        "from_minute": _minute("from", 0),
        "to_minute": _minute("to", 1_440) or 1_440,
        "sections": request.form.getlist("section"),
        "daily_min": number("daily_min", 0),
    }


@blueprint.post("/schedule/rules/airtime")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Limit what an account or a role may place in a region."""
    form = request.form

    def put_one(session: Session) -> object:
        username = form.get("username", "").strip()
        account = identity.get_account(session, username).id if username else None
        return further.put_airtime(
            session, caller(), region=form.get("region", "").strip(), role=form.get("role", ""),
            account_id=account, channel=form.get("channel", service.MAIN_CHANNEL), now=clock.now(), **_limits(),
        )  # fmt: skip

    return _answer(tried(NEW, put_one), _("播出权限已定，立即有效"))


@blueprint.post("/schedule/rules/airtime/<uuid:right_id>")
@permit(Action.SCHEDULE_EDIT)
def change(right_id: object) -> Response:
    """Change what a right allows."""

    def changed(session: Session) -> object:
        return further.change_airtime(
            session, caller(), str(right_id), version=seen_version(), now=clock.now(), **_limits()
        )

    return _answer(tried(str(right_id), changed), _("播出权限已修改，立即有效"))


@blueprint.post("/schedule/rules/airtime/<uuid:right_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(right_id: object) -> Response:
    """Lift a limit."""

    def removed(session: Session) -> object:
        return further.remove_airtime(
            session, caller(), str(right_id), version=seen_version(), now=clock.now()
        )

    return _answer(tried(str(right_id), removed), _("这条限制已取消"))


def _answer(refused: Refused | None, said: str) -> Response:
    return answer(refused, _page, "airtime.rights", said)
