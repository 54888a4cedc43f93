"""Keeps the search in step with the catalogue: what changes in a transaction is indexed anew before it commits.

Whoever changes a programme through its rows need not think of the search: a session notes at each flush which
programmes were touched. Bulk statements that go past the rows call :func:`refresh` themselves. A renamed place is
found again after ``yuanbo catalog reindex``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, delete, event, func, insert, inspect, or_, select, text, update
from sqlalchemy.orm import ORMExecuteState, Session

from server.catalog.bigrams import fts_text, pieces_of, tsvector
from server.catalog.description import LOCAL_TYPE_NAMES, LocalType
from server.catalog.models import (
    Course,
    CourseProgramme,
    Department,
    Edition,
    Programme,
    ProgrammeSection,
    ProgrammeTag,
    Section,
)
from server.catalog.search_models import SearchDocument
from server.regions import service as regions

_TOUCHED = "catalog.search.touched"
_BATCH = 500
_PARTS = (ProgrammeSection, ProgrammeTag, CourseProgramme)


@dataclass(frozen=True)
class _Texts:
    """What is found of a programme, by how much it says about it."""

    programme_id: str
    fresh_at: datetime
    title: list[str]
    named: list[str]
    body: list[str]


def refresh(session: Session, programme_ids: Iterable[str]) -> None:
    """Index these programmes as they stand now; ids of programmes that are gone are left out."""
    for chunk in _chunks(sorted(set(programme_ids)), _BATCH):
        found = {row.programme_id: row for row in _texts(session, chunk)}
        known = select(SearchDocument.programme_id, SearchDocument.fresh_at).where(
            SearchDocument.programme_id.in_(found)
        )
        fresh_at = {row.programme_id: row.fresh_at for row in session.execute(known)}
        staying = [row for key, row in found.items() if fresh_at.get(key) == row.fresh_at]
        for row in staying:
            session.execute(
                update(SearchDocument)
                .where(SearchDocument.programme_id == row.programme_id)
                .values(_columns(session, row))
                .execution_options(synchronize_session=False)
            )
        moving = [row for key, row in found.items() if fresh_at.get(key) != row.fresh_at]
        _put(session, moving, replace=bool(fresh_at))


def rebuild(session: Session) -> int:
    """Index everything anew, the freshest last; how many programmes that were."""
    triggers = [] if _is_postgresql(session) else _take_triggers_off(session)
    if _is_postgresql(session):
        _gather_pieces(session, fast=True)
    session.execute(delete(SearchDocument))
    latest = (
        select(Edition.programme_id, func.max(Edition.released_at).label("at"))
        .group_by(Edition.programme_id)
        .subquery()
    )
    ids = session.scalars(
        select(Programme.id)
        .outerjoin(latest, latest.c.programme_id == Programme.id)
        .order_by(func.coalesce(latest.c.at, Programme.created_at), Programme.id)
    ).all()
    for chunk in _chunks(ids, _BATCH):
        order = {programme_id: at for at, programme_id in enumerate(chunk)}
        found = sorted(_texts(session, list(order)), key=lambda row: order[row.programme_id])
        _put(session, found, replace=False)
    if _is_postgresql(session):
        _gather_pieces(session, fast=False)
        session.execute(text("ANALYZE search_documents"))
    else:
        session.execute(text("INSERT INTO search_index (search_index) VALUES ('rebuild')"))
        for trigger in triggers:
            session.execute(text(trigger))
    return len(ids)


def _gather_pieces(session: Session, *, fast: bool) -> None:
    """Let GIN gather new pieces in its pending list and sort them in once, instead of one by one."""
    if fast:
        for setting in ("gin_pending_list_limit = '512MB'", "maintenance_work_mem = '128MB'"):
            session.execute(text(f"SET LOCAL {setting}"))
    for name in ("title", "named", "body"):
        index = f"gin_search_documents_{name}"
        if not fast:
            session.execute(select(func.gin_clean_pending_list(index)))
        session.execute(text(f"ALTER INDEX {index} SET (fastupdate = {'on' if fast else 'off'})"))


def _take_triggers_off(session: Session) -> list[str]:
    """For as long as this transaction lasts; the statements that make them again. FTS5 begins a new segment for each
    row that a trigger brings it, and merging 100,000 of them takes an hour; reading the whole table takes seconds."""
    found = session.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'search_documents'")
    ).all()
    for name, _sql in found:
        session.execute(text(f'DROP TRIGGER "{name}"'))
    return [sql for _name, sql in found]


def catch_up(session: Session) -> int:
    """Index the programmes of before there was a search; how many."""
    missing = session.scalars(
        select(Programme.id)
        .outerjoin(SearchDocument, SearchDocument.programme_id == Programme.id)
        .where(SearchDocument.n.is_(None))
    ).all()
    refresh(session, missing)
    return len(missing)


def _put(session: Session, rows: Sequence[_Texts], *, replace: bool) -> None:
    """Put documents in at the fresh end, in this order."""
    if not rows:
        return
    if replace:
        gone = [row.programme_id for row in rows]
        session.execute(
            delete(SearchDocument)
            .where(SearchDocument.programme_id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    ordered = sorted(rows, key=lambda row: (row.fresh_at, row.programme_id))
    session.execute(
        insert(SearchDocument.__table__),  # type: ignore[arg-type]
        [
            {"programme_id": row.programme_id, "fresh_at": row.fresh_at, **_columns(session, row)}
            for row in ordered
        ],
    )


def _columns(session: Session, row: _Texts) -> dict[str, str]:
    write = tsvector if _is_postgresql(session) else fts_text
    return {"title": write(row.title), "named": write(row.named), "body": write(row.body)}


def _texts(session: Session, programme_ids: Sequence[str]) -> Iterator[_Texts]:
    """What is found of these programmes, with a fixed number of queries."""
    rows = session.scalars(select(Programme).where(Programme.id.in_(programme_ids))).all()
    released = _released_at(session, programme_ids)
    shelves = _shelf_names(session)
    more = _More(session, programme_ids)
    places = regions.path_of_many(session, {programme.region for programme in rows})
    for programme in rows:
        place = [region.name for region in places.get(programme.region, [])]
        own = [programme.section, *more.sections.get(programme.id, ()), programme.department or ""]
        named = [name for slug in own for name in shelves.get(slug, ())]
        named += more.words.get(programme.id, ())
        if programme.local_type in list(LocalType):
            named.append(LOCAL_TYPE_NAMES[LocalType(programme.local_type)])
        yield _Texts(
            programme_id=programme.id,
            fresh_at=released.get(programme.id) or programme.created_at,
            title=pieces_of([programme.title, programme.initials]),
            named=pieces_of([*named, *place]),
            body=pieces_of([programme.summary, programme.audience, programme.rights_source]),
        )


class _More:
    """What stands in other tables: further sections by programme; tags and the course's title by programme."""

    def __init__(self, session: Session, programme_ids: Sequence[str]) -> None:
        self.sections: dict[str, list[str]] = defaultdict(list)
        self.words: dict[str, list[str]] = defaultdict(list)
        sections = select(ProgrammeSection.programme_id, ProgrammeSection.section)
        for programme_id, section in session.execute(
            sections.where(ProgrammeSection.programme_id.in_(programme_ids))
        ):
            self.sections[programme_id].append(section)
        tags = select(ProgrammeTag.programme_id, ProgrammeTag.tag)
        courses = select(CourseProgramme.programme_id, Course.title).join(
            Course, Course.id == CourseProgramme.course_id
        )
        for query, table in ((tags, ProgrammeTag), (courses, CourseProgramme)):
            for programme_id, word in session.execute(query.where(table.programme_id.in_(programme_ids))):
                self.words[programme_id].append(word)


