"""The page of protected periods 重要保障期."""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.catalog import protection
from server.errors import Invalid, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("protection", __name__)


@blueprint.get("/protected-periods")
@permit(Action.PROTECTION_VIEW)
def periods() -> str:
    """What is protected now, what will be, what was."""
    now = clock.now()
    with reading() as session:
        found = protection.list_periods(session)
        current = protection.period_at(session, now)
    return render_template(
        "catalog/protection.html",
        periods=found,
        current=current,
        now=now,
        may_manage=caller().can(Action.PROTECTION_MANAGE),
    )


@blueprint.post("/protected-periods")
@permit(Action.PROTECTION_MANAGE)
def declare() -> Response:
    try:
        starts_at, ends_at = (
            local_time(request.form.get("from", "")),
            local_time(request.form.get("until", "")),
        )
        with writing() as session:
            protection.declare(
                session,
                caller(),
                starts_at=starts_at,
                ends_at=ends_at,
                reason=request.form.get("reason", ""),
                now=clock.now(),
            )
        flash(_("已设定保障期"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("protection.periods"))


@blueprint.post("/protected-periods/<period_id>/end")
@permit(Action.PROTECTION_MANAGE)
def end(period_id: str) -> Response:
    try:
        with writing() as session:
            protection.end(session, caller(), period_id, now=clock.now())
        flash(_("保障期已结束"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("protection.periods"))


def local_time(text: str) -> datetime:
    """What an input of type datetime-local sent, as Beijing time. Raises Invalid."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Invalid(N_("“%(text)s”不是有效的时间"), text=text[:40]) from error
