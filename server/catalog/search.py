"""Finding programmes: words, filters, pages. The same results in the same order on SQLite and PostgreSQL.

Order with a query: first those whose title says it, then those whose tags, course, shelf, department or place do,
then the rest; in each group the freshest first. Without one: the newest first. Nobody finds what he may not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, column, exists, func, or_, select, table, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session, aliased, selectinload

from protocol.regions import lineage
from server.catalog import bigrams
from server.catalog.description import clean_kind, clean_local_type
from server.catalog.models import (
    Airing,
    Asset,
    CourseProgramme,
    Edition,
    EditionState,
    Programme,
    ProgrammeSection,
    ProgrammeTag,
)
from server.catalog.search_models import SearchDocument
from server.catalog.service import department_named, known_id, section_named, visible_to
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Caller

PAGE = 50
MAX_PAGE = 200
MOST_COUNTED = 1_000
EXPIRING_WITHIN = timedelta(days=60)
RIGHTS_NAMES = {
    "valid": N_("授权有效"),
    "expiring": N_("60 天内到期"),
    "expired": N_("已到期"),
}

_TOP = "0-2147483647"
"""Where the pages after an exact number begin."""
_FTS = table("search_index", column("rowid"))
_TIERS = (("title",), ("title", "named"), ("title", "named", "body"))


@dataclass(frozen=True)
class Filters:
    """``state`` is that of the newest edition; ``section`` the main one or a further one; ``region`` includes what lies
    below; ``rights`` one of RIGHTS_NAMES; lengths in minutes of the newest edition, up to but without the upper one;
    ``month``: meant for that month or for the whole year; ``unseen_in``: never shown in that region; ``course`` an id.
    """

    section: str | None = None
    department: str | None = None
    region: str | None = None
    state: str | None = None
    q: str | None = None
    mine: bool = False
    longer: int | None = None
    shorter: int | None = None
    rights: str | None = None
    unseen_in: str | None = None
    kind: str | None = None
    local_type: str | None = None
    month: int | None = None
    tag: str | None = None
    course: str | None = None


def list_programmes(
    session: Session,
    caller: Caller,
    filters: Filters = Filters(),
    *,
    after: str | None = None,
    limit: int = PAGE,
    now: datetime,
) -> tuple[list[Programme], str | None]:
    """Programmes the caller may see, and where the next page begins (None: no more). Raises Invalid, NotFound."""
    limit = max(1, min(limit, MAX_PAGE))
    conditions = [visible_to(caller), *_conditions(session, caller, filters, now)]
    if filters.q and filters.q.strip():
        found, following = _search(session, filters.q, conditions, after, limit)
    else:
        found, following = _browse(session, conditions, after, limit)
    return _loaded(session, found), following


def count_programmes(session: Session, caller: Caller, filters: Filters, *, now: datetime) -> int:
    """How many there are; beyond 1,000 just that, because counting on would take longer than finding."""
    conditions = [visible_to(caller), *_conditions(session, caller, filters, now)]
    query: Select[Any] = select(Programme.id).where(*conditions)
    if filters.q and filters.q.strip():
        asked = bigrams.terms(filters.q)
        if not asked:
            return 0
        query = _in_any(session, asked).where(*conditions)
    return session.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED).subquery())) or 0


def all_ids(session: Session, caller: Caller, filters: Filters, *, now: datetime) -> list[str]:
    """Everything that is found, in order; for exports and for acting on all of it."""
    ids: list[str] = []
    after: str | None = None
    conditions = [visible_to(caller), *_conditions(session, caller, filters, now)]
    while True:
        if filters.q and filters.q.strip():
            page, after = _search(session, filters.q, conditions, after, 5_000)
        else:
            page, after = _browse(session, conditions, after, 5_000)
        ids += page
        if after is None:
            return ids


def _browse(
    session: Session, conditions: list[ColumnElement[bool]], after: str | None, limit: int
) -> tuple[list[str], str | None]:
    query = select(Programme.id).where(*conditions)
    if after:
        query = query.where(Programme.id < known_id(after))
    found = session.scalars(query.order_by(Programme.id.desc()).limit(limit + 1)).all()
    return list(found[:limit]), found[limit - 1] if len(found) > limit else None


def _loaded(session: Session, ids: Sequence[str]) -> list[Programme]:
    """These programmes with their editions and files, in this order."""
    rows = session.scalars(
        select(Programme)
        .where(Programme.id.in_(ids))
        .options(selectinload(Programme.editions).joinedload(Edition.asset).defer(Asset.probe))
    )
    by_id = {row.id: row for row in rows}
    return [by_id[one] for one in ids]


# --- words ------------------------------------------------------------------------------------------------------------
def _search(
    session: Session, q: str, conditions: list[ColumnElement[bool]], after: str | None, limit: int
) -> tuple[list[str], str | None]:
    """A page of a search: from each group in turn, as much as still fits."""
    asked = bigrams.terms(q)
    if not asked:
        return [], None
    first, below = _cursor(after)
    found: list[tuple[str, str]] = []
    if number := _number(q):
        if after is None:
            exactly = select(Programme.id).where(*conditions, Programme.number == number)
            found = [(one, _TOP) for one in session.scalars(exactly)]
        conditions = [*conditions, Programme.number.is_distinct_from(number)]
    for tier in range(first, len(_TIERS)):
        query = _of_tiers(session, asked, _TIERS[tier - 1] if tier else None, _TIERS[tier]).where(*conditions)
        n = _n(session)
        if tier == first and below is not None:
            query = query.where(n < below)
        rows = session.execute(query.add_columns(n).order_by(n.desc()).limit(limit + 1 - len(found))).all()
        found += [(row[0], f"{tier}-{row[1]}") for row in rows]
        if len(found) > limit:
            return [one for one, _at in found[:limit]], found[limit - 1][1]
    return [one for one, _at in found], None


def _in_any(session: Session, asked: list[bigrams.Term]) -> Select[Any]:
    """Programmes that say everything that is asked, wherever."""
    if session.get_bind().dialect.name != "postgresql":
        return _of_tiers(session, asked, None, _TIERS[-1])
    everywhere = [or_(*(_holds(name, [term]) for name in _TIERS[-1])) for term in asked]
    joined = select(Programme.id).join(SearchDocument, SearchDocument.programme_id == Programme.id)
    return joined.where(*everywhere)


def _of_tiers(
    session: Session, asked: list[bigrams.Term], without: tuple[str, ...] | None, columns: tuple[str, ...]
) -> Select[Any]:
    """Programmes whose texts in these columns, and not in those, say everything that is asked."""
    if session.get_bind().dialect.name == "postgresql":
        query = select(Programme.id).join(SearchDocument, SearchDocument.programme_id == Programme.id)
        return query.where(*_said_in(asked, columns, without))
    expression = bigrams.fts_query(asked, columns)
    if without:
        expression = f"({expression}) NOT ({bigrams.fts_query(asked, without)})"
    return (
        select(Programme.id)
        .select_from(_FTS)
        .join(SearchDocument, SearchDocument.n == _FTS.c.rowid)
        .join(Programme, Programme.id == SearchDocument.programme_id)
        .where(text("search_index MATCH :expression").bindparams(expression=expression))
    )


def _said_in(
    asked: list[bigrams.Term], columns: tuple[str, ...], without: tuple[str, ...] | None
) -> list[ColumnElement[bool]]:
    """The same for PostgreSQL. One term is said apart: then the planner's estimate, from which it chooses between the
    GIN index and walking backwards from the freshest, does not count a title's hits as hits of the rest."""
    if len(asked) == 1:
        last, *before = reversed(columns)
        return [_holds(last, asked), *(~_holds(name, asked) for name in before)]
    everywhere = [or_(*(_holds(name, [term]) for name in columns)) for term in asked]
    if without is None:
        return everywhere
    return [*everywhere, ~and_(*(or_(*(_holds(name, [term]) for name in without)) for term in asked))]


