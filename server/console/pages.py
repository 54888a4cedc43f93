"""The console's frame and its home page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import current_app, render_template, request, url_for

from protocol.times import SHANGHAI
from server import clock, web
from server.catalog import service as catalog
from server.console import navigation
from server.console.apidocs import operations_by_tag
from server.identity import audit
from server.identity.rules import ROLE_NAMES, Action
from server.publish import service as publish
from server.regions import service as regions
from server.schedule import service as schedule
from server.schedule.agenda import Entry, Kind, agenda
from server.stations import service as stations
from server.web import caller, caller_or_none, page_blueprint, permit, public, reading

blueprint = page_blueprint("console", __name__)

MOST_TERMINALS = stations.MAX_LIMIT
AUDIT_SHOWN = 100


@blueprint.app_context_processor
def frame() -> dict[str, Any]:
    """What layout.html needs on every page."""
    who = caller_or_none()
    english = web.is_english()
    other = web.OTHER_LANGUAGE["en" if english else "zh_CN"]
    read_url = web.config().read_urls[0]
    if who is None:
        return {
            "who": None,
            "english": english,
            "other_language": other,
            "navigation": [],
            "who_grants": [],
            "read_url": read_url,
        }
    with reading() as session:
        names = regions.names(session, {region for _, region in who.grants})
    return {
        "who": who,
        "read_url": read_url,
        "english": english,
        "other_language": other,
        "may_upload": who.can(Action.CATALOG_UPLOAD),
        "navigation": [
            {"heading": group.value, "entries": [_told(entry) for entry in entries]}
            for group, entries in navigation.grouped(
                lambda entry: entry.endpoint in current_app.view_functions and who.can(entry.action)
            )
        ],
        "who_grants": [(ROLE_NAMES[role], names.get(region, region)) for role, region in who.grants],
    }


def _told(entry: navigation.Entry) -> dict[str, Any]:
    return {
        "url": url_for(entry.endpoint),
        "title": entry.title,
        "icon": entry.icon,
        "is_here": request.endpoint == entry.endpoint or request.blueprint in entry.blueprints,
    }


@blueprint.get("/")
@permit(Action.HOME_VIEW)
def home() -> str:
    """What waits for me, what plays tonight, how the network is."""
    who = caller()
    region = next(iter(who.scopes(Action.HOME_VIEW)), "13")
    now = clock.now()
    with reading() as session:
        queue = catalog.home_queue(session, who)
        evening = tonight(schedule.preview_listings(session, region=region, days=[_today(now)])[0], now)
        place = regions.full_name(session, region)
        terminals = (
            stations.list_terminals(session, who, limit=MOST_TERMINALS)
            if who.can(Action.STATIONS_VIEW)
            else None
        )
        latest = publish.latest(session) if who.can(Action.PUBLISH_VIEW) else None
    return render_template(
        "console/home.html",
        queue=queue,
        evening=evening,
        place=place,
        network=heard(terminals, now) if terminals is not None else None,
        most=MOST_TERMINALS,
        latest=latest,
    )


@dataclass(frozen=True)
class Heard:
    """How many terminals there are, were heard within a day, and have everything for the next 24 hours."""

    terminals: int
    recently: int
    ready: int


def heard(terminals: Sequence[Any], now: datetime) -> Heard:
    """Counts over the terminals one may see."""
    live = [t for t, _station in terminals if t.revoked_at is None]
    recent = [t for t in live if t.last_seen_at and t.last_seen_at > now - timedelta(hours=26)]
    ready = [t for t in recent if t.health and t.health.get("ready", 0) >= t.health.get("wanted", 1)]
    return Heard(len(live), len(recent), len(ready))


def tonight(view: schedule.ListingView, now: datetime) -> list[Entry]:
    """The placed programmes of today that are still to come or on air, the next ones first."""
    entries = agenda(view.listing, view.titles, view.windows)
    return [e for e in entries if e.kind is Kind.PROGRAMME and e.ends_at > now][:6]


def _today(now: datetime) -> date:
    return now.astimezone(SHANGHAI).date()


@blueprint.get("/audit")
@permit(Action.AUDIT_VIEW)
def audit_trail() -> str:
    """The audit chain, newest first, and whether every link holds."""
    before = request.args.get("before", type=int)
    with reading() as session:
        entries = audit.newest(session, before=before, limit=AUDIT_SHOWN)
        try:
            head = audit.verify_chain(session)
            broken = None
        except audit.ChainBroken as error:
            head, broken = None, str(error)
    following = entries[-1].seq if len(entries) == AUDIT_SHOWN and entries[-1].seq > 1 else None
    return render_template(
        "console/audit.html", entries=entries, head=head, broken=broken, following=following
    )


@blueprint.get("/api/docs")
@public
def api_docs() -> str:
    """The API's description, readable."""
    return render_template("console/apidocs.html", groups=operations_by_tag(web.spec.spec))
