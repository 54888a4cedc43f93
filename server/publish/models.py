"""Tables of publishing.

States of a publication::

    running ─► done
       └─────► failed   nothing of it is served; its number is never used again
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class PublicationState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class PublicationKind(StrEnum):
    """How a publication came about."""

    ATTENDED = "attended"
    """Somebody published what was released and scheduled."""
    UNATTENDED = "unattended"
    """Clean edits of cities and counties, and what a second person approved, went out by themselves."""
    ROLLBACK = "rollback"
    """The schedule of an earlier publication was put back."""
    RENEWAL = "renewal"
    """Nothing new was said; signatures that would have run out were made anew."""


class Publication(Base):
    """发布: one signed state of everything stations read. Its number is its snapshot's version; gaps are legal.

    ``timestamp_version`` is of the newest timestamp that names this snapshot: it is signed anew each hour.
    """

    __tablename__ = "publications"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(8), default=PublicationState.RUNNING, index=True)
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    held_back: Mapped[list[Any]] = mapped_column(default=list)
    kind: Mapped[str] = mapped_column(String(10), default=PublicationKind.ATTENDED, server_default="attended")
    back_to: Mapped[int | None]
    snapshot_version: Mapped[int | None]
    timestamp_version: Mapped[int | None]


class Release(Base):
    """The release manifest of an admitted edition: its bytes never change once they were signed."""

    __tablename__ = "releases"

    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    length: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    duration_ms: Mapped[int]
    admitted_in: Mapped[int] = mapped_column(Integer, index=True)


class RecalledRelease(Base):
    """紧急撤播: never play this again. Rows are never deleted."""

    __tablename__ = "recalled_releases"

    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(Text)


class OrderState(StrEnum):
    """``queued → running → done | failed``; a killed publisher's order is queued again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class PublicationOrder(Base):
    """Somebody asked for a publication; the background publisher carries it out.

    ``key`` makes asking again harmless. ``answer`` is the result, ``error`` {code, message, params} what went wrong.
    """

    __tablename__ = "publication_orders"

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(10))
    back_to: Mapped[int | None]
    key: Mapped[str | None] = mapped_column(String(80), unique=True)
    asked_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    asked_by_name: Mapped[str] = mapped_column(String(60))
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(8), default=OrderState.QUEUED, index=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]


class ChangeState(StrEnum):
    """``waiting → approved | returned``; ``approved → published``; any of them ``superseded`` by a further edit."""

    WAITING = "waiting"
    APPROVED = "approved"
    RETURNED = "returned"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


class WaitingChange(Base):
    """A change of one document that did not go out by itself: what it is, why it waits, who made and who decided it.

    ``fingerprint`` names the very change (see changes.py); a further edit makes another row.
    """

    __tablename__ = "waiting_changes"

    id: Mapped[Id]
    target: Mapped[str] = mapped_column(String(60), index=True)
    region: Mapped[str] = mapped_column(String(12), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default=ChangeState.WAITING, index=True)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    lines: Mapped[list[Any]] = mapped_column(default=list)
    authors: Mapped[list[Any]] = mapped_column(default=list)
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    decided_by_name: Mapped[str | None] = mapped_column(String(60))
    comment: Mapped[str] = mapped_column(Text, default="")
    number: Mapped[int | None]


class ServedDocument(Base):
    """From which rules (their fingerprint) the document of a target was made that has this hash: while both stay, it
    need not be made, compared or signed again."""

    __tablename__ = "served_documents"

    target: Mapped[str] = mapped_column(String(60), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(140))
    sha256: Mapped[str] = mapped_column(String(64))
