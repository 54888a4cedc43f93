"""模板: named days and weeks, kept to be applied again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class ScheduleTemplate(Base):
    """A day or a week of one region's own placements, by what was placed and when in the span. An item of ``items``:
    ``{day, minute, second, channel, programme, title, required, kind, duration_ms, may_cut, tolerance_min}``, day from 0."""

    __tablename__ = "schedule_templates"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    days: Mapped[int]
    items: Mapped[list[Any]] = mapped_column(default=list)
    created_by_name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
