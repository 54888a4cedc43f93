"""Catalogue health: how much of what there is, where shelves are empty or stale, what ends soon, what nobody shows.

Counted is what is released now, each programme once by its newest released edition. ``Local`` is what has a local type
or belongs to a place below the province.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from protocol.regions import level_of
from protocol.times import Timestamp, to_text
from server.catalog import service
from server.catalog.models import Airing, Asset, Edition, EditionState, Programme
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions import service as regions

NEW_WITHIN = timedelta(days=30)
STALE_AFTER = timedelta(days=90)
EXPIRING_WITHIN = timedelta(days=60)
UNSHOWN_AFTER = timedelta(days=30)
LISTED = 100
_HOUR_MS = 3_600_000

STATE_NAMES = {"empty": N_("空架"), "stale": N_("90 天没有更新"), "fresh": N_("正常")}


class ShelfHealth(Struct, kw_only=True):
    """A section, department or place: what is on it. ``state``: empty, stale (nothing new for 90 days) or fresh."""

    key: str
    name: str
    name_en: str
    programmes: int
    hours: float
    new_programmes: int
    new_hours: float
    local_programmes: int
    newest_at: Timestamp | None
    state: str


class Item(Struct, kw_only=True):
    """A programme that needs somebody. ``at``: when its rights end, or since when it is released."""

    id: str
    title: str
    section: str
    region: str
    at: Timestamp


class HealthReport(Struct, kw_only=True):
    """``local_share`` of the programmes, 0–1; lists hold the first 100, their counts all."""

    region: str
    region_name: str
    at: Timestamp
    programmes: int
    hours: float
    new_programmes: int
    new_hours: float
    local_share: float
    sections: list[ShelfHealth]
    departments: list[ShelfHealth]
    places: list[ShelfHealth]
    expiring: list[Item]
    expiring_count: int
    unshown: list[Item]
    unshown_count: int


def report(session: Session, caller: Caller, region: str | None, *, now: datetime) -> HealthReport:
    """The health of what belongs to a region and below, by default the caller's own. Raises Invalid, Forbidden."""
    code = _region(caller, region)
    inside = Programme.region.startswith(code)
    sections = service.sections(session)
    departments = service.departments(session)
    by_section = _grouped(session, inside, Programme.section, now)
    by_department = _grouped(session, inside, func.coalesce(Programme.department, ""), now)
    by_place = _grouped(session, inside, func.substr(Programme.region, 1, _next_length(code)), now)
    names = regions.names(session, by_place)
    total = _sum(by_section.values())
    expiring, expiring_count = _expiring(session, inside, now)
    unshown, unshown_count = _unshown(session, inside, now)
    places = [
        _shelf(key, names.get(key, key), names.get(key, key), row, now)
        for key, row in sorted(by_place.items())
    ]
    return HealthReport(
        region=code,
        region_name=regions.names(session, [code]).get(code, code),
        at=to_text(now),
        programmes=total.programmes,
        hours=_hours(total.ms),
        new_programmes=total.new_programmes,
        new_hours=_hours(total.new_ms),
        local_share=round(total.local / total.programmes, 4) if total.programmes else 0.0,
        sections=[_shelf(s.slug, s.name, s.name_en, by_section.get(s.slug, _Sums()), now) for s in sections],
        departments=[
            *(
                _shelf(d.slug, d.name, d.name_en, by_department.get(d.slug, _Sums()), now)
                for d in departments
            ),
            *(
                [_shelf("", "本单位自办", "Own productions", by_department[""], now)]
                if "" in by_department
                else []
            ),
        ],
        places=places,
        expiring=expiring,
        expiring_count=expiring_count,
        unshown=unshown,
        unshown_count=unshown_count,
    )


def _region(caller: Caller, region: str | None) -> str:
    code = region or next(iter(caller.scopes(Action.CATALOG_VIEW_UNRELEASED)), "13")
    try:
        level_of(code)
    except ValueError as error:
        raise Invalid(N_("没有行政区划 %(region)s"), region=code[:20]) from error
    caller.require(Action.CATALOG_VIEW_UNRELEASED, code)
    return code


def _next_length(code: str) -> int:
    """Places are grouped by the level below the region that is looked at."""
    return {2: 4, 4: 6, 6: 9}.get(len(code), 12)


