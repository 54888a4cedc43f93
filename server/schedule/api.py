"""JSON of the schedule: slots, windows, fillers, channels, the history of changes, listings."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, request
from msgspec import UNSET
from spectree import Response

from server import clock
from server.identity.rules import Action
from server.schedule import service
from server.schedule.logos import MOST_BYTES, keep_logo
from server.schedule.times import read_day, read_time
from server.schedule.views import (
    ChangeList,
    ChangeNumber,
    ChangeQuery,
    ChangeView,
    ChannelChange,
    ChannelList,
    ChannelView,
    FillerRequest,
    FillerView,
    ListingAnswer,
    ListingItemView,
    ListingQuery,
    MovedView,
    OccurrenceRequest,
    SlotChange,
    SlotList,
    SlotQuery,
    SlotRequest,
    SlotView,
    VersionRequest,
    WindowChange,
    WindowList,
    WindowRequest,
    WindowView,
    change_view,
    channel_view,
    slot_view,
    window_view,
)
from server.web import Problem, caller, permit, reading, spec, store, writing

blueprint = Blueprint("schedule_api", __name__)


# --- slots ------------------------------------------------------------------------------------------------------------
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
            excluded=json.excluded,
            kind=json.kind,
            premiere=json.premiere,
            duration_ms=json.duration_ms,
            may_cut=json.may_cut,
            tolerance_min=json.tolerance_min,
            now=clock.now(),
        )
        return slot_view(slot), 201


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
            channel=query.channel,
            removed=query.removed,
        )
        return SlotList(items=[slot_view(slot) for slot in slots])


@blueprint.get("/api/v1/slots/<slot_id>")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=SlotView, HTTP_404=Problem), tags=["schedule"])
def get_slot(slot_id: str) -> Any:
    """One placed programme, removed or not."""
    with reading() as session:
        return slot_view(service.get_slot(session, slot_id))


@blueprint.patch("/api/v1/slots/<slot_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=SlotView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def change_slot(slot_id: str, json: SlotChange) -> Any:
    """Move, resize or change a placed programme or a whole series. A stale version is answered 409 with both sides:
    ``mine`` (what was asked for) and ``theirs`` (the rule as it is now)."""
    with writing() as session:
        slot = service.change_slot(
            session, caller(), slot_id, _slot_changes(json), version=json.version, now=clock.now()
        )
        return slot_view(slot)


def _slot_changes(json: SlotChange) -> service.SlotChanges:
    plain = ("region", "channel", "rrule", "required", "excluded", "kind", "premiere", "duration_ms", "may_cut", "tolerance_min")  # fmt: skip
    changes: Any = {name: value for name in plain if (value := getattr(json, name)) is not UNSET}
    if json.at is not UNSET:
        changes["starts_at"] = read_time(json.at)
    if json.programme is not UNSET:
        changes["programme_id"] = json.programme
    return changes


@blueprint.post("/api/v1/slots/<slot_id>/occurrences")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=MovedView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def except_occurrence(slot_id: str, json: OccurrenceRequest) -> Any:
    """Change one occurrence of a series only: leave it out, put it back, add one, or move it."""
    now, at = clock.now(), read_time(json.at)
    with writing() as session:
        if json.deed == "move":
            series, once = service.move_occurrence(
                session, caller(), slot_id, at, read_time(json.to or json.at),
                version=json.version, programme_id=json.programme, now=now,
            )  # fmt: skip
            return MovedView(series=slot_view(series), once=slot_view(once))
        if json.deed == "add":
            slot = service.add_occurrence(session, caller(), slot_id, at, version=json.version, now=now)
        else:
            slot = service.except_occurrence(
                session, caller(), slot_id, at, version=json.version, put_back=json.deed == "back", now=now
            )
        return MovedView(series=slot_view(slot))


@blueprint.delete("/api/v1/slots/<slot_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem, HTTP_409=Problem), tags=["schedule"])
def remove_slot(slot_id: str, query: VersionRequest) -> Any:
    """Take a placed programme out again."""
    with writing() as session:
        service.remove_slot(session, caller(), slot_id, version=query.version, now=clock.now())
    return "", 204


@blueprint.post("/api/v1/slots/<slot_id>/restore")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=SlotView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def restore_slot(slot_id: str, json: VersionRequest) -> Any:
    """Put a removed programme back as it was."""
    with writing() as session:
        return slot_view(
            service.restore_slot(session, caller(), slot_id, version=json.version, now=clock.now())
        )


# --- windows ----------------------------------------------------------------------------------------------------------
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
            excluded=json.excluded,
            fill=json.fill,
            deadline_hours=json.deadline_hours,
            title=json.title,
            now=clock.now(),
        )
        return window_view(window), 201


@blueprint.get("/api/v1/windows")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=WindowList), tags=["schedule"])
def list_windows() -> Any:
    """Every local window in force."""
    with reading() as session:
        return WindowList(items=[window_view(window) for window in service.list_windows(session)])


@blueprint.patch("/api/v1/windows/<window_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=WindowView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def change_window(window_id: str, json: WindowChange) -> Any:
    """Move, resize or change a local window."""
    plain = ("region", "duration_ms", "level", "rrule", "channel", "admits", "excluded", "exdates", "fill", "deadline_hours", "title")  # fmt: skip
    changes: Any = {name: value for name in plain if (value := getattr(json, name)) is not UNSET}
    if json.at is not UNSET:
        changes["starts_at"] = read_time(json.at)
    with writing() as session:
        window = service.change_window(
            session, caller(), window_id, changes, version=json.version, now=clock.now()
        )
        return window_view(window)


@blueprint.delete("/api/v1/windows/<window_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem, HTTP_409=Problem), tags=["schedule"])
def remove_window(window_id: str, query: VersionRequest) -> Any:
    """Close a local window for good."""
    with writing() as session:
        service.remove_window(session, caller(), window_id, version=query.version, now=clock.now())
    return "", 204


@blueprint.post("/api/v1/windows/<window_id>/restore")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=WindowView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def restore_window(window_id: str, json: VersionRequest) -> Any:
    """Open a removed window again."""
    with writing() as session:
        return window_view(
            service.restore_window(session, caller(), window_id, version=json.version, now=clock.now())
        )


# --- fillers and channels ---------------------------------------------------------------------------------------------
@blueprint.put("/api/v1/fillers")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def set_fillers(json: FillerRequest) -> Any:
    """Choose which programmes and sections fill the gaps of a channel."""
    with writing() as session:
        service.set_fillers(
            session, caller(), json.channel, json.programmes, weights=json.weights, sections=json.sections
        )
    return "", 204


@blueprint.get("/api/v1/fillers/<channel>")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=FillerView), tags=["schedule"])
def get_fillers(channel: str) -> Any:
    """The fillers chosen for a channel, with their weights; none means every short programme."""
    with reading() as session:
        chosen = service.fillers(session, channel)
        return FillerView(channel=channel, programmes=dict(chosen.programmes), sections=dict(chosen.sections))


@blueprint.get("/api/v1/channels")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=ChannelList), tags=["schedule"])
def list_channels() -> Any:
    """The channels, in their order."""
    with reading() as session:
        return ChannelList(items=[channel_view(channel) for channel in service.channels(session)])


@blueprint.patch("/api/v1/channels/<channel>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=ChannelView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def change_channel(channel: str, json: ChannelChange) -> Any:
    """Change a channel's next-programme card and how soon a filler may come again."""
    with writing() as session:
        changed = service.set_channel(
            session,
            caller(),
            channel,
            version=json.version,
            next_card_ms=json.next_card_ms,
            no_repeat_min=json.no_repeat_min,
        )
        return channel_view(changed)


