"""JSON of publishing: run a publication, look back at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, request
from flask_babel import gettext
from msgspec import Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.identity.rules import Action
from server.publish import orders, queue, service
from server.publish.changes import Line
from server.publish.models import ChangeState, Publication, PublicationOrder, WaitingChange
from server.publish.words import describe
from server.web import Problem, caller, config, permit, reading, spec, writing

blueprint = Blueprint("publish_api", __name__)


class ReasonView(Struct, kw_only=True):
    code: str
    text: str


class EditionName(Struct, kw_only=True):
    edition: str
    title: str


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


class OrderView(Struct, kw_only=True):
    """A publication that somebody asked for: queued, running, done or failed. ``answer`` once it is done, ``problem``
    (problem details) where it failed."""

    id: str
    kind: str
    back_to: int | None
    state: str
    asked_at: Timestamp
    by: str
    answer: PublicationAnswer | None
    problem: Problem | None


class LineView(Struct, kw_only=True):
    """One change: ``deed`` added, removed, moved or changed; ``part`` item, window, notice, …; ``text`` for people."""

    deed: str
    part: str
    text: str
    channel: str
    at: str
    to: str
    edition: str
    rule: str
    by: str


class DocumentChangeView(Struct, kw_only=True):
    target: str
    region: str
    lines: list[LineView]


class ComparisonView(Struct, kw_only=True):
    """What publication ``after`` says otherwise than ``before``; editions with their titles."""

    before: int
    after: int
    admitted: list[EditionName]
    dropped: list[EditionName]
    documents: list[DocumentChangeView]
    recalled: list[EditionName]
    emergencies_begun: list[str]
    emergencies_ended: list[str]


class CompareQuery(Struct, kw_only=True):
    first: int
    second: int


class WaitingView(Struct, kw_only=True):
    """A change that waits for a second person: waiting, approved, returned, published or superseded."""

    id: str
    target: str
    region: str
    state: str
    found_at: Timestamp
    reasons: list[ReasonView]
    lines: list[LineView]
    authors: list[str]
    decided_by: str | None
    comment: str
    number: int | None


class WaitingList(Struct, kw_only=True):
    items: list[WaitingView]
    next: str | None = None


class WaitingQuery(Struct, kw_only=True):
    state: ChangeState = ChangeState.WAITING


class Decision(Struct, kw_only=True):
    comment: str = ""


class PublicationView(Struct, kw_only=True):
    number: int
    at: Timestamp
    by: str
    kind: str
    back_to: int | None
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
        kind=row.kind,
        back_to=row.back_to,
        state=row.state,
        summary=row.summary,
        snapshot_version=row.snapshot_version,
        timestamp_version=row.timestamp_version,
        held_back=_held_back(row.held_back),
    )


def order_view(order: PublicationOrder) -> OrderView:
    return OrderView(
        id=order.id,
        kind=order.kind,
        back_to=order.back_to,
        state=order.state,
        asked_at=to_text(order.asked_at),
        by=order.asked_by_name,
        answer=_answer(order.answer) if order.answer else None,
        problem=_order_problem(order.error) if order.error else None,
    )


def _answer(kept: dict[str, Any]) -> PublicationAnswer:
    return PublicationAnswer(**{**kept, "held_back": _held_back(kept["held_back"])})


def _order_problem(error: dict[str, Any]) -> Problem:
    return Problem(
        title=gettext(error["title"]),
        status=error["status"],
        code=error["code"],
        detail=say(error["message"], error["params"]),
    )


def line_views(lines: Sequence[Line], titles: Mapping[str, str]) -> list[LineView]:
    return [
        LineView(
            deed=line.deed,
            part=line.part,
            text=say(*describe(line, titles)),
            channel=line.channel,
            at=line.at,
            to=line.to,
            edition=line.edition,
            rule=line.rule,
            by=line.by,
        )
        for line in lines
    ]


def _waiting_view(row: WaitingChange, titles: Mapping[str, str]) -> WaitingView:
    return WaitingView(
        id=row.id,
        target=row.target,
        region=row.region,
        state=row.state,
        found_at=to_text(row.found_at),
        reasons=[ReasonView(code=r["code"], text=say(r["message"], r["params"])) for r in row.reasons],
        lines=line_views(queue.lines_of(row), titles),
        authors=row.authors,
        decided_by=row.decided_by_name,
        comment=row.comment,
        number=row.number,
    )


@blueprint.post("/api/v1/publications")
@permit(Action.PUBLISH_RUN)
@spec.validate(resp=Response(HTTP_202=OrderView), tags=["publish"])
def order_publication() -> Any:
    """Ask for a publication: sign and serve what is released and scheduled now. Watch the order until it is ``done``.

    Asking again with the same ``Idempotency-Key`` header gives the same order.
    """
    with writing() as session:
        order = orders.ask(session, caller(), key=_key(), now=clock.now())
        return order_view(order), 202


@blueprint.get("/api/v1/publications/orders/<order_id>")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=OrderView, HTTP_404=Problem), tags=["publish"])
def get_order(order_id: str) -> OrderView:
    """How far an order is, and what came of it."""
    with reading() as session:
        return order_view(orders.get(session, caller(), order_id))


@blueprint.post("/api/v1/publications/<int:number>/rollback")
@permit(Action.PUBLISH_RUN)
@spec.validate(resp=Response(HTTP_202=OrderView, HTTP_404=Problem), tags=["publish"])
def order_rollback(number: int) -> Any:
    """Put the schedule of an earlier publication back. Recalls and withdrawals stay."""
    with writing() as session:
        order = orders.ask(session, caller(), back_to=number, key=_key(), now=clock.now())
        return order_view(order), 202


def _key() -> str | None:
    return request.headers.get("Idempotency-Key")


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


@blueprint.get("/api/v1/publications/compare")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=ComparisonView, HTTP_404=Problem, HTTP_422=Problem), tags=["publish"])
def compare(query: CompareQuery) -> ComparisonView:
    """What the later of two publications says otherwise, from what was signed then."""
    with reading() as session:
        found = service.compare(session, caller(), config(), query.first, query.second)
        titles = queue.titles(session, service.editions_named(found))
    return ComparisonView(
        before=found.before,
        after=found.after,
        admitted=_named(found.admitted, titles),
        dropped=_named(found.dropped, titles),
        documents=[
            DocumentChangeView(
                target=change.target, region=change.region, lines=line_views(change.lines, titles)
            )
            for change in found.documents
        ],
        recalled=_named([entry.edition for entry in found.recalled], titles),
        emergencies_begun=list(found.emergencies_begun),
        emergencies_ended=list(found.emergencies_ended),
    )


def _named(editions: Sequence[str], titles: Mapping[str, str]) -> list[EditionName]:
    return [EditionName(edition=edition, title=titles.get(edition, "")) for edition in editions]


@blueprint.get("/api/v1/publications/queue")
@permit(Action.PUBLISH_VIEW)
@spec.validate(resp=Response(HTTP_200=WaitingList), tags=["publish"])
def list_waiting(query: WaitingQuery) -> WaitingList:
    """Changes that did not go out by themselves, with their reasons, the longest waiting first."""
    with reading() as session:
        rows = queue.waiting(session, caller(), states=(query.state,))
        titles = queue.titles(session, {line.edition for row in rows for line in queue.lines_of(row)})
        return WaitingList(items=[_waiting_view(row, titles) for row in rows])


@blueprint.post("/api/v1/publications/queue/<change_id>/approve")
@permit(Action.PUBLISH_APPROVE)
@spec.validate(
    resp=Response(HTTP_200=WaitingView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem),
    tags=["publish"],
)
def approve(change_id: str, json: Decision) -> WaitingView:
    """Let a change out. Nobody approves his own."""
    with writing() as session:
        row = queue.approve(session, caller(), change_id, comment=json.comment, now=clock.now())
        return _waiting_view(row, queue.titles(session, {line.edition for line in queue.lines_of(row)}))


@blueprint.post("/api/v1/publications/queue/<change_id>/return")
@permit(Action.PUBLISH_APPROVE)
@spec.validate(
    resp=Response(
        HTTP_200=WaitingView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem
    ),
    tags=["publish"],
)
def give_back(change_id: str, json: Decision) -> WaitingView:
    """Return a change to who made it, with the reason."""
    with writing() as session:
        row = queue.give_back(session, caller(), change_id, comment=json.comment, now=clock.now())
        return _waiting_view(row, queue.titles(session, {line.edition for line in queue.lines_of(row)}))
