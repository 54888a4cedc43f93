"""The library, a programme's page with its reviews, and the upload page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import review, search, service, views
from server.catalog.models import EditionState, Stage
from server.errors import YuanboError
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("catalog", __name__)

SHOWN = 24
STATE_COLOURS: dict[str, str] = {
    EditionState.DRAFT: "secondary",
    EditionState.FIRST_REVIEW: "azure",
    EditionState.SECOND_REVIEW: "azure",
    EditionState.FINAL_REVIEW: "azure",
    EditionState.RELEASED: "green",
    EditionState.RETURNED: "orange",
    EditionState.WITHDRAWN: "red",
}


@blueprint.app_context_processor
def looks() -> dict[str, Any]:
    """How states of editions look on every page."""
    return {
        "state_names": review.STATE_NAMES,
        "state_colours": STATE_COLOURS,
        "stage_names": review.STAGE_NAMES,
    }


@blueprint.get("/programmes")
@permit(Action.CATALOG_VIEW)
def programmes() -> str:
    """The library, newest first, with filters."""
    fields = ("section", "department", "region", "state", "q")
    chosen = {name: request.args.get(name, "").strip() for name in fields}
    filters = search.Filters(
        section=chosen["section"] or None,
        department=chosen["department"] or None,
        region=chosen["region"] or None,
        state=chosen["state"] or None,
        q=chosen["q"] or None,
        mine="mine" in request.args,
    )
    with reading() as session:
        found, following = search.list_programmes(
            session, caller(), filters, after=request.args.get("after"), limit=SHOWN, now=clock.now()
        )
        cards = views.summaries(session, found)
        shelves = [views.shelf_view(s) for s in service.sections(session)]
        departments = [views.shelf_view(d) for d in service.departments(session)]
    return render_template(
        "catalog/programmes.html",
        cards=cards,
        following=following,
        chosen=chosen,
        mine="mine" in request.args,
        sections=shelves,
        departments=departments,
        can_upload=caller().can(Action.CATALOG_UPLOAD),
    )


@blueprint.get("/programmes/<programme_id>")
@permit(Action.CATALOG_VIEW)
def programme(programme_id: str) -> str:
    """One programme: preview, editions, reviews, what I may do."""
    return render_template("catalog/programme.html", programme=_view(programme_id))


@blueprint.get("/programmes/<programme_id>/progress")
@permit(Action.CATALOG_VIEW)
def progress(programme_id: str) -> Response | str:
    """The encoding's progress alone, polled; when it is over the page loads itself again."""
    found = _view(programme_id)
    page = render_template("catalog/_progress.html", programme=found)
    if found.job.state in ("queued", "running"):
        return page
    return Response(page, headers={"HX-Refresh": "true"}, mimetype="text/html")


def _view(programme_id: str) -> views.ProgrammeView:
    with reading() as session:
        found = service.get_programme(session, caller(), programme_id)
        return views.programme_view(session, caller(), found)


@blueprint.get("/upload")
@permit(Action.CATALOG_UPLOAD)
def upload() -> str:
    """Where files come in."""
    with reading() as session:
        shelves = [views.shelf_view(s) for s in service.sections(session)]
        departments = [views.shelf_view(d) for d in service.departments(session)]
    return render_template(
        "catalog/upload.html", sections=shelves, departments=departments, own=caller().department
    )


# --- moves ------------------------------------------------------------------------------------------------------------
@blueprint.post("/editions/<edition_id>/submit")
@permit(Action.CATALOG_SUBMIT)
def submit(edition_id: str) -> Response:
    """Hand an edition in for review."""
    return _moved(
        edition_id,
        lambda session: service.submit(session, caller(), edition_id, now=clock.now()),
        _("已送审，等待初审"),
    )


@blueprint.post("/editions/<edition_id>/review")
@permit(Action.CATALOG_REVIEW)
def decide(edition_id: str) -> Response:
    """Approve or return at a stage."""
    approve = request.form.get("decision") == "approve"
    try:
        stage = Stage(request.form.get("stage", ""))
    except ValueError:
        return redirect(url_for("catalog.programme", programme_id=edition_id))
    comment = request.form.get("comment", "")
    return _moved(
        edition_id,
        lambda session: service.decide(
            session, caller(), edition_id, stage, approve=approve, comment=comment, now=clock.now()
        ),
        _("已通过") if approve else _("已退回修改"),
    )


@blueprint.post("/editions/<edition_id>/withdraw")
@permit(Action.CATALOG_WITHDRAW)
def withdraw(edition_id: str) -> Response:
    """Take an edition out for good."""
    reason = request.form.get("reason", "")
    return _moved(
        edition_id,
        lambda session: service.withdraw(session, caller(), edition_id, reason=reason, now=clock.now()),
        _("已撤下"),
    )


def _moved(edition_id: str, move: Callable[[Session], object], done: str) -> Response:
    """Do it in one transaction, say how it went, show the programme."""
    try:
        with writing() as session:
            move(session)
        flash(done, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("catalog.programme", programme_id=edition_id))