@blueprint.put("/api/v1/channels/<channel>/logo")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=ChannelView, HTTP_413=Problem, HTTP_422=Problem), tags=["schedule"])
def set_logo(channel: str) -> Any:
    """Give a channel its logo: the body is a PNG, JPEG or WebP picture of at most 1 MB."""
    caller().require(Action.SCHEDULE_EDIT, "13")
    logo = keep_logo(store(), request.stream.read(MOST_BYTES + 1))
    with writing() as session:
        return channel_view(service.set_channel(session, caller(), channel, version=None, logo=logo))


# --- history ----------------------------------------------------------------------------------------------------------
@blueprint.get("/api/v1/schedule/changes")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=ChangeList), tags=["schedule"])
def list_changes(query: ChangeQuery) -> Any:
    """Who changed which rule when, newest first."""
    with reading() as session:
        number = service.change_number(session)
        found = service.changes(
            session,
            since=query.since,
            before=query.before,
            region=query.region,
            rule_id=query.rule,
            actor_id=caller().id if query.mine else None,
            limit=query.limit,
        )
        return ChangeList(number=number, items=[change_view(change) for change in found])


@blueprint.get("/api/v1/schedule/number")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=ChangeNumber), tags=["schedule"])
def change_number() -> Any:
    """The number of the newest change of any rule: cheap to ask every few seconds."""
    with reading() as session:
        return ChangeNumber(number=service.change_number(session))


@blueprint.post("/api/v1/schedule/changes/<int:number>/undo")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=ChangeView, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"])
def undo(number: int) -> Any:
    """Take back a change of one's own."""
    with writing() as session:
        return change_view(service.undo(session, caller(), number, now=clock.now()))


# --- listings ---------------------------------------------------------------------------------------------------------
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
