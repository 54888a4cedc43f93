"""JSON of the board: what it shows, copying, templates, undo, the library beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask import Blueprint, make_response, request
from flask_babel import gettext
from spectree import Response

from server import clock
from server.identity.rules import Action
from server.schedule import board, board_edits, service
from server.schedule.board_models import ScheduleTemplate
from server.schedule.board_views import (
    ApplyRequest,
    BoardQuery,
    BoardView,
    CopyRequest,
    LibraryList,
    LibraryQuery,
    Placed,
    TemplateList,
    TemplateRequest,
    TemplateView,
    Undone,
)
from server.schedule.models import RuleChange
from server.schedule.times import read_day
from server.web import Problem, caller, is_english, permit, reading, say, spec, writing

blueprint = Blueprint("schedule_board_api", __name__)


def _say(text: str, params: Mapping[str, object]) -> str:
    return gettext(text) % params


@blueprint.get("/api/v1/schedule/board")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=BoardView, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def show(query: BoardQuery) -> Any:
    """Several days of a region as the rules stand now, with windows, warnings, versions and who may change what.

    The answer's ETag is the number of the newest change: who sends it back is told 304 while nothing changed.
    """
    now = clock.now()
    with reading() as session:
        who = caller()
        tag = f"{service.change_number(session)}-{query.region}-{query.day}-{query.days}-{is_english():d}"
        if tag in request.if_none_match:
            return "", 304
        seen = board.view(
            session,
            who,
            region=query.region,
            day=read_day(query.day, now),
            days=query.days,
            english=is_english(),
            say=_say,
        )
        if seen.may_edit:
            step = board_edits.next_undo(session, who, region=query.region, now=now)
            seen.undoable = _step_name(step) if step else ""
    response = make_response(msgspec.json.encode(seen))
    response.content_type = "application/json"
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(tag)
    return response


def _step_name(step: Sequence[RuleChange]) -> str:
    names = {
        "put": gettext("编排"), "changed": gettext("修改"), "skipped": gettext("跳过一次"), "removed": gettext("移除"),
        "restored": gettext("恢复"), "added": gettext("加播一次"), "put_back": gettext("恢复一次"),
    }  # fmt: skip
    name = names.get(step[-1].deed, gettext("修改"))
    return f"{name} × {len(step)}" if len(step) > 1 else name


@blueprint.post("/api/v1/schedule/board/copy")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=Placed, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def copy(json: CopyRequest) -> Any:
    """Copy a region's own placements of a day or a week to other days, in one transaction; what cannot be is reported."""
    now = clock.now()
    with writing() as session:
        return board_edits.copy_days(
            session,
            caller(),
            region=json.region,
            day=read_day(json.day, now),
            to=read_day(json.to, now),
            days=json.days,
            channel=json.channel,
            say=say,
            now=now,
        )


@blueprint.post("/api/v1/schedule/board/undo")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(
    resp=Response(HTTP_200=Undone, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem), tags=["schedule"]
)
def undo(json: ApplyRequest) -> Any:
    """Take back the caller's last step in a region and below (``day`` is not looked at)."""
    with writing() as session:
        return board_edits.undo_last(session, caller(), region=json.region, now=clock.now())


@blueprint.get("/api/v1/schedule/templates")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=TemplateList), tags=["schedule"])
def list_templates() -> Any:
    """Named days and weeks that may be applied in ``?region=``."""
    region = request.args.get("region", "13")
    with reading() as session:
        who = caller()
        found = board_edits.templates(session, who, region)
        return TemplateList(
            items=[_template_view(t, mine=who.can(Action.SCHEDULE_EDIT, t.region)) for t in found]
        )


@blueprint.post("/api/v1/schedule/templates")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_201=TemplateView, HTTP_422=Problem), tags=["schedule"])
def keep_template(json: TemplateRequest) -> Any:
    """Keep a day or a week under a name."""
    now = clock.now()
    with writing() as session:
        template = board_edits.keep_template(
            session,
            caller(),
            region=json.region,
            name=json.name,
            day=read_day(json.day, now),
            days=json.days,
            now=now,
        )
        return _template_view(template, mine=True), 201


@blueprint.post("/api/v1/schedule/templates/<template_id>/apply")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=Placed, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def apply_template(template_id: str, json: ApplyRequest) -> Any:
    """Place a template from a day on; what cannot be placed is reported."""
    now = clock.now()
    with writing() as session:
        return board_edits.apply_template(
            session, caller(), template_id, region=json.region, day=read_day(json.day, now), say=say, now=now
        )


@blueprint.delete("/api/v1/schedule/templates/<template_id>")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_204=None, HTTP_404=Problem), tags=["schedule"])
def remove_template(template_id: str) -> Any:
    """Forget a template; what was placed with it stays."""
    with writing() as session:
        board_edits.remove_template(session, caller(), template_id, now=clock.now())
    return "", 204


def _template_view(template: ScheduleTemplate, *, mine: bool) -> TemplateView:
    return TemplateView(
        id=template.id,
        name=template.name,
        region=template.region,
        days=template.days,
        items=len(template.items),
        by=template.created_by_name,
        mine=mine,
    )


@blueprint.get("/api/v1/schedule/library")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=LibraryList, HTTP_404=Problem), tags=["schedule"])
def library(query: LibraryQuery) -> Any:
    """Released programmes that may be placed, found by words, number or shelf."""
    with reading() as session:
        found = board.library(
            session, caller(), q=query.q, section=query.section, english=is_english(), now=clock.now()
        )
        return LibraryList(items=found)
