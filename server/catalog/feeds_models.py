"""Tables of the partner feeds 共享互通.

States of an item::

    found ─► taken     a programme was made of it and handed in for review
      ├────► known     the same bytes are a programme's already
      ├────► refused   it cannot be used; the reason says why
      └────► gone      the partner deleted it before it was taken

A line that breaks leaves it *found*: it is tried again later, a file from where it stopped.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id
from server.i18n import N_


class FeedKind(StrEnum):
    RSS = "rss"
    OAI = "oai"


FEED_KIND_NAMES = {FeedKind.RSS: "RSS / MRSS / Podcast", FeedKind.OAI: "OAI-PMH"}


class ItemState(StrEnum):
    FOUND = "found"
    TAKEN = "taken"
    KNOWN = "known"
    REFUSED = "refused"
    GONE = "gone"


ITEM_STATE_NAMES = {
    ItemState.FOUND: N_("待下载"),
    ItemState.TAKEN: N_("已送审"),
    ItemState.KNOWN: N_("库中已有"),
    ItemState.REFUSED: N_("未接受"),
    ItemState.GONE: N_("对方已删除"),
}


class FeedSource(Base):
    """A partner's feed. What comes from it is handed in by ``owner_id`` with this section, department and rights."""

    __tablename__ = "feed_sources"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(8))
    url: Mapped[str] = mapped_column(String(1000))
    oai_set: Mapped[str] = mapped_column(String(200), default="")
    oai_prefix: Mapped[str] = mapped_column(String(40), default="oai_dc")
    section: Mapped[str] = mapped_column(String(40), ForeignKey("sections.slug"))
    department: Mapped[str | None] = mapped_column(String(40), ForeignKey("departments.slug"))
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    rights_source: Mapped[str] = mapped_column(String(200))
    rights_licence: Mapped[str] = mapped_column(String(200))
    interval_minutes: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)
    owner_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    created_at: Mapped[datetime]
    next_at: Mapped[datetime] = mapped_column(index=True)
    busy_until: Mapped[datetime | None]
    """Somebody is at it; afterwards it is free again, whatever became of him."""
    last_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_text: Mapped[str | None] = mapped_column(Text)
    etag: Mapped[str | None] = mapped_column(String(300))
    modified: Mapped[str | None] = mapped_column(String(100))
    since: Mapped[str | None] = mapped_column(String(30))
    """OAI-PMH: the partner's own datestamp from which the next harvest asks."""


class FeedItem(Base):
    """One item of a feed. ``key`` is the SHA-256 of what the partner calls it; ``tries`` counts broken lines."""

    __tablename__ = "feed_items"
    __table_args__ = (
        UniqueConstraint("source_id", "key"),
        Index("ix_feed_items_source_id_state", "source_id", "state"),
    )

    id: Mapped[Id]
    source_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("feed_sources.id", ondelete="CASCADE")
    )
    key: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text, default="")
    page_url: Mapped[str | None] = mapped_column(String(1000))
    media_url: Mapped[str | None] = mapped_column(String(1000))
    rights: Mapped[str] = mapped_column(String(200), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    published_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10), default=ItemState.FOUND)
    reason: Mapped[str] = mapped_column(Text, default="")
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    validator: Mapped[str | None] = mapped_column(String(300))
    """ETag or Last-Modified of the bytes that are here already."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    programme_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]
