"""Tables of the catalogue.

An edition is one asset (source file) under one recipe (the cut). Renditions belong to (asset, recipe), so that a
second edition of an unchanged cut needs no new encoding. Encoding starts at upload; reviews gate the release only.

States of an edition, named by what it awaits::

    draft ─submit─► first_review ─► second_review ─► final_review ─► released
      ▲                  │                │                │             │
      └──────returned ◄──┴────────────────┴────────────────┘         withdrawn

States of an asset::

    preparing ─► uploaded ─► processing ─► ready
        │                        ├─► refused   the file is at fault; the reason names it
        └─► refused              └─► failed    we are at fault; may be tried again

*Preparing* is courseware whose pages are made into pictures and into a film that is encoded like any other.

States of an upload::

    open ─► checking ─► complete      a small file goes straight to complete
      │  ◄──── (a part was damaged)
      └─► aborted
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from protocol.documents import ProgrammeKind
from server.catalog.collection_models import (
    Course,
    CourseProgramme,
    ProgrammeSection,
    ProgrammeTag,
    Topic,
    TopicProgramme,
)
from server.catalog.protection_models import ProtectedPeriod
from server.catalog.review import EditionState, Stage
from server.catalog.review_models import (
    Authorisation,
    AuthorisedProgramme,
    Checklist,
    Countersignature,
    DutyShift,
    PolicyVersion,
    Proofreading,
    ReReview,
    ReviewComment,
    ReviewDetail,
    ReviewRound,
    ReviewTask,
    TermList,
    TermScan,
    Watching,
)
from server.db import Base, Id

EMPTY_RECIPE_SHA256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""SHA-256 of ``{}``: the whole source, uncut."""


class AssetState(StrEnum):
    PREPARING = "preparing"
    UPLOADED = "uploaded"
    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"


class UploadState(StrEnum):
    OPEN = "open"
    CHECKING = "checking"
    COMPLETE = "complete"
    ABORTED = "aborted"


__all__ = [
    "EMPTY_RECIPE_SHA256",
    "Airing",
    "Asset",
    "AssetState",
    "Authorisation",
    "AuthorisedProgramme",
    "Checklist",
    "Countersignature",
    "Course",
    "CourseProgramme",
    "Department",
    "DutyShift",
    "Edition",
    "EditionFile",
    "EditionState",
    "PolicyVersion",
    "Programme",
    "ProgrammeSection",
    "ProgrammeTag",
    "Proofreading",
    "ProtectedPeriod",
    "ReReview",
    "Rendition",
    "RenditionFile",
    "Review",
    "ReviewComment",
    "ReviewDetail",
    "ReviewRound",
    "ReviewTask",
    "Section",
    "Stage",
    "TermList",
    "TermScan",
    "Topic",
    "TopicProgramme",
    "Upload",
    "UploadPart",
    "UploadState",
    "Watching",
]  # fmt: skip


def _ref(target: str) -> Any:
    return mapped_column(Uuid(as_uuid=False), ForeignKey(target), index=True)


class Section(Base):
    """板块: one of the editable top-level shelves."""

    __tablename__ = "sections"

    slug: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    name_en: Mapped[str] = mapped_column(String(60))
    position: Mapped[int]


class Department(Base):
    """资源单位: a partner that contributes."""

    __tablename__ = "departments"

    slug: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    name_en: Mapped[str] = mapped_column(String(80))
    position: Mapped[int]


class Upload(Base):
    """A resumable upload with S3's multipart semantics: parts are written at their offset in one file, or, with
    ``multipart_id``, lie in an S3 multipart upload under ``uploads/<id>``.

    While it is *checking*, its bytes are hashed in the background: ``checked`` of ``size`` so far. ``error_code`` says
    why it went back to *open*.
    """

    __tablename__ = "uploads"

    id: Mapped[Id]
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    part_size: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default=UploadState.OPEN)
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]
    multipart_id: Mapped[str | None] = mapped_column(String(300))
    claimed_sha256: Mapped[str | None] = mapped_column(String(64))
    checked: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    checking_at: Mapped[datetime | None]
    """When the one that checks it was last heard of."""
    error_code: Mapped[str | None] = mapped_column(String(40))
    asset_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    parts: Mapped[list[UploadPart]] = relationship(order_by="UploadPart.number")


