"""Editing the shelves: sections 板块 and departments 资源单位, their names, their order, new ones; used ones stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.catalog.models import Course, Department, Programme, ProgrammeSection, Section
from server.catalog.service import clean_text
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.models import Account
from server.identity.rules import Action, Caller

KINDS: dict[str, type[Section | Department]] = {"section": Section, "department": Department}
MOST = 60
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,39}")


@dataclass(frozen=True)
class ShelfWords:
    """A shelf as somebody writes it; their order is the order of display."""

    slug: str
    name: str
    name_en: str


@dataclass(frozen=True)
class UsedShelf:
    """A shelf and how many programmes name it; one that nothing names may go."""

    slug: str
    name: str
    name_en: str
    programmes: int


def used(session: Session, kind: str) -> list[UsedShelf]:
    """All shelves of a kind, in their order. Raises NotFound for another kind."""
    table = _table(kind)
    counts = _uses(session, kind)
    rows = session.scalars(select(table).order_by(table.position)).all()
    return [UsedShelf(row.slug, row.name, row.name_en, counts.get(row.slug, 0)) for row in rows]


def _table(kind: str) -> Any:
    if kind not in KINDS:
        raise NotFound
    return KINDS[kind]


def _uses(session: Session, kind: str) -> dict[str, int]:
    """How many rows name each shelf; what is named by anything cannot go."""
    columns = (
        (Programme.section, ProgrammeSection.section, Course.section)
        if kind == "section"
        else (Programme.department, Course.department, Account.department)
    )
    counts: dict[str, int] = {}
    for column in columns:
        for slug, count in session.execute(
            select(column, func.count()).where(column.is_not(None)).group_by(column)
        ):
            counts[str(slug)] = counts.get(str(slug), 0) + count
    return counts


def change(session: Session, caller: Caller, kind: str, rows: Sequence[ShelfWords], *, now: datetime) -> None:
    """Make the shelves what ``rows`` say: renamed, put in this order, added; those left out go where nothing names them.

    Raises Invalid (names, slugs), Conflict (a used one is left out); then nothing is changed.
    """
    caller.require(Action.CATALOG_SETTINGS)
    table = _table(kind)
    wanted = [_clean(row) for row in rows]
    _check(wanted)
    here: dict[str, Any] = {row.slug: row for row in session.scalars(select(table))}
    uses = _uses(session, kind)
    for slug in here.keys() - {row.slug for row in wanted}:
        if uses.get(slug):
            raise Conflict(N_("“%(name)s”还有节目在用，不能删除"), code="shelf_used", name=here[slug].name)
        _delete(session, here[slug])
    named = {words.slug: words.name for words in wanted}
    for slug, row in here.items():  # names are unique: two that change places must not meet on the way
        if named.get(slug, row.name) != row.name:
            row.name = f"…{slug}"[:40]
    session.flush()
    for position, words in enumerate(wanted, start=1):
        shelf = here.get(words.slug)
        if shelf is None:
            session.add(table(slug=words.slug, name=words.name, name_en=words.name_en, position=position))
        else:
            shelf.name, shelf.name_en, shelf.position = words.name, words.name_en, position
    session.flush()
    names = [words.name for words in wanted]
    audit.append(
        session, actor=caller, action=f"{kind}s.change", subject=kind, detail={"names": names}, now=now
    )


def _delete(session: Session, shelf: Section | Department) -> None:
    """Rooms to the right may name it too; the database knows. Raises Conflict."""
    name = shelf.name
    try:
        with session.begin_nested():
            session.delete(shelf)
            session.flush()
    except IntegrityError as error:
        raise Conflict(N_("“%(name)s”还有节目在用，不能删除"), code="shelf_used", name=name) from error


def _clean(row: ShelfWords) -> ShelfWords:
    return ShelfWords(
        slug=row.slug.strip().lower(),
        name=clean_text(row.name, 40).replace("\n", " "),
        name_en=clean_text(row.name_en, 60).replace("\n", " "),
    )


def _check(rows: Sequence[ShelfWords]) -> None:
    if not 1 <= len(rows) <= MOST:
        raise Invalid(N_("应有 1 到 %(most)d 个"), code="shelves", most=MOST)
    for row in rows:
        if not _SLUG.fullmatch(row.slug):
            raise Invalid(N_("代号“%(slug)s”只能用小写字母、数字和连字符"), code="slug", slug=row.slug[:40])
        if not row.name or not row.name_en:
            raise Invalid(N_("请填写“%(slug)s”的中文名和英文名"), code="name", slug=row.slug)
    for what in ("slug", "name"):
        values = [getattr(row, what) for row in rows]
        if twice := next((value for value in values if values.count(value) > 1), None):
            raise Invalid(N_("“%(name)s”出现了两次"), code="twice", name=twice)
