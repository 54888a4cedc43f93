"""The library, a programme's page with its reviews, and the upload page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import many, review, search, service, topics, views
from server.catalog.description import KIND_NAMES, LOCAL_TYPE_NAMES
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
    """The library: what is found, or, asked by a script for more, the next cards alone."""
    filters = many.filters_of(request.args.to_dict())
    now = clock.now()
    with reading() as session:
        found, following = search.list_programmes(
            session, caller(), filters, after=request.args.get("after"), limit=SHOWN, now=now
        )
        common = {
            "cards": views.summaries(session, found),
            "following": following,
            "chosen": {name: value for name, value in asdict(filters).items() if value not in (None, False)},
        }
        if request.headers.get("HX-Request") and "after" in request.args:
            return render_template("catalog/_cards.html", **common)
        return render_template(
            "catalog/programmes.html",
            **common,
            count=search.count_programmes(session, caller(), filters, now=now),
            most=search.MOST_COUNTED,
            sections=[views.shelf_view(s) for s in service.sections(session)],
            departments=[views.shelf_view(d) for d in service.departments(session)],
            saved=many.saved_views(session, caller()),
            topics=topics.list_topics(session, caller(), at=now)[0] if _may_edit() else [],
            deeds=_deeds(),
            rights_names=search.RIGHTS_NAMES,
            kind_names=KIND_NAMES,
            local_names=LOCAL_TYPE_NAMES,
            home=next(iter(caller().scopes(Action.CATALOG_VIEW)), "13"),
            can_upload=caller().can(Action.CATALOG_UPLOAD),
        )


def _may_edit() -> bool:
    return bool(caller().can(Action.CATALOG_WITHDRAW))


def _deeds() -> dict[str, str]:
    """What the caller may do to many at once."""
    if not caller().can(Action.CATALOG_SUBMIT):
        return {}
    editors_only = (many.Deed.WITHDRAW, many.Deed.TOPIC)
    return {
        deed.value: name for deed, name in many.DEED_NAMES.items() if _may_edit() or deed not in editors_only
    }


@blueprint.post("/programmes/many")
@permit(Action.CATALOG_SUBMIT)
def do_many() -> Response:
    """One thing to many programmes: says how many were done and why the others were not."""
    form = request.form
    back = redirect(_library(form.get("back", "")))
    try:
        deed = many.Deed(form.get("deed", ""))
        with writing() as session:
            outcomes = many.do(
                session, caller(), form.getlist("id"), deed, form.get(deed.value, ""), now=clock.now()
            )
    except ValueError:
        return back
    except YuanboError as error:
        flash(say(error), "error")
        return back
    done = [outcome for outcome in outcomes if outcome.error is None]
    if done:
        flash(_("%(deed)s：已办理 %(count)s 个", deed=_(many.DEED_NAMES[deed]), count=len(done)), "success")
    for outcome in outcomes:
        if outcome.error is not None:
            flash(f"{outcome.title or outcome.programme_id}：{say(outcome.error)}", "error")
    return back


@blueprint.post("/programmes/views")
@permit(Action.CATALOG_VIEW)
def save_view() -> Response:
    """Keep the filters of this moment under a name."""
    given = dict(parse_qsl(request.form.get("back", "")))
    try:
        with writing() as session:
            many.save_view(
                session, caller(), request.form.get("name", ""), many.filters_of(given), now=clock.now()
            )
        flash(_("视图已保存"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(_library(request.form.get("back", "")))


@blueprint.post("/programmes/views/<view_id>/forget")
@permit(Action.CATALOG_VIEW)
def forget_view(view_id: str) -> Response:
    with writing() as session:
        many.forget_view(session, caller(), view_id)
    return redirect(url_for("catalog.programmes"))


def _library(query: str) -> str:
    """The library with the filters of a query string."""
    known = search.Filters.__dataclass_fields__
    given: dict[str, Any] = {name: value for name, value in parse_qsl(query) if name in known}
    return url_for("catalog.programmes", **given)


@blueprint.get("/programmes/<programme_id>")
@permit(Action.CATALOG_VIEW)
def programme(programme_id: str) -> str:
    """One programme: preview, editions, reviews, what I may do."""
    return render_template(
        "catalog/programme.html", programme=_view(programme_id), local_names=LOCAL_TYPE_NAMES
    )


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
        "catalog/upload.html",
        sections=shelves,
        departments=departments,
        own=caller().department,
        local_types=LOCAL_TYPE_NAMES,
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
