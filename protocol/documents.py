"""Signed documents: what may be played (release manifests) and what is played (frame, local, emergency, recall).

Every document is canonical JSON: keys sorted, no spaces, UTF-8. Signatures and hashes cover these bytes exactly as
transmitted; nobody re-serialises before checking. Unknown fields are ignored, so that fields can be added; a
document whose ``v`` is higher than ours is refused by :func:`decode`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from protocol.errors import MalformedDocument
from protocol.times import Timestamp

DOCUMENT_VERSION = 1

Sha256Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
RegionCode = Annotated[str, Meta(pattern=r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$")]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Count = Annotated[int, Meta(ge=0)]
PositiveMs = Annotated[int, Meta(gt=0)]
NoticeText = Annotated[str, Meta(min_length=1, max_length=60)]
EmergencyText = Annotated[str, Meta(min_length=1, max_length=200)]


class _Document(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Defaults are not written, so a field added later leaves the bytes of every older document as they are."""


def _version() -> int:
    return DOCUMENT_VERSION


def _always_written() -> int:
    """The version as a default that a factory makes: such a one is written although it is the default."""
    return msgspec.field(default_factory=_version)


# --- release manifest: what may be played -------------------------------------------------------------------------
class FileKind(StrEnum):
    POSTER = "poster"
    PLAYLIST = "playlist"
    SPRITE = "sprite"
    SUBTITLES = "subtitles"
    PAGE = "page"
    STORYBOARD = "storyboard"
    """WebVTT that names, for each span of time, a tile of the sprite (``#xywh``)."""
    PREVIEW = "preview"
    """A 30 s MP4 that shows what the programme is like."""
    ATTACHMENT = "attachment"
    """A document to read beside the programme (PDF notes)."""


class ProgrammeKind(StrEnum):
    """What a programme is. Every kind has renditions and may be scheduled; courseware also has pages to turn."""

    VIDEO = "video"
    AUDIO = "audio"
    COURSEWARE = "courseware"


class Rendition(_Document, frozen=True, kw_only=True):
    """One encoded output. ``bitrate`` in bit/s of the whole file."""

    profile: str
    profile_version: int
    sha256: Sha256Hex
    length: Count
    pieces_root: Sha256Hex
    width: Count
    height: Count
    bitrate: Count


class ReleaseFile(_Document, frozen=True, kw_only=True):
    """A companion of the renditions. A playlist names its rendition's profile in ``profile``; a page its order and,
    where it belongs to a moment of the picture (三分屏), that moment in ``at_ms``; ``title`` names a page, subtitles
    or an attachment for people. Posters come in the order of preference: the first is the one to show."""

    kind: FileKind
    sha256: Sha256Hex
    length: Count
    pieces_root: Sha256Hex
    profile: str | None = None
    order: int = 0
    language: str | None = None
    title: str = ""
    at_ms: Count | None = None


class Chapter(_Document, frozen=True, kw_only=True):
    """A named place in a programme."""

    at_ms: Count
    title: str


class CourseRef(_Document, frozen=True, kw_only=True):
    """The course a programme belongs to, and its place there (from 1)."""

    id: Uuid
    title: str
    order: Count


class Rights(_Document, frozen=True, kw_only=True):
    """Where and until when a programme may be shown. An empty list of regions means everywhere."""

    source: str = ""
    licence: str = ""
    valid_from: Timestamp | None = None
    valid_until: Timestamp | None = None
    regions: list[RegionCode] = []


class ReleaseManifest(_Document, frozen=True, kw_only=True):
    """Everything a terminal needs to play one edition; its SHA-256 is the edition's ``release``."""

    v: int = _always_written()
    edition: Uuid
    programme: Uuid
    number: Count
    """Programme number typed on a remote (1–9999), or 0 where none is assigned."""
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    summary: str = ""
    section: str
    department: str | None = None
    duration_ms: PositiveMs
    rights: Rights = Rights()
    source_sha256: Sha256Hex
    recipe_sha256: Sha256Hex
    renditions: list[Rendition]
    files: list[ReleaseFile] = []
    kind: ProgrammeKind = ProgrammeKind.VIDEO
    initials: str = ""
    """Pinyin initials of the title, lower-case letters and digits: what is typed on the TV's search pad."""
    sections: list[str] = []
    """Further sections beside the main one."""
    tags: list[str] = []
    course: CourseRef | None = None
    place: RegionCode | None = None
    """Where it comes from (none: the whole province)."""
    local_type: str | None = None
    audience: str = ""
    months: list[Annotated[int, Meta(ge=1, le=12)]] = []
    """农时: the months it is meant for; none means the whole year."""
    chapters: list[Chapter] = []


