"""Publications: what each changed, what was held back and why, what waits for a second person, and the button."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from protocol.times import from_text
from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.publish import orders, queue, service
from server.publish.changes import Line
from server.publish.history import Comparison, NoLongerKept
from server.publish.models import ChangeState, OrderState, PublicationState, WaitingChange
from server.publish.trust_repository import RepositoryDamaged
from server.publish.words import describe
from server.regions import service as regions
from server.web import caller, config, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("publish", __name__)

DOCUMENTS_SHOWN = 40
RUNS_SHORT = timedelta(days=9)


@blueprint.get("/publications")
@permit(Action.PUBLISH_VIEW)
def publications() -> str:
    """Publications, the newest first."""
    before = request.args.get("before", type=int)
    who = caller()
    with reading() as session:
        rows = service.list_publications(session, who, before=before)
        waits = len(queue.waiting(session, who))
        rolled_back = queue.is_rolled_back(session)
    return render_template(
        "publish/publications.html",
        rows=rows,
        before=before,
        following=rows[-1].number if len(rows) == service.PAGE else None,
        can_publish=who.can(Action.PUBLISH_RUN, service.PROVINCE),
        waiting=waits,
        rolled_back=rolled_back,
        short_until=_short_until(),
    )


def _short_until() -> datetime | None:
    """When the served schedule ends, where that is near: only people's publications carry it further."""
    with suppress(RepositoryDamaged):
        until = service.reaches_until(config())
        if until is not None and from_text(until) - clock.now() < RUNS_SHORT:
            return from_text(until)
    return None


@blueprint.get("/publications/<int:number>")
@permit(Action.PUBLISH_VIEW)
def publication(number: int) -> str:
    """One publication: how far it has come, and what it changed."""
    who = caller()
    with reading() as session:
        row = service.get_publication(session, who, number)
        newest = service.latest(session)
        before = service.before(session, number) if row.state == PublicationState.DONE else None
        found = None
        if before is not None:
            with suppress(NoLongerKept):
                found = _told(session, service.compare(session, who, config(), before, number))
    return render_template(
        "publish/publication.html",
        row=row,
        before=before,
        found=found,
        is_latest=newest is not None and newest.number == number,
        latest_number=newest.number if newest else None,
        can_publish=who.can(Action.PUBLISH_RUN, service.PROVINCE),
    )


@blueprint.get("/publications/compare")
@permit(Action.PUBLISH_VIEW)
def compare() -> str | Response:
    """What the later of two publications says otherwise."""
    first, second = (request.args.get(name, 0, type=int) for name in ("first", "second"))
    try:
        with reading() as session:
            found = _told(session, service.compare(session, caller(), config(), first, second))
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("publish.publications"))
    return render_template("publish/compare.html", found=found)


@dataclass(frozen=True)
class Told:
    """A comparison as a page tells it. ``lines`` and ``documents`` hold (deed, text) pairs."""

    before: int
    after: int
    count: int
    admitted: list[str]
    dropped: list[str]
    recalled: list[str]
    emergencies: list[tuple[bool, str]]
    documents: list[ToldDocument]
    more: int


@dataclass(frozen=True)
class ToldDocument:
    name: str
    is_frame: bool
    lines: list[tuple[str, str]]


def _told(session: Session, found: Comparison) -> Told:
    shown = found.documents[:DOCUMENTS_SHOWN]
    titles = queue.titles(session, service.editions_named(found))
    places = regions.names(session, {change.region for change in shown})

    def named(editions: Iterable[str]) -> list[str]:
        return [titles.get(edition, edition[:8]) for edition in editions]

    return Told(
        before=found.before,
        after=found.after,
        count=found.count,
        admitted=named(found.admitted),
        dropped=named(found.dropped),
        recalled=named(entry.edition for entry in found.recalled),
        emergencies=[(True, t) for t in found.emergencies_begun]
        + [(False, t) for t in found.emergencies_ended],
        documents=[
            ToldDocument(places.get(c.region, c.region), c.is_frame, told_lines(c.lines, titles))
            for c in shown
        ],
        more=len(found.documents) - len(shown),
    )