def _released_at(session: Session, programme_ids: Sequence[str]) -> dict[str, datetime]:
    """The latest release of each; a programme is as fresh as that, else as its creation."""
    rows = session.execute(
        select(Edition.programme_id, func.max(Edition.released_at))
        .where(Edition.programme_id.in_(programme_ids), Edition.released_at.is_not(None))
        .group_by(Edition.programme_id)
    )
    return {programme_id: at for programme_id, at in rows if at is not None}


def _shelf_names(session: Session) -> dict[str, tuple[str, str]]:
    """Names of sections and departments, in both languages, by slug."""
    return {
        slug: (name, name_en)
        for shelf in (Section, Department)
        for slug, name, name_en in session.execute(select(shelf.slug, shelf.name, shelf.name_en))
    }


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


# --- noting what changes ----------------------------------------------------------------------------------------------
@event.listens_for(Session, "after_flush")
def _note(session: Session, _context: Any) -> None:
    touched: set[str] = session.info.setdefault(_TOUCHED, set())
    for row in (*session.new, *session.dirty, *session.deleted):
        touched.update(_touched_by(session, row))


@event.listens_for(Session, "before_commit")
def _keep_in_step(session: Session) -> None:
    session.flush()
    if touched := session.info.pop(_TOUCHED, None):
        refresh(session, touched)


def _touched_by(session: Session, row: object) -> Iterable[str]:
    """The programmes whose texts this row is part of."""
    if isinstance(row, Programme):
        return (row.id,)
    if isinstance(row, _PARTS):
        return (row.programme_id,)
    if isinstance(row, Edition):
        return (row.programme_id,) if _has_changed(row, "released_at", "programme_id") else ()
    if isinstance(row, Course | Department | Section):
        return _named_by(session, row)
    return ()


def _named_by(session: Session, row: Course | Department | Section) -> Iterable[str]:
    """The programmes that are found by the name of this row, when the name changed."""
    if isinstance(row, Course):
        if not _has_changed(row, "title"):
            return ()
        query = select(CourseProgramme.programme_id).where(CourseProgramme.course_id == row.id)
    elif not _has_changed(row, "name", "name_en"):
        return ()
    elif isinstance(row, Department):
        query = select(Programme.id).where(Programme.department == row.slug)
    else:
        further = select(ProgrammeSection.programme_id).where(ProgrammeSection.section == row.slug)
        query = select(Programme.id).where(or_(Programme.section == row.slug, Programme.id.in_(further)))
    with session.no_autoflush:
        return session.scalars(query).all()


@event.listens_for(Session, "do_orm_execute")
def _note_bulk_deletes(state: ORMExecuteState) -> None:
    """Tags, further sections and places in courses that are deleted by one statement go past the rows."""
    if not state.is_delete or state.bind_mapper is None or state.bind_mapper.class_ not in _PARTS:
        return
    part, statement = state.bind_mapper.class_, state.statement
    query = select(part.programme_id)
    if isinstance(statement, Delete) and statement.whereclause is not None:
        query = query.where(statement.whereclause)
    with state.session.no_autoflush:
        touched: set[str] = state.session.info.setdefault(_TOUCHED, set())
        touched.update(state.session.scalars(query))


def _has_changed(row: object, *names: str) -> bool:
    attributes = inspect(row).attrs
    return any(attributes[name].history.has_changes() for name in names)
