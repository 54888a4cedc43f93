"""JSON of the catalogue: shelves, uploads, programmes, editions and their reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from flask import Blueprint, request
from msgspec import Meta, Struct
from spectree import Response

from protocol.documents import Sha256Hex
from protocol.times import Timestamp
from server import clock
from server.catalog import completing, courses, programmes, search, service, uploads, views
from server.catalog.models import Stage, Upload
from server.catalog.programmes import Changes, NewProgramme, Rights
from server.catalog.search import Filters
from server.errors import Invalid, YuanboError
from server.i18n import N_
from server.identity import second_factor
from server.identity.rules import Action
from server.storage import S3Store
from server.web import Problem, caller, config, database, moment, permit, reading, spec, store, writing

blueprint = Blueprint("catalog_api", __name__)

Text = Annotated[str, Meta(max_length=20_000)]


def _folder() -> Path:
    return config().uploads


def _cloud() -> S3Store | None:
    """Where source files lie when objects lie in S3."""
    found = store()
    return found if isinstance(found, S3Store) else None


# --- shelves ----------------------------------------------------------------------------------------------------------
class ShelfList(Struct, kw_only=True):
    items: list[views.ShelfView]
    next: str | None = None


@blueprint.get("/api/v1/sections")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=ShelfList), tags=["catalogue"])
def list_sections() -> Any:
    """The sections 板块, in their order."""
    with reading() as session:
        return ShelfList(items=[views.shelf_view(row) for row in service.sections(session)])


@blueprint.get("/api/v1/departments")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=ShelfList), tags=["catalogue"])
def list_departments() -> Any:
    """The partner departments 资源单位, in their order."""
    with reading() as session:
        return ShelfList(items=[views.shelf_view(row) for row in service.departments(session)])


# --- uploads ----------------------------------------------------------------------------------------------------------
class UploadRequest(Struct, kw_only=True):
    """``size`` in bytes: what is really sent must come to it."""

    filename: Annotated[str, Meta(max_length=2_000)]
    size: int


class UploadList(Struct, kw_only=True):
    items: list[views.UploadView]
    next: str | None = None


class UploadQuery(Struct, kw_only=True):
    filename: str | None = None
    size: int | None = None


class CompleteRequest(Struct, kw_only=True):
    """``sha256`` of the whole file, where the sender knows it."""

    sha256: Sha256Hex | None = None


class CompletedView(views.AssetView, kw_only=True):
    """``known``: the same bytes were here already."""

    known: bool
    job: views.JobView


class RecogniseRequest(Struct, kw_only=True):
    """``parts_sha256``: SHA-256 over the hex SHA-256 of the file's parts (of ``part_size``), one after another."""

    parts_sha256: Sha256Hex


class RecognisedView(Struct, kw_only=True):
    """``asset`` where the file is here already; then nothing needs to be sent."""

    asset: CompletedView | None


class PartUrlView(Struct, kw_only=True):
    """``url`` takes this one part by PUT, without our token."""

    url: str


def _upload(upload: Upload, twin: bool = False) -> views.UploadView:
    return views.upload_view(upload, uploads.part_count(upload.size, upload.part_size), twin=twin)


def _completed(done: completing.Completed) -> CompletedView:
    return CompletedView(
        **_fields(views.asset_view(done.asset)), job=views.job_view(done.asset), known=done.known
    )


@blueprint.post("/api/v1/uploads")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_201=views.UploadView, HTTP_413=Problem, HTTP_422=Problem, HTTP_507=Problem),
    tags=["uploads"],
)
def create_upload(json: UploadRequest) -> Any:
    """Open a resumable upload; then PUT its parts."""
    with writing() as session:
        upload = uploads.create(
            session,
            caller(),
            _folder(),
            filename=json.filename,
            size=json.size,
            cloud=_cloud(),
            now=clock.now(),
        )
        return _upload(upload, twin=uploads.has_twin(session, upload.size)), 201


@blueprint.get("/api/v1/uploads")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response(HTTP_200=UploadList), tags=["uploads"])
def list_uploads(query: UploadQuery) -> Any:
    """One's own unfinished uploads, newest first: what can be resumed."""
    with reading() as session:
        found = uploads.open_uploads(session, caller(), filename=query.filename, size=query.size)
        return UploadList(items=[_upload(upload) for upload in found])


