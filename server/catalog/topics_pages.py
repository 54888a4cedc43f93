"""专题: their list and the page of each."""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from protocol.documents import Picture
from protocol.times import from_text
from server import clock
from server.catalog import places, topics, views
from server.catalog.collections_pages import Typed, arranged, done, found_to_add
from server.catalog.models import RenditionFile, Topic
from server.catalog.renditions import cuts
from server.catalog.topics import TopicChanges
from server.catalog.typed import moment_of, moment_text
from server.errors import NotFound, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.regions import service as regions
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("topics", __name__)
MOST_STILLS = 40


@blueprint.get("/topics")
@permit(Action.CATALOG_VIEW)
def listing() -> str:
    """Topics one may see, newest first, and the form for another one."""
    return _list_page(MultiDict())


@blueprint.post("/topics")
@permit(Action.CATALOG_WITHDRAW)
def create() -> Response | tuple[str, int]:
    """A topic without programmes yet."""
    try:
        with writing() as session:
            said = _said(
                session, request.form, region=places.code_of(session, request.form.get("region", ""))
            )
            topic_id = topics.create_topic(session, caller(), said, now=clock.now()).id
    except YuanboError as error:
        return _list_page(request.form, say(error)), error.status
    flash(_("专题已建好，请加入节目"), "success")
    return redirect(url_for("topics.topic", topic_id=topic_id))


@blueprint.get("/topics/<topic_id>")
@permit(Action.CATALOG_VIEW)
def topic(topic_id: str) -> str:
    """A topic: period, places, programmes in order, poster, and where one may, the forms for them."""
    return _topic_page(topic_id)


@blueprint.post("/topics/<topic_id>")
@permit(Action.CATALOG_WITHDRAW)
def change(topic_id: str) -> Response | tuple[str, int]:
    """Save what is said of a topic."""
    try:
        with writing() as session:
            row = topics.get_topic(session, caller(), topic_id)
            said = _said(session, request.form, row)
            topics.change_topic(session, caller(), topic_id, said, now=clock.now())
    except YuanboError as error:
        return _topic_page(topic_id, request.form, say(error)), error.status
    flash(_("已保存"), "success")
    return redirect(url_for("topics.topic", topic_id=topic_id))


@blueprint.post("/topics/<topic_id>/programmes")
@permit(Action.CATALOG_WITHDRAW)
def arrange(topic_id: str) -> Response:
    """Add a programme, take one away, or change the order."""

    def work(session: Session) -> None:
        row = topics.get_topic(session, caller(), topic_id)
        ids = arranged([entry.programme_id for entry in row.programmes], request.form)
        topics.change_topic(session, caller(), topic_id, TopicChanges(programmes=ids), now=clock.now())

    return done(work, url_for("topics.topic", topic_id=topic_id, _anchor="programmes"))


@blueprint.post("/topics/<topic_id>/poster")
@permit(Action.CATALOG_WITHDRAW)
def choose_poster(topic_id: str) -> Response:
    """One of its programmes' stills becomes the topic's poster."""

    def work(session: Session) -> None:
        row = topics.get_topic(session, caller(), topic_id)
        wanted = request.form.get("sha256", "")
        still = next((one for one in _stills(session, row) if one.sha256 == wanted), None)
        if still is None:
            raise NotFound(N_("没有这张剧照"))
        poster = Picture(sha256=still.sha256, length=still.length, pieces_root=still.pieces_root)
        topics.change_topic(session, caller(), topic_id, TopicChanges(poster=poster), now=clock.now())

    return done(work, url_for("topics.topic", topic_id=topic_id, _anchor="poster"), _("海报已换"))


@blueprint.post("/topics/<topic_id>/end")
@permit(Action.CATALOG_WITHDRAW)
def end(topic_id: str) -> Response:
    """Take a topic off before its time."""
    return done(
        lambda session: topics.end_topic(session, caller(), topic_id, now=clock.now()),
        url_for("topics.topic", topic_id=topic_id),
        _("专题已提前结束"),
    )


def _said(
    session: Session, form: Typed, before: Topic | None = None, region: str | None = None
) -> TopicChanges:
    """What the form says; moments that were not touched stay as they are. Raises Invalid."""
    position = form.get("position", "").strip()
    return TopicChanges(
        title=form.get("title"),
        summary=form.get("summary"),
        region=region,
        regions=places.codes_of(session, form.get("regions", "")),
        starts_at=_moment(form.get("starts_at", ""), before.starts_at if before else None),
        until=_moment(form.get("until", ""), before.until if before else None),
        required="required" in form,
        position=int(position) if position.isdecimal() and len(position) < 6 else None,
    )


def _moment(text: str, before: datetime | None) -> datetime | None:
    return None if before is not None and text == moment_text(before) else moment_of(text)


def _stills(session: Session, row: Topic) -> list[RenditionFile]:
    """The stills of its programmes' newest editions, in the order of the topic, each once."""
    newest = [programme.editions[-1] for programme in topics.programmes_of(session, row)]
    found = cuts(session, RenditionFile, newest)
    stills = {
        file.sha256: file
        for edition in newest
        for file in sorted(
            found.get((edition.asset_id, edition.recipe_sha256), ()), key=lambda one: one.order
        )
        if file.kind == "poster"
    }
    return list(stills.values())[:MOST_STILLS]


def _list_page(typed: Typed, problem: str = "") -> str:
    scopes = caller().scopes(Action.CATALOG_WITHDRAW)
    with reading() as session:
        found, following = topics.list_topics(session, caller(), after=request.args.get("after"))
        shown = [views.topic_view(session, row) for row in found]
        return render_template(
            "catalog/topics.html",
            found=[(view, state_of(view, clock.now())) for view in shown],
            following=following,
            names=regions.names(session, {view.region for view in shown}),
            typed=typed,
            problem=problem,
            home=next(iter(scopes), ""),
            may_create=bool(scopes),
        )


def state_of(view: views.TopicView, now: datetime) -> str:
    """ended, coming or on."""
    if view.ended_at or from_text(view.until) <= now:
        return "ended"
    return "coming" if from_text(view.starts_at) > now else "on"


def _topic_page(topic_id: str, typed: Typed | None = None, problem: str = "") -> str:
    with reading() as session:
        row = topics.get_topic(session, caller(), topic_id)
        view = views.topic_view(session, row)
        may_change = caller().can(Action.CATALOG_WITHDRAW, row.region)
        own: Typed = MultiDict(
            {
                "title": view.title,
                "summary": view.summary,
                "regions": "，".join(view.regions),
                "starts_at": moment_text(row.starts_at),
                "until": moment_text(row.until),
                "position": str(view.position),
                **({"required": "1"} if view.required else {}),
            }
        )
        here = [entry.id for entry in view.programmes]
        return render_template(
            "catalog/topic.html",
            topic=view,
            state=state_of(view, clock.now()),
            typed=own if typed is None else typed,
            problem=problem,
            may_change=may_change,
            names=regions.full_names(session, {view.region, *view.regions}),
            stills=_stills(session, row) if may_change else [],
            poster=row.poster_sha256,
            found=found_to_add(session, here, mine=False) if may_change else [],
        )
