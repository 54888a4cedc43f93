"""The table of remote commands."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class StationCommand(Base):
    """Somebody asked something of one terminal; it goes out signed, and holds until ``until``."""

    __tablename__ = "station_commands"

    id: Mapped[Id]
    terminal_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("terminals.id"), index=True)
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("stations.id"), index=True)
    do: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    asked_by_name: Mapped[str] = mapped_column(String(60))
    asked_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
