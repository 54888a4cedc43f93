"""课程: their list and the page of each. What topics have in common with them stands here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from server import clock
from server.catalog import courses, search, service, views
from server.catalog.courses import CourseChanges
from server.catalog.typed import moved, ordered
from server.errors import YuanboError
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("collections", __name__)
Typed = MultiDict[str, str]
FOUND = 12
"""Programmes offered at once for adding."""


@blueprint.get("/courses")
@permit(Action.CATALOG_VIEW)
def listing() -> str:
    """Courses one may see, newest first, and the form for another one."""
    return _list_page(MultiDict())


@blueprint.post("/courses")
@permit(Action.CATALOG_UPLOAD)
def create() -> Response | tuple[str, int]:
    """A course without programmes yet."""
    try:
        with writing() as session:
            course = courses.create_course(session, caller(), _said(request.form), now=clock.now())
            course_id = course.id
    except YuanboError as error:
        return _list_page(request.form, say(error)), error.status
    flash(_("课程已建好，请加入节目"), "success")
    return redirect(url_for("collections.course", course_id=course_id))


@blueprint.get("/courses/<course_id>")
@permit(Action.CATALOG_VIEW)
def course(course_id: str) -> str:
    """A course: what is said of it, its programmes in order, and where one may, the forms for both."""
    return _course_page(course_id)


@blueprint.post("/courses/<course_id>")
@permit(Action.CATALOG_UPLOAD)
def change(course_id: str) -> Response | tuple[str, int]:
    """Save what is said of a course."""
    try:
        with writing() as session:
            courses.change_course(session, caller(), course_id, _said(request.form), now=clock.now())
    except YuanboError as error:
        return _course_page(course_id, request.form, say(error)), error.status
    flash(_("已保存"), "success")
    return redirect(url_for("collections.course", course_id=course_id))


@blueprint.post("/courses/<course_id>/programmes")
@permit(Action.CATALOG_UPLOAD)
def arrange(course_id: str) -> Response:
    """Add a programme, take one away, or change the order."""

    def work(session: Session) -> None:
        found = courses.get_course(session, caller(), course_id)
        ids = arranged([row.programme_id for row in found.programmes], request.form)
        courses.change_course(session, caller(), course_id, CourseChanges(programmes=ids), now=clock.now())

    return done(work, url_for("collections.course", course_id=course_id, _anchor="programmes"))


@blueprint.post("/courses/<course_id>/remove")
@permit(Action.CATALOG_UPLOAD)
def remove(course_id: str) -> Response:
    """Take a course apart; its programmes stay."""
    return done(
        lambda session: courses.remove_course(session, caller(), course_id, now=clock.now()),
        url_for("collections.listing"),
        _("课程已撤销，节目还在"),
    )


# --- common -----------------------------------------------------------------------------------------------------------
def done(work: Callable[[Session], object], back: str, said: str = "") -> Response:
    """Do it in one transaction, say how it went, go back."""
    try:
        with writing() as session:
            work(session)
        flash(said or _("已保存"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(back)


def arranged(ids: Sequence[str], form: Typed) -> list[str]:
    """The programmes as the pressed button says: ``add:ID``, ``up:ID``, ``down:ID``, ``remove:ID``, or ``order`` by the
    numbers in ``at-ID``."""
    deed, _colon, one = form.get("deed", "").partition(":")
    if deed == "add":
        return [*ids, one] if one not in ids else list(ids)
    if deed in ("up", "down", "remove"):
        return moved(ids, deed, one)
    return ordered(ids, {programme_id: form.get(f"at-{programme_id}", "") for programme_id in ids})


def found_to_add(session: Session, here: Sequence[str], *, mine: bool) -> list[views.ProgrammeSummary]:
    """Programmes that fit what was typed into ``find`` and are not here; ``mine``: that one may work on."""
    words = request.args.get("find", "").strip()[:100]
    if not words:
        return []
    rows, _more = search.list_programmes(
        session, caller(), search.Filters(q=words), limit=4 * FOUND, now=clock.now()
    )
    fitting = [
        row for row in rows if row.id not in here and (not mine or service.may_contribute(caller(), row))
    ]
    return views.summaries(session, fitting[:FOUND])


def _said(form: Typed) -> CourseChanges:
    return CourseChanges(
        title=form.get("title"),
        summary=form.get("summary"),
        section=form.get("section"),
        department=form.get("department"),
    )


def _list_page(typed: Typed, problem: str = "") -> str:
    q = request.args.get("q", "").strip()[:100]
    with reading() as session:
        found, following = courses.list_courses(session, caller(), q=q, after=request.args.get("after"))
        return render_template(
            "catalog/courses.html",
            found=[views.course_view(session, row) for row in found],
            following=following,
            q=q,
            typed=typed,
            problem=problem,
            may_create=caller().can(Action.CATALOG_UPLOAD),
            is_partner=service.is_partner_only(caller()),
            sections=[views.shelf_view(row) for row in service.sections(session)],
            departments=[views.shelf_view(row) for row in service.departments(session)],
        )


def _course_page(course_id: str, typed: Typed | None = None, problem: str = "") -> str:
    with reading() as session:
        row = courses.get_course(session, caller(), course_id)
        view = views.course_view(session, row)
        may_change = courses.may_change(caller(), row)
        here = [entry.id for entry in view.programmes]
        own: Typed = MultiDict(
            {
                "title": view.title,
                "summary": view.summary,
                "section": view.section or "",
                "department": view.department or "",
            }
        )
        return render_template(
            "catalog/course.html",
            course=view,
            typed=own if typed is None else typed,
            problem=problem,
            may_change=may_change,
            is_partner=service.is_partner_only(caller()),
            found=found_to_add(session, here, mine=True) if may_change else [],
            sections=[views.shelf_view(shelf) for shelf in service.sections(session)],
            departments=[views.shelf_view(shelf) for shelf in service.departments(session)],
        )
