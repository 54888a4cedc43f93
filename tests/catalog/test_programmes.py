"""What is said about programmes, new cuts, and what reaches stations of it, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from server.catalog import files, programmes, service
from server.catalog.models import AssetState, Edition, EditionState, Programme, Stage
from server.catalog.programmes import Changes, NewProgramme, Rights
from server.catalog.renditions import released_editions
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid
from server.identity.rules import Caller
from server.storage import FolderStore

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
SRT = "1\n00:00:01,000 --> 00:00:02,000\n你好\n\n2\n00:00:09,000 --> 00:00:10,000\n再见\n"
People = dict[str, Caller]
NewAsset = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "media")


@pytest.fixture
def made(database: Database, people: People, asset: NewAsset) -> Callable[..., str]:
    """``made(title=…)``: a programme of the county's whose file is encoded; its id."""

    def make(caller: str = "county", **fields: Any) -> str:
        source = asset(people[caller], AssetState.READY)
        new = NewProgramme(**{"title": "苹果冬剪", "section": "nongji", "asset_id": source, **fields})
        with database.write() as session:
            programme = programmes.create_programme(session, people[caller], new, now=NOW)
            programme.editions[0].asset.duration_ms = 60_000
            return programme.id

    return make


def release(database: Database, people: People, programme: str, now: datetime = NOW) -> None:
    with database.write() as session:
        service.submit(session, people["county"], programme, now=now)
    for stage in Stage:
        with database.write() as session:
            service.decide(session, people[stage.value], programme, stage, approve=True, now=now)


def change(database: Database, people: People, programme: str, **said: Any) -> None:
    with database.write() as session:
        programmes.change_programme(session, people["county"], programme, Changes(**said), now=NOW)


def test_everything_may_be_said_when_a_programme_is_made(
    database: Database, made: Callable[..., str]
) -> None:
    more = Changes(
        sections=["科普健康", "nongji", "zhifu"],
        local_type="风土人情专题",
        audience="  果农 ",
        months=[12, 1, 1],
        tags=["#冬剪", "苹果", "苹果 "],
        chapters=[(5_000, "剪口"), (0, "准备")],
        kind="视频",
    )
    programme = made(more=more, rights=Rights(source="省农科院", regions=("1301", "130227")))
    with database.read() as session:
        row = session.get_one(Programme, programme)
        assert [one.section for one in row.sections] == ["kepu", "zhifu"]
        assert (row.initials, row.local_type, row.audience, row.months) == (
            "pgdj",
            "customs",
            "果农",
            [1, 12],
        )
        assert [one.tag for one in row.tags] == ["冬剪", "苹果"]
        assert [one["title"] for one in row.chapters] == ["准备", "剪口"]
        assert row.rights_regions == ["1301", "130227"]


