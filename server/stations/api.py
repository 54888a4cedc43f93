"""Stations, invitations, enrolment and terminals over HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.documents import Endpoints, Uuid
from protocol.enrolment import EnrolmentAnswer, EnrolmentRequest
from protocol.times import Timestamp, to_text
from server import clock, readplane
from server.config import Config
from server.errors import Unavailable, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.receiptkey import receipt_public
from server.stations import enrolment, service
from server.stations.models import Station, Terminal
from server.web import API_PREFIX, Problem, caller, config, permit, public, reading, spec, writing

blueprint = Blueprint("stations_api", __name__)

_wrong_tries = enrolment.WrongTries()
Limit = Annotated[int, Meta(ge=1, le=service.MAX_LIMIT)]


class TerminalOut(Struct, kw_only=True):
    """``copied_at``: its reports showed a restored or copied disk; ``disputed_at``: two devices under one key."""

    id: str
    station: str
    station_name: str
    region: str
    enrolled_at: Timestamp
    revoked_at: Timestamp | None = None
    last_seen_at: Timestamp | None = None
    copied_at: Timestamp | None = None
    disputed_at: Timestamp | None = None
    health: dict[str, Any] | None = None


class StationOut(Struct, kw_only=True):
    id: str
    region: str
    name: str
    kind: str
    created_at: Timestamp
    terminals: list[TerminalOut] = []


class InvitationOut(Struct, kw_only=True):
    """``code`` is shown this once and kept nowhere."""

    station: str
    code: str
    expires_at: Timestamp


class StationList(Struct, kw_only=True):
    items: list[StationOut]
    next: str | None = None


class TerminalList(Struct, kw_only=True):
    items: list[TerminalOut]
    next: str | None = None


class NewStation(Struct, kw_only=True):
    """``kind``: village, township or enterprise; by the region's level where left out."""

    region: str
    name: str
    kind: str | None = None


class StationQuery(Struct, kw_only=True):
    region: str | None = None
    name: str | None = None
    after: Uuid | None = None
    limit: Limit = 50


class TerminalQuery(Struct, kw_only=True):
    region: str | None = None
    station: Uuid | None = None
    after: Uuid | None = None
    limit: Limit = 50


@blueprint.post("/api/v1/stations")
@permit(Action.STATIONS_MANAGE)
@spec.validate(resp=Response(HTTP_201=StationOut, HTTP_403=Problem, HTTP_422=Problem), tags=["stations"])
def add_station(json: NewStation) -> tuple[StationOut, int]:
    """Add a station in a village or township."""
    with writing() as session:
        station = service.add_station(
            session, caller(), region=json.region, name=json.name, kind=json.kind, now=clock.now()
        )
        return _station(station), 201


