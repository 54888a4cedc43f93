"""Tables of the bytes that stations send beside their reports: photos, spoken minutes, pictures of the screen."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class EvidenceFile(Base):
    """One file of a station. ``held`` bytes of ``length`` have come; ``complete_at``: all of them, their hash was
    right, and they lie in the object store. ``region`` is the station's when they began to come."""

    __tablename__ = "evidence_files"
    __table_args__ = (
        UniqueConstraint("station_id", "sha256"),
        Index("ix_evidence_files_day", "terminal_id", "begun_at"),
    )

    id: Mapped[Id]
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("stations.id"))
    terminal_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("terminals.id"))
    region: Mapped[str] = mapped_column(String(12), index=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(16))
    session: Mapped[str] = mapped_column(Text, index=True)
    held: Mapped[int] = mapped_column(BigInteger, default=0)
    begun_at: Mapped[datetime]
    complete_at: Mapped[datetime | None]


class EvidencePiece(Base):
    """Bytes on their way: a piece of a file that is not complete yet. Gone when it is."""

    __tablename__ = "evidence_pieces"

    file_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("evidence_files.id"), primary_key=True
    )
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
