"""Descriptions and the tables: what is said about an edition, bound when it is submitted, made public when released.

While a programme has no released edition its rows are its draft's words. Once one is released they are that edition's,
and a later draft keeps its own words in ``Edition.description`` until it is released itself: nobody reads on a public
page what nobody approved.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import CourseRef, FileKind, ProgrammeKind, Rights
from protocol.regions import level_of
from protocol.times import from_text, to_text
from server.catalog import description
from server.catalog.description import BoundFile, Description
from server.catalog.initials import initials
from server.catalog.models import (
    Course,
    CourseProgramme,
    Edition,
    EditionFile,
    EditionState,
    Programme,
    ProgrammeSection,
    ProgrammeTag,
)


def describe(session: Session, edition: Edition) -> Description:
    """What is said about an edition: its own bound or drafted words, else its programme's."""
    if edition.description is not None:
        return description.parse(edition.description)
    return _from_rows(session, edition)


def standing_words(session: Session, edition: Edition) -> Description:
    """The words that an edition would be handed in with now; for a returned one not those it was returned with."""
    if keeps_own_words(edition.programme, edition):
        return describe(session, edition)
    return _from_rows(session, edition)


def _from_rows(session: Session, edition: Edition) -> Description:
    programme = edition.programme
    return Description(
        title=programme.title,
        initials=programme.initials or initials(programme.title),
        summary=programme.summary,
        section=programme.section,
        sections=tuple(row.section for row in programme.sections),
        department=programme.department,
        place=programme.region if level_of(programme.region) != "province" else None,
        kind=ProgrammeKind(programme.kind or ProgrammeKind.VIDEO),
        local_type=programme.local_type,
        audience=programme.audience or "",
        months=tuple(programme.months or ()),
        tags=tuple(row.tag for row in programme.tags),
        course=course_ref(session, programme.id),
        chapters=description.as_chapters(programme.chapters or ()),
        rights=Rights(
            source=programme.rights_source,
            licence=programme.rights_licence,
            valid_from=to_text(programme.rights_from) if programme.rights_from else None,
            valid_until=to_text(programme.rights_until) if programme.rights_until else None,
            regions=list(programme.rights_regions or ()),
        ),
        files=bound_files(edition),
    )


def course_ref(session: Session, programme_id: str) -> CourseRef | None:
    """The course a programme belongs to, and its place there."""
    row = session.execute(
        select(Course.id, Course.title, CourseProgramme.order)
        .join(CourseProgramme, CourseProgramme.course_id == Course.id)
        .where(CourseProgramme.programme_id == programme_id)
    ).one_or_none()
    return CourseRef(id=row.id, title=row.title, order=row.order) if row else None


def bound_files(edition: Edition) -> tuple[BoundFile, ...]:
    """What was sent in beside the source file."""
    return tuple(_bound(row) for row in sorted(edition.files, key=lambda row: (row.kind, row.order, row.id)))


def _bound(row: EditionFile) -> BoundFile:
    return BoundFile(
        kind=FileKind(row.kind), sha256=row.sha256, title=row.title, language=row.language, order=row.order
    )


def keeps_own_words(programme: Programme, edition: Edition) -> bool:
    """Whether the edition's words are its own and not the programme's: another one was released before."""
    return any(other is not edition and other.state == EditionState.RELEASED for other in programme.editions)


def bind(session: Session, edition: Edition) -> None:
    """Fix what is said about an edition that is handed in: from now on its description is what reviewers decide on."""
    words = standing_words(session, edition)
    words = msgspec.structs.replace(
        words, files=bound_files(edition), course=course_ref(session, edition.programme_id)
    )
    edition.description = words.plain()
    edition.description_sha256 = description.words_sha256(words)


def draft_words(session: Session, edition: Edition, words: Description) -> None:
    """Let an edition that is not released yet say something else, without anybody else reading it."""
    edition.description = words.plain()
    edition.description_sha256 = None
    session.flush()


def make_public(session: Session, edition: Edition) -> None:
    """The released edition's words become the programme's."""
    if edition.description is None:
        return
    words, programme = description.parse(edition.description), edition.programme
    programme.title, programme.initials, programme.summary = words.title, words.initials, words.summary
    programme.section, programme.department = words.section, words.department
    programme.region = words.place or programme.region[:2]
    programme.kind, programme.local_type, programme.audience = words.kind, words.local_type, words.audience
    programme.months = list(words.months)
    programme.chapters = [{"at_ms": one.at_ms, "title": one.title} for one in words.chapters]
    programme.rights_source, programme.rights_licence = words.rights.source, words.rights.licence
    programme.rights_from, programme.rights_until = (
        _time(words.rights.valid_from),
        _time(words.rights.valid_until),
    )
    programme.rights_regions = list(words.rights.regions)
    set_sections(session, programme, words.sections)
    set_tags(session, programme, words.tags)


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def set_sections(session: Session, programme: Programme, slugs: tuple[str, ...] | list[str]) -> None:
    """The further sections, in this order."""
    programme.sections.clear()
    session.flush()
    programme.sections.extend(ProgrammeSection(section=slug, order=at) for at, slug in enumerate(slugs))


def set_tags(session: Session, programme: Programme, tags: tuple[str, ...] | list[str]) -> None:
    programme.tags.clear()
    session.flush()
    programme.tags.extend(ProgrammeTag(tag=tag) for tag in tags)