def _holds(name: str, asked: list[bigrams.Term]) -> ColumnElement[bool]:
    column: ColumnElement[Any] = getattr(SearchDocument, name)
    return column.op("@@", is_comparison=True)(cast(bigrams.tsquery(asked), TSQUERY))


def _n(session: Session) -> Any:
    """What a search is ordered by; FTS5 walks its own row numbers backwards without sorting."""
    return SearchDocument.n if session.get_bind().dialect.name == "postgresql" else _FTS.c.rowid


def _cursor(after: str | None) -> tuple[int, int | None]:
    if after is None:
        return 0, None
    tier, _, n = after.partition("-")
    if not (tier.isdecimal() and n.isdecimal() and int(tier) < len(_TIERS) and len(n) < 12):
        raise Invalid(N_("翻页位置无效，请重新搜索"), code="after")
    return int(tier), int(n)


def _number(q: str) -> int | None:
    """A programme number that somebody typed."""
    plain = q.strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= 4 else None


# --- filters ----------------------------------------------------------------------------------------------------------
def _conditions(
    session: Session, caller: Caller, filters: Filters, now: datetime
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.section:
        slug = section_named(session, filters.section).slug
        further = exists().where(
            ProgrammeSection.programme_id == Programme.id, ProgrammeSection.section == slug
        )
        conditions.append(or_(Programme.section == slug, further))
    if filters.department:
        conditions.append(Programme.department == department_named(session, filters.department).slug)
    if filters.region:
        conditions.append(Programme.region.startswith(filters.region, autoescape=True))
    if filters.mine:
        conditions.append(Programme.created_by == caller.id)
    if filters.state:
        conditions.append(_newest(Edition.state) == _state(filters.state))
    if filters.longer is not None:
        conditions.append(_newest(Asset.duration_ms) >= filters.longer * 60_000)
    if filters.shorter is not None:
        conditions.append(_newest(Asset.duration_ms) < filters.shorter * 60_000)
    if filters.rights:
        conditions.append(_rights(filters.rights, now))
    conditions += _about(filters)
    if filters.unseen_in:
        conditions.append(~_was_shown_in(filters.unseen_in))
    return conditions


def _about(filters: Filters) -> list[ColumnElement[bool]]:
    """What is said about a programme."""
    conditions: list[ColumnElement[bool]] = []
    if filters.kind:
        conditions.append(Programme.kind == clean_kind(filters.kind))
    if filters.local_type == "any":
        conditions.append(Programme.local_type.is_not(None))
    elif filters.local_type:
        conditions.append(Programme.local_type == clean_local_type(filters.local_type))
    if filters.month is not None:
        if filters.month not in range(1, 13):
            raise Invalid(N_("农时月份应在 1 到 12 之间"), code="months")
        # A list of numbers is text on both databases: [3, 11], perhaps without blanks.
        listed = func.replace(func.replace(cast(Programme.months, Text), " ", ""), "]", ",]")
        wanted = str(filters.month)
        conditions.append(
            or_(listed == "[,]", listed.contains(f"[{wanted},"), listed.contains(f",{wanted},"))
        )
    if filters.tag:
        conditions.append(
            exists().where(ProgrammeTag.programme_id == Programme.id, ProgrammeTag.tag == filters.tag)
        )
    if filters.course:
        course = known_id(filters.course)
        conditions.append(
            exists().where(CourseProgramme.programme_id == Programme.id, CourseProgramme.course_id == course)
        )
    return conditions


def _newest(attribute: Any) -> Any:
    """An attribute of a programme's newest edition, or of its source file."""
    edition = aliased(Edition)
    query = select(attribute if attribute.class_ is Asset else getattr(edition, attribute.key))
    query = query.select_from(edition)
    if attribute.class_ is Asset:
        query = query.join(Asset, Asset.id == edition.asset_id)
    return (
        query.where(edition.programme_id == Programme.id)
        .order_by(edition.number.desc())
        .limit(1)
        .correlate(Programme)
        .scalar_subquery()
    )


def _state(name: str) -> EditionState:
    try:
        return EditionState(name)
    except ValueError as error:
        raise Invalid(N_("没有状态“%(state)s”"), state=name) from error


def _rights(name: str, now: datetime) -> ColumnElement[bool]:
    until, since = Programme.rights_until, Programme.rights_from
    if name == "valid":
        return and_(or_(until.is_(None), until > now), or_(since.is_(None), since <= now))
    if name == "expiring":
        return and_(until > now, until <= now + EXPIRING_WITHIN)
    if name == "expired":
        return until <= now
    raise Invalid(N_("没有授权状态“%(name)s”"), name=name)


def _was_shown_in(region: str) -> ColumnElement[bool]:
    """Whether some edition was on the air there: in the region or, as part of the programme above it, everywhere."""
    try:
        above = lineage(region)
    except ValueError as error:
        raise Invalid(N_("没有行政区划 %(region)s"), region=region) from error
    edition, airing = aliased(Edition), aliased(Airing)
    codes = cast(airing.regions, Text)
    return exists().where(
        edition.programme_id == Programme.id,
        airing.edition_id == edition.id,
        airing.last_at.is_not(None),
        or_(*(codes.contains(f'"{code}"') for code in above)),
    )
