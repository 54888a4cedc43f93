"""The page of the catalogue's health, and the settings of its shelves."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import health, oai_records, service, shelving
from server.errors import YuanboError
from server.identity.rules import Action
from server.web import caller, is_english, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("catalog_health", __name__)


@blueprint.get("/catalogue/health")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def overview() -> str:
    """Charts and tables over what is released in a region."""
    region = request.args.get("region", "").strip() or None
    with reading() as session:
        report = health.report(session, caller(), region, now=clock.now())
        names = {row.slug: row.name_en if is_english() else row.name for row in service.sections(session)}
    figures = {
        kind: {
            "names": [row.name_en if is_english() else row.name for row in rows],
            "values": [row.hours for row in rows],
            "fresh": [row.new_hours for row in rows],
        }
        for kind, rows in (
            ("sections", report.sections),
            ("departments", report.departments),
            ("places", report.places),
        )
    }
    return render_template(
        "catalog/health.html",
        report=report,
        figures=figures,
        section_names=names,
        state_words=health.STATE_NAMES,
        root=next(iter(caller().scopes(Action.CATALOG_VIEW_UNRELEASED)), "13"),
    )


@blueprint.get("/catalogue/shelves")
@permit(Action.CATALOG_SETTINGS)
def shelves() -> str:
    """Sections, departments, and how others may harvest us."""
    with reading() as session:
        return render_template(
            "catalog/shelves.html",
            sections=shelving.used(session, "section"),
            departments=shelving.used(session, "department"),
            sharing=oai_records.sharing(session),
        )


@blueprint.post("/catalogue/shelves/<kind>")
@permit(Action.CATALOG_SETTINGS)
def change(kind: str) -> Response:
    """All shelves of a kind as the form says: names, order, a new one."""
    form = request.form
    rows = [
        shelving.ShelfWords(slug=slug, name=name, name_en=name_en)
        for slug, name, name_en in zip(
            form.getlist("slug"), form.getlist("name"), form.getlist("name_en"), strict=False
        )
        if slug.strip() or name.strip()
    ]
    return _do(lambda session: shelving.change(session, caller(), kind, rows, now=clock.now()))


@blueprint.post("/catalogue/sharing")
@permit(Action.CATALOG_SETTINGS)
def change_sharing() -> Response:
    form = request.form
    return _do(
        lambda session: oai_records.change_sharing(
            session,
            caller(),
            name=form.get("name", ""),
            email=form.get("email", "").strip(),
            is_off="on" not in form,
            now=clock.now(),
        )
    )


def _do(work: Callable[[Session], object]) -> Response:
    try:
        with writing() as session:
            work(session)
        flash(_("已保存"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("catalog_health.shelves"))
