"""JSON of the partner feeds 共享互通."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response
from sqlalchemy.orm import Session

from protocol.times import Timestamp, to_text
from server import clock
from server.catalog import feeds
from server.catalog.feeds_models import FeedItem, FeedSource
from server.identity.rules import Action
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("feeds_api", __name__)

Text = Annotated[str, Meta(max_length=1_000)]


class SourceView(Struct, kw_only=True):
    """``items`` counts what was found, by state; ``error`` is why the last harvest failed."""

    id: str
    name: str
    kind: str
    url: str
    oai_set: str
    oai_prefix: str
    section: str
    department: str | None
    region: str
    rights_source: str
    rights_licence: str
    interval_minutes: int
    active: bool
    last_at: Timestamp | None
    last_ok_at: Timestamp | None
    next_at: Timestamp
    error: str | None
    items: dict[str, int]


class SourceList(Struct, kw_only=True):
    items: list[SourceView]
    next: str | None = None


class SourceRequest(Struct, kw_only=True):
    """``kind``: rss (RSS, MRSS, podcast, Atom) or oai (OAI-PMH). Section and department by slug or name."""

    name: Text
    kind: str
    url: Text
    section: str
    rights_source: Text
    rights_licence: Text
    region: str = "13"
    department: str | None = None
    interval_minutes: int = 360
    oai_set: Text = ""
    oai_prefix: str = "oai_dc"


class ActiveRequest(Struct, kw_only=True):
    active: bool


class ItemView(Struct, kw_only=True):
    """``state``: found, taken, known, refused or gone; ``programme`` is what became of it."""

    id: str
    title: str
    state: str
    reason: str
    media_url: str | None
    page_url: str | None
    size: int | None
    tries: int
    programme: str | None
    first_seen_at: Timestamp
    changed_at: Timestamp


class ItemQuery(Struct, kw_only=True):
    state: str | None = None
    after: str | None = None
    limit: int = feeds.PAGE


class ItemList(Struct, kw_only=True):
    items: list[ItemView]
    next: str | None


def source_views(session: Session, sources: list[FeedSource]) -> list[SourceView]:
    counted = feeds.counts(session, [source.id for source in sources])
    return [_source(source, {str(s): n for s, n in counted[source.id].items()}) for source in sources]


def _source(source: FeedSource, items: dict[str, int]) -> SourceView:
    return SourceView(
        id=source.id,
        name=source.name,
        kind=source.kind,
        url=source.url,
        oai_set=source.oai_set,
        oai_prefix=source.oai_prefix,
        section=source.section,
        department=source.department,
        region=source.region,
        rights_source=source.rights_source,
        rights_licence=source.rights_licence,
        interval_minutes=source.interval_minutes,
        active=source.is_active,
        last_at=to_text(source.last_at) if source.last_at else None,
        last_ok_at=to_text(source.last_ok_at) if source.last_ok_at else None,
        next_at=to_text(source.next_at),
        error=source.error_text,
        items=items,
    )


def item_view(item: FeedItem) -> ItemView:
    return ItemView(
        id=item.id,
        title=item.title,
        state=item.state,
        reason=item.reason,
        media_url=item.media_url,
        page_url=item.page_url,
        size=item.size,
        tries=item.tries,
        programme=item.programme_id,
        first_seen_at=to_text(item.first_seen_at),
        changed_at=to_text(item.changed_at),
    )


def _new(json: SourceRequest) -> feeds.NewSource:
    return feeds.NewSource(**{name: getattr(json, name) for name in json.__struct_fields__})


_SOURCE = Response(
    HTTP_200=SourceView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem
)


@blueprint.get("/api/v1/feeds")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=Response(HTTP_200=SourceList), tags=["feeds"])
def list_sources() -> Any:
    """The partner feeds of one's own regions."""
    with reading() as session:
        return SourceList(items=source_views(session, list(feeds.list_sources(session, caller()))))


@blueprint.post("/api/v1/feeds")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=Response(HTTP_201=SourceView, HTTP_403=Problem, HTTP_422=Problem), tags=["feeds"])
def add_source(json: SourceRequest) -> Any:
    """A feed that is harvested from now on into the review queue."""
    with writing() as session:
        source = feeds.add_source(session, caller(), _new(json), now=clock.now())
        return _source(source, {}), 201


@blueprint.put("/api/v1/feeds/<source_id>")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=_SOURCE, tags=["feeds"])
def change_source(source_id: str, json: SourceRequest) -> Any:
    """Say anew what a feed is; another address is harvested from its beginning."""
    with writing() as session:
        source = feeds.change_source(session, caller(), source_id, _new(json), now=clock.now())
        return source_views(session, [source])[0]


@blueprint.put("/api/v1/feeds/<source_id>/active")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=_SOURCE, tags=["feeds"])
def set_active(source_id: str, json: ActiveRequest) -> Any:
    """Stop harvesting a feed, or go on."""
    with writing() as session:
        source = feeds.set_active(session, caller(), source_id, is_active=json.active, now=clock.now())
        return source_views(session, [source])[0]


@blueprint.post("/api/v1/feeds/<source_id>/run")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=_SOURCE, tags=["feeds"])
def run_soon(source_id: str) -> Any:
    """Harvest at once (within half a minute)."""
    with writing() as session:
        source = feeds.run_soon(session, caller(), source_id, now=clock.now())
        return source_views(session, [source])[0]


@blueprint.get("/api/v1/feeds/<source_id>/items")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=Response(HTTP_200=ItemList, HTTP_404=Problem, HTTP_422=Problem), tags=["feeds"])
def list_items(source_id: str, query: ItemQuery) -> Any:
    """What was found in a feed and what became of it, the newest first."""
    with reading() as session:
        found, following = feeds.items_of(
            session, caller(), source_id, state=query.state, after=query.after, limit=query.limit
        )
        return ItemList(items=[item_view(item) for item in found], next=following)


@blueprint.post("/api/v1/feed-items/<item_id>/retry")
@permit(Action.CATALOG_FEEDS)
@spec.validate(resp=Response(HTTP_200=ItemView, HTTP_404=Problem, HTTP_409=Problem), tags=["feeds"])
def try_again(item_id: str) -> Any:
    """Take a refused item up once more."""
    with writing() as session:
        return item_view(feeds.try_again(session, caller(), item_id, now=clock.now()))
