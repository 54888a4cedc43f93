"""JSON of an edition's own parts: its recipe, poster, subtitles and attachments."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, request
from msgspec import Meta, Struct
from spectree import Response

from server import clock
from server.catalog import documents, files, programmes, service, views
from server.catalog.subtitles import MAX_BYTES
from server.errors import Invalid, TooLarge
from server.i18n import N_
from server.identity.rules import Action
from server.web import Problem, caller, permit, reading, spec, store, writing

blueprint = Blueprint("catalog_editions_api", __name__)


class PosterRequest(Struct, kw_only=True):
    """``position`` of the chosen still among the edition's posters (their ``order``)."""

    position: int


class FileQuery(Struct, kw_only=True):
    """``filename`` says the format; ``title`` is shown to people (none: the file's name)."""

    filename: Annotated[str, Meta(max_length=300)]
    title: Annotated[str, Meta(max_length=300)] = ""
    language: Annotated[str, Meta(max_length=20)] = "zh"


class RecipeView(Struct, kw_only=True):
    recipe: dict[str, Any]
    recipe_sha256: str


_CHANGED = Response(
    HTTP_200=views.EditionView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem
)


@blueprint.get("/api/v1/editions/<edition_id>/recipe")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=RecipeView, HTTP_404=Problem), tags=["catalogue"])
def get_recipe(edition_id: str) -> Any:
    """How an edition is cut from its source; an empty recipe is the whole source."""
    with reading() as session:
        edition = service.get_edition(session, caller(), edition_id)
        return RecipeView(recipe=edition.recipe, recipe_sha256=edition.recipe_sha256)


@blueprint.put("/api/v1/editions/<edition_id>/recipe")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_CHANGED, tags=["catalogue"])
def put_recipe(edition_id: str) -> Any:
    """Cut a draft otherwise: {in_ms, out_ms, removed: [[from, to]], intro, outro}. The source stays as it is."""
    who = caller()
    with writing() as session:
        edition = programmes.set_recipe(
            session, who, store(), edition_id, request.get_json(silent=True), now=clock.now()
        )
        return views.edition_view(session, who, edition)


@blueprint.put("/api/v1/editions/<edition_id>/poster")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_CHANGED, tags=["catalogue"])
def put_poster(edition_id: str, json: PosterRequest) -> Any:
    """Choose the poster from the stills."""
    who = caller()
    with writing() as session:
        edition = programmes.choose_poster(session, who, edition_id, json.position, now=clock.now())
        return views.edition_view(session, who, edition)


@blueprint.post("/api/v1/editions/<edition_id>/subtitles")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_CHANGED, tags=["catalogue"])
def add_subtitles(edition_id: str, query: FileQuery) -> Any:
    """The raw bytes of an SRT, ASS or WebVTT file, on the source's time line; kept as WebVTT."""
    who, data = caller(), _body(MAX_BYTES)
    with writing() as session:
        edition = programmes.draft_edition(session, who, edition_id)
        files.add_subtitles(
            session,
            who,
            store(),
            edition,
            filename=query.filename,
            data=data,
            language=query.language,
            title=query.title,
            now=clock.now(),
        )
        return views.edition_view(session, who, edition)


@blueprint.post("/api/v1/editions/<edition_id>/attachments")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_CHANGED, tags=["catalogue"])
def add_attachment(edition_id: str, query: FileQuery) -> Any:
    """The raw bytes of a PDF to read beside the programme; opened and found whole before it is kept."""
    who, data = caller(), _body(files.MAX_PDF)
    with reading() as session:
        service.require_contributing(who, service.get_edition(session, who, edition_id).programme)
    documents.check_pdf(data, query.filename)
    with writing() as session:
        edition = programmes.draft_edition(session, who, edition_id)
        files.add_attachment(
            session,
            who,
            store(),
            edition,
            filename=query.filename,
            data=data,
            title=query.title,
            now=clock.now(),
        )
        return views.edition_view(session, who, edition)


@blueprint.delete("/api/v1/editions/<edition_id>/files/<file_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=_CHANGED, tags=["catalogue"])
def remove_file(edition_id: str, file_id: str) -> Any:
    """Take subtitles or an attachment off a draft."""
    who = caller()
    with writing() as session:
        edition = programmes.draft_edition(session, who, edition_id)
        files.remove_file(session, edition, file_id)
        return views.edition_view(session, who, edition)


def _body(most: int) -> bytes:
    """The raw bytes sent, at most so many. Raises TooLarge, Invalid."""
    data = request.stream.read(most + 1)
    if len(data) > most:
        raise TooLarge(N_("文件超过 %(most)d MB"), most=most >> 20)
    if not data:
        raise Invalid(N_("文件是空的"), code="empty")
    return data
