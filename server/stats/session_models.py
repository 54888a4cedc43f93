"""The table of what people add to a study session on the province's own page, where a phone has no way to the station."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base


class NoteKind(StrEnum):
    HEADS = "heads"
    MINUTES = "minutes"
    QUESTION = "question"
    FAULT = "fault"
    FILE = "file"
    """A photo or spoken minutes; the bytes are an ``EvidenceFile``."""


class SessionNote(Base):
    """One thing told. ``id`` is drawn by the phone, so that sending it twice tells it once; ``terminal_id`` signed the
    ticket; ``said`` holds what was told, by kind; ``title`` is the session's as the ticket has it."""

    __tablename__ = "session_notes"
    __table_args__ = (Index("ix_session_notes_session", "session", "received_at"),)

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    session: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    terminal_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("terminals.id"))
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("stations.id"), index=True)
    region: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(10))
    said: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
