"""What the API and the pages show of the catalogue, gathered in a few queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.times import Timestamp, to_text
from server.catalog import review, service
from server.catalog.describing import course_ref, describe
from server.catalog.models import (
    Airing,
    Asset,
    AssetState,
    Course,
    Department,
    Edition,
    EditionFile,
    EditionState,
    Programme,
    Rendition,
    RenditionFile,
    Review,
    Section,
    Stage,
    Topic,
    Upload,
)
from server.catalog.renditions import cuts
from server.identity.rules import Caller
from server.identity.service import names_of
from server.regions import service as regions

JOB_OF_ASSET: dict[AssetState, str] = {
    AssetState.PREPARING: "queued",
    AssetState.UPLOADED: "queued",
    AssetState.PROCESSING: "running",
    AssetState.READY: "done",
    AssetState.REFUSED: "refused",
    AssetState.FAILED: "failed",
}

CANCELLED = "cancelled"
"""The error code of an encoding that somebody stopped; it stands as a state of its own."""


class ShelfView(Struct, kw_only=True):
    slug: str
    name: str
    name_en: str
    position: int


class PersonView(Struct, kw_only=True):
    id: str
    name: str


class ReasonView(Struct, kw_only=True):
    """Why a file was refused, or what failed: a code for programs, a sentence in each language."""

    code: str
    text: str
    text_en: str


class JobView(Struct, kw_only=True):
    """The encoding: queued, running, done, refused (the file), failed (us) or cancelled; ``progress`` in per cent."""

    state: str
    progress: int
    error: ReasonView | None = None


class AssetView(Struct, kw_only=True):
    id: str
    filename: str
    size: int
    sha256: str
    state: str
    duration_ms: int | None


class RenditionView(Struct, kw_only=True):
    """``url`` is relative to the read plane; ``bitrate`` in bit/s."""

    profile: str
    profile_version: int
    sha256: str
    bytes: int
    pieces_root: str
    width: int
    height: int
    duration_ms: int
    bitrate: int
    url: str


class FileView(Struct, kw_only=True):
    """``id`` where somebody sent it in (subtitles, attachments): it may be taken off a draft again."""

    kind: str
    profile: str | None
    order: int
    language: str | None
    sha256: str
    bytes: int
    url: str
    title: str = ""
    at_ms: int | None = None
    id: str | None = None


class ReviewView(Struct, kw_only=True):
    stage: str
    approved: bool
    reviewer: PersonView
    at: Timestamp
    comment: str
    audit_seq: int


class AiringView(Struct, kw_only=True):
    last_at: Timestamp | None
    next_at: Timestamp | None
    regions: list[str]


class EditionView(Struct, kw_only=True):
    """``may`` names what the caller may do now: submit, withdraw, review:first, review:second, review:final."""

    id: str
    number: int
    state: str
    contributor: PersonView
    created_at: Timestamp
    released_at: Timestamp | None
    admitted_in: int | None
    recipe: dict[str, Any]
    recipe_sha256: str
    description: dict[str, Any]
    """What is said about this edition (the fields of a release manifest); bound once it is handed in."""
    poster: int
    reason: str
    asset: AssetView
    job: JobView
    renditions: list[RenditionView]
    files: list[FileView]
    reviews: list[ReviewView]
    airing: AiringView | None
    may: list[str]


class RightsView(Struct, kw_only=True):
    source: str
    licence: str
    valid_from: Timestamp | None
    valid_until: Timestamp | None
    regions: list[str] = []


class CourseProgrammeView(Struct, kw_only=True):
    """A place in a course or topic, from 1; ``id`` and ``title`` are of the other side of it."""

    id: str
    title: str
    order: int


class CourseView(Struct, kw_only=True):
    id: str
    title: str
    summary: str
    section: str | None
    department: str | None
    region: str
    programmes: list[CourseProgrammeView]
    updated_at: Timestamp


class TopicView(Struct, kw_only=True):
    """``regions`` empty: everywhere in ``region``. ``poster`` is a URL relative to the read plane."""

    id: str
    title: str
    summary: str
    region: str
    regions: list[str]
    starts_at: Timestamp
    until: Timestamp
    required: bool
    position: int
    poster: str | None
    programmes: list[CourseProgrammeView]
    ended_at: Timestamp | None
    updated_at: Timestamp


class ProgrammeSummary(Struct, kw_only=True):
    """A programme in a list; ``state``, ``edition`` and ``job`` are those of its newest edition. ``poster`` is a URL
    relative to the read plane."""

    id: str
    number: int | None
    title: str
    summary: str
    section: ShelfView
    department: ShelfView | None
    region: str
    region_name: str
    state: str
    edition: str
    editions: int
    duration_ms: int | None
    job: JobView
    poster: str | None
    created_at: Timestamp
    created_by: PersonView
    kind: str = "video"
    updated_at: Timestamp | None = None


class ProgrammeView(Struct, kw_only=True):
    """One programme whole; ``state``, ``edition``, ``job``, ``renditions`` and ``files`` are its newest edition's."""

    id: str
    number: int | None
    title: str
    summary: str
    section: ShelfView
    department: ShelfView | None
    region: str
    region_name: str
    rights: RightsView
    state: str
    edition: str
    duration_ms: int | None
    job: JobView
    renditions: list[RenditionView]
    files: list[FileView]
    editions: list[EditionView]
    may: list[str]
    """change, add_edition."""
    created_at: Timestamp
    created_by: PersonView
    initials: str
    kind: str
    sections: list[ShelfView]
    """Further ones beside the main section."""
    tags: list[str]
    local_type: str | None
    audience: str
    months: list[int]
    chapters: list[Any]
    course: CourseProgrammeView | None
    updated_at: Timestamp | None


