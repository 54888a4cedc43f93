"""Rules of lines, looks at screens and replacement codes over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.identity.rules import Action
from server.stations import commanding, line_settings, service
from server.stations.api import InvitationOut
from server.stations.models import LineSetting
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("lines_api", __name__)
Hour = Annotated[int, Meta(ge=0, le=24)]


class LineOut(Struct, kw_only=True):
    """Hours in Asia/Shanghai, over midnight where the end comes first; ``bytes_a_second`` by hour of the day (0 or absent:
    no limit); ``monthly_cap_bytes`` 0: none."""

    region: str
    from_hour: int
    to_hour: int
    bytes_a_second: list[int]
    monthly_cap_bytes: int
    version: int
    changed_by: str
    changed_at: Timestamp


class LineList(Struct, kw_only=True):
    """``poll_s``: how often every station looks for something new; 0: as it was set up."""

    items: list[LineOut]
    poll_s: int


class LineIn(Struct, kw_only=True):
    """``version``: of the rule that was seen; left out where there is none yet."""

    from_hour: Hour = 0
    to_hour: Hour = 24
    bytes_a_second: Annotated[list[int], Meta(max_length=24)] = []
    monthly_cap_bytes: Annotated[int, Meta(ge=0)] = 0
    version: int | None = None


class LineVersion(Struct, kw_only=True):
    version: int


class Poll(Struct, kw_only=True):
    poll_s: Annotated[int, Meta(ge=0, le=line_settings.MOST_POLL_S)]


class LookOut(Struct, kw_only=True):
    """A command that goes out with the next publication; the picture is evidence whose session is this id."""

    id: str
    terminal: str
    asked_at: Timestamp
    until: Timestamp


@blueprint.get("/api/v1/lines")
@permit(Action.LINES_MANAGE)
@spec.validate(resp=Response(HTTP_200=LineList, HTTP_403=Problem), tags=["stations"])
def list_lines() -> LineList:
    """The rules in the caller's regions."""
    with reading() as session:
        found = line_settings.in_scope(session, caller())
        return LineList(items=[_line(row) for row in found], poll_s=line_settings.poll_seconds(session))


@blueprint.put("/api/v1/lines/<string:region>")
@permit(Action.LINES_MANAGE)
@spec.validate(
    resp=Response(HTTP_200=LineOut, HTTP_403=Problem, HTTP_409=Problem, HTTP_422=Problem), tags=["stations"]
)
def put_line(region: str, json: LineIn) -> LineOut:
    """Set a region's rule; it reaches the stations with the next publication."""
    wanted = line_settings.Wanted(
        json.from_hour, json.to_hour, tuple(json.bytes_a_second), json.monthly_cap_bytes
    )
    with writing() as session:
        row = line_settings.set_rule(session, caller(), region, wanted, version=json.version, now=clock.now())
        return _line(row)


@blueprint.post("/api/v1/lines/<string:region>/removal")
@permit(Action.LINES_MANAGE)
@spec.validate(
    resp=Response(HTTP_200=LineVersion, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem),
    tags=["stations"],
)
def drop_line(region: str, json: LineVersion) -> LineVersion:
    """The level above decides again."""
    with writing() as session:
        line_settings.drop_rule(session, caller(), region, version=json.version, now=clock.now())
    return json


@blueprint.put("/api/v1/network/poll")
@permit(Action.LINES_MANAGE)
@spec.validate(resp=Response(HTTP_200=Poll, HTTP_403=Problem, HTTP_422=Problem), tags=["stations"])
def put_poll(json: Poll) -> Poll:
    """How often every station of the province looks for something new."""
    with writing() as session:
        line_settings.set_poll(session, caller(), json.poll_s, now=clock.now())
    return json


@blueprint.post("/api/v1/terminals/<uuid:terminal_id>/looks")
@permit(Action.STATIONS_LOOK)
@spec.validate(
    resp=Response(HTTP_201=LookOut, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_429=Problem),
    tags=["stations"],
)
def look(terminal_id: UUID) -> tuple[LookOut, int]:
    """Ask a terminal for a picture of its screen; asking again within ten minutes is the same command."""
    with writing() as session:
        asked = commanding.ask_screenshot(session, caller(), str(terminal_id), now=clock.now())
        out = LookOut(
            id=asked.id,
            terminal=asked.terminal_id,
            asked_at=to_text(asked.asked_at),
            until=to_text(asked.until),
        )
    return out, 201


@blueprint.post("/api/v1/terminals/<uuid:terminal_id>/replacement")
@permit(Action.STATIONS_MANAGE)
@spec.validate(
    resp=Response(HTTP_201=InvitationOut, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem),
    tags=["stations"],
)
def replace(terminal_id: UUID) -> tuple[InvitationOut, int]:
    """换机: a code for a new device at the same station; when it is used, this terminal is revoked."""
    with writing() as session:
        station = service.get_terminal(session, caller(), str(terminal_id)).station_id
        issued = service.invite(session, caller(), station, replaces=str(terminal_id), now=clock.now())
    answer = InvitationOut(station=station, code=str(issued.code), expires_at=to_text(issued.expires_at))
    return answer, 201


def _line(row: LineSetting) -> LineOut:
    return LineOut(
        region=row.region,
        from_hour=row.from_hour,
        to_hour=row.to_hour,
        bytes_a_second=list(row.bytes_a_second),
        monthly_cap_bytes=row.monthly_cap_bytes,
        version=row.version,
        changed_by=row.changed_by_name,
        changed_at=to_text(row.changed_at),
    )
