"""The viewing chart: by day and by programme, for a region, with the table under it and a CSV."""

from __future__ import annotations

from datetime import timedelta

from flask import render_template, request
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.identity.rules import Action
from server.regions import service as regions
from server.sheets import to_csv
from server.stats import charts, service
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("stats", __name__)

DEFAULT_DAYS = 14


@blueprint.get("/viewing")
@permit(Action.STATS_VIEW)
def viewing() -> str:
    """The chart."""
    report, region = _report()
    with reading() as session:
        place = "、".join(regions.full_names(session, report.regions).values())
        below = regions.children(session, region or report.regions[0]) if report.regions else []
        above = regions.path_of(session, region)[:-1] if region else []
    return render_template(
        "stats/viewing.html", report=report, region=region or "", place=place, below=below, above=above
    )


@blueprint.get("/viewing.csv")
@permit(Action.STATS_VIEW)
def viewing_csv() -> Response:
    """The same figures for a spreadsheet."""
    report, _region = _report()
    return Response(
        viewing_table(report),
        mimetype="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="viewing-{report.first_day}-{report.last_day}.csv"'
        },
    )


def _report() -> tuple[charts.ViewingReport, str | None]:
    today = clock.now().astimezone(SHANGHAI).date()
    last = service.read_day(request.args["to"]) if request.args.get("to") else today
    first = (
        service.read_day(request.args["from"])
        if request.args.get("from")
        else last - timedelta(days=DEFAULT_DAYS - 1)
    )
    region = request.args.get("region", "").strip() or None
    with reading() as session:
        return service.viewing(session, caller(), region=region, first=first, last=last), region


def viewing_table(report: charts.ViewingReport) -> bytes:
    """Days, then programmes, as CSV."""
    return to_csv(
        [
            ("day", "programme", "title", "section", "played_minutes", "on_minutes", "sessions", "stations"),
            *(
                (d.day, "", "", "", d.played_minutes, d.on_minutes, d.sessions, d.stations)
                for d in report.days
            ),
            *(
                ("", p.programme, p.title, p.section, p.played_minutes, p.on_minutes, p.sessions, p.stations)
                for p in report.programmes
            ),
        ]
    )
