"""Tables of what the stations report: epochs with what is held of them, facts, gaps, and what was set aside.

A record is named by (terminal, epoch, seq); every fact table has that as its primary key, so that no record can
count twice. ``at`` is the terminal's best wall time when the record was written, ``clock_state`` what the terminal
thought of its clock when it sent it. ``region`` and ``station_id`` are those of the terminal when the record came in;
``digest`` tells records of one name apart (records.py).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id
from server.stats.evidence_models import EvidenceFile, EvidencePiece
from server.stats.session_models import SessionNote

__all__ = ["EvidenceFile", "EvidencePiece", "SessionNote"]

_DIGEST_LENGTH = 32


class ReportEpoch(Base):
    """One life of a terminal's reporting process, and what is held of it.

    ``ranges`` are the received numbers as [first, last] pairs, ``hwm`` the highest of them, ``head_hash`` the header
    hash of the newest batch taken in. ``first_at``/``last_at`` span the records' times. Numbers above
    ``disputed_after`` come from one of two devices that work under one key (forks.py); None: no dispute.
    """

    __tablename__ = "report_epochs"
    __table_args__ = (Index("ix_report_epochs_prev", "terminal_id", "prev_epoch"),)

    terminal_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("terminals.id"), primary_key=True
    )
    epoch: Mapped[str] = mapped_column(String(16), primary_key=True)
    prev_epoch: Mapped[str | None] = mapped_column(String(16))
    prev_last: Mapped[int | None] = mapped_column(BigInteger)
    hwm: Mapped[int] = mapped_column(BigInteger, default=0)
    head_hash: Mapped[str] = mapped_column(String(64))
    ranges: Mapped[list[Any]] = mapped_column(default=list)
    disputed_after: Mapped[int | None] = mapped_column(BigInteger)
    carried_at: Mapped[datetime | None]
    """换机: when batches of this epoch first came after its terminal had been replaced (decision 20)."""
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    first_received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]


class FactColumns:
    """What every fact has."""

    terminal_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("terminals.id"), primary_key=True
    )
    epoch: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(_DIGEST_LENGTH))
    station_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    region: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime]
    boot: Mapped[str] = mapped_column(Text)
    mono_ms: Mapped[int] = mapped_column(BigInteger)
    clock_state: Mapped[str] = mapped_column(String(10))
    received_at: Mapped[datetime]


class ViewingFact(FactColumns, Base):
    """One viewing session 收看会话. ``day`` is that of ``started_at`` in Asia/Shanghai. On and played time are columns
    of their own: ``on_ms`` from start to end on the clock, ``played_ms`` what the terminal says really advanced. ``prompts``:
    {at_ms, answered} of each time it asked whether anybody still watches."""

    __tablename__ = "viewing_facts"
    __table_args__ = (Index("ix_viewing_facts_region_day", "region", "day"),)

    session: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(10))
    programme: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    edition: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    release: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    section: Mapped[str] = mapped_column(Text)
    day: Mapped[date] = mapped_column(index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    on_ms: Mapped[int] = mapped_column(BigInteger)
    played_ms: Mapped[int] = mapped_column(BigInteger)
    watched: Mapped[list[Any]]
    clock: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str | None] = mapped_column(Text)
    item: Mapped[str | None] = mapped_column(Text)
    profile: Mapped[str | None] = mapped_column(Text)
    prompts: Mapped[list[Any]] = mapped_column(server_default="[]")


class AttendanceFact(FactColumns, Base):
    """Who came to a group study session: counts only."""

    __tablename__ = "attendance_facts"

    session: Mapped[str] = mapped_column(Text)
    expected: Mapped[int] = mapped_column(BigInteger)
    present: Mapped[int] = mapped_column(BigInteger)
    members: Mapped[int] = mapped_column(BigInteger)
    public: Mapped[int] = mapped_column(BigInteger)
    taken_by: Mapped[str] = mapped_column(Text)
    roll: Mapped[str] = mapped_column(String(8), server_default="start")


class StudyFact(FactColumns, Base):
    """集中学习: one session as the station closed it; ``programmes`` with title and milliseconds played."""

    __tablename__ = "study_facts"

    session: Mapped[str] = mapped_column(Text, index=True)
    day: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    planned_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    clock: Mapped[str] = mapped_column(String(10))
    programmes: Mapped[list[Any]]
    played_ms: Mapped[int] = mapped_column(BigInteger)
    discussion_ms: Mapped[int] = mapped_column(BigInteger)
    broken: Mapped[int] = mapped_column(BigInteger)
    completed: Mapped[bool]
    led_by: Mapped[str] = mapped_column(Text)


class VoiceFact(FactColumns, Base):
    """What viewers say: a liking, a wish, an opinion, a question; without a name."""

    __tablename__ = "voice_facts"

    says: Mapped[str] = mapped_column(String(10), index=True)
    face: Mapped[str | None] = mapped_column(String(6))
    text: Mapped[str] = mapped_column(Text)
    programme: Mapped[str | None] = mapped_column(Text, index=True)
    edition: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    section: Mapped[str] = mapped_column(Text)


class SelfTestFact(FactColumns, Base):
    """自检: what was right in front of the set; ``failed`` counts what was not."""

    __tablename__ = "self_test_facts"

    results: Mapped[dict[str, Any]]
    failed: Mapped[int]
    by: Mapped[str] = mapped_column("checked_by", Text)


class MinutesFact(FactColumns, Base):
    """学习讨论: what was discussed in a session, in words."""

    __tablename__ = "minutes_facts"

    session: Mapped[str] = mapped_column(Text, index=True)
    text: Mapped[str] = mapped_column(Text)


class EvidenceFact(FactColumns, Base):
    """A station says that it has a photo, spoken minutes or a picture of its screen; the bytes, once here, are an
    ``EvidenceFile`` of the same station and SHA-256 (evidence_models.py)."""

    __tablename__ = "evidence_facts"

    sha256: Mapped[str] = mapped_column(String(64), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(16))
    session: Mapped[str] = mapped_column(Text, index=True)


class LateEntryFact(FactColumns, Base):
    """迟录: what a station said afterwards of a session; of several the last one holds. It changes no other fact."""

    __tablename__ = "late_entry_facts"

    session: Mapped[str] = mapped_column(Text, index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    title: Mapped[str] = mapped_column(Text)
    manual: Mapped[bool]
    void: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    remark: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column("entered_by", Text)


class PlanChangeFact(FactColumns, Base):
    """月计划: a study day that a village moved, added or put back; ``planned_at`` is the county's own time."""

    __tablename__ = "plan_change_facts"

    day: Mapped[str] = mapped_column(Text, index=True)
    change: Mapped[str] = mapped_column(String(8))
    title: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    planned_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column("changed_by", Text)


class FaultFact(FactColumns, Base):
    __tablename__ = "fault_facts"

    code: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)


class HealthFact(FactColumns, Base):
    """A health report; ``health`` is the record itself. The newest also stands on the terminal, for display."""

    __tablename__ = "health_facts"

    health: Mapped[dict[str, Any]]
    between_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Fillers played between programmes since the report before: the one part that is summed up."""


class GapFact(FactColumns, Base):
    """Records that a terminal dropped before anybody acknowledged them: numbers ``first`` to ``last`` of
    ``gap_epoch``. Should they arrive after all, from a copy, they count."""

    __tablename__ = "gaps"

    gap_epoch: Mapped[str] = mapped_column(String(16))
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)


class SetAsideRecord(Base):
    """What could not be taken in, exactly as it came: a line of a batch, or a whole batch (``seq`` 0)."""

    __tablename__ = "set_aside"
    __table_args__ = (UniqueConstraint("terminal_id", "epoch", "sha256"),)

    id: Mapped[Id]
    terminal_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("terminals.id"))
    epoch: Mapped[str] = mapped_column(String(16))
    seq: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(20), index=True)
    detail: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
