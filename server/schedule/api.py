"""JSON of the schedule: slots, windows, fillers, listings."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint
from msgspec import Struct
from spectree import Response

from protocol.documents import RegionCode, Uuid, Why
from protocol.times import Timestamp, to_text
from server import clock
from server.identity.rules import Action
from server.schedule import service
from server.schedule.models import Slot
from server.schedule.times import read_day, read_time
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("schedule_api", __name__)


class SlotRequest(Struct, kw_only=True):
    """``programme`` is a programme's or an edition's id. A naive ``at`` is Asia/Shanghai."""

    region: RegionCode
    at: str
    programme: Uuid
    channel: str = service.MAIN_CHANNEL
    rrule: str | None = None
    required: bool = False


class SlotView(Struct, kw_only=True):
    id: str
    channel: str
    region: str
    level: str
    programme: str
    starts_at: Timestamp
    rrule: str | None
    required: bool
    by: str


class SlotList(Struct, kw_only=True):
    items: list[SlotView]
    next: str | None = None


class SlotQuery(Struct, kw_only=True):
    region: str | None = None
    begin: str | None = None
    end: str | None = None


class WindowRequest(Struct, kw_only=True):
    region: RegionCode = "13"
    at: str
    duration_ms: int
    level: str = "county"
    rrule: str | None = None
    channel: str = service.MAIN_CHANNEL
    admits: list[str] = []


class WindowView(Struct, kw_only=True):
    id: str
    region: str
    level: str
    starts_at: Timestamp
    duration_ms: int
    rrule: str | None


class FillerRequest(Struct, kw_only=True):
    channel: str = service.MAIN_CHANNEL
    programmes: list[str]


class ListingQuery(Struct, kw_only=True):
    region: str
    day: str | None = None
    channel: str = service.MAIN_CHANNEL


class ListingItemView(Struct, kw_only=True):
    id: str
    starts_at: Timestamp
    duration_ms: int
    source: str
    edition: str | None
    title: str
    required: bool
    why: Why | None


class ListingAnswer(Struct, kw_only=True):
    """What a region would see if everything were published now."""

    region: str
    channel: str
    day: str
    items: list[ListingItemView]


def _slot_view(slot: Slot) -> SlotView:
    return SlotView(
        id=slot.id,
        channel=slot.channel,
        region=slot.region,
        level=slot.level,
        programme=slot.programme_id,
        starts_at=to_text(slot.starts_at),
        rrule=slot.rrule,
        required=slot.required,
        by=slot.created_by_name,
    )


@blueprint.post("/api/v1/slots")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_201=SlotView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def put_slot(json: SlotRequest) -> Any:
    """Place a released programme at a time."""
    with writing() as session:
        slot = service.put_slot(
            session,
            caller(),
            region=json.region,
            starts_at=read_time(json.at),
            programme_id=json.programme,
            channel=json.channel,
            rrule=json.rrule,
            required=json.required,
            now=clock.now(),
        )
        return _slot_view(slot), 201


@blueprint.get("/api/v1/slots")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=SlotList), tags=["schedule"])
def list_slots(query: SlotQuery) -> Any:
    """Placed programmes, by first start."""
    with reading() as session:
        slots = service.slots_in(
            session,
            region=query.region,
            begin=read_time(query.begin) if query.begin else None,
            end=read_time(query.end) if query.end else None,
        )
        return SlotList(items=[_slot_view(slot) for slot in slots])


@blueprint.delete("/api/v1/slots/<slot_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem), tags=["schedule"])
def remove_slot(slot_id: str) -> Any:
    """Take a placed programme out again."""
    with writing() as session:
        service.remove_slot(session, caller(), slot_id, now=clock.now())
    return "", 204


@blueprint.post("/api/v1/windows")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_201=WindowView, HTTP_422=Problem), tags=["schedule"])
def put_window(json: WindowRequest) -> Any:
    """Open a local window in the province's frame."""
    with writing() as session:
        window = service.put_window(
            session,
            caller(),
            region=json.region,
            starts_at=read_time(json.at),
            duration_ms=json.duration_ms,
            level=json.level,
            rrule=json.rrule,
            channel=json.channel,
            admits=json.admits,
        )
        return WindowView(
            id=window.id,
            region=window.region,
            level=window.level,
            starts_at=to_text(window.starts_at),
            duration_ms=window.duration_ms,
            rrule=window.rrule,
        ), 201


@blueprint.put("/api/v1/fillers")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem), tags=["schedule"])
def set_fillers(json: FillerRequest) -> Any:
    """Choose which programmes fill the gaps of a channel."""
    with writing() as session:
        service.set_fillers(session, caller(), json.channel, json.programmes)
    return "", 204


@blueprint.get("/api/v1/listings")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=ListingAnswer, HTTP_404=Problem), tags=["schedule"])
def get_listing(query: ListingQuery) -> Any:
    """The listing of a region's channel on a day (today in Asia/Shanghai by default)."""
    day: date = read_day(query.day, clock.now())
    with reading() as session:
        view = service.preview_listings(session, region=query.region, days=[day], channel=query.channel)[0]
    items = [
        ListingItemView(
            id=item.id,
            starts_at=item.starts_at,
            duration_ms=item.duration_ms,
            source=item.source.value,
            edition=item.edition,
            title=view.titles.get(item.edition or "", ""),
            required=item.required,
            why=item.why,
        )
        for item in view.listing.items
    ]
    return ListingAnswer(region=query.region, channel=query.channel, day=day.isoformat(), items=items)
