"""JSON and spreadsheets of the catalogue's health."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, make_response
from msgspec import Struct
from spectree import Response

from server import clock
from server.catalog import health, health_export
from server.identity.rules import Action
from server.web import Problem, caller, permit, reading, spec

blueprint = Blueprint("health_api", __name__)

_KINDS = {
    "csv": ("text/csv; charset=utf-8", health_export.as_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", health_export.as_xlsx),
}


class HealthQuery(Struct, kw_only=True):
    """``region``: one's own by default."""

    region: str | None = None


class ExportQuery(HealthQuery, kw_only=True):
    format: Literal["csv", "xlsx"] = "xlsx"


@blueprint.get("/api/v1/catalogue/health")
@permit(Action.CATALOG_VIEW_UNRELEASED)
@spec.validate(
    resp=Response(HTTP_200=health.HealthReport, HTTP_403=Problem, HTTP_422=Problem), tags=["catalogue"]
)
def get_health(query: HealthQuery) -> Any:
    """Hours and new items by section, department and place; empty and stale shelves; what ends soon; what nobody shows."""
    with reading() as session:
        return health.report(session, caller(), query.region, now=clock.now())


@blueprint.get("/api/v1/catalogue/health/export")
@permit(Action.CATALOG_VIEW_UNRELEASED)
@spec.validate(resp=Response(HTTP_403=Problem, HTTP_422=Problem), tags=["catalogue"])
def export(query: ExportQuery) -> Any:
    """The same as a spreadsheet."""
    with reading() as session:
        report = health.report(session, caller(), query.region, now=clock.now())
    media_type, write = _KINDS[query.format]
    response = make_response(write(report))
    response.content_type = media_type
    name = f"catalogue-health-{report.region}-{report.at[:10]}.{query.format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
