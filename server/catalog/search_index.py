"""Keeps the search in step with the catalogue: what changes in a transaction is indexed anew before it commits.

Whoever changes a programme through its rows need not think of the search: a session notes at each flush which
programmes were touched. Bulk statements that go past the rows call :func:`refresh` themselves. A renamed place is
found again after ``yuanbo catalog reindex``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, event, func, insert, inspect, select, text, update
from sqlalchemy.orm import Session

from server.catalog.bigrams import fts_text, pieces_of, tsvector
from server.catalog.models import Department, Edition, Programme, Section
from server.catalog.search_models import SearchDocument
from server.regions import service as regions

_TOUCHED = "catalog.search.touched"
_BATCH = 500


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
    session.execute(delete(SearchDocument))
    fresh = _fresh_at().label("fresh_at")
    ids = session.execute(
        select(Programme.id, fresh)
        .outerjoin(Edition, Edition.programme_id == Programme.id)
        .group_by(Programme.id)
        .order_by(fresh, Programme.id)
    ).all()
    for chunk in _chunks(ids, _BATCH):
        order = {row.id: at for at, row in enumerate(chunk)}
        found = sorted(_texts(session, list(order)), key=lambda row: order[row.programme_id])
        _put(session, found, replace=False)
    if _is_postgresql(session):
        session.execute(text("ANALYZE search_documents"))
    else:
        session.execute(text("INSERT INTO search_index (search_index) VALUES ('optimize')"))
    return len(ids)


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
    """On PostgreSQL each column holds the one before it too, because a term may be found in any of them; FTS5 asks
    several columns at once."""
    if not _is_postgresql(session):
        return {"title": fts_text(row.title), "named": fts_text(row.named), "body": fts_text(row.body)}
    named = row.title + row.named
    return {"title": tsvector(row.title), "named": tsvector(named), "body": tsvector(named + row.body)}


def _texts(session: Session, programme_ids: Sequence[str]) -> Iterator[_Texts]:
    """What is found of these programmes, with a fixed number of queries."""
    rows = session.execute(
        select(Programme, _fresh_at())
        .outerjoin(Edition, Edition.programme_id == Programme.id)
        .where(Programme.id.in_(programme_ids))
        .group_by(Programme.id)
        .execution_options(populate_existing=False)
    ).all()
    shelves = _shelf_names(session)
    places = regions.path_of_many(session, {programme.region for programme, _at in rows})
    for programme, fresh_at in rows:
        place = [region.name for region in places.get(programme.region, [])]
        named = [*shelves.get(programme.section, ()), *shelves.get(programme.department or "", ()), *place]
        yield _Texts(
            programme_id=programme.id,
            fresh_at=fresh_at,
            title=pieces_of([programme.title]),
            named=pieces_of(named),
            body=pieces_of([programme.summary, programme.rights_source]),
        )


def _fresh_at() -> Any:
    """When a programme was last new: its latest release, else its creation."""
    return func.coalesce(func.max(Edition.released_at), Programme.created_at, type_=Programme.created_at.type)


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
    for row in (*session.new, *session.dirty):
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
    if isinstance(row, Edition):
        return (row.programme_id,) if _has_changed(row, "released_at", "programme_id") else ()
    if isinstance(row, Section | Department) and _has_changed(row, "name", "name_en"):
        own = Programme.section if isinstance(row, Section) else Programme.department
        with session.no_autoflush:
            return session.scalars(select(Programme.id).where(own == row.slug)).all()
    return ()


def _has_changed(row: object, *names: str) -> bool:
    attributes = inspect(row).attrs
    return any(attributes[name].history.has_changes() for name in names)
