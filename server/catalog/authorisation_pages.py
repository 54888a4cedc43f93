"""授权书: scans for batches of programmes, by page and API."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from protocol.times import SHANGHAI, to_text
from server import clock
from server.catalog import authorisations, search, service
from server.catalog.models import Authorisation
from server.errors import Invalid, TooLarge, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading, say, store, writing

blueprint = page_blueprint("authorisations", __name__)
_SHOWN = 100


@blueprint.get("/authorisations")
@permit(Action.CATALOG_SUBMIT)
def listing() -> str:
    """My department's and region's licences, and the form for another one."""
    with reading() as session:
        found = authorisations.visible(session, caller())
        mine, _following = search.list_programmes(
            session, caller(), search.Filters(mine=True), limit=_SHOWN, now=clock.now()
        )
        departments = list(service.departments(session))
    return render_template(
        "catalog/authorisations.html", found=found, mine=mine, departments=departments, now=clock.now()
    )


@blueprint.post("/authorisations")
@permit(Action.CATALOG_SUBMIT)
def add() -> Response:
    try:
        _add()
        flash(_("授权书已保存，权利信息已写入所选草稿"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("authorisations.listing"))


@blueprint.get("/authorisations/<authorisation_id>/scan")
@permit(Action.CATALOG_VIEW)
def scan(authorisation_id: str) -> Response:
    """The scan itself, in a sandbox: it came from outside."""
    with reading() as session:
        row = authorisations.get(session, caller(), authorisation_id)
        data = authorisations.scan_bytes(store(), row)
    headers = {
        "Content-Disposition": "inline",
        "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox",
        "Cache-Control": "private, max-age=60",
    }
    return Response(data, content_type=row.media_type, headers=headers)


@blueprint.get("/api/v1/authorisations")
@permit(Action.CATALOG_SUBMIT)
def api_list() -> Response:
    """Licences the caller may see, newest first."""
    with reading() as session:
        items = [
            {**plain(row), "programmes": count} for row, count in authorisations.visible(session, caller())
        ]
    return jsonify({"items": items, "next": None})


@blueprint.post("/api/v1/authorisations")
@permit(Action.CATALOG_SUBMIT)
def api_add() -> tuple[Response, int]:
    """A scan (multipart field ``file``) with title, source, licence, valid_from, valid_until (days), programme (several)."""
    return jsonify(plain(_add())), 201


def _add() -> Authorisation:
    sent, form = request.files.get("file"), request.form
    if sent is None or not sent.filename:
        raise Invalid(N_("请选择授权书扫描件"))
    data = sent.stream.read(authorisations.MOST_BYTES + 1)
    if len(data) > authorisations.MOST_BYTES:
        raise TooLarge(N_("扫描件不能超过 %(most)s MB"), most=authorisations.MOST_BYTES // 1_000_000)
    until = _day(form.get("valid_until", ""))
    licence = authorisations.Licence(
        title=form.get("title", ""),
        source=form.get("source", ""),
        licence=form.get("licence", ""),
        valid_from=_day(form.get("valid_from", "")),
        valid_until=until + timedelta(days=1) if until else None,
        department=form.get("department") or None,
    )
    with writing() as session:
        return authorisations.add(
            session,
            caller(),
            store(),
            filename=sent.filename,
            data=data,
            licence=licence,
            batch_ids=form.getlist("programme"),
            now=clock.now(),
        )


def _day(text: str) -> datetime | None:
    """The first instant of a day in Beijing. Raises Invalid."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()[:10]).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Invalid(N_("“%(text)s”不是有效的日期"), text=text[:20]) from error


def plain(row: Authorisation) -> dict[str, object]:
    return {
        "id": row.id,
        "title": row.title,
        "filename": row.filename,
        "media_type": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
        "source": row.source,
        "licence": row.licence,
        "valid_from": to_text(row.valid_from) if row.valid_from else None,
        "valid_until": to_text(row.valid_until) if row.valid_until else None,
        "made_at": to_text(row.made_at),
    }