@blueprint.get("/api/v1/uploads/<upload_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response(HTTP_200=views.UploadView, HTTP_404=Problem), tags=["uploads"])
def get_upload(upload_id: str) -> Any:
    """How far an upload is: the parts that arrived whole, and how much of it is checked."""
    cloud = _cloud()
    with writing() if cloud else reading() as session:
        upload = uploads.get(session, caller(), upload_id)
        if cloud:
            uploads.sync_parts(session, cloud, upload)
        return _upload(upload, twin=uploads.has_twin(session, upload.size))


@blueprint.get("/api/v1/uploads/<upload_id>/parts/<int:number>/url")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_200=PartUrlView, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["uploads"],
)
def get_part_url(upload_id: str, number: int) -> Any:
    """Where to PUT a part of an upload whose ``direct`` is true: an address of the object store, good for an hour."""
    cloud = _cloud()
    if cloud is None:
        raise Invalid(N_("这个上传不在对象存储里"), code="not_direct")
    with reading() as session:
        return PartUrlView(url=uploads.part_url(session, caller(), cloud, upload_id, number))


@blueprint.post("/api/v1/uploads/<upload_id>/recognise")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response(HTTP_200=RecognisedView, HTTP_404=Problem, HTTP_409=Problem), tags=["uploads"])
def recognise_upload(upload_id: str, json: RecogniseRequest) -> Any:
    """Ask whether the same file is here already, before it is sent. Worth it where the upload's ``twin`` is true."""
    with writing() as session:
        done = completing.recognise(
            session, caller(), _folder(), upload_id, json.parts_sha256, _cloud(), now=clock.now()
        )
        return RecognisedView(asset=_completed(done) if done else None)


@blueprint.put("/api/v1/uploads/<upload_id>/parts/<int:number>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(
        HTTP_200=views.PartView, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem, HTTP_507=Problem
    ),
    tags=["uploads"],
)
def put_part(upload_id: str, number: int) -> Any:
    """The raw bytes of one part; sending it again replaces it. The ETag is the part's SHA-256."""
    who = caller()
    try:
        with writing() as session:
            span = uploads.begin_part(session, who, _folder(), upload_id, number)
        etag = uploads.write_part(span, request.stream.read)
        with writing() as session:
            part = uploads.record_part(session, who, span, etag)
    except YuanboError:
        _let_finish()
        raise
    view = views.PartView(number=part.number, size=part.size, etag=part.etag)
    return view, 200, {"ETag": f'"{etag}"'}


def _let_finish() -> None:
    """Read on for a while: a sender whose line is closed while he still sends never hears why."""
    left = uploads.HEARD_OUT
    while left > 0 and (chunk := request.stream.read(uploads.CHUNK)):
        left -= len(chunk)


@blueprint.post("/api/v1/uploads/<upload_id>/complete")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(
        HTTP_200=CompletedView,
        HTTP_202=views.UploadView,
        HTTP_404=Problem,
        HTTP_409=Problem,
        HTTP_422=Problem,
    ),
    tags=["uploads"],
)
def complete_upload(upload_id: str, json: CompleteRequest) -> Any:
    """All parts are there: check them and make the source file of it. Encoding begins at once. 202: a large file is
    being checked; look at the upload until it is complete, or open again with an error."""
    done = completing.complete(
        database(), caller(), _folder(), upload_id, sha256=json.sha256, cloud=_cloud(), now=clock.now()
    )
    if done is None:
        with reading() as session:
            return _upload(uploads.get(session, caller(), upload_id)), 202
    return _completed(done), 200