@pytest.mark.parametrize(
    "said",
    [
        {"months": [0]},
        {"months": [13]},
        {"local_type": "外地"},
        {"tags": ["长" * 21]},
        {"tags": [str(number) for number in range(21)]},
        {"audience": "字" * 61},
        {"chapters": [(0, "")]},
        {"chapters": [(0, "甲"), (0, "乙")]},
        {"sections": ["没有的板块"]},
        {"kind": "气味"},
        {"title": ""},
        {"title": "长" * 10_000},
        {"rights": Rights(regions=("99",))},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_changes(
    database: Database, people: People, made: Callable[..., str], said: dict[str, Any]
) -> None:
    programme = made()
    with pytest.raises(Invalid):
        change(database, people, programme, **{"title": "改名", **said})
    with database.read() as session:
        assert session.get_one(Programme, programme).title == "苹果冬剪"


def test_another_cut_of_a_released_programme_says_nothing_in_public_until_it_is_released(
    database: Database, people: People, made: Callable[..., str], store: FolderStore
) -> None:
    programme = made()
    release(database, people, programme)
    with pytest.raises(Conflict):
        change(database, people, programme, title="改名")
    with database.write() as session:
        edition = programmes.new_edition(
            session, people["county"], store, programme, reason="更正一处口误", now=NOW
        )
        assert (edition.number, edition.reason) == (2, "更正一处口误")
    change(database, people, programme, title="苹果冬季修剪", tags=["修剪"])
    with database.read() as session:
        row = session.get_one(Programme, programme)
        assert (row.title, [one.tag for one in row.tags]) == ("苹果冬剪", [])
        first = session.get_one(Edition, row.editions[0].id)
        assert first.description is not None
        assert first.description["title"] == "苹果冬剪"
    release(database, people, programme)
    with database.read() as session:
        row = session.get_one(Programme, programme)
        assert (row.title, row.initials, [one.tag for one in row.tags]) == (
            "苹果冬季修剪",
            "pgdjxj",
            ["修剪"],
        )
        released = {one.edition.number: one.description.title for one in released_editions(session)}
        assert released == {1: "苹果冬剪", 2: "苹果冬季修剪"}


def test_what_was_approved_is_proven_word_for_word(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    programme = made()
    release(database, people, programme)
    with database.read() as session:
        edition = session.get_one(Programme, programme).editions[0]
        proof = service.proven_release(session, edition.id)
        assert proof is not None
        assert proof.description_sha256 == edition.description_sha256 is not None


def test_a_cut_is_a_recipe_over_an_untouched_source_and_subtitles_follow_it(
    database: Database, people: People, made: Callable[..., str], store: FolderStore
) -> None:
    programme, county = made(), people["county"]
    with database.write() as session:
        edition = programmes.draft_edition(session, county, programme)
        files.add_subtitles(
            session, county, store, edition, filename="a.srt", data=SRT.encode("gbk"), now=NOW
        )
    with database.write() as session:
        edition = programmes.set_recipe(
            session, county, store, programme, {"in_ms": 500, "removed": [[3000, 8000]]}, now=NOW
        )
        moved = files.read_object(store, edition.files[0].sha256).decode()
        assert "00:00:00.500 --> 00:00:01.500\n你好" in moved
        assert "00:00:03.500 --> 00:00:04.500\n再见" in moved
        assert "00:00:09.000" in files.read_object(store, edition.files[0].source_sha256).decode()
    with pytest.raises(Invalid), database.write() as session:
        programmes.set_recipe(session, county, store, programme, {"in_ms": 59_500}, now=NOW)
    with database.write() as session:
        edition = programmes.set_recipe(session, county, store, programme, {}, now=NOW)
        assert edition.files[0].sha256 == edition.files[0].source_sha256
    with database.write() as session:
        service.submit(session, county, programme, now=NOW)
    with pytest.raises(Conflict), database.write() as session:
        programmes.set_recipe(session, county, store, programme, {"in_ms": 500}, now=NOW)


def test_a_new_cut_takes_over_the_recipe_and_the_files_of_the_one_before(
    database: Database, people: People, made: Callable[..., str], store: FolderStore
) -> None:
    programme, county = made(), people["county"]
    with database.write() as session:
        edition = programmes.draft_edition(session, county, programme)
        files.add_subtitles(session, county, store, edition, filename="a.srt", data=SRT.encode(), now=NOW)
        files.add_attachment(session, county, store, edition, filename="讲义.pdf", data=b"%PDF-", now=NOW)
        programmes.choose_poster(session, county, programme, 2, now=NOW)
    release(database, people, programme)
    with database.write() as session:
        edition = programmes.new_edition(
            session, county, store, programme, recipe_plain={"in_ms": 1_000}, now=NOW
        )
        assert [(one.kind, one.title) for one in edition.files] == [
            ("attachment", "讲义"),
            ("subtitles", "a"),
        ]
        assert edition.poster == 2
        cues = next(one for one in edition.files if one.kind == "subtitles")
        assert "00:00:00.000 --> 00:00:01.000\n你好" in files.read_object(store, cues.sha256).decode()
        assert session.get_one(Programme, programme).editions[0].files[1].sha256 == cues.source_sha256


def test_nobody_else_changes_a_draft(
    database: Database, people: People, made: Callable[..., str], store: FolderStore
) -> None:
    programme = made()
    with pytest.raises((Forbidden, Exception), match="节目"), database.write() as session:
        programmes.set_recipe(session, people["neighbour"], store, programme, {}, now=NOW)


def test_a_number_rests_for_sixty_days_and_then_goes_to_another_programme(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    old, new, late = made(), made(title="板栗丰产"), made(title="鸭梨疏花")
    release(database, people, old)
    with database.write() as session:
        service.withdraw(session, people["county"], old, reason="版权到期", now=NOW)
    release(database, people, new, NOW + timedelta(days=59))
    release(database, people, late, NOW + timedelta(days=61))
    with database.read() as session:
        numbers = {row.title: row.number for row in session.query(Programme)}
    assert numbers == {"苹果冬剪": None, "板栗丰产": 2, "鸭梨疏花": 1}


def test_a_withdrawn_second_edition_leaves_the_first_its_number(
    database: Database, people: People, made: Callable[..., str], store: FolderStore
) -> None:
    programme = made()
    release(database, people, programme)
    with database.write() as session:
        second = programmes.new_edition(session, people["county"], store, programme, now=NOW).id
    release(database, people, programme)
    with database.write() as session:
        service.withdraw(session, people["county"], second, reason="口误", now=NOW)
        assert session.get_one(Programme, programme).left_at is None


def test_a_row_changed_behind_the_service_does_not_change_what_is_bound(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    programme = made()
    release(database, people, programme)
    with database.write() as session:
        session.execute(update(Programme).values(title="别的标题"))
    with database.read() as session:
        assert released_editions(session)[0].description.title == "苹果冬剪"
        assert session.get_one(Programme, programme).editions[0].state == EditionState.RELEASED


def test_months_that_are_all_twelve_mean_the_whole_year(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    programme = made(more=replace(Changes(), months=list(range(1, 13))))
    with database.read() as session:
        assert session.get_one(Programme, programme).months == []
