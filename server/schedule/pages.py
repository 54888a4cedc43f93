"""The week of a channel as a region sees it, and the form that places a programme."""

from __future__ import annotations

from datetime import date, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.regions import service as regions
from server.schedule import service
from server.schedule.agenda import agenda
from server.schedule.times import read_day, read_time
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("schedule", __name__)


@blueprint.get("/schedule")
@permit(Action.SCHEDULE_VIEW)
def week() -> str:
    """Seven days of a region's channel."""
    who = caller()
    today = clock.now().astimezone(SHANGHAI).date()
    start = _monday(read_day(request.args.get("day"), clock.now()))
    region = request.args.get("region", "").strip() or next(iter(who.scopes(Action.SCHEDULE_VIEW)), "13")
    channel = request.args.get("channel", service.MAIN_CHANNEL)
    with reading() as session:
        views = service.week_view(session, who, region=region, start_day=start, channel=channel)
        places = regions.names(session, {region, *who.scopes(Action.SCHEDULE_EDIT), *_regions_in(views)})
        choices = service.choices(session) if who.can(Action.SCHEDULE_EDIT) else []
        full_name = regions.full_name(session, region)
        lines = service.channels(session)
    days = [
        (start + timedelta(days=i), agenda(view.listing, view.titles, view.windows))
        for i, view in enumerate(views)
    ]
    return render_template(
        "schedule/week.html",
        days=days,
        today=today,
        start=start,
        region=region,
        region_name=full_name,
        channel=channel,
        channels=lines,
        places=places,
        choices=choices,
        scopes=who.scopes(Action.SCHEDULE_EDIT),
        can_edit=who.can(Action.SCHEDULE_EDIT),
        before=(start - timedelta(days=7)).isoformat(),
        after=(start + timedelta(days=7)).isoformat(),
    )


@blueprint.post("/schedule/slots")
@permit(Action.SCHEDULE_EDIT)
def put() -> Response:
    """Place a programme from the form; what is wrong is said on the page."""
    form = request.form
    try:
        with writing() as session:
            service.put_slot(
                session,
                caller(),
                region=form.get("region", ""),
                starts_at=read_time(f"{form.get('day', '')}T{form.get('time', '')}"),
                programme_id=form.get("programme", ""),
                channel=form.get("channel", service.MAIN_CHANNEL),
                required="required" in form,
                now=clock.now(),
            )
        flash(_("已编排；发布后送达站点"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return _back()


@blueprint.post("/schedule/slots/<slot_id>/remove")
@permit(Action.SCHEDULE_EDIT)
def remove(slot_id: str) -> Response:
    """Take a programme out of the schedule."""
    try:
        with writing() as session:
            service.remove_slot(session, caller(), slot_id, now=clock.now())
        flash(_("已移除；发布后送达站点"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return _back()


def _back() -> Response:
    form = request.form
    return redirect(
        url_for(
            "schedule.week",
            day=form.get("shown_day") or form.get("day") or None,
            region=form.get("shown_region") or None,
            channel=form.get("channel") or None,
        )
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _regions_in(views: list[service.ListingView]) -> set[str]:
    return {item.why.region for view in views for item in view.listing.items if item.why}
