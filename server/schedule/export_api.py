"""The listing of a region as a file, for programs: published, or as a draft for those who plan it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, url_for
from msgspec import Struct
from spectree import Response

from server import clock
from server.identity.rules import Action
from server.schedule import exports, guides
from server.schedule.served import ReadPlane
from server.schedule.times import read_day
from server.web import Problem, config, permit, reading, spec

blueprint = Blueprint("schedule_export_api", __name__)


class ExportQuery(Struct, kw_only=True):
    """``draft``: as the rules stand now, instead of what was published. ``day``: the first one, today by default."""

    region: str
    format: str = "json"
    day: str | None = None
    days: int = 7
    paper: str = "A4"
    draft: bool = False


@blueprint.get("/api/v1/listings/export")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def export(query: ExportQuery) -> Any:
    """The listing as XMLTV, iCalendar, M3U, RSS, JSON, a poster (PDF), a picture (PNG) or a text to read out (TXT)."""
    form, paper = exports.format_of(query.format), exports.paper_of(query.paper)
    now = clock.now()
    common = {
        "region": query.region,
        "first_day": read_day(query.day, now),
        "days": query.days,
        "url": config().console_url + url_for("listings.region", region=query.region),
        "media_base": next(iter(config().read_urls), ""),
        "now": now,
    }
    with reading() as session:
        if query.draft:
            guide = guides.draft_guide(session, **common)  # type: ignore[arg-type]
        else:
            plane = ReadPlane(config().read)
            guide = guides.require_published(guides.published_guide(session, plane, **common))  # type: ignore[arg-type]
    response = make_response(exports.write(guide, form, paper))
    response.content_type = exports.FORMS[form].media_type
    response.headers["Content-Disposition"] = f'attachment; filename="{exports.file_name(guide, form)}"'
    return response
