"""Tables of the further rules: study days, notices, pushes, emergencies, airtime rights; and the history of them all."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class Versioned:
    """What every rule has that people edit: its version, which rises with each change, and who changed it last.
    A removed rule stays, marked, so that its removal can be taken back."""

    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_by_name: Mapped[str] = mapped_column(String(60), default="")
    changed_by_name: Mapped[str] = mapped_column(String(60), default="", server_default="")
    changed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class RuleChange(Base):
    """Who changed which rule when, and both sides of it. ``seq`` rises by one with each change of any rule, so a page
    that shows rules learns from the highest one alone whether anything changed."""

    __tablename__ = "rule_changes"
    __table_args__ = (
        Index("ix_rule_changes_rule", "kind", "rule_id"),
        Index("ix_rule_changes_region", "region", "seq"),
    )

    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    actor_name: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(12))
    rule_id: Mapped[str] = mapped_column(String(36))
    deed: Mapped[str] = mapped_column(String(12))
    region: Mapped[str] = mapped_column(String(12))
    channel: Mapped[str] = mapped_column(String(20), default="")
    version: Mapped[int]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    undone_by: Mapped[int | None]


class AirtimeRight(Versioned, Base):
    """A limit on who may place what, where: whoever has such rows for a region and channel places only inside one of
    them. By account, or by role where ``account_id`` is empty. Minutes count from midnight in Asia/Shanghai; ``weekdays``
    are 0 (Monday) to 6, none meaning all; ``sections`` empty means any; ``daily_min`` 0 means no limit."""

    __tablename__ = "airtime_rights"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"))
    role: Mapped[str] = mapped_column(String(20), default="")
    account_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), index=True)
    weekdays: Mapped[list[Any]] = mapped_column(default=list)
    from_minute: Mapped[int] = mapped_column(default=0)
    to_minute: Mapped[int] = mapped_column(default=1_440)
    sections: Mapped[list[str]] = mapped_column(default=list)
    daily_min: Mapped[int] = mapped_column(default=0)


class StudyRule(Versioned, Base):
    """集中学习日: on which days a region studies, from when and for how long. ``level`` as for slots: the province's rules
    stand in frames, a city's or county's in its local document, in place of those above."""

    __tablename__ = "study_rules"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    channel: Mapped[str] = mapped_column(String(20), ForeignKey("channels.id"))
    level: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(String(60), default="")
    starts_at: Mapped[datetime]
    duration_ms: Mapped[int]
    rrule: Mapped[str] = mapped_column(Text)


class StudyEvening(Versioned, Base):
    """One evening of a study rule, named by the day the rule gives: what is studied, and whether it was moved or is off."""

    __tablename__ = "study_evenings"
    __table_args__ = (Index("uq_study_evenings_rule_day", "rule_id", "day", unique=True),)

    id: Mapped[Id]
    rule_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("study_rules.id"))
    day: Mapped[date]
    programmes: Mapped[list[str]] = mapped_column(default=list)
    discussion_min: Mapped[int] = mapped_column(default=0)
    title: Mapped[str] = mapped_column(String(60), default="")
    moved_to: Mapped[datetime | None]
    cancelled: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(String(200), default="")


class NoticeRule(Versioned, Base):
    """滚动字幕: goes out once a second person has approved it; a changed text waits for approval again."""

    __tablename__ = "notices"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(String(60))
    starts_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    written_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    approved_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    approved_by_name: Mapped[str] = mapped_column(String(60), default="")
    approved_at: Mapped[datetime | None]


class PushRule(Versioned, Base):
    """Programmes stored at every station of a region without anybody choosing them: one programme, or all of a section
    or with a tag. ``months`` (1–12) is the season in which the rule holds, none meaning the whole year."""

    __tablename__ = "push_rules"

    id: Mapped[Id]
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    programme_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"))
    section: Mapped[str | None] = mapped_column(String(40), ForeignKey("sections.slug"))
    tag: Mapped[str] = mapped_column(String(40), default="")
    months: Mapped[list[Any]] = mapped_column(default=list)
    until: Mapped[datetime | None]


class EmergencyRule(Versioned, Base):
    """应急插播: an admitted programme or plain text over everything in some regions until it ends. It goes out once a
    second person has approved it. ``drill`` is an exercise (演练): it is said on the slate."""

    __tablename__ = "emergencies"

    id: Mapped[Id]
    regions: Mapped[list[str]] = mapped_column(default=list)
    priority: Mapped[int] = mapped_column(default=0)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    programme_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("programmes.id"))
    text: Mapped[str | None] = mapped_column(String(200))
    drill: Mapped[bool] = mapped_column(default=False)
    proposed_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    approved_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    approved_by_name: Mapped[str] = mapped_column(String(60), default="")
    approved_at: Mapped[datetime | None]