class UploadPart(Base):
    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("uploads.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    size: Mapped[int]
    etag: Mapped[str] = mapped_column(String(64))


class Asset(Base):
    """源文件: what was uploaded, untouched. ``path`` is relative to the data folder, ``progress`` is per cent encoded.

    Of courseware ``original`` is what was uploaded (``sha256`` is its) and ``path`` the film made of its pages
    (``film_sha256``).
    """

    __tablename__ = "assets"

    id: Mapped[Id]
    filename: Mapped[str] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    parts_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    """By which the same file is recognised before it is sent (hashing.parts_sha256)."""
    original: Mapped[str | None] = mapped_column(String(255))
    film_sha256: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12), default=AssetState.UPLOADED, index=True)
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_text: Mapped[str | None] = mapped_column(Text)
    error_text_en: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[int] = mapped_column(Integer, default=0)
    duration_ms: Mapped[int | None]
    probe: Mapped[dict[str, Any] | None]
    uploaded_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]

    @property
    def encoded_sha256(self) -> str:
        """SHA-256 of the file at ``path``, which is encoded."""
        return self.film_sha256 or self.sha256


class Programme(Base):
    """节目: one item, through all its editions. ``region`` is the place it belongs to (13: the whole province).

    What is said here is what the newest released edition says, or, while none is released, what its draft says; the
    draft of a later edition keeps its own words in ``Edition.description`` until it is released.
    """

    __tablename__ = "programmes"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(200))
    initials: Mapped[str] = mapped_column(String(200), default="", server_default="", index=True)
    """Pinyin initials of the title."""
    summary: Mapped[str] = mapped_column(Text, default="")
    section: Mapped[str] = mapped_column(String(40), ForeignKey("sections.slug"), index=True)
    department: Mapped[str | None] = mapped_column(String(40), ForeignKey("departments.slug"), index=True)
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    kind: Mapped[str] = mapped_column(String(12), default=ProgrammeKind.VIDEO, server_default="video")
    local_type: Mapped[str | None] = mapped_column(String(20))
    """One of the three local types (description.LocalType)."""
    audience: Mapped[str] = mapped_column(String(60), default="", server_default="")
    months: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    """农时: the months it is meant for; none means the whole year."""
    chapters: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[{at_ms, title}], in the time of the newest cut."""
    number: Mapped[int | None] = mapped_column(Integer, unique=True)
    left_at: Mapped[datetime | None]
    """When its last released edition was withdrawn; 60 days later its number may go to another programme."""
    rights_source: Mapped[str] = mapped_column(String(200), default="")
    rights_licence: Mapped[str] = mapped_column(String(200), default="")
    rights_from: Mapped[datetime | None]
    rights_until: Mapped[datetime | None]
    rights_regions: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    """Where it may be shown; none means everywhere."""
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None] = mapped_column(index=True)
    """When what is said about it, or the state of an edition, last changed (None: never since it was made)."""
    editions: Mapped[list[Edition]] = relationship(back_populates="programme", order_by="Edition.number")
    sections: Mapped[list[ProgrammeSection]] = relationship(
        order_by=ProgrammeSection.order, cascade="all, delete-orphan"
    )
    """Further sections beside the main one."""
    tags: Mapped[list[ProgrammeTag]] = relationship(order_by=ProgrammeTag.tag, cascade="all, delete-orphan")


class Edition(Base):
    """版本: one immutable cut, with the words, subtitles and attachments that were reviewed with it.

    ``description`` is what is said about it (description.Description): bound at submission and untouched afterwards.
    ``admitted_in`` is the publication that first signed it (written by publish).
    """

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("programme_id", "number"),)

    id: Mapped[Id]
    programme_id: Mapped[str] = _ref("programmes.id")
    number: Mapped[int]
    asset_id: Mapped[str] = _ref("assets.id")
    recipe: Mapped[dict[str, Any]] = mapped_column(default=dict)
    recipe_sha256: Mapped[str] = mapped_column(String(64), default=EMPTY_RECIPE_SHA256)
    description: Mapped[dict[str, Any] | None]
    description_sha256: Mapped[str | None] = mapped_column(String(64))
    poster: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Position of the still that was chosen as the poster."""
    reason: Mapped[str] = mapped_column(String(500), default="", server_default="")
    """Why there is a new cut."""
    state: Mapped[str] = mapped_column(String(16), default=EditionState.DRAFT, index=True)
    contributor_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    admitted_in: Mapped[int | None]
    programme: Mapped[Programme] = relationship(back_populates="editions")
    asset: Mapped[Asset] = relationship()
    files: Mapped[list[EditionFile]] = relationship(
        order_by="(EditionFile.kind, EditionFile.order, EditionFile.id)", cascade="all, delete-orphan"
    )


