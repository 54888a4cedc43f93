"""推送: what every station of a region stores without anybody choosing it."""

from __future__ import annotations

from datetime import datetime

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import service as catalog
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.schedule import further, service
from server.schedule.rules_pages import NEW, Refused, answer, chosen_numbers, own, seen_version, show, tried
from server.schedule.times import read_time
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("pushes", __name__)


@blueprint.get("/schedule/rules/pushes")
@permit(Action.SCHEDULE_VIEW)
def pushes() -> str:
    """Pushes in force, and the form."""
    return _page(None)


def _page(refused: Refused | None) -> str:
    who = caller()
    with reading() as session:
        found = further.pushes(session, own(who))
        return show(
            session,
            "schedule/rules/pushes.html",
            who,
            refused=refused,
            known={NEW, *(rule.id for rule in found)},
            codes={rule.region for rule in found},
            pushes=found,
            sections=catalog.sections(session),
            months=[(month, str(month)) for month in range(1, 13)],
            choices=service.choices(session) if who.can(Action.SCHEDULE_EDIT) else [],
            titles=further.titles(session, {rule.programme_id for rule in found if rule.programme_id}),
        )


@blueprint.post("/schedule/rules/pushes")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Have every station of some regions store something."""
    form = request.form

    def put_all(session: Session) -> object:
        codes = form.get("region", "").replace("，", " ").replace(",", " ").replace("、", " ").split()
        if not codes or len(codes) > further.MOST_REGIONS:
            raise Invalid(N_("请指明推送的地区，最多 %(most)s 个"), most=further.MOST_REGIONS)
        return [
            further.put_push(
                session, caller(), region=code, programme_id=form.get("programme") or None,
                section=form.get("section") or None, tag=form.get("tag", ""), months=chosen_numbers("month"),
                until=_until(), now=clock.now(),
            )
            for code in dict.fromkeys(codes)
        ]  # fmt: skip

    return _answer(tried(NEW, put_all), _("已定下推送；发布后站点自动下载"))


@blueprint.post("/schedule/rules/pushes/<uuid:rule_id>")
@permit(Action.SCHEDULE_EDIT)
def change(rule_id: object) -> Response:
    """Change a push's season and end."""

    def changed(session: Session) -> object:
        return further.change_push(
            session, caller(), str(rule_id), months=chosen_numbers("month"), until=_until(),
            version=seen_version(), now=clock.now(),
        )  # fmt: skip

    return _answer(tried(str(rule_id), changed), _("已修改；发布后送达站点"))


@blueprint.post("/schedule/rules/pushes/<uuid:rule_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(rule_id: object) -> Response:
    """Stations keep what they have; it is no longer kept for them."""

    def removed(session: Session) -> object:
        return further.remove_push(session, caller(), str(rule_id), version=seen_version(), now=clock.now())

    return _answer(tried(str(rule_id), removed), _("推送已停止；站点已有的节目仍保留"))


def _until() -> datetime | None:
    text = request.form.get("until", "").strip()
    return read_time(text) if text else None


def _answer(refused: Refused | None, said: str) -> Response:
    return answer(refused, _page, "pushes.pushes", said)
