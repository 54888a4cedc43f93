"""JSON of publishing: run a publication, look back at them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_babel import gettext
from msgspec import Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.identity.rules import Action
from server.publish import service
from server.publish.models import Publication
from server.web import Problem, caller, config, database, permit, reading, spec, store

blueprint = Blueprint("publish_api", __name__)


class ReasonView(Struct, kw_only=True):
    code: str
    text: str


class HeldBackView(Struct, kw_only=True):
    """What a signer refused: an ``edition`` (its id) or a ``document`` (its target)."""

    kind: str
    subject: str
    title: str
    reasons: list[ReasonView]


class PublicationAnswer(Struct, kw_only=True):
    """What came of publishing. ``number`` is what is served now; ``changed`` says whether this call made it."""

    number: int
    changed: bool
    editions: int
    new_releases: int
    documents: int
    roles: int
    bytes: int
    took_ms: int
    schedule_problems: int
    held_back: list[HeldBackView]


class PublicationView(Struct, kw_only=True):
    number: int
    at: Timestamp
    by: str
    state: str
    summary: dict[str, int]
    snapshot_version: int | None
    timestamp_version: int | None
    held_back: list[HeldBackView]


class PublicationList(Struct, kw_only=True):
    items: list[PublicationView]
    next: int | None = None


class PublicationQuery(Struct, kw_only=True):
    """``after`` is ``next`` of the page before."""

    after: int | None = None


def _held_back(found: list[Any]) -> list[HeldBackView]:
    return [
        HeldBackView(
            kind=held["kind"],
            subject=held["subject"],
            title=held["title"],
            reasons=[
                ReasonView(code=reason["code"], text=say(reason["message"], reason["params"]))
                for reason in held["reasons"]
            ],
        )
        for held in found
    ]


def say(message: str, params: dict[str, Any]) -> str:
    """A stored reason in the reader's language."""
    text = gettext(message)
    return text % params if params else text


def _view(row: Publication) -> PublicationView:
    return PublicationView(
        number=row.number,
        at=to_text(row.at),
        by=row.by,
        state=row.state,
        summary=row.summary,
        snapshot_version=row.snapshot_version,
        timestamp_version=row.timestamp_version,
        held_back=_held_back(row.held_back),
    )


@blueprint.post("/api/v1/publications")
@permit(Action.PUBLISH_RUN)
@spec.validate(
    resp=Response(HTTP_200=PublicationAnswer, HTTP_409=Problem, HTTP_503=Problem), tags=["publish"]
)
def run_publication() -> PublicationAnswer:
    """Sign and serve what is released and scheduled now. What a signer refuses is held back with its reasons."""
    who = caller()
    who.require(Action.PUBLISH_RUN, service.PROVINCE)
    result = service.publish(database(), config(), store(), now=clock.now(), by=who.name)
    return PublicationAnswer(
        number=result.number,
        changed=result.changed,
        held_back=_held_back([held.as_json() for held in result.held_back]),
        **result.summary(),
    )


@blueprint.get("/api/v1/publications")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=PublicationList), tags=["publish"])
def list_publications(query: PublicationQuery) -> PublicationList:
    """Publications, the newest first."""
    with reading() as session:
        rows = service.list_publications(session, caller(), before=query.after)
        following = rows[-1].number if len(rows) == service.PAGE else None
        return PublicationList(items=[_view(row) for row in rows], next=following)


@blueprint.get("/api/v1/publications/<int:number>")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=PublicationView, HTTP_404=Problem), tags=["publish"])
def get_publication(number: int) -> PublicationView:
    """One publication."""
    with reading() as session:
        return _view(service.get_publication(session, caller(), number))
