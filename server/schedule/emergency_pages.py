"""应急插播: propose an override, let it out as a second person, withdraw it."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.regions import service as regions
from server.schedule import notices, service
from server.schedule.times import read_time
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("emergencies", __name__)

USUAL_LENGTH = timedelta(minutes=30)


@blueprint.get("/emergencies")
@permit(Action.PUBLISH_VIEW)
def emergencies() -> str:
    """Overrides that wait or run, and the form."""
    who, now = caller(), clock.now()
    with reading() as session:
        rules = notices.emergencies(session, now=now)
        past = [rule for rule in notices.emergencies(session, now=now, past=True) if rule not in rules][:20]
        shown = [*rules, *past]
        places = regions.names(session, {code for rule in shown for code in rule.regions})
        titles = {choice.id: choice.title for choice in service.choices(session)}
        areas = [("13", _("全省")), *((city.code, city.name) for city in regions.children(session, "13"))]
    local = now.astimezone(SHANGHAI)
    return render_template(
        "schedule/emergencies.html",
        rules=rules,
        past=past,
        places=places,
        titles=titles,
        areas=areas,
        now=now,
        me=who.id,
        until=(local + USUAL_LENGTH).strftime("%Y-%m-%dT%H:%M"),
        may_propose=who.can(Action.EMERGENCY_PROPOSE),
        may_approve=who.can(Action.EMERGENCY_APPROVE),
    )


@blueprint.post("/emergencies")
@permit(Action.EMERGENCY_PROPOSE)
def propose() -> Response:
    """Propose an override; it waits for a second person."""
    form = request.form
    codes = [*form.getlist("region"), *form.get("more", "").replace("，", " ").replace(",", " ").split()]
    try:
        until: datetime = read_time(form.get("until", ""))
        with writing() as session:
            notices.propose_emergency(
                session,
                caller(),
                regions=codes,
                ends_at=until,
                text=form.get("text", "").strip() or None,
                programme_id=form.get("programme") or None,
                priority=5,
                drill="drill" in form,
                now=clock.now(),
            )
        flash(_("已提出，等待另一人确认后立即播出"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("emergencies.emergencies"))


@blueprint.post("/emergencies/<uuid:rule_id>/approve")
@permit(Action.EMERGENCY_APPROVE)
def approve(rule_id: object) -> Response:
    """The second person: it is published at once."""
    try:
        with writing() as session:
            notices.approve_emergency(session, caller(), str(rule_id), now=clock.now())
        flash(_("已确认，正在签名发布；联网的站点几分钟内插播"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("emergencies.emergencies"))


@blueprint.post("/emergencies/<uuid:rule_id>/end")
@permit(Action.EMERGENCY_PROPOSE)
def end(rule_id: object) -> Response:
    """Withdraw it; stations go back to what was scheduled."""
    try:
        with writing() as session:
            notices.end_emergency(session, caller(), str(rule_id), now=clock.now())
        flash(_("已撤销，站点恢复原来的编排"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("emergencies.emergencies"))
