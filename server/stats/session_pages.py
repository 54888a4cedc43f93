"""Study sessions as pages: the phone's page that a ticket opens, a station's sessions, and one session."""

from __future__ import annotations

from uuid import UUID

from flask import make_response, render_template, request
from flask_babel import get_locale
from werkzeug.wrappers import Response

from protocol.faults import FAULT_NAMES
from server import clock
from server.identity.rules import Action
from server.regions import service as regions
from server.stats import session_notes, session_views
from server.web import OTHER_LANGUAGE, caller, page_blueprint, permit, public, reading

blueprint = page_blueprint("sessions", __name__)

FAULTS = {str(code): name for code, name in FAULT_NAMES.items()}


@blueprint.get("/s/<string:ticket>")
@public
def helper(ticket: str) -> Response:
    """手机助手 on the province's page: what a phone without the station's Wi-Fi opens. No names are asked for."""
    with reading() as session:
        admitted = session_notes.admit(session, ticket, now=clock.now())
        station = admitted.station.name
    english = str(get_locale()) == "en"
    page = make_response(
        render_template(
            "stats/helper.html",
            ticket=ticket,
            station=station,
            title=admitted.ticket.title,
            english=english,
            other_language=OTHER_LANGUAGE["en" if english else "zh_CN"],
            faults={code: name.en if english else name.zh for code, name in FAULTS.items()},
        )
    )
    page.headers["Referrer-Policy"] = "no-referrer"  # the address is the key to this session
    return page


@blueprint.get("/stations/<uuid:station_id>/sessions")
@permit(Action.STATS_VIEW)
def of_station(station_id: UUID) -> str:
    """A station's sessions, the newest first."""
    with reading() as session:
        station, listed = session_views.list_sessions(session, caller(), str(station_id))
        place = regions.full_name(session, station.region)
    return render_template("stats/sessions.html", station=station, place=place, sessions=listed)


@blueprint.get("/sessions/<uuid:session_id>")
@permit(Action.STATS_VIEW)
def session(session_id: UUID) -> str:
    """One session."""
    with reading() as reader:
        view = session_views.get_session(
            reader, caller(), str(session_id), station_id=request.args.get("station")
        )
        place = regions.full_name(reader, view.station.region)
    return render_template(
        "stats/session.html", view=view, place=place, faults=FAULTS, english=str(get_locale()) == "en"
    )
