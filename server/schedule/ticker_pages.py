"""滚动字幕: write one, let it out as a second person, change it, take it off."""

from __future__ import annotations

from datetime import timedelta

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.identity.rules import Action
from server.schedule import notices
from server.schedule.rules_pages import NEW, Refused, answer, own, seen_version, show, tried, wall
from server.schedule.times import read_time
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("tickers", __name__)

USUAL_LENGTH = timedelta(days=1)


@blueprint.get("/schedule/rules/tickers")
@permit(Action.SCHEDULE_VIEW)
def tickers() -> str:
    """Tickers that wait, run or will run, and the form."""
    return _page(None)


def _page(refused: Refused | None) -> str:
    who, now = caller(), clock.now()
    with reading() as session:
        found = notices.notices(session, region=own(who), now=now)
        return show(
            session,
            "schedule/rules/tickers.html",
            who,
            refused=refused,
            known={NEW, *(notice.id for notice in found)},
            codes={notice.region for notice in found},
            notices=found,
            longest=notices.LONGEST_NOTICE,
            until=wall(now + USUAL_LENGTH),
            may_approve=lambda notice: (
                who.can(Action.NOTICE_APPROVE, notice.region) and notice.written_by != who.id
            ),
        )


@blueprint.post("/schedule/rules/tickers")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Write a ticker; it waits for a second person."""
    form = request.form

    def put_one(session: Session) -> object:
        return notices.put_notice(
            session, caller(), region=form.get("region", "").strip(), text=form.get("text", ""),
            until=read_time(form.get("until", "")), starts_at=read_time(form["at"]) if form.get("at") else None,
            now=clock.now(),
        )  # fmt: skip

    return _answer(tried(NEW, put_one), _("已写好，等待另一人批准"))


@blueprint.post("/schedule/rules/tickers/<uuid:notice_id>")
@permit(Action.SCHEDULE_EDIT)
def change(notice_id: object) -> Response:
    """Change a ticker; it waits for approval again."""
    form = request.form

    def changed(session: Session) -> object:
        return notices.change_notice(
            session, caller(), str(notice_id), text=form.get("text", ""), until=read_time(form.get("until", "")),
            version=seen_version(), now=clock.now(),
        )  # fmt: skip

    return _answer(tried(str(notice_id), changed), _("已修改，须重新批准"))


@blueprint.post("/schedule/rules/tickers/<uuid:notice_id>/approve")
@permit(Action.NOTICE_APPROVE)
def approve(notice_id: object) -> Response:
    """The second person lets it out."""

    def approved(session: Session) -> object:
        return notices.approve_notice(
            session, caller(), str(notice_id), version=seen_version(), now=clock.now()
        )

    return _answer(tried(str(notice_id), approved), _("已批准；发布后送达站点"))


@blueprint.post("/schedule/rules/tickers/<uuid:notice_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(notice_id: object) -> Response:
    """Take a ticker off before its time."""

    def removed(session: Session) -> object:
        return notices.remove_notice(
            session, caller(), str(notice_id), version=seen_version(), now=clock.now()
        )

    return _answer(tried(str(notice_id), removed), _("字幕已撤下；发布后送达站点"))


def _answer(refused: Refused | None, said: str) -> Response:
    return answer(refused, _page, "tickers.tickers", said)