class PartView(Struct, kw_only=True):
    number: int
    size: int
    etag: str


class UploadView(Struct, kw_only=True):
    """``parts`` are those that arrived whole; of ``part_count`` parts all but the last have ``part_size`` bytes.

    ``direct``: parts go straight to the object store. ``twin``: a file of this size is here, ask whether it is the same.
    While it is *checking*, ``checked`` bytes are hashed; ``error`` says why it is open again.
    """

    id: str
    filename: str
    size: int
    part_size: int
    part_count: int
    state: str
    created_at: Timestamp
    parts: list[PartView]
    asset: str | None
    direct: bool = False
    twin: bool = False
    checked: int = 0
    error: str | None = None


# --- gathering --------------------------------------------------------------------------------------------------------
def shelf_view(shelf: Section | Department) -> ShelfView:
    return ShelfView(slug=shelf.slug, name=shelf.name, name_en=shelf.name_en, position=shelf.position)


def summaries(session: Session, programmes: Sequence[Programme]) -> list[ProgrammeSummary]:
    """Programmes for a list, with a fixed number of queries."""
    around = _Around(session, programmes)
    return [_summary(programme, around) for programme in programmes]


def _summary(programme: Programme, around: _Around) -> ProgrammeSummary:
    newest = programme.editions[-1]
    posters = [file for file in around.files.get(_cut(newest), ()) if file.kind == "poster"]
    posters.sort(key=lambda file: file.order != newest.poster)
    return ProgrammeSummary(
        id=programme.id,
        number=programme.number,
        title=programme.title,
        summary=programme.summary,
        section=around.sections[programme.section],
        department=around.departments.get(programme.department or ""),
        region=programme.region,
        region_name=around.places.get(programme.region, programme.region),
        state=newest.state,
        edition=newest.id,
        editions=len(programme.editions),
        duration_ms=newest.asset.duration_ms,
        job=job_view(newest.asset),
        poster=_url(posters[0].sha256) if posters else None,
        created_at=to_text(programme.created_at),
        created_by=around.person(programme.created_by),
        kind=programme.kind,
        updated_at=_time(programme.updated_at),
    )


