"""The pages of the partner feeds 共享互通: their sources, what each brought, and how others may harvest us."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import feeds, service, views
from server.catalog.feeds_models import FEED_KIND_NAMES, ITEM_STATE_NAMES
from server.errors import YuanboError
from server.identity.rules import Action
from server.web import caller, config, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("feeds", __name__)

ITEM_COLOURS = {
    "found": "azure",
    "taken": "green",
    "known": "secondary",
    "refused": "orange",
    "gone": "secondary",
}


@blueprint.get("/feeds")
@permit(Action.CATALOG_FEEDS)
def sources() -> str:
    """All feeds of one's regions, and the form for another."""
    with reading() as session:
        found = feeds.list_sources(session, caller())
        return render_template(
            "catalog/feeds.html",
            sources=found,
            counts=feeds.counts(session, [source.id for source in found]),
            kinds=FEED_KIND_NAMES,
            sections={s.slug: views.shelf_view(s) for s in service.sections(session)},
            departments=[views.shelf_view(d) for d in service.departments(session)],
            region=caller().scopes(Action.CATALOG_FEEDS)[0],
            console=config().console_url,
        )


@blueprint.get("/feeds/<source_id>")
@permit(Action.CATALOG_FEEDS)
def source(source_id: str) -> str:
    """One feed: what was found, what became of it, what to change."""
    state = request.args.get("state") or None
    with reading() as session:
        found = feeds.get_source(session, caller(), source_id)
        items, following = feeds.items_of(
            session, caller(), source_id, state=state, after=request.args.get("after")
        )
        return render_template(
            "catalog/feed.html",
            source=found,
            items=items,
            following=following,
            state=state,
            counts=feeds.counts(session, [source_id])[source_id],
            kinds=FEED_KIND_NAMES,
            item_names=ITEM_STATE_NAMES,
            item_colours=ITEM_COLOURS,
            sections={s.slug: views.shelf_view(s) for s in service.sections(session)},
            departments=[views.shelf_view(d) for d in service.departments(session)],
        )


def _form() -> feeds.NewSource:
    form = request.form
    minutes = form.get("interval", "360")
    return feeds.NewSource(
        name=form.get("name", ""),
        kind=form.get("kind", ""),
        url=form.get("url", "").strip(),
        section=form.get("section", ""),
        department=form.get("department") or None,
        region=form.get("region", "13").strip(),
        rights_source=form.get("rights_source", ""),
        rights_licence=form.get("rights_licence", ""),
        interval_minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 7 else 0,
        oai_set=form.get("oai_set", ""),
        oai_prefix=form.get("oai_prefix", "oai_dc"),
    )


@blueprint.post("/feeds")
@permit(Action.CATALOG_FEEDS)
def add() -> Response:
    return _do(
        lambda session: feeds.add_source(session, caller(), _form(), now=clock.now()),
        _("已登记，半分钟内开始采集"),
        url_for("feeds.sources"),
    )


@blueprint.post("/feeds/<source_id>")
@permit(Action.CATALOG_FEEDS)
def change(source_id: str) -> Response:
    return _do(
        lambda session: feeds.change_source(session, caller(), source_id, _form(), now=clock.now()),
        _("已保存"),
        url_for("feeds.source", source_id=source_id),
    )


@blueprint.post("/feeds/<source_id>/run")
@permit(Action.CATALOG_FEEDS)
def run(source_id: str) -> Response:
    return _do(
        lambda session: feeds.run_soon(session, caller(), source_id, now=clock.now()),
        _("半分钟内开始采集"),
        url_for("feeds.source", source_id=source_id),
    )


@blueprint.post("/feeds/<source_id>/active")
@permit(Action.CATALOG_FEEDS)
def switch(source_id: str) -> Response:
    wanted = request.form.get("active") == "1"
    return _do(
        lambda session: feeds.set_active(session, caller(), source_id, is_active=wanted, now=clock.now()),
        _("已启用") if wanted else _("已停用"),
        url_for("feeds.source", source_id=source_id),
    )


@blueprint.post("/feeds/<source_id>/items/<item_id>/retry")
@permit(Action.CATALOG_FEEDS)
def retry(source_id: str, item_id: str) -> Response:
    return _do(
        lambda session: feeds.try_again(session, caller(), item_id, now=clock.now()),
        _("将重新下载"),
        url_for("feeds.source", source_id=source_id),
    )


def _do(work: Callable[[Session], object], done: str, to: str) -> Response:
    try:
        with writing() as session:
            work(session)
        flash(done, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(to)
