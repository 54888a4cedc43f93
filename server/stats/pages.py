"""The viewing chart: by day and by programme, for a region, with the table under it and a CSV."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from flask import render_template, request
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI
from server import clock
from server.identity.rules import Action
from server.regions import service as regions
from server.stats import charts, service
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("stats", __name__)

DEFAULT_DAYS = 14
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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


def viewing_table(report: charts.ViewingReport) -> str:
    """CSV with a byte order mark (spreadsheets need it for Chinese); what looks like a formula is made text."""
    out = io.StringIO()
    out.write("\ufeff")
    table = csv.writer(out)
    table.writerow(
        ["day", "programme", "title", "section", "played_minutes", "on_minutes", "sessions", "stations"]
    )
    for day in report.days:
        table.writerow([day.day, "", "", "", day.played_minutes, day.on_minutes, day.sessions, day.stations])
    for row in report.programmes:
        table.writerow(
            ["", row.programme, harmless(row.title), row.section, row.played_minutes, row.on_minutes, row.sessions, row.stations]
        )  # fmt: skip
    return out.getvalue()


def harmless(text: str) -> str:
    """Text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