def programme_view(session: Session, caller: Caller, programme: Programme) -> ProgrammeView:
    """One programme with its editions, renditions, reviews, and what the caller may do."""
    around = _Around(session, [programme], whole=True)
    editions = [_edition(session, caller, edition, around) for edition in programme.editions]
    newest = editions[-1]
    return ProgrammeView(
        id=programme.id,
        number=programme.number,
        title=programme.title,
        summary=programme.summary,
        section=around.sections[programme.section],
        department=around.departments.get(programme.department or ""),
        region=programme.region,
        region_name=around.places.get(programme.region, programme.region),
        rights=RightsView(
            source=programme.rights_source,
            licence=programme.rights_licence,
            valid_from=_time(programme.rights_from),
            valid_until=_time(programme.rights_until),
            regions=list(programme.rights_regions),
        ),
        state=newest.state,
        edition=newest.id,
        duration_ms=newest.asset.duration_ms,
        job=newest.job,
        renditions=newest.renditions,
        files=newest.files,
        editions=editions,
        may=service.moves_on_programme(caller, programme),
        created_at=to_text(programme.created_at),
        created_by=around.person(programme.created_by),
        initials=programme.initials,
        kind=programme.kind,
        sections=[around.sections[row.section] for row in programme.sections],
        tags=[row.tag for row in programme.tags],
        local_type=programme.local_type,
        audience=programme.audience,
        months=list(programme.months),
        chapters=list(programme.chapters),
        course=_course_place(session, programme),
        updated_at=_time(programme.updated_at),
    )


def _course_place(session: Session, programme: Programme) -> CourseProgrammeView | None:
    found = course_ref(session, programme.id)
    return CourseProgrammeView(id=found.id, title=found.title, order=found.order) if found else None


def course_view(session: Session, course: Course) -> CourseView:
    """A course with its programmes' titles."""
    entries = [(row.programme_id, row.order) for row in course.programmes]
    return CourseView(
        id=course.id,
        title=course.title,
        summary=course.summary,
        section=course.section,
        department=course.department,
        region=course.region,
        programmes=_entries(session, entries),
        updated_at=to_text(course.updated_at),
    )


def topic_view(session: Session, topic: Topic) -> TopicView:
    """A topic with its programmes' titles."""
    entries = [(row.programme_id, row.order) for row in topic.programmes]
    return TopicView(
        id=topic.id,
        title=topic.title,
        summary=topic.summary,
        region=topic.region,
        regions=list(topic.regions),
        starts_at=to_text(topic.starts_at),
        until=to_text(topic.until),
        required=topic.required,
        position=topic.position,
        poster=_url(topic.poster_sha256) if topic.poster_sha256 else None,
        programmes=_entries(session, entries),
        ended_at=_time(topic.ended_at),
        updated_at=to_text(topic.updated_at),
    )


def _entries(session: Session, entries: list[tuple[str, int]]) -> list[CourseProgrammeView]:
    ids = [one for one, _ in entries]
    rows = session.execute(select(Programme.id, Programme.title).where(Programme.id.in_(ids)))
    titles = {row.id: row.title for row in rows}
    return [CourseProgrammeView(id=one, title=titles[one], order=at) for one, at in entries if one in titles]


def edition_view(session: Session, caller: Caller, edition: Edition) -> EditionView:
    """One edition with everything about it."""
    return _edition(session, caller, edition, _Around(session, [edition.programme], whole=True))


def _edition(session: Session, caller: Caller, edition: Edition, around: _Around) -> EditionView:
    cut = _cut(edition)
    airing = session.get(Airing, edition.id)
    return EditionView(
        id=edition.id,
        number=edition.number,
        state=edition.state,
        contributor=around.person(edition.contributor_id),
        created_at=to_text(edition.created_at),
        released_at=_time(edition.released_at),
        admitted_in=edition.admitted_in,
        recipe=edition.recipe or {},
        recipe_sha256=edition.recipe_sha256,
        description=describe(session, edition).plain(),
        poster=edition.poster,
        reason=edition.reason,
        asset=asset_view(edition.asset),
        job=job_view(edition.asset),
        renditions=[_rendition(row) for row in around.renditions.get(cut, ())],
        files=[_file(row) for row in around.files.get(cut, ())] + [_own_file(row) for row in edition.files],
        reviews=[_review(row, around) for row in around.reviews if row.edition_id == edition.id],
        airing=AiringView(
            last_at=_time(airing.last_at), next_at=_time(airing.next_at), regions=list(airing.regions)
        )
        if airing
        else None,
        may=_moves(session, caller, edition),
    )


