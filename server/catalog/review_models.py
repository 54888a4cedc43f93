"""Tables around the three reviews: rounds, tasks with due times, comments, checklists, proofreadings, terms, duty.

The decisions themselves stand in ``reviews`` and, for whoever signs, in the audit chain.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


def _edition() -> Any:
    return mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), index=True)


def _person() -> Any:
    return mapped_column(Uuid(as_uuid=False))


class ReviewRound(Base):
    """One submission of an edition: exactly what was handed in, for comparing it with the next."""

    __tablename__ = "review_rounds"
    __table_args__ = (UniqueConstraint("edition_id", "number"),)

    id: Mapped[Id]
    edition_id: Mapped[str] = _edition()
    number: Mapped[int]
    submitted_by: Mapped[str] = _person()
    at: Mapped[datetime]
    content: Mapped[dict[str, Any]]
    is_urgent: Mapped[bool]
    urgent_reason: Mapped[str] = mapped_column(String(200))
    urgent_by: Mapped[str | None] = _person()


class ReviewTask(Base):
    """A stage of an edition that waits for a decision, or did. One is open at a time.

    ``called_id`` is the person on duty who was called for an urgent one, ``deputy_id`` who is called when he is silent.
    """

    __tablename__ = "review_tasks"
    __table_args__ = (Index("ix_review_tasks_open", "closed_at", "stage", "due_at"),)

    id: Mapped[Id]
    edition_id: Mapped[str] = _edition()
    round: Mapped[int]
    stage: Mapped[str] = mapped_column(String(8))
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    is_urgent: Mapped[bool]
    called_id: Mapped[str | None] = _person()
    deputy_id: Mapped[str | None] = _person()
    deputy_called_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    overdue_told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = _person()


class ReviewDetail(Base):
    """What stood behind one decision: the checklist as answered and how much was watched."""

    __tablename__ = "review_details"

    review_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("reviews.id"), primary_key=True)
    checklist_version: Mapped[int | None]
    answers: Mapped[list[Any]]
    watched_share: Mapped[float] = mapped_column(Double)
    watched: Mapped[list[Any]]
    waited_s: Mapped[int | None]


class ReviewComment(Base):
    """A remark, at a time code of the source or on the whole. ``resolved_at``: the contributor or reviewer ticked it."""

    __tablename__ = "review_comments"

    id: Mapped[Id]
    edition_id: Mapped[str] = _edition()
    stage: Mapped[str | None] = mapped_column(String(8))
    author_id: Mapped[str] = _person()
    at_ms: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = _person()


class Checklist(Base):
    """检查表 of a stage, versioned; the highest version counts. ``items``: [{id, text, text_en, required}]."""

    __tablename__ = "review_checklists"
    __table_args__ = (UniqueConstraint("stage", "version"),)

    id: Mapped[Id]
    stage: Mapped[str] = mapped_column(String(8))
    version: Mapped[int]
    items: Mapped[list[Any]]
    made_by: Mapped[str] = _person()
    made_at: Mapped[datetime]


class PolicyVersion(Base):
    """审核规则, versioned; the highest version counts."""

    __tablename__ = "review_policies"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    made_by: Mapped[str] = _person()
    made_at: Mapped[datetime]


class Proofreading(Base):
    """三校: one of the three proofreadings of a round: who, when, found what. Empty ``found`` means nothing wrong."""

    __tablename__ = "proofreadings"
    __table_args__ = (UniqueConstraint("edition_id", "round", "number"),)

    id: Mapped[Id]
    edition_id: Mapped[str] = _edition()
    round: Mapped[int]
    number: Mapped[int]
    person_id: Mapped[str] = _person()
    at: Mapped[datetime]
    found: Mapped[str] = mapped_column(Text)


class Watching(Base):
    """What one reviewer has watched of one edition: merged spans [from, to) in ms of the source."""

    __tablename__ = "review_watching"

    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    spans: Mapped[list[Any]]
    began_at: Mapped[datetime]
    reported_at: Mapped[datetime]


class TermList(Base):
    """词表, versioned; the highest version counts. ``terms``: as terms.Term."""

    __tablename__ = "term_lists"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    terms: Mapped[list[Any]]
    note: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[str] = _person()
    made_at: Mapped[datetime]


class TermScan(Base):
    """What the term list finds in an edition. ``checked_version`` is the list's when reviewers last approved it."""

    __tablename__ = "term_scans"

    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"), primary_key=True)
    list_version: Mapped[int] = mapped_column(Integer, index=True)
    content_sha256: Mapped[str] = mapped_column(String(64))
    hits: Mapped[list[Any]]
    newest_hit: Mapped[int | None]
    checked_version: Mapped[int | None]
    scanned_at: Mapped[datetime]


class ReReview(Base):
    """重播重审: one approval of a released edition; it counts for the re-review that began at ``since``."""

    __tablename__ = "re_reviews"
    __table_args__ = (Index("ix_re_reviews_edition", "edition_id", "at"),)

    id: Mapped[Id]
    edition_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("editions.id"))
    stage: Mapped[str] = mapped_column(String(8))
    person_id: Mapped[str] = _person()
    at: Mapped[datetime]
    comment: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]]
    completes: Mapped[bool]
    audit_seq: Mapped[int]


class DutyShift(Base):
    """加急值班: who answers for a stage in [``starts_at``, ``ends_at``), and who when he is silent for 15 minutes."""

    __tablename__ = "duty_shifts"
    __table_args__ = (Index("ix_duty_shifts_stage", "stage", "starts_at"),)

    id: Mapped[Id]
    stage: Mapped[str] = mapped_column(String(8))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"))
    deputy_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"))
    made_by: Mapped[str] = _person()
    made_at: Mapped[datetime]


class Countersignature(Base):
    """A second person's yes to a late change in a protected period, before the final approval."""

    __tablename__ = "review_countersignatures"
    __table_args__ = (UniqueConstraint("edition_id", "round"),)

    id: Mapped[Id]
    edition_id: Mapped[str] = _edition()
    round: Mapped[int]
    person_id: Mapped[str] = _person()
    at: Mapped[datetime]
    comment: Mapped[str] = mapped_column(Text)


class Authorisation(Base):
    """授权书: the scan of a licence for a batch of programmes. ``sha256`` names the stored file."""

    __tablename__ = "authorisations"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(200))
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    department: Mapped[str | None] = mapped_column(String(40), ForeignKey("departments.slug"))
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"))
    source: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    made_by: Mapped[str] = _person()
    made_at: Mapped[datetime]


class AuthorisedProgramme(Base):
    """A programme that an authorisation covers."""

    __tablename__ = "authorised_programmes"

    authorisation_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("authorisations.id"), primary_key=True
    )
    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id"), primary_key=True, index=True
    )
