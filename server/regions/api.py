"""JSON of the administrative tree."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from msgspec import Struct
from spectree import Response

from server.regions import service
from server.regions.codes import short_name
from server.regions.models import Region
from server.web import Problem, permit, reading, spec

blueprint = Blueprint("regions_api", __name__)

VIEW = "regions.view"
"""An action of identity's table, by its name: this room stands to the left of identity and cannot import it."""


class RegionView(Struct, kw_only=True):
    """``short_name`` is how people write it: 曲阳桥村 for 曲阳桥村民委员会."""

    code: str
    parent: str | None
    level: str
    name: str
    short_name: str


class RegionPath(RegionView, kw_only=True):
    """With its ancestors, province first, and the name written out from there."""

    full_name: str
    path: list[RegionView]


class RegionList(Struct, kw_only=True):
    items: list[RegionView]
    next: str | None = None


class RegionQuery(Struct, kw_only=True):
    """``q`` searches names, codes and written-out paths, inside ``within``; else the children of ``parent`` (without
    it: the province)."""

    parent: str | None = None
    q: str | None = None
    within: str = ""
    after: str = ""
    limit: int = 200


def _view(region: Region) -> RegionView:
    return RegionView(
        code=region.code,
        parent=region.parent,
        level=region.level,
        name=region.name,
        short_name=short_name(region.name),
    )


@blueprint.get("/api/v1/regions")
@permit(VIEW)
@spec.validate(resp=Response(HTTP_200=RegionList, HTTP_422=Problem), tags=["regions"])
def list_regions(query: RegionQuery) -> Any:
    """Places below a parent, by code; or those that a text finds."""
    limit = max(1, min(query.limit, 500))
    with reading() as session:
        if query.q is not None:
            found = service.search(session, query.q, within=query.within, limit=limit)
            return RegionList(items=[_view(region) for region in found])
        rows = service.children(session, query.parent, after=query.after, limit=limit + 1)
        items = [_view(region) for region in rows[:limit]]
        return RegionList(items=items, next=items[-1].code if len(rows) > limit else None)


@blueprint.get("/api/v1/regions/<code>")
@permit(VIEW)
@spec.validate(resp=Response(HTTP_200=RegionPath, HTTP_404=Problem), tags=["regions"])
def get_region(code: str) -> Any:
    """One place with its ancestors."""
    with reading() as session:
        path = service.path_of(session, code)
        region = path[-1]
        return RegionPath(
            code=region.code,
            parent=region.parent,
            level=region.level,
            name=region.name,
            short_name=short_name(region.name),
            full_name=service.join_names(path),
            path=[_view(place) for place in path],
        )
