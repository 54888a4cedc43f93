"""The forms of one programme: what is said about it, its poster, its subtitles and attachments, another edition."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from protocol.documents import Rights as SaidRights
from protocol.times import from_text
from server import clock
from server.catalog import describing, documents, files, places, programmes, review, service, views
from server.catalog.description import LOCAL_TYPE_NAMES, Description
from server.catalog.models import Programme
from server.catalog.programmes import Changes, Rights
from server.catalog.subtitles import FORMATS, MAX_BYTES
from server.catalog.typed import (
    after_day,
    chapters_of,
    chapters_text,
    day_text,
    first_instant,
    last_day_text,
    words_of,
)
from server.errors import Invalid, TooLarge, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.regions import service as regions
from server.web import caller, page_blueprint, permit, reading, say, store, writing

blueprint = page_blueprint("programme_forms", __name__)
Typed = MultiDict[str, str]


@blueprint.get("/programmes/<programme_id>/edit")
@permit(Action.CATALOG_UPLOAD)
def edit(programme_id: str) -> str:
    """Everything about a programme that its contributor may still change."""
    return _page(programme_id)


@blueprint.post("/programmes/<programme_id>/edit")
@permit(Action.CATALOG_UPLOAD)
def say_it(programme_id: str) -> Response | tuple[str, int]:
    """Save what is said; what does not fit stands again in the form, with the reason."""
    try:
        with writing() as session:
            programme = service.get_programme(session, caller(), programme_id)
            changes = _changes(session, _words(session, programme), programme.region, request.form)
            programmes.change_programme(session, caller(), programme_id, changes, now=clock.now())
    except YuanboError as error:
        return _page(programme_id, request.form, say(error)), error.status
    flash(_("已保存"), "success")
    return redirect(url_for("programme_forms.edit", programme_id=programme_id))


@blueprint.post("/programmes/<programme_id>/edition")
@permit(Action.CATALOG_UPLOAD)
def begin_edition(programme_id: str) -> Response | tuple[str, int]:
    """The same cut as a new edition, so that its words, poster and files may change."""
    reason = request.form.get("reason", "")
    try:
        with writing() as session:
            programmes.new_edition(session, caller(), store(), programme_id, reason=reason, now=clock.now())
    except YuanboError as error:
        return _page(programme_id, problem=say(error)), error.status
    flash(_("新的一版已建好：改好后送审，通过之前观众看到的还是原来的"), "success")
    return redirect(url_for("programme_forms.edit", programme_id=programme_id))


@blueprint.post("/editions/<edition_id>/poster")
@permit(Action.CATALOG_UPLOAD)
def choose_poster(edition_id: str) -> Response | tuple[str, int]:
    """Which still is the poster."""
    try:
        position = int(request.form.get("position", "-1"))
    except ValueError:
        position = -1
    try:
        with writing() as session:
            programmes.choose_poster(session, caller(), edition_id, position, now=clock.now())
    except YuanboError as error:
        return _page(edition_id, problem=say(error)), error.status
    flash(_("海报已换"), "success")
    return redirect(url_for("programme_forms.edit", programme_id=edition_id, _anchor="poster"))


@blueprint.post("/editions/<edition_id>/files")
@permit(Action.CATALOG_UPLOAD)
def add_file(edition_id: str) -> Response | tuple[str, int]:
    """Subtitles or a PDF, told apart by the file's name and then by what is in it."""
    try:
        _add_file(edition_id)
    except YuanboError as error:
        return _page(edition_id, problem=say(error)), error.status
    flash(_("文件已加上"), "success")
    return redirect(url_for("programme_forms.edit", programme_id=edition_id, _anchor="files"))


@blueprint.post("/editions/<edition_id>/files/<file_id>/remove")
@permit(Action.CATALOG_UPLOAD)
def remove_file(edition_id: str, file_id: str) -> Response | tuple[str, int]:
    """Take subtitles or an attachment off a draft."""
    try:
        with writing() as session:
            files.remove_file(session, programmes.draft_edition(session, caller(), edition_id), file_id)
    except YuanboError as error:
        return _page(edition_id, problem=say(error)), error.status
    flash(_("文件已去掉"), "success")
    return redirect(url_for("programme_forms.edit", programme_id=edition_id, _anchor="files"))