# --- frame and local documents: what is played ----------------------------------------------------------------------
class Ref(_Document, frozen=True, kw_only=True):
    """A released edition, named twice: by edition (where to look it up) and by the SHA-256 of its manifest."""

    edition: Uuid
    release: Sha256Hex
    duration_ms: PositiveMs


class Why(_Document, frozen=True, kw_only=True):
    """Why an item is there: which rule, at which level, for which region, by whom (a display name)."""

    rule: str
    level: str
    region: RegionCode
    by: str = ""


class ItemKind(StrEnum):
    """Why somebody placed an item: to be watched, to be studied together (集中学习), or as a promo (片花)."""

    PROGRAMME = "programme"
    STUDY = "study"
    PROMO = "promo"


class Picture(_Document, frozen=True, kw_only=True):
    """A small picture that lies among the media objects (a channel's logo, a topic's poster)."""

    sha256: Sha256Hex
    length: Count
    pieces_root: Sha256Hex


class Item(_Document, frozen=True, kw_only=True):
    """One placed programme. ``duration_ms`` is the time it is given: shorter than the programme only where a rule says
    that it may be cut. ``premiere``: shown here for the first time (首播)."""

    id: str
    starts_at: Timestamp
    duration_ms: PositiveMs
    edition: Uuid
    release: Sha256Hex
    required: bool = False
    why: Why
    window: str | None = None
    """In a local document: the window it stands in."""
    kind: ItemKind = ItemKind.PROGRAMME
    premiere: bool = False


class Window(_Document, frozen=True, kw_only=True):
    """A span that a lower level may fill. ``admits`` lists section slugs, empty meaning any; ``fill`` plays,
    repeated in order, where nobody filled it (empty: the channel's fillers)."""

    id: str
    starts_at: Timestamp
    ends_at: Timestamp
    level: str
    admits: list[str] = []
    fill: list[Ref] = []


class FrameChannel(_Document, frozen=True, kw_only=True):
    id: str
    name: str
    items: list[Item] = []
    windows: list[Window] = []
    fillers: list[Ref] = []
    """Played in an order drawn from the gap itself; a filler listed twice comes twice as often."""
    name_en: str = ""
    logo: Picture | None = None
    next_card_ms: Count = 0
    """How long before an item its card (下一节目) is shown over the filler before it; 0: never."""
    no_repeat_ms: Count = 0
    """A filler does not begin again within this time while there is another one to play."""


class Notice(_Document, frozen=True, kw_only=True):
    """A ticker (滚动字幕): plain text, never markup."""

    id: str
    text: NoticeText
    region: RegionCode
    starts_at: Timestamp
    until: Timestamp


class LibraryEntry(_Document, frozen=True, kw_only=True):
    """A released edition that may be chosen at the station at any time."""

    edition: Uuid
    release: Sha256Hex
    section: str
    pushed: bool = False
    """To be stored at every station of the document's region without anybody choosing it, after what is scheduled."""
    until: Timestamp | None = None
    """When a push ends (none: with the rights)."""


class SectionName(_Document, frozen=True, kw_only=True):
    """板块: the shelf's slug and its names; a frame lists them in the order they are shown."""

    slug: str
    name: str
    name_en: str = ""


class Topic(_Document, frozen=True, kw_only=True):
    """专题: a promoted collection. ``required``: every programme of it is to be watched by ``until`` (必播)."""

    id: Uuid
    title: str
    summary: str = ""
    starts_at: Timestamp
    until: Timestamp
    required: bool = False
    poster: Picture | None = None
    programmes: list[Ref] = []


class StudyDay(_Document, frozen=True, kw_only=True):
    """学习日: an evening of group study. ``programmes`` in the order they are studied; ``discussion_ms`` after each
    one that is to be talked over, 0 for none. ``moved_from`` and ``reason``: a date that was moved, and why."""

    id: str
    channel: str
    starts_at: Timestamp
    ends_at: Timestamp
    title: str = ""
    programmes: list[Ref] = []
    discussion_ms: Count = 0
    moved_from: Timestamp | None = None
    reason: str = ""
    why: Why


class Frame(_Document, frozen=True, kw_only=True):
    """The province's schedule for a region. A terminal takes its nearest ancestor's frame; it is complete."""

    v: int = _always_written()
    region: RegionCode
    serial: Count
    valid_from: Timestamp
    valid_until: Timestamp
    channels: list[FrameChannel]
    library: list[LibraryEntry] = []
    notices: list[Notice] = []
    sections: list[SectionName] = []
    topics: list[Topic] = []
    study: list[StudyDay] = []
    """What the province sets; a terminal takes the study days of its nearest ancestor that sets any (see LocalDocument)."""