class EditionFile(Base):
    """What was sent in beside a source file: subtitles (WebVTT) and attachments (PDF), stored at ``m/<sha256>``.

    ``source_sha256`` is the object as it was sent, on the source's time line; ``sha256`` is what stations get, on the
    cut's. They differ only for subtitles of an edition that has a recipe.
    """

    __tablename__ = "edition_files"

    id: Mapped[Id]
    edition_id: Mapped[str] = _ref("editions.id")
    kind: Mapped[str] = mapped_column(String(12))
    title: Mapped[str] = mapped_column(String(100))
    language: Mapped[str | None] = mapped_column(String(16))
    order: Mapped[int] = mapped_column("position", default=0)
    source_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    pieces_root: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    created_at: Mapped[datetime]


class Review(Base):
    """One decision at one stage. ``audit_seq`` points at its link in the audit chain, which is what a signer believes."""

    __tablename__ = "reviews"

    id: Mapped[Id]
    edition_id: Mapped[str] = _ref("editions.id")
    stage: Mapped[str] = mapped_column(String(8))
    approved: Mapped[bool]
    reviewer_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    at: Mapped[datetime]
    comment: Mapped[str] = mapped_column(Text, default="")
    audit_seq: Mapped[int]


class Rendition(Base):
    """转码成品: one encoded output of (asset, recipe), stored at ``m/<sha256>`` with its pieces at ``p/<pieces_root>``."""

    __tablename__ = "renditions"
    __table_args__ = (UniqueConstraint("asset_id", "recipe_sha256", "profile", "profile_version"),)

    id: Mapped[Id]
    asset_id: Mapped[str] = _ref("assets.id")
    recipe_sha256: Mapped[str] = mapped_column(String(64), default=EMPTY_RECIPE_SHA256)
    profile: Mapped[str] = mapped_column(String(20))
    profile_version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    pieces_root: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    bitrate: Mapped[int]
    duration_ms: Mapped[int]
    created_at: Mapped[datetime]


class RenditionFile(Base):
    """A companion of the renditions: poster, playlist (of a profile), sprite, subtitles, page."""

    __tablename__ = "rendition_files"

    id: Mapped[Id]
    asset_id: Mapped[str] = _ref("assets.id")
    recipe_sha256: Mapped[str] = mapped_column(String(64), default=EMPTY_RECIPE_SHA256)
    kind: Mapped[str] = mapped_column(String(12))
    profile: Mapped[str | None] = mapped_column(String(20))
    order: Mapped[int] = mapped_column("position", default=0)
    language: Mapped[str | None] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(100), default="", server_default="")
    at_ms: Mapped[int | None]
    """The moment of the picture to which a page belongs."""
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    pieces_root: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Airing(Base):
    """When and where an edition is shown: written by the schedule, read by everybody to its left."""

    __tablename__ = "airings"

    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), primary_key=True)
    last_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    regions: Mapped[list[str]] = mapped_column(default=list)


from server.catalog import feeds_models, search_models  # noqa: E402, F401 further tables, for the migrations
