"""节目到村: after publishing, how far it has come, from what stations report; and the same as JSON."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import render_template, request
from msgspec import Struct
from spectree import Response
from sqlalchemy.orm import Session

from protocol.times import to_text
from server import clock
from server.console.arrival import CAUSES, Arrival, as_json, listed
from server.console.arrival_reading import arrival_of, station_id
from server.errors import Forbidden
from server.identity.rules import Action, Caller
from server.publish import service as publish
from server.publish.models import Publication
from server.regions import service as regions
from server.schedule.lines import ASSUMED_BPS
from server.web import Problem, caller, config, page_blueprint, permit, reading, spec

blueprint = page_blueprint("arrival", __name__)

FRESH_FOR = timedelta(seconds=5)
COST_FACTOR = 10
"""What took a second to sum up is shown for ten: polling never takes more than a tenth of one processor."""
FOLLOWED_FOR = timedelta(hours=48)


class ArrivalQuery(Struct, kw_only=True):
    region: str | None = None


class ArrivalView(Struct, kw_only=True):
    """Stations that have a publication with all it schedules, that will by ``until`` (the next 19:00), that cannot;
    causes by code. ``assumed``: how many of them have no measured line and were reckoned at 500 kbit/s (``schedule.lines.ASSUMED_BPS``)."""

    number: int
    region: str
    signed_at: str
    until: str
    stations: int
    arrived: int
    in_time: int
    cannot: int
    assumed: int
    causes: dict[str, int]


@blueprint.get("/publications/<int:number>/arrival")
@permit(Action.PUBLISH_VIEW)
def arrival(number: int) -> str:
    """The page: counts, causes, stations that cannot, regions below."""
    return _page(number, "console/arrival.html")


@blueprint.get("/publications/<int:number>/arrival/now")
@permit(Action.PUBLISH_VIEW)
def fragment(number: int) -> str:
    """The line that other pages show; it asks for itself again while there is something to wait for."""
    return _page(number, "console/_arrival.html")


@blueprint.get("/api/v1/publications/<int:number>/arrival")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=ArrivalView, HTTP_403=Problem, HTTP_404=Problem), tags=["publish"])
def get_arrival(number: int, query: ArrivalQuery) -> Any:
    """How far a publication has come in a region (the caller's own by default)."""
    who, now = caller(), clock.now()
    region = query.region or _own_region(who)
    with reading() as session:
        row = publish.get_publication(session, who, number)
        found = _fresh(session, who, row, region, now)
    counts = as_json(found, number, to_text(row.at))
    return ArrivalView(region=region, until=to_text(found.until), **counts)


def _page(number: int, template: str) -> str:
    who, now = caller(), clock.now()
    region = request.args.get("region") or _own_region(who)
    with reading() as session:
        row = publish.get_publication(session, who, number)
        found = _fresh(session, who, row, region, now)
        cannot = listed(found)
        places = regions.full_names(session, {place.region for place, _ in cannot})
        below = regions.names(session, found.below)
        path = regions.path_of(session, region)
    return render_template(
        template,
        row=row,
        found=found,
        assumed_kbps=ASSUMED_BPS // 1000,
        region=region,
        path=[step for step in path if who.can(Action.STATIONS_VIEW, step.code)],
        causes=[(CAUSES[cause], count) for cause, count in found.causes.most_common()],
        cause_names=CAUSES,
        cannot=[(replace(place, station=station_id(place)), verdict) for place, verdict in cannot],
        places=places,
        below=[(code, below.get(code, code), *found.below[code]) for code in sorted(found.below)],
        is_followed=now - row.at < FOLLOWED_FOR and found.arrived < found.stations,
    )


def _own_region(who: Caller) -> str:
    scopes = who.scopes(Action.STATIONS_VIEW)
    if not scopes:
        raise Forbidden
    return scopes[0]


# --- many editors look at the same numbers ------------------------------------------------------------------------------
_kept: dict[tuple[str, int, str], tuple[datetime, Arrival]] = {}
"""Sums, and until when they are fresh enough."""
_lock = threading.Lock()


def _fresh(session: Session, who: Caller, row: Publication, region: str, now: datetime) -> Arrival:
    """The sums of the last few seconds, or new ones; whoever may not see the region is refused either way."""
    who.require(Action.STATIONS_VIEW, regions.require_code(region))
    key = (config().database_url, row.number, region)
    known = _kept.get(key)
    if known is not None and known[0] - timedelta(minutes=1) < now < known[0]:
        return known[1]
    started = time.perf_counter()
    found = arrival_of(session, who, config(), row, region, now=now)
    lasts = max(FRESH_FOR, COST_FACTOR * timedelta(seconds=time.perf_counter() - started))
    with _lock:
        for old in [k for k, (until, _) in _kept.items() if until < now]:
            del _kept[old]
        _kept[key] = (now + min(lasts, timedelta(seconds=50)), found)
    return found
