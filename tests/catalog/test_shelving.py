"""Sections and departments are edited: renamed, ordered, added; used ones stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.catalog import search, service, shelving
from server.catalog.programmes import NewProgramme, create_programme
from server.catalog.search import Filters
from server.catalog.shelving import ShelfWords
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound, YuanboError
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]


def words(database: Database, kind: str = "section") -> list[ShelfWords]:
    with database.read() as session:
        return [ShelfWords(row.slug, row.name, row.name_en) for row in shelving.used(session, kind)]


def change(database: Database, caller: Caller, rows: list[ShelfWords], kind: str = "section") -> None:
    with database.write() as session:
        shelving.change(session, caller, kind, rows, now=NOW)


def test_shelves_are_renamed_reordered_added_and_removed(database: Database, people: People) -> None:
    rows = words(database)
    first, second = rows[0], rows[1]
    swapped = [ShelfWords(first.slug, second.name, "A"), ShelfWords(second.slug, first.name, "B")]
    wanted = [ShelfWords("yiliao", "医疗卫生", "Medicine"), *swapped, *rows[3:]]
    change(database, people["admin"], wanted)
    assert words(database) == wanted
    departments = words(database, "department")
    change(database, people["admin"], departments[::-1], "department")
    assert words(database, "department") == departments[::-1]


def test_a_used_shelf_stays_and_is_found_by_its_new_name(
    database: Database, people: People, asset: Callable[..., str]
) -> None:
    editor, rows = people["editor"], words(database)
    with database.write() as session:
        new = NewProgramme(title="冬小麦", section="nongji", asset_id=asset(editor))
        create_programme(session, editor, new, now=NOW)
    with pytest.raises(Conflict):
        change(database, people["admin"], [row for row in rows if row.slug != "nongji"])
    change(
        database,
        people["admin"],
        [ShelfWords(row.slug, "田间课堂" if row.slug == "nongji" else row.name, row.name_en) for row in rows],
    )
    with database.read() as session:
        found, _ = search.list_programmes(session, editor, Filters(q="田间"), now=NOW)
        assert [row.title for row in found] == ["冬小麦"]
        assert service.section_named(session, "田间课堂").slug == "nongji"


@pytest.mark.parametrize(
    "wrong",
    [
        ShelfWords("Bad Slug", "名", "n"), ShelfWords("", "名", "n"), ShelfWords("ok", "", "n"), ShelfWords("ok", "名", " "),
        ShelfWords("dangjian", "别名", "n"), ShelfWords("ok", "党建时政", "n"), ShelfWords("ok", "字" * 41, "n"),
    ],
)  # fmt: skip
def test_shelves_that_are_not_written_rightly_change_nothing(
    database: Database, people: People, wrong: ShelfWords
) -> None:
    before = words(database)
    with pytest.raises(YuanboError):
        change(database, people["admin"], [*before, wrong])
    assert words(database) == before


def test_only_the_province_edits_shelves(database: Database, people: People) -> None:
    rows = words(database)
    with pytest.raises(Forbidden):
        change(database, people["editor"], rows)
    with pytest.raises(Invalid):
        change(database, people["admin"], [])
    with pytest.raises(NotFound):
        words(database, "channel")
