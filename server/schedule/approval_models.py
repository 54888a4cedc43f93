"""Tables of approved weeks."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id
from server.schedule.approval_rules import WeekState


class WeekApproval(Base):
    """A region's week on its way to approval; one without a row is a draft. ``seq`` is the number of the newest change
    of any rule when it was submitted: what was approved is what the rules said then."""

    __tablename__ = "week_approvals"
    __table_args__ = (UniqueConstraint("region", "week"),)

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"))
    week: Mapped[date] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(10), default=WeekState.DRAFT)
    seq: Mapped[int] = mapped_column(default=0)
    submitted_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    submitted_by_name: Mapped[str] = mapped_column(String(60), default="")
    submitted_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    decided_by_name: Mapped[str] = mapped_column(String(60), default="")
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    lock_at: Mapped[datetime | None]


class LateReason(Base):
    """Why a change was made after its week was approved, as its author says."""

    __tablename__ = "late_reasons"

    change: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(200))
    by_name: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
