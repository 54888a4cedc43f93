"""How rules look as JSON, and what is asked of them: the messages of the schedule's API."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.documents import RegionCode, Uuid, Why
from protocol.times import Timestamp, to_text
from server.schedule.models import Channel, RuleChange, Slot, WindowRule

Version = Annotated[
    int, Meta(ge=1, description="the version that was seen; an older one is answered 409 `stale`")
]


# --- slots -----------------------------------------------------------------------------------------------------------
class SlotRequest(Struct, kw_only=True):
    """``programme`` is a programme's or an edition's id. A naive ``at`` is Asia/Shanghai."""

    region: RegionCode
    at: str
    programme: Uuid
    channel: str = "main"
    rrule: str | None = None
    required: bool = False
    excluded: list[RegionCode] = []
    kind: str = "programme"
    premiere: bool = False
    duration_ms: int | None = None
    may_cut: bool = False
    tolerance_min: int = 0


class SlotChange(Struct, kw_only=True):
    """What is absent stays as it is. ``at`` moves a whole series, with its exceptions."""

    version: Version
    region: RegionCode | UnsetType = UNSET
    at: str | UnsetType = UNSET
    programme: Uuid | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    rrule: str | UnsetType | None = UNSET
    required: bool | UnsetType = UNSET
    excluded: list[RegionCode] | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    premiere: bool | UnsetType = UNSET
    duration_ms: int | UnsetType | None = UNSET
    may_cut: bool | UnsetType = UNSET
    tolerance_min: int | UnsetType = UNSET


class OccurrenceRequest(Struct, kw_only=True):
    """One occurrence of a series, named by its start ``at``: ``skip`` it, put it ``back``, ``add`` one, or ``move`` it
    ``to`` another time (with another ``programme``, if given)."""

    version: Version
    deed: Annotated[str, Meta(pattern="^(skip|back|add|move)$")]
    at: str
    to: str | None = None
    programme: Uuid | None = None


class VersionRequest(Struct, kw_only=True):
    version: Version | None = None


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
    version: int
    exdates: list[str]
    rdates: list[str]
    excluded: list[str]
    kind: str
    premiere: bool
    duration_ms: int | None
    may_cut: bool
    tolerance_min: int
    changed_at: Timestamp | None
    changed_by: str
    removed: bool


class SlotList(Struct, kw_only=True):
    items: list[SlotView]
    next: str | None = None


class MovedView(Struct, kw_only=True):
    """The series after its exception, and the one-off in its stead where one was placed."""

    series: SlotView
    once: SlotView | None = None


class SlotQuery(Struct, kw_only=True):
    region: str | None = None
    begin: str | None = None
    end: str | None = None
    channel: str | None = None
    removed: bool = False


def slot_view(slot: Slot) -> SlotView:
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
        version=slot.version,
        exdates=slot.exdates,
        rdates=slot.rdates,
        excluded=slot.excluded,
        kind=slot.kind,
        premiere=slot.premiere,
        duration_ms=slot.duration_ms,
        may_cut=slot.may_cut,
        tolerance_min=slot.tolerance_min,
        changed_at=to_text(slot.changed_at) if slot.changed_at else None,
        changed_by=slot.changed_by_name,
        removed=slot.removed_at is not None,
    )


# --- windows -----------------------------------------------------------------------------------------------------------
class WindowRequest(Struct, kw_only=True):
    region: RegionCode = "13"
    at: str
    duration_ms: int
    level: str = "county"
    rrule: str | None = None
    channel: str = "main"
    admits: list[str] = []
    excluded: list[RegionCode] = []
    fill: list[Uuid] = []
    deadline_hours: int = 0
    title: str = ""


class WindowChange(Struct, kw_only=True):
    version: Version
    region: RegionCode | UnsetType = UNSET
    at: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    level: str | UnsetType = UNSET
    rrule: str | UnsetType | None = UNSET
    channel: str | UnsetType = UNSET
    admits: list[str] | UnsetType = UNSET
    excluded: list[RegionCode] | UnsetType = UNSET
    exdates: list[Timestamp] | UnsetType = UNSET
    fill: list[Uuid] | UnsetType = UNSET
    deadline_hours: int | UnsetType = UNSET
    title: str | UnsetType = UNSET


class WindowView(Struct, kw_only=True):
    id: str
    channel: str
    region: str
    level: str
    starts_at: Timestamp
    duration_ms: int
    rrule: str | None
    admits: list[str]
    exdates: list[str]
    excluded: list[str]
    fill: list[str]
    deadline_hours: int
    title: str
    by: str
    version: int
    changed_at: Timestamp | None
    changed_by: str
    removed: bool


class WindowList(Struct, kw_only=True):
    items: list[WindowView]
    next: str | None = None


def window_view(window: WindowRule) -> WindowView:
    return WindowView(
        id=window.id,
        channel=window.channel,
        region=window.region,
        level=window.level,
        starts_at=to_text(window.starts_at),
        duration_ms=window.duration_ms,
        rrule=window.rrule,
        admits=window.admits,
        exdates=window.exdates,
        excluded=window.excluded,
        fill=window.fill,
        deadline_hours=window.deadline_hours,
        title=window.title,
        by=window.created_by_name,
        version=window.version,
        changed_at=to_text(window.changed_at) if window.changed_at else None,
        changed_by=window.changed_by_name,
        removed=window.removed_at is not None,
    )


# --- fillers and channels -------------------------------------------------------------------------------------------------
class FillerRequest(Struct, kw_only=True):
    """``weights`` by programme and ``sections`` by slug: 1 (the default) to 9."""

    channel: str = "main"
    programmes: list[str]
    weights: dict[str, int] = {}
    sections: dict[str, int] = {}


class FillerView(Struct, kw_only=True):
    channel: str
    programmes: dict[str, int]
    sections: dict[str, int]


class ChannelChange(Struct, kw_only=True):
    version: Version
    next_card_ms: int | None = None
    no_repeat_min: int | None = None


class ChannelView(Struct, kw_only=True):
    id: str
    name: str
    name_en: str
    version: int
    next_card_ms: int
    no_repeat_min: int
    logo_sha256: str | None


class ChannelList(Struct, kw_only=True):
    items: list[ChannelView]
    next: str | None = None


def channel_view(channel: Channel) -> ChannelView:
    return ChannelView(
        id=channel.id,
        name=channel.name,
        name_en=channel.name_en,
        version=channel.version,
        next_card_ms=channel.next_card_ms,
        no_repeat_min=channel.no_repeat_min,
        logo_sha256=channel.logo_sha256,
    )


# --- history ------------------------------------------------------------------------------------------------------------
class ChangeQuery(Struct, kw_only=True):
    """``since``: only changes with a higher number."""

    since: int = 0
    before: int | None = None
    region: str | None = None
    rule: str | None = None
    mine: bool = False
    limit: int = 50


class ChangeView(Struct, kw_only=True):
    """Who changed which rule when. ``before`` and ``after`` are whole rules; None: there was none, or was none any more."""

    number: int
    at: Timestamp
    by: str
    kind: str
    rule: str
    deed: str
    region: str
    channel: str
    version: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    undone_by: int | None


class ChangeList(Struct, kw_only=True):
    """``number`` is the newest change of any rule: a page that knows it is up to date."""

    number: int
    items: list[ChangeView]
    next: str | None = None


class ChangeNumber(Struct, kw_only=True):
    number: int


def change_view(change: RuleChange) -> ChangeView:
    return ChangeView(
        number=change.seq,
        at=to_text(change.at),
        by=change.actor_name,
        kind=change.kind,
        rule=change.rule_id,
        deed=change.deed,
        region=change.region,
        channel=change.channel,
        version=change.version,
        before=change.before,
        after=change.after,
        undone_by=change.undone_by,
    )


# --- listings -----------------------------------------------------------------------------------------------------------
class ListingQuery(Struct, kw_only=True):
    region: str
    day: str | None = None
    channel: str = "main"


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
