"""Tables of the second factor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class SecondFactor(Base):
    """A phone's secret. It is in force from ``confirmed_at``; ``last_step`` is the newest time step that was used."""

    __tablename__ = "second_factors"

    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    begun_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(Integer)
    locked_until: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code on paper for the day the phone is lost; only its SHA-256 is kept, and it counts once."""

    __tablename__ = "recovery_codes"

    id: Mapped[Id]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"), index=True)
    code_sha256: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