@blueprint.delete("/api/v1/uploads/<upload_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(resp=Response("HTTP_204", HTTP_404=Problem, HTTP_409=Problem), tags=["uploads"])
def abort_upload(upload_id: str) -> Any:
    """Give an upload up; its bytes are deleted."""
    with writing() as session:
        uploads.abort(session, caller(), _folder(), upload_id, _cloud())
    return "", 204


# --- programmes -------------------------------------------------------------------------------------------------------
class RightsRequest(Struct, kw_only=True):
    source: Text = ""
    licence: Text = ""
    valid_from: Timestamp | None = None
    valid_until: Timestamp | None = None
    regions: Annotated[list[str], Meta(max_length=200)] = []


class ChapterRequest(Struct, kw_only=True):
    at_ms: int
    title: Text


class MoreRequest(Struct, kw_only=True):
    """What else may be said of a programme; fields left out stay as they are. ``sections`` are further ones by slug or
    name, ``months`` the 农时 it is meant for, ``local_type`` achievements, customs, arts or empty for none."""

    sections: Annotated[list[str], Meta(max_length=50)] | None = None
    kind: str | None = None
    local_type: str | None = None
    audience: Text | None = None
    months: Annotated[list[int], Meta(max_length=50)] | None = None
    tags: Annotated[list[Text], Meta(max_length=200)] | None = None
    chapters: Annotated[list[ChapterRequest], Meta(max_length=500)] | None = None


class ProgrammeRequest(MoreRequest, kw_only=True):
    """``section`` and ``department`` by slug or name; ``upload`` (completed) or ``asset`` is the source file; ``course``
    by its title, made where there is none."""

    title: Text
    section: str
    department: str | None = None
    region: str | None = None
    summary: Text = ""
    upload: str | None = None
    asset: str | None = None
    rights: RightsRequest | None = None
    course: Text | None = None
    course_order: int | None = None


class ProgrammeChanges(MoreRequest, kw_only=True):
    """Fields left out stay as they are."""

    title: Text | None = None
    section: str | None = None
    department: str | None = None
    region: str | None = None
    summary: Text | None = None
    rights: RightsRequest | None = None


class ProgrammeQuery(Struct, kw_only=True):
    """``q``: words, one character, pinyin initials or a programme number; the other filters as in the library.

    ``state`` is that of the newest edition; ``region`` includes what lies below; ``longer`` and ``shorter`` in minutes;
    ``rights``: valid, expiring or expired; ``unseen_in``: never shown in that region; ``local_type`` by code or name, or
    ``any``; ``month``: meant for that month or for the whole year; ``course``: its id.
    """

    section: str | None = None
    department: str | None = None
    region: str | None = None
    state: str | None = None
    q: Annotated[str, Meta(max_length=500)] | None = None
    mine: bool = False
    longer: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    shorter: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    rights: str | None = None
    unseen_in: str | None = None
    kind: str | None = None
    local_type: str | None = None
    month: int | None = None
    tag: str | None = None
    course: str | None = None
    after: str | None = None
    limit: int = search.PAGE


class ProgrammeList(Struct, kw_only=True):
    items: list[views.ProgrammeSummary]
    next: str | None


class EditionRequest(Struct, kw_only=True):
    """``upload`` or ``asset`` is another source file, ``recipe`` another cut; what is left out is the newest edition's."""

    upload: str | None = None
    asset: str | None = None
    recipe: dict[str, Any] | None = None
    reason: Text = ""


@blueprint.post("/api/v1/programmes")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_201=views.ProgrammeView, HTTP_403=Problem, HTTP_422=Problem), tags=["catalogue"]
)
def create_programme(json: ProgrammeRequest) -> Any:
    """A programme with its first edition, a draft."""
    who = caller()
    with writing() as session:
        new = NewProgramme(
            title=json.title,
            section=json.section,
            department=json.department,
            region=json.region,
            summary=json.summary,
            asset_id=_source(session, json.upload, json.asset),
            rights=_rights(json.rights) or Rights(),
            more=Changes(**_said(json)),
        )
        programme = programmes.create_programme(session, who, new, now=clock.now())
        if json.course:
            course = courses.course_titled(session, who, json.course, now=clock.now())
            courses.put_into_course(session, who, course, programme, json.course_order)
        return views.programme_view(session, who, programme), 201


@blueprint.get("/api/v1/programmes")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=ProgrammeList, HTTP_422=Problem), tags=["catalogue"])
def list_programmes(query: ProgrammeQuery) -> Any:
    """Programmes one may see, newest first; with ``q`` those that say it in their title first."""
    asked = _fields(query)
    after, limit = asked.pop("after"), asked.pop("limit")
    with reading() as session:
        found, following = search.list_programmes(
            session, caller(), Filters(**asked), after=after, limit=limit, now=clock.now()
        )
        return ProgrammeList(items=views.summaries(session, found), next=following)


@blueprint.get("/api/v1/programmes/<programme_id>")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=views.ProgrammeView, HTTP_404=Problem), tags=["catalogue"])
def get_programme(programme_id: str) -> Any:
    """A programme, by its id or an edition's, with editions, renditions, encoding and reviews."""
    who = caller()
    with reading() as session:
        return views.programme_view(session, who, service.get_programme(session, who, programme_id))


@blueprint.patch("/api/v1/programmes/<programme_id>")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_200=views.ProgrammeView, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["catalogue"],
)
def change_programme(programme_id: str, json: ProgrammeChanges) -> Any:
    """Change what is said about a programme that nobody reviews yet."""
    who = caller()
    changes = Changes(
        title=json.title,
        summary=json.summary,
        section=json.section,
        department=json.department,
        region=json.region,
        rights=_rights(json.rights),
        **_said(json),
    )
    with writing() as session:
        programme = programmes.change_programme(session, who, programme_id, changes, now=clock.now())
        return views.programme_view(session, who, programme)


