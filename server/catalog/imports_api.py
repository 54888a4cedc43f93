"""JSON of bulk import: the list's template, and what a list would become, row by row, before a byte is sent."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from flask import Blueprint
from flask import Response as HttpResponse
from msgspec import Meta, Struct
from spectree import Response

from server.catalog import bulk, sheets
from server.catalog.discs import Listed
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action
from server.web import Problem, caller, permit, reading, say, spec

blueprint = Blueprint("catalog_imports_api", __name__)

KINDS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
MAX_CONTENT = 4 * sheets.MAX_BYTES // 3 + 4


class ListedFile(Struct, kw_only=True):
    """A file beside the list: its path below the folder, its size, its first 16 bytes in hex."""

    path: Annotated[str, Meta(max_length=1_000)]
    size: Annotated[int, Meta(ge=0)]
    head: Annotated[str, Meta(max_length=64)] = ""


class ImportRequest(Struct, kw_only=True):
    """``content`` is the spreadsheet (xlsx or csv) in base64, ``files`` are those beside it."""

    filename: Annotated[str, Meta(max_length=500)]
    content: Annotated[str, Meta(max_length=MAX_CONTENT)]
    files: Annotated[list[ListedFile], Meta(max_length=50_000)]


class RowProblem(Struct, kw_only=True):
    code: str
    text: str


class ImportRow(Struct, kw_only=True):
    """``state``: new, exists (the programme is here already: ``existing``), bad. ``files`` are joined in this order;
    ``programme`` are the fields for POST /api/v1/programmes."""

    row: int
    title: str
    state: str
    files: list[str]
    size: int
    programme: dict[str, Any]
    subtitles: list[str]
    attachments: list[str]
    problems: list[RowProblem]
    existing: str | None


class ImportPlan(Struct, kw_only=True):
    items: list[ImportRow]
    counts: dict[str, int]


@blueprint.get("/api/v1/imports/template.<kind>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response(HTTP_404=Problem), tags=["imports"])
def get_template(kind: str) -> Any:
    """The empty list with one example row, as xlsx or csv."""
    if kind not in KINDS:
        raise NotFound(N_("模板只有 xlsx 和 csv 两种"))
    answer = HttpResponse(sheets.template(kind), mimetype=KINDS[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="yuanbo-import.{kind}"'
    return answer


@blueprint.post("/api/v1/imports/check")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response(HTTP_200=ImportPlan, HTTP_422=Problem), tags=["imports"])
def check_import(json: ImportRequest) -> Any:
    """A dry run: what each row of the list would become, and what is wrong with it. Nothing is stored."""
    try:
        sheet = base64.b64decode(json.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(N_("“%(file)s”不是 xlsx 或 csv 表格"), code="sheet", file=json.filename) from error
    files = [Listed(one.path, one.size, one.head) for one in json.files]
    with reading() as session:
        rows = bulk.plan(session, caller(), sheet, json.filename, files)
    counts = {state: sum(row.state == state for row in rows) for state in ("new", "exists", "bad")}
    return ImportPlan(items=[_row(row) for row in rows], counts=counts)


def _row(row: bulk.RowPlan) -> ImportRow:
    return ImportRow(
        row=row.number,
        title=row.title[:200],
        state=row.state,
        files=row.files,
        size=row.size,
        programme=row.programme,
        subtitles=row.subtitles,
        attachments=row.attachments,
        problems=[RowProblem(code=problem.code, text=say(problem)) for problem in row.problems],
        existing=row.existing,
    )