def _add_file(edition_id: str) -> None:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise Invalid(N_("请选择字幕或 PDF 文件"), code="file")
    name, title = sent.filename, request.form.get("title", "")
    is_subtitles = name.lower().endswith(tuple(FORMATS))
    most = MAX_BYTES if is_subtitles else files.MAX_PDF
    data = sent.stream.read(most + 1)
    if len(data) > most:
        raise TooLarge(N_("文件超过 %(most)d MB"), most=most >> 20)
    if not data:
        raise Invalid(N_("文件是空的"), code="empty")
    with reading() as session:
        service.require_contributing(caller(), service.get_edition(session, caller(), edition_id).programme)
    if not is_subtitles:
        documents.check_pdf(data, name)
    with writing() as session:
        edition = programmes.draft_edition(session, caller(), edition_id)
        common: dict[str, Any] = {"filename": name, "data": data, "title": title, "now": clock.now()}
        if is_subtitles:
            language = request.form.get("language") or "zh"
            files.add_subtitles(session, caller(), store(), edition, language=language, **common)
        else:
            files.add_attachment(session, caller(), store(), edition, **common)


# --- the page ---------------------------------------------------------------------------------------------------------
def _page(programme_id: str, typed: Typed | None = None, problem: str = "") -> str:
    with reading() as session:
        programme = service.get_programme(session, caller(), programme_id)
        service.require_contributing(caller(), programme)
        view = views.programme_view(session, caller(), programme)
        words = _words(session, programme)
        standing = service.changeable_edition(programme)
        values = typed if typed is not None else _typed(words, programme.region)
        return render_template(
            "catalog/programme_edit.html",
            programme=view,
            edition=next((one for one in view.editions if standing and one.id == standing.id), None),
            takes_files=standing is not None and standing.state in review.EDITABLE,
            typed=values,
            problem=problem,
            places=regions.full_names(session, {programme.region, *words.rights.regions}),
            rights_regions=words.rights.regions,
            sections=[views.shelf_view(row) for row in service.sections(session)],
            departments=[views.shelf_view(row) for row in service.departments(session)],
            is_partner=service.is_partner_only(caller()),
            local_names=LOCAL_TYPE_NAMES,
            subtitle_types=",".join(FORMATS),
        )


def _words(session: Session, programme: Programme) -> Description:
    """What is said by the edition whose words may change, or by the newest."""
    edition = service.changeable_edition(programme) or programme.editions[-1]
    return describing.standing_words(session, edition)


def _typed(words: Description, region: str) -> Typed:
    """The words as the form has them."""
    since, until = _held(words.rights)
    single = {
        "title": words.title,
        "summary": words.summary,
        "section": words.section,
        "department": words.department or "",
        "region": words.place or region[:2],
        "tags": "，".join(words.tags),
        "local_type": words.local_type or "",
        "audience": words.audience,
        "rights_source": words.rights.source,
        "rights_licence": words.rights.licence,
        "rights_from": day_text(since),
        "rights_until": last_day_text(until),
        "rights_regions": "，".join(words.rights.regions),
        "chapters": chapters_text(words.chapters),
    }
    typed: Typed = MultiDict(single)
    typed.setlist("sections", list(words.sections))
    typed.setlist("months", [str(month) for month in words.months])
    return typed


def _held(rights: SaidRights) -> tuple[datetime | None, datetime | None]:
    """From when until when the rights hold."""
    since, until = rights.valid_from, rights.valid_until
    return (from_text(since) if since else None, from_text(until) if until else None)


def _changes(session: Session, words: Description, region: str, form: Typed) -> Changes:
    """What the form says. Fields it does not have stay as they are. Raises Invalid."""
    place = places.code_of(session, form.get("region", ""))
    return Changes(
        title=form.get("title"),
        summary=form.get("summary"),
        section=form.get("section"),
        sections=form.getlist("sections"),
        department=form.get("department"),
        region=place if place != (words.place or region[:2]) else None,
        rights=_rights(session, words.rights, form),
        local_type=form.get("local_type"),
        audience=form.get("audience"),
        months=_months(form.getlist("months")),
        tags=words_of(form.get("tags", "")),
        chapters=chapters_of(form.get("chapters", "")),
    )


def _months(texts: list[str]) -> list[int]:
    return [int(text) if text.isdecimal() and len(text) < 3 else 0 for text in texts]


def _rights(session: Session, before: SaidRights, form: Typed) -> Rights:
    """Days that were not touched keep the moments they stand for."""
    since, until = _held(before)
    typed_from, typed_until = form.get("rights_from", ""), form.get("rights_until", "")
    return Rights(
        source=form.get("rights_source", ""),
        licence=form.get("rights_licence", ""),
        valid_from=since if typed_from == day_text(since) else first_instant(typed_from),
        valid_until=until if typed_until == last_day_text(until) else after_day(typed_until),
        regions=tuple(places.codes_of(session, form.get("rights_regions", ""))),
    )