@blueprint.post("/api/v1/programmes/<programme_id>/editions")
@permit(Action.CATALOG_UPLOAD)
@spec.validate(
    resp=Response(HTTP_201=views.EditionView, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["catalogue"],
)
def add_edition(programme_id: str, json: EditionRequest) -> Any:
    """A new cut of a programme, or the same cut with other words."""
    who = caller()
    with writing() as session:
        source = _source(session, json.upload, json.asset) if json.upload or json.asset else None
        edition = programmes.new_edition(
            session,
            who,
            store(),
            programme_id,
            asset_id=source,
            recipe_plain=json.recipe,
            reason=json.reason,
            now=clock.now(),
        )
        return views.edition_view(session, who, edition), 201


def _said(json: MoreRequest) -> dict[str, Any]:
    chapters = [(one.at_ms, one.title) for one in json.chapters] if json.chapters is not None else None
    return {
        "sections": json.sections,
        "kind": json.kind,
        "local_type": json.local_type,
        "audience": json.audience,
        "months": json.months,
        "tags": json.tags,
        "chapters": chapters,
    }


def _source(session: Any, upload_id: str | None, asset_id: str | None) -> str:
    """The source file that an upload became, or the one named. Raises Invalid."""
    if (upload_id is None) == (asset_id is None):
        raise Invalid(N_("请给出 upload 或 asset 之一"))
    if upload_id is None:
        return str(asset_id)
    upload = uploads.get(session, caller(), upload_id)
    if upload.asset_id is None:
        raise Invalid(N_("“%(file)s”还没有上传完成"), code="upload_open", file=upload.filename)
    return upload.asset_id


def _rights(rights: RightsRequest | None) -> Rights | None:
    if rights is None:
        return None
    return Rights(
        source=rights.source,
        licence=rights.licence,
        valid_from=moment(rights.valid_from) if rights.valid_from else None,
        valid_until=moment(rights.valid_until) if rights.valid_until else None,
        regions=tuple(rights.regions),
    )


# --- editions ---------------------------------------------------------------------------------------------------------
class ReviewRequest(Struct, kw_only=True):
    """``approve`` false returns the edition to its contributor; then ``comment`` says why."""

    stage: Stage
    approve: bool
    comment: Text = ""
    checks: dict[str, bool] | None = None
    """The checklist's answers by item; left out: not answered."""
    code: str | None = None
    """A one-time code of the phone, or a recovery code: an urgent review needs it."""


class WithdrawRequest(Struct, kw_only=True):
    reason: Text = ""


_MOVED = Response(
    HTTP_200=views.EditionView, HTTP_403=Problem, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem
)


@blueprint.get("/api/v1/editions/<edition_id>")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=views.EditionView, HTTP_404=Problem), tags=["catalogue"])
def get_edition(edition_id: str) -> Any:
    """An edition, by its id, or the newest one of a programme by the programme's."""
    who = caller()
    with reading() as session:
        return views.edition_view(session, who, service.get_edition(session, who, edition_id))


@blueprint.post("/api/v1/editions/<edition_id>/submit")
@permit(Action.CATALOG_SUBMIT)
@spec.validate(resp=_MOVED, tags=["review"])
def submit(edition_id: str) -> Any:
    """Hand an edition in for review."""
    who = caller()
    with writing() as session:
        edition = service.submit(session, who, edition_id, now=clock.now())
        return views.edition_view(session, who, edition)


@blueprint.post("/api/v1/editions/<edition_id>/reviews")
@permit(Action.CATALOG_REVIEW)
@spec.validate(resp=_MOVED, tags=["review"])
def review(edition_id: str, json: ReviewRequest) -> Any:
    """Decide at one stage of the three reviews."""
    who, now = caller(), clock.now()
    if json.code:
        second_factor.check(database(), who, json.code, now=now)
    with writing() as session:
        decision = service.decide(
            session,
            who,
            edition_id,
            json.stage,
            approve=json.approve,
            comment=json.comment,
            checks=json.checks,
            stepped_up=bool(json.code),
            now=now,
        )
        return views.edition_view(session, who, service.get_edition(session, who, decision.edition_id))


@blueprint.post("/api/v1/editions/<edition_id>/withdraw")
@permit(Action.CATALOG_WITHDRAW)
@spec.validate(resp=_MOVED, tags=["review"])
def withdraw(edition_id: str, json: WithdrawRequest) -> Any:
    """Take an edition out for good."""
    who = caller()
    with writing() as session:
        edition = service.withdraw(session, who, edition_id, reason=json.reason, now=clock.now())
        return views.edition_view(session, who, edition)


def _fields(view: Struct) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__struct_fields__}
