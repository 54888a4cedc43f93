"""Tables of rules: channels, slots, windows, fillers; and the serials of the documents made from them.

What else the province's week is made of (study days, notices, pushes, emergencies, airtime rights, the history of
every change) stands in :mod:`server.schedule.rule_models`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id
from server.schedule.approval_models import LateReason, WeekApproval
from server.schedule.board_models import ScheduleTemplate
from server.schedule.rule_models import (
    AirtimeRight,
    EmergencyRule,
    NoticeRule,
    PushRule,
    RuleChange,
    StudyEvening,
    StudyRule,
    Versioned,
)

__all__ = [
    "AirtimeRight", "Channel", "DocumentSerial", "EmergencyRule", "Filler", "FillerSection", "LateReason", "NoticeRule",
    "PushRule", "RuleChange", "ScheduleTemplate", "Slot", "StudyEvening", "StudyRule", "WeekApproval", "WindowRule",
]  # fmt: skip


class Channel(Base):
    """频道: a line of programmes. ``logo_…`` name its 台标 among the media objects. A filler does not come again within
    ``no_repeat_min`` minutes while there is another one; ``next_card_ms`` is how long the next programme's card shows."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(60))
    position: Mapped[int]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    next_card_ms: Mapped[int] = mapped_column(default=8_000, server_default="8000")
    no_repeat_min: Mapped[int] = mapped_column(default=30, server_default="30")
    logo_sha256: Mapped[str | None] = mapped_column(String(64))
    logo_length: Mapped[int | None] = mapped_column(BigInteger)
    logo_pieces_root: Mapped[str | None] = mapped_column(String(64))


class Slot(Versioned, Base):
    """时段: a programme placed at a time. ``level`` says in whose airtime: the province's frame, or a window that a city
    or county fills. ``region`` is where it is seen, but for the regions in ``excluded``.

    A series carries an RRULE, expanded in Asia/Shanghai, less the starts in ``exdates``, plus those in ``rdates``
    (Timestamps). ``duration_ms`` is the time it is given where that is less than the programme's length, which
    ``may_cut`` must allow. ``tolerance_min``: how far its end may run into what follows, which then starts later.
    """

    __tablename__ = "slots"

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"), index=True)
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    programme_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    rrule: Mapped[str | None] = mapped_column(Text)
    required: Mapped[bool] = mapped_column(default=False)
    exdates: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    rdates: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    excluded: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    kind: Mapped[str] = mapped_column(String(10), default="programme", server_default="programme")
    premiere: Mapped[bool] = mapped_column(default=False, server_default="0")
    duration_ms: Mapped[int | None]
    may_cut: Mapped[bool] = mapped_column(default=False, server_default="0")
    tolerance_min: Mapped[int] = mapped_column(default=0, server_default="0")
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    created_at: Mapped[datetime]


class WindowRule(Versioned, Base):
    """地方窗口: a span, one-off or recurring, that a lower level may fill until ``deadline_hours`` before it opens.
    Where nobody does, the programmes in ``fill`` play, then the channel's fillers."""

    __tablename__ = "window_rules"

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"), index=True)
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"))
    level: Mapped[str] = mapped_column(String(10))
    starts_at: Mapped[datetime]
    duration_ms: Mapped[int]
    rrule: Mapped[str | None] = mapped_column(Text)
    admits: Mapped[list[str]] = mapped_column(default=list)
    exdates: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    rdates: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    excluded: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    fill: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    deadline_hours: Mapped[int] = mapped_column(default=0, server_default="0")
    title: Mapped[str] = mapped_column(String(60), default="", server_default="")


class Filler(Base):
    """垫片: a programme that may play where nothing is placed, ``weight`` times as often as one of weight 1."""

    __tablename__ = "fillers"
    __table_args__ = (UniqueConstraint("channel", "programme_id"),)

    id: Mapped[Id]
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"))
    programme_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"))
    weight: Mapped[int] = mapped_column(default=1, server_default="1")


class FillerSection(Base):
    """Every short programme of a section as a filler of a channel."""

    __tablename__ = "filler_sections"

    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"), primary_key=True)
    section: Mapped[str] = mapped_column(String(40), ForeignKey("sections.slug"), primary_key=True)
    weight: Mapped[int] = mapped_column(default=1)


class DocumentSerial(Base):
    """The serial of each document last made: it rises when the content changes and never otherwise. ``fingerprint``
    is that of the rules it was made from: while it stays, the document need not be made again."""

    __tablename__ = "document_serials"

    target: Mapped[str] = mapped_column(String(60), primary_key=True)
    serial: Mapped[int]
    content_sha256: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fingerprint: Mapped[str] = mapped_column(String(64), default="", server_default="")