@blueprint.get("/api/v1/stations")
@permit(Action.STATIONS_VIEW)
@spec.validate(resp=Response(HTTP_200=StationList, HTTP_403=Problem), tags=["stations"])
def list_stations(query: StationQuery) -> StationList:
    """Stations in the caller's regions, the oldest first."""
    with reading() as session:
        found = service.list_stations(
            session,
            caller(),
            region=query.region,
            name=query.name,
            after=query.after,
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        return StationList(
            items=[_station(station) for station in shown],
            next=shown[-1].id if len(found) > len(shown) else None,
        )


@blueprint.get("/api/v1/stations/<uuid:station_id>")
@permit(Action.STATIONS_VIEW)
@spec.validate(resp=Response(HTTP_200=StationOut, HTTP_404=Problem), tags=["stations"])
def get_station(station_id: UUID) -> StationOut:
    """One station with its terminals."""
    with reading() as session:
        return _station(service.get_station(session, caller(), str(station_id)))


@blueprint.post("/api/v1/stations/<uuid:station_id>/invitations")
@permit(Action.STATIONS_MANAGE)
@spec.validate(resp=Response(HTTP_201=InvitationOut, HTTP_403=Problem, HTTP_404=Problem), tags=["stations"])
def invite(station_id: UUID) -> tuple[InvitationOut, int]:
    """A code that enrols one terminal, once, within 72 hours."""
    with writing() as session:
        issued = service.invite(session, caller(), str(station_id), now=clock.now())
    answer = InvitationOut(
        station=str(station_id), code=str(issued.code), expires_at=to_text(issued.expires_at)
    )
    return answer, 201


@blueprint.post("/api/v1/enrolments")
@public
@spec.validate(
    resp=Response(
        HTTP_201=EnrolmentAnswer,
        HTTP_403=(Problem, "enrolment_wrong: no such code, or a wrong proof"),
        HTTP_409=(Problem, "enrolment_key_known: this key is enrolled already"),
        HTTP_410=(Problem, "enrolment_used, enrolment_expired, enrolment_exhausted, enrolment_revoked"),
        HTTP_422=Problem,
        HTTP_429=(Problem, "too many wrong proofs in this minute; none is counted beyond"),
        HTTP_503=(Problem, "nothing has been published yet; the code stays valid"),
    ),
    tags=["stations"],
)
def enrol(json: EnrolmentRequest) -> tuple[EnrolmentAnswer, int]:
    """Enrol a terminal that proves to know a code's secret. The same key asking again hears the same."""
    province = _province(config())
    with writing() as session:
        outcome = enrolment.enrol(session, json, province, wrong_tries=_wrong_tries, now=clock.now())
    if isinstance(outcome, YuanboError):
        raise outcome
    return outcome, 201


@blueprint.get("/api/v1/terminals")
@permit(Action.STATIONS_VIEW)
@spec.validate(resp=Response(HTTP_200=TerminalList, HTTP_403=Problem), tags=["stations"])
def list_terminals(query: TerminalQuery) -> TerminalList:
    """Terminals in the caller's regions with their latest health report, the oldest first."""
    with reading() as session:
        found = service.list_terminals(
            session,
            caller(),
            region=query.region,
            station=query.station,
            after=query.after,
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        return TerminalList(
            items=[_terminal(terminal, station) for terminal, station in shown],
            next=shown[-1][0].id if len(found) > len(shown) else None,
        )


@blueprint.post("/api/v1/terminals/<uuid:terminal_id>/revocation")
@permit(Action.STATIONS_MANAGE)
@spec.validate(
    resp=Response(HTTP_200=TerminalOut, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem),
    tags=["stations"],
)
def revoke(terminal_id: UUID) -> TerminalOut:
    """Stop trusting a stolen or scrapped device."""
    with writing() as session:
        terminal = service.revoke_terminal(session, caller(), str(terminal_id), now=clock.now())
        return _terminal(terminal, terminal.station)


def _province(settings: Config) -> enrolment.Province:
    try:
        root = readplane.newest_root(settings.read)
    except FileNotFoundError as error:
        raise Unavailable(N_("省平台尚未发布，暂时不能注册；注册码仍然有效")) from error
    return enrolment.Province(
        root=root,
        endpoints=Endpoints(api=settings.console_url + API_PREFIX, read=list(settings.read_urls)),
        receipt_keys=(receipt_public(settings),),
    )


def _station(station: Station) -> StationOut:
    return StationOut(
        id=station.id,
        region=station.region,
        name=station.name,
        kind=station.kind,
        created_at=to_text(station.created_at),
        terminals=[_terminal(terminal, station) for terminal in station.terminals],
    )


def _terminal(terminal: Terminal, station: Station) -> TerminalOut:
    def text(moment: Any) -> str | None:
        return to_text(moment) if moment else None

    return TerminalOut(
        id=terminal.id,
        station=station.id,
        station_name=station.name,
        region=station.region,
        enrolled_at=to_text(terminal.enrolled_at),
        revoked_at=text(terminal.revoked_at),
        last_seen_at=text(terminal.last_seen_at),
        copied_at=text(terminal.copied_at),
        disputed_at=text(terminal.disputed_at),
        health=terminal.health,
    )
