"""Stations: the list in one's own regions, one station with its terminals, adding one and inviting a terminal."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.regions import service as regions
from server.stations import line_settings, service
from server.stations.line_pages import limit_of
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("stations", __name__)

SHOWN = 50
SILENT_AFTER = timedelta(hours=26)
"""A terminal that was not heard for more than a day is shown as silent."""


@blueprint.get("/stations")
@permit(Action.STATIONS_VIEW)
def stations() -> str:
    """Stations in scope, with search and paging."""
    who = caller()
    region, name = (request.args.get(field, "").strip() for field in ("region", "name"))
    with reading() as session:
        found = service.list_stations(
            session,
            who,
            region=region or None,
            name=name or None,
            after=request.args.get("after"),
            limit=SHOWN + 1,
        )
        shown = found[:SHOWN]
        places = regions.full_names(session, {station.region for station in shown})
    return render_template(
        "stations/stations.html",
        stations=shown,
        places=places,
        region=region,
        name=name,
        following=shown[-1].id if len(found) > SHOWN else None,
        can_manage=who.can(Action.STATIONS_MANAGE),
        silent_before=clock.now() - SILENT_AFTER,
        may_add_in=next(iter(who.scopes(Action.STATIONS_MANAGE)), ""),
    )


@blueprint.get("/stations/<uuid:station_id>")
@permit(Action.STATIONS_VIEW)
def station(station_id: UUID) -> str:
    """One station and its terminals."""
    return _station_page(str(station_id))


@blueprint.post("/stations")
@permit(Action.STATIONS_MANAGE)
def add() -> Response:
    """Add a station from the form."""
    try:
        with writing() as session:
            made = service.add_station(
                session,
                caller(),
                region=request.form.get("region", "").strip(),
                name=request.form.get("name", ""),
                kind=None,
                now=clock.now(),
            )
        return redirect(url_for("stations.station", station_id=made.id))
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("stations.stations"))


@blueprint.post("/stations/<uuid:station_id>/invitation")
@permit(Action.STATIONS_MANAGE)
def invite(station_id: UUID) -> str:
    """A code for one terminal, shown this once."""
    with writing() as session:
        issued = service.invite(session, caller(), str(station_id), now=clock.now())
    return _station_page(str(station_id), issued)


@blueprint.post("/stations/<uuid:station_id>/terminals/<uuid:terminal_id>/replacement")
@permit(Action.STATIONS_MANAGE)
def replace(station_id: UUID, terminal_id: UUID) -> str | Response:
    """换机: a code for the new device, shown this once; the old one is revoked when it is used."""
    try:
        with writing() as session:
            issued = service.invite(
                session, caller(), str(station_id), replaces=str(terminal_id), now=clock.now()
            )
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("stations.station", station_id=station_id))
    return _station_page(str(station_id), issued, str(terminal_id))


@blueprint.post("/stations/<uuid:station_id>/terminals/<uuid:terminal_id>/revocation")
@permit(Action.STATIONS_MANAGE)
def revoke(station_id: UUID, terminal_id: UUID) -> Response:
    """Stop trusting a stolen or scrapped device."""
    try:
        with writing() as session:
            service.revoke_terminal(session, caller(), str(terminal_id), now=clock.now())
        flash(gettext("终端已停用，它的上报不再接收"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("stations.station", station_id=station_id))


def _station_page(station_id: str, issued: service.Issued | None = None, replacing: str | None = None) -> str:
    with reading() as session:
        found = service.get_station(session, caller(), station_id)
        place = regions.full_name(session, found.region)
        alarms = service.alarms(session, caller(), found.id)
        line = line_settings.holding_in(session, found.region)
        line_place = regions.full_name(session, line.region) if line else ""
    return render_template(
        "stations/station.html",
        station=found,
        place=place,
        issued=issued,
        alarms=alarms,
        silent_before=clock.now() - SILENT_AFTER,
        can_manage=caller().can(Action.STATIONS_MANAGE, found.region),
        can_see_screen=caller().can(Action.EVIDENCE_VIEW, found.region),
        line=line,
        line_place=line_place,
        line_limit=limit_of(line.bytes_a_second) if line else None,
        replacing=replacing,
    )
