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


class _Document(Struct, frozen=True, kw_only=True):
    pass


# --- release manifest: what may be played -------------------------------------------------------------------------
class FileKind(StrEnum):
    POSTER = "poster"
    PLAYLIST = "playlist"
    SPRITE = "sprite"
    SUBTITLES = "subtitles"
    PAGE = "page"


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
    """A companion of the renditions. A playlist names its rendition's profile in ``profile``; a page its order."""

    kind: FileKind
    sha256: Sha256Hex
    length: Count
    pieces_root: Sha256Hex
    profile: str | None = None
    order: int = 0
    language: str | None = None


class Rights(_Document, frozen=True, kw_only=True):
    """Where and until when a programme may be shown. An empty list of regions means everywhere."""

    source: str = ""
    licence: str = ""
    valid_from: Timestamp | None = None
    valid_until: Timestamp | None = None
    regions: list[RegionCode] = []


class ReleaseManifest(_Document, frozen=True, kw_only=True):
    """Everything a terminal needs to play one edition; its SHA-256 is the edition's ``release``."""

    v: int = DOCUMENT_VERSION
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


class Item(_Document, frozen=True, kw_only=True):
    """One placed programme."""

    id: str
    starts_at: Timestamp
    duration_ms: PositiveMs
    edition: Uuid
    release: Sha256Hex
    required: bool = False
    why: Why
    window: str | None = None
    """In a local document: the window it stands in."""


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


class Frame(_Document, frozen=True, kw_only=True):
    """The province's schedule for a region. A terminal takes its nearest ancestor's frame; it is complete."""

    v: int = DOCUMENT_VERSION
    region: RegionCode
    serial: Count
    valid_from: Timestamp
    valid_until: Timestamp
    channels: list[FrameChannel]
    library: list[LibraryEntry] = []
    notices: list[Notice] = []


class LocalChannel(_Document, frozen=True, kw_only=True):
    id: str
    items: list[Item] = []


class LocalDocument(_Document, frozen=True, kw_only=True):
    """What a city or county plays inside windows. A terminal takes every ancestor's."""

    v: int = DOCUMENT_VERSION
    region: RegionCode
    serial: Count
    valid_from: Timestamp
    valid_until: Timestamp
    channels: list[LocalChannel]
    notices: list[Notice] = []


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
    v: int = DOCUMENT_VERSION
    serial: Count
    items: list[EmergencyItem] = []


class RecalledRelease(_Document, frozen=True, kw_only=True):
    edition: Uuid
    release: Sha256Hex
    at: Timestamp
    reason: str = ""


class Recall(_Document, frozen=True, kw_only=True):
    """紧急撤播: cumulative; what stands here once stays until the catalogue lifts it."""

    v: int = DOCUMENT_VERSION
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


class Network(_Document, frozen=True, kw_only=True):
    v: int = DOCUMENT_VERSION
    serial: Count
    endpoints: Endpoints
    ca_pem: str | None = None
    receipt_keys: list[ReceiptKey]
    successions: list[Succession] = []


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