def told_lines(lines: Iterable[Line], titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Changes in words of the reader's language."""
    told = []
    for line in lines:
        text, params = describe(line, titles)
        told.append((line.deed.value, gettext(text) % params))
    return told


# --- the queue ----------------------------------------------------------------------------------------------------------
@blueprint.get("/publications/queue")
@permit(Action.PUBLISH_VIEW)
def waiting() -> str:
    """Changes that did not go out by themselves, and why."""
    who = caller()
    wanted = request.args.get("state", ChangeState.WAITING)
    state = ChangeState(wanted) if wanted in set(ChangeState) else ChangeState.WAITING
    with reading() as session:
        rows = queue.waiting(session, who, states=(state,))
        titles = queue.titles(session, {line.edition for row in rows for line in queue.lines_of(row)})
        missing = queue.not_admitted(session, who, now=clock.now()) if state is ChangeState.WAITING else []
        places = regions.names(session, {one.region for one in rows} | {one.region for one in missing})
    shown = [
        {
            "id": row.id,
            "name": places.get(row.region, row.region),
            "is_frame": row.target.startswith("frame/"),
            "state": row.state,
            "found_at": row.found_at,
            "reasons": row.reasons,
            "told": told_lines(queue.lines_of(row), titles),
            "comment": row.comment,
            "decided_by_name": row.decided_by_name,
            "number": row.number,
            "may_decide": queue.may_decide(who, row),
        }
        for row in rows
    ]
    return render_template("publish/queue.html", rows=shown, state=state, missing=missing, places=places)


@blueprint.post("/publications/queue/<change_id>/approve")
@permit(Action.PUBLISH_APPROVE)
def approve(change_id: str) -> Response:
    """Let a change out."""
    return _decide(queue.approve, change_id, _("已批准，一分钟内发布"))


@blueprint.post("/publications/queue/<change_id>/return")
@permit(Action.PUBLISH_APPROVE)
def give_back(change_id: str) -> Response:
    """Return a change to who made it."""
    return _decide(queue.give_back, change_id, _("已退回"))


def _decide(decide: Callable[..., WaitingChange], change_id: str, done: str) -> Response:
    try:
        with writing() as session:
            decide(
                session, caller(), change_id, comment=request.form.get("comment", "").strip(), now=clock.now()
            )
        flash(done, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("publish.waiting"))


# --- asking for a publication -----------------------------------------------------------------------------------------------
@blueprint.post("/publications")
@permit(Action.PUBLISH_RUN)
def publish() -> Response:
    """Ask for a publication; the page that follows shows how far it is."""
    try:
        with writing() as session:
            order = orders.ask(session, caller(), now=clock.now())
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("publish.publications"))
    return redirect(url_for("publish.order", order_id=order.id))


@blueprint.post("/publications/<int:number>/rollback")
@permit(Action.PUBLISH_RUN)
def roll_back(number: int) -> Response:
    """Ask for the schedule of an earlier publication."""
    try:
        with writing() as session:
            order = orders.ask(session, caller(), back_to=number, now=clock.now())
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("publish.publication", number=number))
    return redirect(url_for("publish.order", order_id=order.id))


@blueprint.get("/publications/orders/<order_id>")
@permit(Action.PUBLISH_VIEW)
def order(order_id: str) -> str | Response:
    """How far an order is; asked again by the page itself until it is carried out."""
    with reading() as session:
        found = orders.get(session, caller(), order_id)
        ahead = sum(1 for other in orders.unfinished(session) if other.asked_at < found.asked_at)
    if found.state == OrderState.DONE and found.answer:
        goal = url_for("publish.publication", number=found.answer["number"], order=found.id)
        if "HX-Request" not in request.headers:
            return redirect(goal)
        return Response("", headers={"HX-Redirect": goal})
    template = "publish/_order.html" if "HX-Request" in request.headers else "publish/order.html"
    return render_template(template, order=found, ahead=ahead)
