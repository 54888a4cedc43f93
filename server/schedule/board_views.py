"""What the board is told and what it asks: the messages of its API."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from protocol.documents import RegionCode, Uuid
from protocol.times import Timestamp

Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
SpanDays = Annotated[int, Meta(ge=1, le=7)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class BoardQuery(Struct, kw_only=True):
    region: RegionCode = "13"
    day: Day
    days: SpanDays = 7


class BoardItem(Struct, kw_only=True):
    """One announced item. ``occurs_at`` names the occurrence of a series as the rule has it (it may start later where
    what runs before it was allowed to overrun), ``series_starts_at`` its first. ``editable``: by who asks. ``programme_ms`` is the whole programme."""

    id: str
    channel: str
    starts_at: Timestamp
    duration_ms: int
    title: str
    source: str
    section: str = ""
    slot: str | None = None
    version: int = 0
    occurs_at: Timestamp | None = None
    series_starts_at: Timestamp | None = None
    rrule: str | None = None
    programme: str | None = None
    programme_ms: int = 0
    level: str = ""
    region: str = ""
    region_name: str = ""
    by: str = ""
    changed_by: str = ""
    required: bool = False
    premiere: bool = False
    kind: str = "programme"
    may_cut: bool = False
    editable: bool = False


class BoardWindow(Struct, kw_only=True):
    """A span a lower level may fill. ``mine``: by who asks, in the region shown. ``admits``: names of sections."""

    id: str
    channel: str
    starts_at: Timestamp
    ends_at: Timestamp
    level: str
    admits: list[str]
    mine: bool
    title: str = ""
    closes_at: Timestamp | None = None


class BoardRight(Struct, kw_only=True):
    """A span of the day in which who asks may place: minutes from midnight, ending before it begins when it crosses
    midnight; ``weekdays`` 0 (Monday) to 6, none meaning all; ``sections``: names, none meaning any."""

    from_minute: int
    to_minute: int
    weekdays: list[int]
    sections: list[str]


class BoardLimit(Struct, kw_only=True):
    """On this channel who asks may place inside these spans only."""

    channel: str
    spans: list[BoardRight]


class BoardWarning(Struct, kw_only=True):
    """What will not happen as somebody meant it; ``text`` in the reader's language."""

    code: str
    text: str
    at: Timestamp | None = None
    slot: str | None = None


class BoardChannel(Struct, kw_only=True):
    id: str
    name: str


class BoardView(Struct, kw_only=True):
    """Several days of one region. ``number`` is the newest change of any rule that is in it: a board that knows it is up
    to date. ``level``: in whose airtime who asks would place something here (empty: he may not)."""

    region: str
    region_name: str
    day: str
    days: list[str]
    number: int
    level: str
    may_edit: bool
    channels: list[BoardChannel]
    items: list[BoardItem]
    windows: list[BoardWindow]
    warnings: list[BoardWarning]
    study_days: list[str]
    limits: list[BoardLimit] = []
    undoable: str = ""
    """What undo would take back, in words; empty: nothing."""


class CopyRequest(Struct, kw_only=True):
    """Copy ``days`` days from ``day`` to the days from ``to``."""

    region: RegionCode
    day: Day
    to: Day
    days: SpanDays = 1
    channel: str | None = None


class NotPlaced(Struct, kw_only=True):
    """An item that could not be placed, and why."""

    title: str
    at: Timestamp
    reason: str


class Placed(Struct, kw_only=True):
    """How a copy or a template went. ``already``: what stood there as it should."""

    placed: int
    already: int
    refused: list[NotPlaced]


class TemplateRequest(Struct, kw_only=True):
    """Keep ``days`` days from ``day`` under a name."""

    region: RegionCode
    name: Name
    day: Day
    days: SpanDays = 1


class ApplyRequest(Struct, kw_only=True):
    region: RegionCode
    day: Day


class TemplateView(Struct, kw_only=True):
    id: str
    name: str
    region: str
    days: int
    items: int
    by: str
    mine: bool


class TemplateList(Struct, kw_only=True):
    items: list[TemplateView]
    next: str | None = None


class Undone(Struct, kw_only=True):
    """How many changes were taken back; ``skipped``: later changed by somebody else and therefore left."""

    undone: int
    skipped: int


class LibraryQuery(Struct, kw_only=True):
    q: str = ""
    section: str | None = None


class LibraryItem(Struct, kw_only=True):
    programme: Uuid
    title: str
    section: str
    duration_ms: int
    number: int | None
    next_at: Timestamp | None
    last_at: Timestamp | None


class LibraryList(Struct, kw_only=True):
    items: list[LibraryItem]
    next: str | None = None
