"""Catalogue health: counted rightly, listed, and exported without formulas."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import select

from server.catalog import health, health_export
from server.catalog.models import Airing, Asset, AssetState, Edition, EditionState
from server.catalog.programmes import Changes, NewProgramme, Rights, create_programme
from server.db import Database
from server.errors import Forbidden, Invalid
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]
HOUR = 3_600_000


@pytest.fixture
def release(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    """``release(title, days_ago=…, hours=…)``: a released programme; its id."""

    def make(title: str, *, days_ago: int = 0, hours: float = 1, by: str = "editor", **more: Any) -> str:
        new = NewProgramme(
            title=title, asset_id=asset(people[by], AssetState.READY), **{"section": "nongji", **more}
        )
        with database.write() as session:
            programme = create_programme(session, people[by], new, now=NOW)
            edition = programme.editions[0]
            edition.state, edition.released_at = EditionState.RELEASED, NOW - timedelta(days=days_ago)
            session.get_one(Asset, edition.asset_id).duration_ms = int(hours * HOUR)
            return programme.id

    return make


Release = Callable[..., str]


def report(database: Database, caller: Caller, region: str | None = None) -> health.HealthReport:
    with database.read() as session:
        return health.report(session, caller, region, now=NOW)


def test_shelves_departments_and_places_are_counted(
    database: Database, people: People, release: Release
) -> None:
    release("冬小麦", days_ago=5, hours=2, department="nongye")
    release("苹果", days_ago=40, hours=1, department="nongye")
    release("剪纸", days_ago=100, hours=0.5, section="wenyu", by="county", more=Changes(local_type="arts"))
    found = report(database, people["admin"])
    assert (found.programmes, found.hours, found.new_programmes, found.new_hours) == (3, 3.5, 1, 2.0)
    assert found.local_share == pytest.approx(1 / 3, abs=1e-4)
    shelves = {row.key: row for row in found.sections}
    assert (shelves["nongji"].hours, shelves["nongji"].new_programmes, shelves["nongji"].state) == (
        3.0,
        1,
        "fresh",
    )
    assert (shelves["wenyu"].state, shelves["kepu"].state, len(shelves)) == ("stale", "empty", 12)
    departments = {row.key: row.programmes for row in found.departments}
    assert (departments["nongye"], departments[""], departments["keji"]) == (2, 1, 0)
    assert {row.key: (row.name, row.local_programmes) for row in found.places} == {
        "13": ("河北", 0), "1301": ("石家庄", 1)
    } or {row.key: row.local_programmes for row in found.places} == {"13": 0, "1301": 1}  # fmt: skip


def test_a_programme_counts_once_by_its_newest_release(
    database: Database, people: People, release: Release
) -> None:
    one = release("冬小麦", days_ago=50)
    with database.write() as session:
        first = session.scalars(select(Edition).where(Edition.programme_id == one)).one()
        for number, state, at in ((2, EditionState.RELEASED, NOW), (3, EditionState.DRAFT, None)):
            session.add(
                Edition(
                    programme_id=one, number=number, asset_id=first.asset_id, state=state, released_at=at,
                    contributor_id=first.contributor_id, created_at=NOW,
                )
            )  # fmt: skip
    found = report(database, people["admin"])
    assert (found.programmes, found.new_programmes) == (1, 1)


def test_what_ends_soon_and_what_nobody_shows(database: Database, people: People, release: Release) -> None:
    soon = release("快到期", rights=Rights(valid_until=NOW + timedelta(days=59)))
    release("还早", rights=Rights(valid_until=NOW + timedelta(days=61)))
    idle = release("没人排", days_ago=31)
    for title, last_at, next_at in (("播过", NOW, None), ("排了", None, NOW)):
        shown = release(title, days_ago=31)
        with database.write() as session:
            edition = session.scalars(select(Edition).where(Edition.programme_id == shown)).one()
            session.add(Airing(edition_id=edition.id, last_at=last_at, next_at=next_at, regions=["13"]))
    found = report(database, people["admin"])
    assert ([item.id for item in found.expiring], found.expiring_count) == ([soon], 1)
    assert ([item.id for item in found.unshown], found.unshown_count) == ([idle], 1)


def test_everybody_sees_the_health_of_his_own_place(
    database: Database, people: People, release: Release
) -> None:
    release("省里的")
    release("正定的", by="county")
    assert report(database, people["county"]).programmes == 1
    assert report(database, people["county"]).region == "130123"
    assert report(database, people["admin"], "1302").programmes == 0
    with pytest.raises(Forbidden):
        report(database, people["county"], "1301")
    with pytest.raises(Forbidden):
        report(database, people["nongye"], "13")
    with pytest.raises(Invalid):
        report(database, people["admin"], "131")


def test_an_exported_title_is_never_a_formula(database: Database, people: People, release: Release) -> None:
    for title in ('=cmd|"/c calc"!A1', "+1", "-1", "@SUM(A1)"):
        release(title, days_ago=31)
    found = report(database, people["admin"])
    text = health_export.as_csv(found).decode("utf-8-sig")
    for line in text.splitlines():
        for cell in line.split(","):
            assert not cell.strip('"').startswith(("=", "+", "-", "@")), line
    book = load_workbook(io.BytesIO(health_export.as_xlsx(found)))
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert [row[1].value for row in book["无人编排"].iter_rows(min_row=2)].count("'+1") == 1


def test_the_api_and_its_files(app: Flask, bearer: Callable[[str], dict[str, str]], release: Release) -> None:
    release("冬小麦")
    client, admin = app.test_client(), bearer("admin")
    answer = client.get("/api/v1/catalogue/health", headers=admin)
    assert (answer.status_code, answer.json["programmes"]) == (200, 1)
    for form, start in (("xlsx", b"PK"), ("csv", b"\xef\xbb\xbf")):
        file = client.get(f"/api/v1/catalogue/health/export?format={form}", headers=admin)
        assert file.status_code == 200
        assert file.data.startswith(start)
        assert file.headers["Content-Disposition"].endswith(f'.{form}"')
    assert client.get("/api/v1/catalogue/health/export?format=exe", headers=admin).status_code == 422
    assert client.get("/api/v1/catalogue/health", headers=bearer("station")).status_code == 403
