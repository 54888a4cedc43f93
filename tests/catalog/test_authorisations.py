"""授权书: scans for batches, whose rights drafts take over and which only those concerned see."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from server.catalog import authorisations, programmes, service
from server.catalog.authorisations import Licence
from server.catalog.models import AssetState, Programme
from server.catalog.programmes import NewProgramme
from server.db import Database
from server.errors import Forbidden, Invalid, NotFound
from server.identity.rules import Caller
from server.storage import FolderStore
from tests.catalog.conftest import NOW

People = dict[str, Caller]
PDF = b"%PDF-1.7\nscan"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "media")


@pytest.fixture
def batch(database: Database, people: People, asset: Callable[..., str]) -> list[str]:
    """Two drafts of the county's editor."""
    made = []
    for title in ("剪纸", "梆子"):
        new = NewProgramme(title=title, section="kepu", asset_id=asset(people["county"], AssetState.READY))
        with database.write() as session:
            made.append(programmes.create_programme(session, people["county"], new, now=NOW).id)
    return made


def add(
    database: Database, who: Caller, store: FolderStore, batch: list[str], data: bytes = PDF, **fields: str
) -> str:
    with database.write() as session:
        return authorisations.add(
            session,
            who,
            store,
            filename="C:\\scans\\授权书.pdf",
            data=data,
            licence=Licence(
                **{"title": "县文化馆授权书", "source": "县文化馆", "licence": "全省使用", **fields}
            ),
            batch_ids=batch,
            now=NOW,
        ).id


def test_a_scan_gives_its_rights_to_a_batch_and_stands_beside_each(
    database: Database, people: People, store: FolderStore, batch: list[str]
) -> None:
    made = add(database, people["county"], store, batch)
    with database.read() as session:
        for programme_id in batch:
            programme = session.get_one(Programme, programme_id)
            assert (programme.rights_source, programme.rights_licence) == ("县文化馆", "全省使用")
            assert [row.id for row in authorisations.of_programme(session, programme_id)] == [made]
        row = authorisations.get(session, people["first"], made)
        assert (row.filename, row.media_type) == ("授权书.pdf", "application/pdf")
        assert authorisations.scan_bytes(store, row) == PDF
        assert authorisations.visible(session, people["county"]) == [(row, 2)]


def test_what_is_under_review_keeps_its_rights(
    database: Database, people: People, store: FolderStore, batch: list[str]
) -> None:
    with database.write() as session:
        service.submit(session, people["county"], batch[0], now=NOW)
    add(database, people["county"], store, batch)
    with database.read() as session:
        assert session.get_one(Programme, batch[0]).rights_source == ""
        assert session.get_one(Programme, batch[1]).rights_source == "县文化馆"


def test_only_those_concerned_see_a_scan(
    database: Database, people: People, store: FolderStore, batch: list[str]
) -> None:
    made = add(database, people["county"], store, batch)
    with database.read() as session:
        for username in ("neighbour", "nongye", "station"):
            with pytest.raises(NotFound):
                authorisations.get(session, people[username], made)
            assert authorisations.visible(session, people[username]) == []


@pytest.mark.parametrize("data", [b"", b"MZ\x90\0", b"<html>", b"GIF89a", b"\xff\xd8"])
def test_what_is_no_scan_is_refused(
    database: Database, people: People, store: FolderStore, batch: list[str], data: bytes
) -> None:
    with pytest.raises(Invalid):
        add(database, people["county"], store, batch, data)


def test_a_batch_of_nothing_or_of_somebody_else_is_refused(
    database: Database, people: People, store: FolderStore, batch: list[str]
) -> None:
    with pytest.raises(Invalid):
        add(database, people["county"], store, [])
    with pytest.raises((Forbidden, NotFound)):
        add(database, people["neighbour"], store, batch)
    with pytest.raises(Invalid):
        add(database, people["county"], store, batch, title=" ")


def test_further_programmes_come_under_a_scan_once(
    database: Database, people: People, store: FolderStore, batch: list[str]
) -> None:
    made = add(database, people["county"], store, batch[:1])
    with database.write() as session:
        assert authorisations.extend(session, people["county"], made, batch, now=NOW) == 1
        assert authorisations.extend(session, people["county"], made, batch, now=NOW) == 0


def test_a_scan_goes_up_by_http_and_is_shown_in_a_sandbox(
    app: Flask, bearer: Callable[[str], dict[str, str]], batch: list[str]
) -> None:
    client, county = app.test_client(), bearer("county")
    form = {
        "title": "授权书",
        "valid_until": "2027-12-31",
        "programme": batch,
        "file": (io.BytesIO(PDF), "a.pdf"),
    }
    made = client.post("/api/v1/authorisations", data=form, headers=county)
    assert made.status_code == 201
    assert made.get_json()["valid_until"] == "2027-12-31T16:00:00.000Z"
    scan = client.get(f"/authorisations/{made.get_json()['id']}/scan", headers=county)
    assert (scan.data, scan.content_type) == (PDF, "application/pdf")
    assert "sandbox" in scan.headers["Content-Security-Policy"]
    assert client.get("/api/v1/authorisations", headers=county).get_json()["items"][0]["programmes"] == 2
    none = client.post("/api/v1/authorisations", data={"title": "x", "programme": batch}, headers=county)
    assert none.status_code == 422