def _moves(session: Session, caller: Caller, edition: Edition) -> list[str]:
    moves = service.moves_on_edition(caller, edition)
    stage = review.STAGE_OF_STATE.get(EditionState(edition.state))
    if stage is None or not caller.can(service.REVIEW_ACTIONS[stage], edition.programme.region):
        return moves
    if service.why_not_decide(session, caller, edition, stage) is None:
        moves.append(f"review:{Stage(stage).value}")
    return moves


def asset_view(asset: Asset) -> AssetView:
    return AssetView(
        id=asset.id,
        filename=asset.filename,
        size=asset.size,
        sha256=asset.sha256,
        state=asset.state,
        duration_ms=asset.duration_ms,
    )


def job_view(asset: Asset) -> JobView:
    error = None
    if asset.error_code:
        error = ReasonView(
            code=asset.error_code, text=asset.error_text or "", text_en=asset.error_text_en or ""
        )
    state = JOB_OF_ASSET[AssetState(asset.state)]
    if state == "failed" and asset.error_code == CANCELLED:
        state = CANCELLED
    return JobView(state=state, progress=asset.progress, error=error)


def upload_view(upload: Upload, part_count: int, *, twin: bool = False) -> UploadView:
    return UploadView(
        id=upload.id,
        filename=upload.filename,
        size=upload.size,
        part_size=upload.part_size,
        part_count=part_count,
        state=upload.state,
        created_at=to_text(upload.created_at),
        parts=[PartView(number=p.number, size=p.size, etag=p.etag) for p in upload.parts],
        asset=upload.asset_id,
        direct=upload.multipart_id is not None,
        twin=twin and upload.state == "open",
        checked=upload.checked,
        error=upload.error_code,
    )


def _rendition(row: Rendition) -> RenditionView:
    return RenditionView(
        profile=row.profile,
        profile_version=row.profile_version,
        sha256=row.sha256,
        bytes=row.length,
        pieces_root=row.pieces_root,
        width=row.width,
        height=row.height,
        duration_ms=row.duration_ms,
        bitrate=row.bitrate,
        url=_url(row.sha256),
    )


def _file(row: RenditionFile) -> FileView:
    return FileView(
        kind=row.kind,
        profile=row.profile,
        order=row.order,
        language=row.language,
        sha256=row.sha256,
        bytes=row.length,
        url=_url(row.sha256),
        title=row.title,
        at_ms=row.at_ms,
    )


def _own_file(row: EditionFile) -> FileView:
    return FileView(
        kind=row.kind,
        profile=None,
        order=row.order,
        language=row.language,
        sha256=row.sha256,
        bytes=row.length,
        url=_url(row.sha256),
        title=row.title,
        id=row.id,
    )


def _review(row: Review, around: _Around) -> ReviewView:
    return ReviewView(
        stage=row.stage,
        approved=row.approved,
        reviewer=around.person(row.reviewer_id),
        at=to_text(row.at),
        comment=row.comment,
        audit_seq=row.audit_seq,
    )


def _url(sha256: str) -> str:
    return f"/m/{sha256}"


def _time(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _cut(edition: Edition) -> tuple[str, str]:
    return edition.asset_id, edition.recipe_sha256


class _Around:
    """What stands around some programmes: names, shelves, renditions, files and, when ``whole``, reviews."""

    def __init__(self, session: Session, programmes: Sequence[Programme], *, whole: bool = False) -> None:
        editions = [edition for programme in programmes for edition in programme.editions]
        self.sections = {row.slug: shelf_view(row) for row in service.sections(session)}
        self.departments = {row.slug: shelf_view(row) for row in service.departments(session)}
        self.places = regions.names(session, {programme.region for programme in programmes})
        self.files = cuts(session, RenditionFile, editions)
        self.renditions = cuts(session, Rendition, editions) if whole else {}
        self.reviews = service.reviews_of(session, [e.id for e in editions]) if whole else []
        self._names = names_of(session, set(_people(programmes, editions, self.reviews)))

    def person(self, account_id: str) -> PersonView:
        return PersonView(id=account_id, name=self._names.get(account_id, ""))


def _people(
    programmes: Iterable[Programme], editions: Iterable[Edition], reviews: Iterable[Review]
) -> Iterable[str]:
    yield from (programme.created_by for programme in programmes)
    yield from (edition.contributor_id for edition in editions)
    yield from (row.reviewer_id for row in reviews)
