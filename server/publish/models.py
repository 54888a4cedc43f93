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

from server.db import Base


class PublicationState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


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
