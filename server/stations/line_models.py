"""Tables of how stations may use their lines, and how often they look for something new."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base


class LineSetting(Base):
    """The rule of one region; the nearest region's holds. Hours in Asia/Shanghai; ``bytes_a_second`` by hour of the
    day (0 or absent: no limit), ``monthly_cap_bytes`` 0: none. ``version`` grows with every change."""

    __tablename__ = "line_settings"

    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), primary_key=True)
    from_hour: Mapped[int] = mapped_column(Integer)
    to_hour: Mapped[int] = mapped_column(Integer)
    bytes_a_second: Mapped[list[Any]] = mapped_column(default=list)
    monthly_cap_bytes: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    changed_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    changed_by_name: Mapped[str] = mapped_column(String(60))
    changed_at: Mapped[datetime]


class NetworkSetting(Base):
    """A number that holds for the whole network, by name (``poll_s``)."""

    __tablename__ = "network_settings"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime]
