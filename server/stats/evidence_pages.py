"""看一眼电视: a village's screen on its station's page: asking for a picture, the last one and its time."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from protocol.batch import EvidenceKind
from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.stations import commanding
from server.stations import service as stations
from server.stats import evidence
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint: Blueprint = page_blueprint("evidence_pages", __name__)
SHOWN = 12


@blueprint.get("/stations/<uuid:station_id>/screen")
@permit(Action.EVIDENCE_VIEW)
def screen(station_id: UUID) -> str:
    """What the station's page shows of its screen, photos and spoken minutes."""
    who, now = caller(), clock.now()
    with reading() as session:
        found = stations.get_station(session, who, str(station_id))
        asked = commanding.latest_of_station(session, found.id)
        kept = evidence.list_evidence(session, who, station_id=found.id, limit=60)
        looks = evidence.list_evidence(
            session, who, station_id=found.id, what=EvidenceKind.SCREENSHOT, limit=10
        )
        pictures = [one for one in looks if one.file is not None]
        terminal = next((t for t in reversed(found.terminals) if t.revoked_at is None), None)
        answered = asked is not None and any(one.session == asked.id for one in pictures)
        trouble = evidence.no_picture(session, asked) if asked is not None and not answered else None
        return render_template(
            "stats/_screen.html",
            station=found,
            terminal=terminal,
            picture=pictures[0] if pictures else None,
            others=[one for one in kept if one.what != EvidenceKind.SCREENSHOT][:SHOWN],
            asked=asked if asked is not None and not answered and asked.until > now else None,
            trouble=trouble,
            can_look=who.can(Action.STATIONS_LOOK, found.region),
        )


@blueprint.post("/stations/<uuid:station_id>/terminals/<uuid:terminal_id>/look")
@permit(Action.STATIONS_LOOK)
def look(station_id: UUID, terminal_id: UUID) -> Response:
    """Ask for a picture of the screen."""
    try:
        with writing() as session:
            commanding.ask_screenshot(session, caller(), str(terminal_id), now=clock.now())
        flash(gettext("已请这台终端传一张屏幕画面；它下次联网检查后就会传来"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("stations.station", station_id=station_id))
