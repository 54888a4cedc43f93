"""The catalogue as a spreadsheet with the field names of CELTS-42/LOM: one row for each programme that is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from protocol.times import SHANGHAI
from server.catalog import oai, search, service, sheets
from server.catalog.lom import CELTS_NAMES, LomItem, lom_fields
from server.catalog.models import Course, CourseProgramme, Edition, EditionState, Programme
from server.catalog.search import Filters
from server.errors import TooLarge
from server.i18n import N_
from server.identity.rules import Caller
from server.regions import service as regions
from server.sheets import harmless

MAX_ROWS = 20_000
"""The workbook is written in memory: some 110 MB at this length."""
_CHUNK = 500
_WITHDRAWN = "unavailable"
"""Of LOM's vocabulary for ``lifeCycle.status``: draft, final, revised, unavailable."""


def workbook(session: Session, caller: Caller, filters: Filters, *, pages: str, now: datetime) -> bytes:
    """An xlsx of what the caller finds with these filters; ``pages`` is the address below which programmes have theirs.

    Headings are LOM paths with their Chinese names as notes; no cell is a formula. Raises TooLarge, Invalid.
    """
    ids = search.all_ids(session, caller, filters, now=now)
    if len(ids) > MAX_ROWS:
        raise TooLarge(N_("一次最多导出 %(most)d 个节目，请多选几个条件"), most=MAX_ROWS)
    rows = ([harmless(cell) for cell in lom_fields(item).values()] for item in items(session, ids, pages))
    return sheets.to_xlsx("CELTS-42", list(CELTS_NAMES), rows, hints=list(CELTS_NAMES.values()))


def items(session: Session, ids: Sequence[str], pages: str) -> Iterator[LomItem]:
    """The programmes of these ids in order, with a fixed number of queries for each 500."""
    shelves = {row.slug: row.name for row in service.sections(session)}
    departments = {row.slug: row.name for row in service.departments(session)}
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        found = _programmes(session, chunk)
        places = regions.full_names(session, {row.region for row in found.values()})
        courses = _courses(session, chunk)
        for one in chunk:
            row = found[one]
            yield _item(
                row,
                shelves,
                publisher=departments.get(row.department or "", ""),
                place=places.get(row.region, ""),
                course=courses.get(one),
                location=f"{pages}/{one}",
            )


def _programmes(session: Session, ids: Sequence[str]) -> dict[str, Programme]:
    rows = session.scalars(
        select(Programme)
        .where(Programme.id.in_(ids))
        .options(
            selectinload(Programme.editions).joinedload(Edition.asset),
            selectinload(Programme.sections),
            selectinload(Programme.tags),
        )
    )
    return {row.id: row for row in rows}


def _courses(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    rows = session.execute(
        select(CourseProgramme.programme_id, Course.id, Course.title)
        .join(Course, Course.id == CourseProgramme.course_id)
        .where(CourseProgramme.programme_id.in_(ids))
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _item(
    row: Programme,
    shelves: dict[str, str],
    *,
    publisher: str,
    place: str,
    course: tuple[str, str] | None,
    location: str,
) -> LomItem:
    edition = _shown(row)
    return LomItem(
        identifier=oai.identifier_of(row.id),
        title=row.title,
        summary=row.summary,
        language="zh-CN",
        tags=[tag.tag for tag in row.tags],
        kind=row.kind or "video",
        version=str(edition.number),
        status=_status(edition),
        publisher=publisher,
        released_on=_day(edition.released_at),
        size=edition.asset.size,
        location=location,
        duration_ms=edition.asset.duration_ms,
        section=(row.section, shelves.get(row.section, "")),
        sections=[(further.section, shelves.get(further.section, "")) for further in row.sections],
        audience=row.audience or "",
        months=row.months or (),
        place=place,
        course=course,
        rights_source=row.rights_source,
        rights_licence=row.rights_licence,
        rights_until=_last_day(row.rights_until),
    )


def _shown(row: Programme) -> Edition:
    """The newest released edition, else the newest: its words are the programme's."""
    released = [edition for edition in row.editions if edition.state == EditionState.RELEASED]
    return (released or row.editions)[-1]


def _status(edition: Edition) -> str:
    if edition.state == EditionState.RELEASED:
        return "final"
    return _WITHDRAWN if edition.state == EditionState.WITHDRAWN else "draft"


def _day(at: datetime | None) -> str:
    return at.astimezone(SHANGHAI).date().isoformat() if at else ""


def _last_day(until: datetime | None) -> str:
    return _day(until - timedelta(microseconds=1)) if until else ""
