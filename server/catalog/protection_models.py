"""Table of protected periods 重要保障期."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class ProtectedPeriod(Base):
    """重要保障期: from ``starts_at`` until ``ends_at`` late changes need two people and nothing goes out unattended."""

    __tablename__ = "protected_periods"

    id: Mapped[Id]
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    made_by_name: Mapped[str] = mapped_column(String(60))
    made_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    ended_at: Mapped[datetime | None]
