"""Tables of what programmes are gathered in: further sections, tags, courses, topics."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.db import Base, Id


class ProgrammeSection(Base):
    """A further section of a programme, beside its main one."""

    __tablename__ = "programme_sections"

    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id"), primary_key=True
    )
    section: Mapped[str] = mapped_column(
        String(40), ForeignKey("sections.slug"), primary_key=True, index=True
    )
    order: Mapped[int] = mapped_column("position", default=0)


class ProgrammeTag(Base):
    __tablename__ = "programme_tags"

    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(20), primary_key=True, index=True)


class Course(Base):
    """课程: a series of programmes in order. ``region`` is the place it belongs to."""

    __tablename__ = "courses"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(200), index=True)
    summary: Mapped[str] = mapped_column(Text, default="")
    section: Mapped[str | None] = mapped_column(String(40), ForeignKey("sections.slug"), index=True)
    department: Mapped[str | None] = mapped_column(String(40), ForeignKey("departments.slug"))
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    programmes: Mapped[list[CourseProgramme]] = relationship(
        order_by="CourseProgramme.order", cascade="all, delete-orphan"
    )


class CourseProgramme(Base):
    """A programme's place in a course, from 1. A programme is in one course at most."""

    __tablename__ = "course_programmes"

    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id"), primary_key=True
    )
    course_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("courses.id"), index=True)
    order: Mapped[int] = mapped_column("position")


class Topic(Base):
    """专题: a promoted collection with a period and target regions; ``required``: every programme of it is to be
    watched by ``until`` (必播). ``region`` is the level that made it: its targets lie inside. ``regions`` empty means
    all of ``region``.
    """

    __tablename__ = "topics"

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(60))
    summary: Mapped[str] = mapped_column(Text, default="")
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    regions: Mapped[list[str]] = mapped_column(default=list)
    starts_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    required: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    poster_sha256: Mapped[str | None] = mapped_column(String(64))
    poster_length: Mapped[int | None] = mapped_column(BigInteger)
    poster_pieces_root: Mapped[str | None] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """Taken off before its time."""
    programmes: Mapped[list[TopicProgramme]] = relationship(
        order_by="TopicProgramme.order", cascade="all, delete-orphan"
    )


class TopicProgramme(Base):
    """A programme's place in a topic, from 1."""

    __tablename__ = "topic_programmes"

    topic_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("topics.id"), primary_key=True)
    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id"), primary_key=True, index=True
    )
    order: Mapped[int] = mapped_column("position")