class LocalChannel(_Document, frozen=True, kw_only=True):
    id: str
    items: list[Item] = []


class LocalDocument(_Document, frozen=True, kw_only=True):
    """What a city or county plays inside windows. A terminal takes every ancestor's."""

    v: int = _always_written()
    region: RegionCode
    serial: Count
    valid_from: Timestamp
    valid_until: Timestamp
    channels: list[LocalChannel]
    notices: list[Notice] = []
    library: list[LibraryEntry] = []
    """Pushes of this city or county."""
    topics: list[Topic] = []
    study: list[StudyDay] | None = None
    """The city's or county's own study days, instead of those of the levels above; None: it sets none."""


class EmergencyItem(_Document, frozen=True, kw_only=True):
    """An emergency override (应急插播): an edition already in the catalogue, or plain text on a slate."""

    id: str
    starts_at: Timestamp
    ends_at: Timestamp
    regions: list[RegionCode]
    priority: Annotated[int, Meta(ge=0, le=9)] = 0
    ref: Ref | None = None
    text: EmergencyText | None = None


class Emergency(_Document, frozen=True, kw_only=True):
    v: int = _always_written()
    serial: Count
    items: list[EmergencyItem] = []


class RecalledRelease(_Document, frozen=True, kw_only=True):
    edition: Uuid
    release: Sha256Hex
    at: Timestamp
    reason: str = ""


class Recall(_Document, frozen=True, kw_only=True):
    """紧急撤播: cumulative; what stands here once stays until the catalogue lifts it."""

    v: int = _always_written()
    serial: Count
    recalled: list[RecalledRelease] = []


class Endpoints(_Document, frozen=True, kw_only=True):
    """Where a terminal finds the province: the API (ends in /api/v1) and the read plane's sources in order."""

    api: str
    read: list[str]


class ReceiptKey(_Document, frozen=True, kw_only=True):
    """A key that signs receipts: base64 of the raw Ed25519 public key; ``keyid`` its SHA-256's first 16 hex digits."""

    keyid: str
    public: str


class Succession(_Document, frozen=True, kw_only=True):
    """A merged region and the one that took it over."""

    merged: RegionCode
    into: RegionCode


class LineRule(_Document, frozen=True, kw_only=True):
    """How stations of a region may use their line for media; the rule of the nearest ancestor holds. Hours are those of
    Asia/Shanghai; a span over midnight has its end before its beginning. An emergency's media are fetched at any hour."""

    region: RegionCode
    from_hour: Annotated[int, Meta(ge=0, le=23)] = 0
    to_hour: Annotated[int, Meta(ge=1, le=24)] = 24
    bytes_a_second: Annotated[list[Count], Meta(max_length=24)] = []
    """At most so many, by hour of the day; 0, or an hour past the list's end: no limit."""
    monthly_cap_bytes: Count = 0
    """0: none."""


class Network(_Document, frozen=True, kw_only=True):
    v: int = _always_written()
    serial: Count
    endpoints: Endpoints
    ca_pem: str | None = None
    receipt_keys: list[ReceiptKey]
    successions: list[Succession] = []
    poll_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """How often terminals look for something new, each at its own phase; 0: as they were set up."""
    lines: list[LineRule] = []


class Deed(StrEnum):
    """What a remote command asks of a terminal. One that a terminal does not know, it passes over."""

    SCREENSHOT = "screenshot"


class Command(_Document, frozen=True, kw_only=True):
    """Asked of named terminals, once each, from ``at`` until ``until`` (a day at most)."""

    id: Uuid
    terminals: Annotated[list[Uuid], Meta(min_length=1, max_length=50)]
    do: Annotated[str, Meta(max_length=20)]
    at: Timestamp
    until: Timestamp


class Commands(_Document, frozen=True, kw_only=True):
    v: int = _always_written()
    serial: Count
    items: Annotated[list[Command], Meta(max_length=500)] = []


_D = TypeVar("_D", bound=_Document)


def encode(document: _Document) -> bytes:
    """The canonical bytes of a document."""
    return msgspec.json.encode(document, order="sorted")


def decode(data: bytes, kind: type[_D]) -> _D:
    """A document from transmitted bytes. Raises MalformedDocument."""
    try:
        document = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedDocument(f"{kind.__name__}: {error}") from error
    version = getattr(document, "v", DOCUMENT_VERSION)
    if version > DOCUMENT_VERSION:
        raise MalformedDocument(f"{kind.__name__}: version {version} is newer than this program")
    return document