class _Sums(Struct):
    programmes: int = 0
    ms: int = 0
    new_programmes: int = 0
    new_ms: int = 0
    local: int = 0
    newest_at: datetime | None = None


def _sum(rows: Any) -> _Sums:
    total = _Sums()
    for row in rows:
        total.programmes += row.programmes
        total.ms += row.ms
        total.new_programmes += row.new_programmes
        total.new_ms += row.new_ms
        total.local += row.local
    return total


def _newest() -> Any:
    """The newest released edition of each programme."""
    edition = aliased(Edition)
    return (
        select(edition.programme_id, func.max(edition.number).label("number"))
        .where(edition.state == EditionState.RELEASED)
        .group_by(edition.programme_id)
        .subquery()
    )


def _grouped(
    session: Session, inside: ColumnElement[bool], key: ColumnElement[Any] | Any, now: datetime
) -> dict[str, _Sums]:
    newest, is_new = _newest(), Edition.released_at >= now - NEW_WITHIN
    length = func.coalesce(Asset.duration_ms, 0)
    is_local = or_(Programme.local_type.is_not(None), func.length(Programme.region) > 2)
    rows = session.execute(
        select(
            key,
            func.count(),
            func.sum(length),
            func.sum(case((is_new, 1), else_=0)),
            func.sum(case((is_new, length), else_=0)),
            func.sum(case((is_local, 1), else_=0)),
            func.max(Edition.released_at),
        )
        .select_from(Programme)
        .join(newest, newest.c.programme_id == Programme.id)
        .join(Edition, (Edition.programme_id == Programme.id) & (Edition.number == newest.c.number))
        .join(Asset, Asset.id == Edition.asset_id)
        .where(inside)
        .group_by(key)
    )
    return {
        str(row[0]): _Sums(int(row[1]), int(row[2]), int(row[3]), int(row[4]), int(row[5]), row[6])
        for row in rows
    }


def _shelf(key: str, name: str, name_en: str, row: _Sums, now: datetime) -> ShelfHealth:
    state = "empty"
    if row.programmes:
        state = "fresh" if row.newest_at and row.newest_at > now - STALE_AFTER else "stale"
    return ShelfHealth(
        key=key,
        name=name,
        name_en=name_en,
        programmes=row.programmes,
        hours=_hours(row.ms),
        new_programmes=row.new_programmes,
        new_hours=_hours(row.new_ms),
        local_programmes=row.local,
        newest_at=to_text(row.newest_at) if row.newest_at else None,
        state=state,
    )


def _hours(ms: int) -> float:
    return round(ms / _HOUR_MS, 2)


def _expiring(session: Session, inside: ColumnElement[bool], now: datetime) -> tuple[list[Item], int]:
    newest, until = _newest(), Programme.rights_until
    soon = (inside, until > now, until <= now + EXPIRING_WITHIN)
    query = select(Programme, until).join(newest, newest.c.programme_id == Programme.id).where(*soon)
    rows = session.execute(query.order_by(until, Programme.id).limit(LISTED)).all()
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return _items(rows), count


def _unshown(session: Session, inside: ColumnElement[bool], now: datetime) -> tuple[list[Item], int]:
    """Released for a month, never on the air and not planned."""
    newest, edition = _newest(), aliased(Edition)
    shown = (
        select(edition.programme_id)
        .join(Airing, Airing.edition_id == edition.id)
        .where(or_(Airing.last_at.is_not(None), Airing.next_at.is_not(None)))
    )
    query = (
        select(Programme, Edition.released_at)
        .join(newest, newest.c.programme_id == Programme.id)
        .join(Edition, (Edition.programme_id == Programme.id) & (Edition.number == newest.c.number))
        .where(inside, Edition.released_at <= now - UNSHOWN_AFTER, Programme.id.not_in(shown))
    )
    rows = session.execute(query.order_by(Edition.released_at, Programme.id).limit(LISTED)).all()
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return _items(rows), count


def _items(rows: Sequence[Any]) -> list[Item]:
    return [
        Item(id=row.id, title=row.title, section=row.section, region=row.region, at=to_text(at))
        for row, at in rows
    ]
