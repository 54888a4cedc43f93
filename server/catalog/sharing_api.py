"""What partners harvest, without signing in: OAI-PMH 2.0, Media RSS, and the files themselves. May be cached."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from flask import Blueprint, Response, make_response, redirect, request, url_for

from server import clock
from server.catalog import mrss, oai, oai_records, service
from server.catalog.oai import Asked, OaiError
from server.errors import NotFound
from server.i18n import N_
from server.web import config, csrf, public, reading

blueprint = Blueprint("sharing", __name__)

OAI_KEPT_S = 60
FEED_KEPT_S = 300
FEED_ITEMS = 100


def _media() -> str:
    return f"{config().console_url}/shared"


@blueprint.route("/oai", methods=["GET", "POST"])
@csrf.exempt
@public
def harvest() -> Response:
    """OAI-PMH 2.0: errors of the protocol are answers too, with status 200."""
    now = clock.now()
    source = request.form if request.method == "POST" else request.args
    asked: Asked | None = None
    with reading() as session:
        repository = oai_records.repository(session, f"{config().console_url}/oai")
        try:
            asked = oai.read_request(list(source.items(multi=True)))
            content = _content(session, repository, asked)
        except OaiError as error:
            if error.code in ("badVerb", "badArgument"):
                asked = None
            content = oai.error(error.code, error.text)
    response = make_response(oai.answer(repository, asked, [content], now))
    response.content_type = "text/xml; charset=utf-8"
    response.headers["Cache-Control"] = f"public, max-age={OAI_KEPT_S}"
    return response


def _content(session: Any, repository: oai.Repository, asked: Asked) -> ET.Element:
    now = clock.now()
    if asked.verb == "Identify":
        return oai.identify(repository)
    if asked.verb == "ListMetadataFormats":
        if asked.identifier is not None:
            oai_records.one(session, asked.identifier, media=_media(), now=now)
        return oai.list_formats()
    if asked.verb == "ListSets":
        return oai.list_sets([(row.slug, row.name) for row in service.sections(session)])
    if asked.verb == "GetRecord":
        record = oai_records.one(session, str(asked.identifier), media=_media(), now=now)
        return oai.get_record(record, str(asked.prefix))
    records, is_more = oai_records.page(session, asked, media=_media(), now=now)
    return oai.list_records(asked, records, is_more=is_more)


@blueprint.get("/feeds/released.xml")
@public
def released() -> Any:
    """The released programmes as Media RSS, the newest first, a hundred a page; ``section`` narrows it."""
    section, before = request.args.get("section"), request.args.get("before")
    with reading() as session:
        repository = oai_records.repository(session, "")
        records = oai_records.newest(
            session, section=section, before=before, limit=FEED_ITEMS + 1, media=_media(), now=clock.now()
        )
    is_more, records = len(records) > FEED_ITEMS, records[:FEED_ITEMS]
    following = _feed_url(section, records[-1].programme_id) if is_more else None
    content = mrss.media_rss(
        records,
        title=repository.name,
        url=_feed_url(section, before),
        home=config().console_url,
        following=following,
        now=repository.earliest,
    )
    response = make_response(content)
    response.content_type = "application/rss+xml; charset=utf-8"
    response.headers["Cache-Control"] = f"public, max-age={FEED_KEPT_S}"
    response.add_etag()
    return response.make_conditional(request)


def _feed_url(section: str | None, before: str | None) -> str:
    return config().console_url + url_for("sharing.released", section=section or None, before=before or None)


@blueprint.get("/shared/<programme_id>.mp4")
@public
def media(programme_id: str) -> Any:
    """The file of a shared programme; it lies on the read plane."""
    with reading() as session:
        if oai_records.is_off(session):
            raise NotFound(N_("本平台没有开放共享"))
        sha256 = oai_records.file_of(session, programme_id, now=clock.now())
    return redirect(f"{config().read_urls[0]}/m/{sha256}")
