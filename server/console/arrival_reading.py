"""What 节目到村 is summed up from: stations with their terminals' last reports, and what a publication newly schedules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import String, Text, cast, select, type_coerce
from sqlalchemy.orm import Session

from protocol.documents import ReleaseManifest, decode
from server.config import Config
from server.console.arrival import Arrival, Place, Report, next_evening, sum_up
from server.identity.rules import Action, Caller
from server.publish import service as publish
from server.publish.changes import Part
from server.publish.history import NoLongerKept
from server.publish.models import Publication, Release
from server.stations.models import Station, Terminal
from server.stations.queries import inside

_report = msgspec.json.Decoder(Report)
_WIDTHS = {2: 4, 4: 6, 6: 9, 9: 12, 12: 12}


def arrival_of(
    session: Session, caller: Caller, config: Config, row: Publication, region: str, *, now: datetime
) -> Arrival:
    """How far a publication has come in a region. Raises Forbidden."""
    caller.require(Action.PUBLISH_VIEW)
    caller.require(Action.STATIONS_VIEW, region)
    return sum_up(
        _places(session, region),
        number=row.number,
        new_bytes=_new_bytes(session, caller, config, row.number),
        width=_WIDTHS[len(region)],
        now=now,
        until=next_evening(now),
    )


def _places(session: Session, region: str) -> Iterator[Place]:
    """Each station once, by the terminal that has come furthest. Columns only, as the database keeps them: a province
    has 54,145 stations, and somebody waits for the page."""
    stations, terminals = Station.__table__.c, Terminal.__table__.c
    rows = session.connection().execute(
        select(
            type_coerce(stations.id, String),
            stations.name,
            stations.region,
            terminals.last_seen_at,
            cast(terminals.health, Text),
            terminals.enrolled_at.is_not(None),
        )
        .select_from(
            Station.__table__.outerjoin(
                Terminal.__table__, (terminals.station_id == stations.id) & terminals.revoked_at.is_(None)
            )
        )
        .where(inside(Station.region, [region]))
        .order_by(stations.region, stations.id)
    )
    best: Place | None = None
    for station, name, code, seen, health, has_terminal in rows:
        place = Place(station, name, code, bool(has_terminal), seen, _read(health))
        if best is not None and best.station != station:
            yield best
            best = None
        if best is None or _rank(place) > _rank(best):
            best = place
    if best is not None:
        yield best


def _rank(place: Place) -> tuple[int, int]:
    report = place.report
    return (report.publication, -report.missing_bytes) if report else (-1, 0)


def station_id(place: Place) -> str:
    """The station's id as it stands in URLs, from whatever the database keeps."""
    return str(UUID(str(place.station)))


def _read(health: str | None) -> Report | None:
    if not health or health == "null":
        return None
    try:
        return _report.decode(health)
    except msgspec.DecodeError:
        return None


def _new_bytes(session: Session, caller: Caller, config: Config, number: int) -> dict[str, int]:
    """By document's region, the bytes of programmes that this publication newly schedules, at their smallest cut."""
    before = publish.before(session, number)
    if before is None:
        return {}
    try:
        found = publish.compare(session, caller, config, before, number)
    except NoLongerKept:
        return {}
    wanted: dict[str, set[str]] = defaultdict(set)
    for change in found.documents:
        for line in change.of(Part.ITEM, Part.PUSH):
            if line.deed != "removed":
                wanted[change.region].add(line.edition)
    sizes = _sizes(session, {edition for editions in wanted.values() for edition in editions})
    return {region: sum(sizes.get(edition, 0) for edition in editions) for region, editions in wanted.items()}


def _sizes(session: Session, editions: set[str]) -> dict[str, int]:
    known = sorted(editions)
    found: dict[str, int] = {}
    for start in range(0, len(known), 500):
        query = select(Release.edition_id, Release.data).where(
            Release.edition_id.in_(known[start : start + 500])
        )
        for edition, data in session.execute(query):
            cuts = decode(data, ReleaseManifest).renditions
            found[edition] = min((cut.length for cut in cuts), default=0)
    return found
