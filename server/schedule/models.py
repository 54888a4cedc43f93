"""Tables of rules: channels, slots, windows, fillers; and the serials of the documents made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class Channel(Base):
    """频道: a line of programmes."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(60))
    position: Mapped[int]


class Slot(Base):
    """时段: a programme placed at a time. ``level`` says in whose airtime: the province's frame, or a window that a city
    or county fills. ``region`` is where it is seen. A series carries an RRULE, expanded in Asia/Shanghai."""

    __tablename__ = "slots"

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"), index=True)
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    programme_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    rrule: Mapped[str | None] = mapped_column(Text)
    required: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    created_by_name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class WindowRule(Base):
    """地方窗口: a span, one-off or recurring, that a lower level may fill."""

    __tablename__ = "window_rules"

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"), index=True)
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"))
    level: Mapped[str] = mapped_column(String(10))
    starts_at: Mapped[datetime]
    duration_ms: Mapped[int]
    rrule: Mapped[str | None] = mapped_column(Text)
    admits: Mapped[list[str]] = mapped_column(default=list)
    created_by_name: Mapped[str] = mapped_column(String(60), default="")
    removed_at: Mapped[datetime | None]


class Filler(Base):
    """垫片: a programme that may play where nothing is placed."""

    __tablename__ = "fillers"
    __table_args__ = (UniqueConstraint("channel", "programme_id"),)

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"))
    programme_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"))


class DocumentSerial(Base):
    """The serial of each document last made: it rises when the content changes and never otherwise."""

    __tablename__ = "document_serials"

    target: Mapped[str] = mapped_column(String(60), primary_key=True)
    serial: Mapped[int]
    content_sha256: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
