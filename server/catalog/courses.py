"""课程: series of programmes in order.

A course may be put together at any time. What stations show of it stands in the release manifests, which were reviewed:
a programme that joins a course after its release shows it there from its next edition on (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session, selectinload

from protocol.regions import lineage
from server.catalog import service
from server.catalog.models import Course, CourseProgramme, Programme
from server.catalog.service import PAGE, clean_text, clean_title, known_id
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

MAX_PROGRAMMES = 500


@dataclass(frozen=True, kw_only=True)
class CourseChanges:
    """What is said of a course; None leaves it. ``programmes`` are ids in order, replacing what was there."""

    title: str | None = None
    summary: str | None = None
    section: str | None = None
    department: str | None = None
    region: str | None = None
    programmes: Sequence[str] | None = None


def create_course(session: Session, caller: Caller, said: CourseChanges, *, now: datetime) -> Course:
    """Raises Invalid, Forbidden (region, department, a programme that is not one's own), Conflict (in another course)."""
    course = Course(
        title=clean_title(said.title or ""),
        region=service.region_for(session, caller, said.region),
        department=service.department_for(session, caller, said.department),
        created_by=caller.id,
        created_at=now,
        updated_at=now,
    )
    session.add(course)
    session.flush()
    _change(session, caller, course, said)
    _note(session, caller, "course.create", course, now)
    return course


def change_course(
    session: Session, caller: Caller, course_id: str, said: CourseChanges, *, now: datetime
) -> Course:
    """Raises NotFound, Forbidden, Invalid, Conflict."""
    course = get_course(session, caller, course_id)
    _require_mine(caller, course)
    if said.title is not None:
        course.title = clean_title(said.title)
    if said.region is not None:
        course.region = service.region_for(session, caller, said.region)
    if said.department is not None:
        course.department = service.department_for(session, caller, said.department)
    _change(session, caller, course, said)
    course.updated_at = now
    _note(session, caller, "course.change", course, now)
    return course


def remove_course(session: Session, caller: Caller, course_id: str, *, now: datetime) -> None:
    """Take a course apart; its programmes stay. Raises NotFound, Forbidden."""
    course = get_course(session, caller, course_id)
    _require_mine(caller, course)
    session.delete(course)
    session.flush()
    _note(session, caller, "course.remove", course, now)


def put_into_course(
    session: Session, caller: Caller, course: Course, programme: Programme, order: int | None = None
) -> None:
    """Set a programme's place in a course: at ``order`` (from 1), or at the end. It leaves any other course."""
    service.require_contributing(caller, programme)
    ids = [row.programme_id for row in course.programmes if row.programme_id != programme.id]
    ids.insert(len(ids) if order is None else max(0, order - 1), programme.id)
    session.execute(delete(CourseProgramme).where(CourseProgramme.programme_id == programme.id))
    session.expire(course, ["programmes"])
    _arrange(session, course, ids)


def get_course(session: Session, caller: Caller, course_id: str) -> Course:
    """Raises NotFound, also for what the caller may not see."""
    course = session.scalars(
        select(Course).where(Course.id == known_id(course_id), _visible(caller))
    ).one_or_none()
    if course is None:
        raise NotFound(N_("没有这个课程"))
    return course


def list_courses(
    session: Session, caller: Caller, *, q: str = "", after: str | None = None, limit: int = PAGE
) -> tuple[list[Course], str | None]:
    """Courses of one's own places and of every level above them, newest first."""
    limit = max(1, min(limit, service.MAX_PAGE))
    query = select(Course).where(_visible(caller))
    if q.strip():
        query = query.where(Course.title.contains(q.strip(), autoescape=True))
    if after:
        query = query.where(Course.id < known_id(after))
    found = session.scalars(
        query.order_by(Course.id.desc()).limit(limit + 1).options(selectinload(Course.programmes))
    ).all()
    return list(found[:limit]), found[limit - 1].id if len(found) > limit else None


def course_titled(session: Session, caller: Caller, title: str, *, now: datetime) -> Course:
    """One's own course of this title, made where there is none."""
    wanted = clean_title(title)
    for course in session.scalars(
        select(Course).where(Course.title == wanted, _visible(caller)).order_by(Course.id)
    ):
        if may_change(caller, course):
            return course
    return create_course(session, caller, CourseChanges(title=wanted), now=now)


# --- parts ------------------------------------------------------------------------------------------------------------
def _change(session: Session, caller: Caller, course: Course, said: CourseChanges) -> None:
    if said.summary is not None:
        course.summary = clean_text(said.summary, service.MAX_SUMMARY)
    if said.section is not None:
        course.section = service.section_named(session, said.section).slug if said.section else None
    if said.programmes is not None:
        _fill(session, caller, course, said.programmes)
    session.flush()


def _fill(session: Session, caller: Caller, course: Course, programmes: Sequence[str]) -> None:
    wanted = list(dict.fromkeys(known_id(one) for one in programmes))
    if len(wanted) > MAX_PROGRAMMES:
        raise Invalid(N_("一个课程最多 %(most)d 个节目"), code="course", most=MAX_PROGRAMMES)
    here = {row.programme_id for row in course.programmes}
    for programme_id in wanted:
        if programme_id in here:
            continue
        programme = service.get_programme(session, caller, programme_id)
        service.require_contributing(caller, programme)
        other = session.get(CourseProgramme, programme.id)
        if other is not None:
            raise Conflict(N_("《%(title)s》已在另一个课程里"), code="in_course", title=programme.title)
    _arrange(session, course, wanted)


def _arrange(session: Session, course: Course, ids: Sequence[str]) -> None:
    session.execute(delete(CourseProgramme).where(CourseProgramme.course_id == course.id))
    session.expire(course, ["programmes"])
    session.add_all(
        CourseProgramme(programme_id=one, course_id=course.id, order=at)
        for at, one in enumerate(ids, start=1)
    )
    session.flush()
    session.refresh(course, ["programmes"])


def _visible(caller: Caller) -> ColumnElement[bool]:
    scopes = caller.scopes(Action.CATALOG_VIEW)
    above = {code for scope in scopes for code in lineage(scope)}
    return or_(
        Course.created_by == caller.id,
        Course.region.in_(above),
        *(Course.region.startswith(scope) for scope in scopes),
    )


def may_change(caller: Caller, course: Course) -> bool:
    """Whether the caller may work on this course: his own, his department's, or in his region as an editor."""
    if course.created_by == caller.id:
        return True
    if service.is_partner_only(caller):
        return course.department is not None and course.department == caller.department
    return caller.can(Action.CATALOG_WITHDRAW, course.region)


def _require_mine(caller: Caller, course: Course) -> None:
    if not may_change(caller, course):
        raise Forbidden(N_("这不是您能办理的课程"))


def _note(session: Session, caller: Caller, action: str, course: Course, now: datetime) -> None:
    audit.append(
        session,
        actor=caller,
        action=action,
        subject=f"course:{course.id}",
        detail={"title": course.title},
        now=now,
    )
