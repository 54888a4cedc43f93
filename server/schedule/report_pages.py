"""The conflict report as a page, and the explanation of one item as a fragment."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from protocol.times import SHANGHAI
from server import clock
from server.identity.rules import Action
from server.regions import service as regions
from server.schedule import check as checks
from server.schedule.report_api import MOST_STATIONS, check_answer, explained, published
from server.schedule.times import read_time
from server.web import caller, config, page_blueprint, permit, reading

blueprint = page_blueprint("schedule_report", __name__)
DAYS = (1, 3, 7, 14)
MOST_SHOWN = 200


@blueprint.get("/schedule/check")
@permit(Action.SCHEDULE_VIEW)
def check() -> str:
    """What is wrong with the coming days, the worst first, and which stations cannot have what is planned."""
    who = caller()
    region = request.args.get("region", "").strip() or next(iter(who.scopes(Action.SCHEDULE_VIEW)), "13")
    days = request.args.get("days", type=int)
    days = days if days in DAYS else 7
    with reading() as session:
        report = checks.check(
            session,
            region=regions.require_code(region),
            days=days,
            published=published(config()),
            now=clock.now(),
        )
        full_name = regions.full_name(session, region)
    answer = check_answer(report, MOST_STATIONS)
    return render_template(
        "schedule/check.html",
        report=answer,
        shown=answer.findings[:MOST_SHOWN],
        region=region,
        region_name=full_name,
        days=days,
        choices=DAYS,
        late=[view for view in answer.feasibility if view.cannot],
        first_day=report.begin.astimezone(SHANGHAI).date(),
    )


@blueprint.get("/schedule/check/stations")
@permit(Action.SCHEDULE_VIEW)
def stations() -> str:
    """The stations that cannot have one item in time, with the cause (a fragment)."""
    region, item = request.args.get("region", "13"), request.args.get("item", "")
    with reading() as session:
        report = checks.check(
            session,
            region=regions.require_code(region),
            days=14,
            published=published(config()),
            now=clock.now(),
        )
        prospect = report.feasibility.prospects.get(item)
        cannot: dict[str, Any] = dict(list(prospect.cannot.items())[:MOST_SHOWN]) if prospect else {}
        rows = checks.station_names(session, list(cannot))
    return render_template(
        "schedule/_stations.html",
        rows=[(rows.get(station, station), cause.value) for station, cause in cannot.items()],
        total=len(prospect.cannot) if prospect else 0,
    )


@blueprint.get("/schedule/explain")
@permit(Action.SCHEDULE_VIEW)
def explain() -> str:
    """What plays in a region at a time, and why (a fragment for a click on an item)."""
    at = request.args.get("at")
    answer = explained(
        regions.require_code(request.args.get("region", "13")),
        read_time(at) if at else clock.now(),
        request.args.get("channel", "main"),
    )
    return render_template("schedule/_explain.html", answer=answer)
