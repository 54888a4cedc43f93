"""Tables of stations, their terminals and the invitations that enrol them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.db import Base, Id
from server.stations.command_models import StationCommand
from server.stations.line_models import LineSetting, NetworkSetting

__all__ = ["LineSetting", "NetworkSetting", "StationCommand"]


class StationKind(StrEnum):
    VILLAGE = "village"
    TOWNSHIP = "township"
    ENTERPRISE = "enterprise"


class Revocation(StrEnum):
    """Why a terminal is trusted no more."""

    GIVEN_UP = "given_up"
    """Stolen, scrapped, or nobody's."""
    REPLACED = "replaced"
    """换机: another terminal of the same station took over, with its book and what it had not yet reported."""


class Station(Base):
    __tablename__ = "stations"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(12), default=StationKind.VILLAGE)
    created_at: Mapped[datetime]
    terminals: Mapped[list[Terminal]] = relationship(back_populates="station", lazy="selectin")


class Terminal(Base):
    """One device with one key. ``public`` is base64 Ed25519; ``health`` the latest health record, for display only.

    ``copied_at``: when its reports first showed that its disk was restored or copied; ``disputed_at``: that two
    devices work under its key at once (written by stats, see stats/forks.py)."""

    __tablename__ = "terminals"

    id: Mapped[Id]
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("stations.id"), index=True)
    public: Mapped[str] = mapped_column(String(44), unique=True)
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[str | None] = mapped_column(String(10))
    """A ``Revocation``; None also for those revoked before reasons were kept."""
    replaced_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    last_seen_at: Mapped[datetime | None]
    health: Mapped[dict[str, Any] | None]
    copied_at: Mapped[datetime | None]
    disputed_at: Mapped[datetime | None]
    station: Mapped[Station] = relationship(back_populates="terminals")


class Invitation(Base):
    """An enrolment code, valid once. The secret is not kept, only the key derived from it; ``answer`` is the JSON body
    given to ``used_by`` (a public key), so that the same key asking again hears the same."""

    __tablename__ = "invitations"

    code_id: Mapped[str] = mapped_column(String(4), primary_key=True)
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("stations.id"), index=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None]
    used_by: Mapped[str | None] = mapped_column(String(44))
    terminal_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    answer: Mapped[str | None] = mapped_column(Text)
    alarm: Mapped[str | None] = mapped_column(String(200))
    replaces: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    """换机: the terminal that is revoked when this code is used."""
