"""Bulk import: lists of every kind, what each row would become, discs, and a second time without doubles."""

from __future__ import annotations

import base64
import io
import json
import random
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import func, select

from server.catalog import bulk, sheets
from server.catalog.discs import Listed, Shelf
from server.catalog.importing import import_folder
from server.catalog.models import Asset, CourseProgramme, Programme
from server.catalog.sheets import SheetRow, read_sheet
from server.cli import main
from server.client import ApiClient
from server.db import Database
from server.errors import Invalid, UsageError
from server.identity.rules import Caller
from server.sheets import harmless
from tests.catalog.conftest import Server

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
People = dict[str, Caller]
HEADINGS = ["文件*", "标题*", "板块*", "标签", "农时月份", "授权止"]


def workbook(rows: list[list[Any]], merge: str | None = None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def csv_of(*lines: str) -> bytes:
    return ("\r\n".join([",".join(HEADINGS), *lines]) + "\r\n").encode("gbk")


# --- lists ------------------------------------------------------------------------------------------------------------
def test_the_template_can_be_read_again_in_both_forms() -> None:
    for kind in ("xlsx", "csv"):
        (row,) = read_sheet(sheets.template(kind), f"清单.{kind}")
        assert (row.number, row.values["title"], row.values["section"]) == (2, "苹果冬剪", "农业科技")


def test_a_gbk_list_from_excel_is_read() -> None:
    (row,) = read_sheet(csv_of("a.mp4,苹果冬剪,农业科技,苹果；修剪,12,"), "清单.csv")
    assert row == SheetRow(
        2, {"file": "a.mp4", "title": "苹果冬剪", "section": "农业科技", "tags": "苹果；修剪", "months": "12"}
    )


def test_merged_cells_say_the_same_for_their_rows_but_not_for_files_and_titles() -> None:
    rows = [HEADINGS, ["a.mp4", "甲", "农业科技"], ["b.mp4", "乙", None]]
    assert read_sheet(workbook(rows, "C2:C3"), "x")[1].values["section"] == "农业科技"
    assert read_sheet(workbook(rows, "B2:B3"), "x")[1].problems == ("merged_title",)


def test_numbers_and_dates_of_a_workbook_are_read_as_people_see_them() -> None:
    rows = [HEADINGS, ["a.mp4", 2026, "农业科技", None, 12.0, datetime(2027, 12, 31, tzinfo=None)]]  # noqa: DTZ001
    (row,) = read_sheet(workbook(rows), "x")
    assert (row.values["title"], row.values["months"], row.values["rights_until"]) == (
        "2026",
        "12",
        "2027-12-31",
    )


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", bytes(90_000_000))
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MZ\x90\x00\x03\x00\x00\x00",
        b"PK\x03\x04 not a workbook",
        workbook([HEADINGS, ["a", "b", "c"]])[:900],
        workbook([["标题", "板块"]]),
        workbook([[*HEADINGS, "标题"]]),
        workbook([[]]),
        b"a" * (8 * 1024 * 1024 + 1),
        csv_of(*["a.mp4,题,农业科技,,,"] * 5_001),
        b'"' + b"x" * 200_000,
    ],
)
def test_what_is_no_list_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"清单\.xlsx"):
        read_sheet(data, "清单.xlsx")


def test_a_packed_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(Invalid, match="展开后太大"):
        read_sheet(bomb(), "x")


def test_a_byte_changed_in_a_workbook_is_refused_or_harmless() -> None:
    chance, whole = random.Random(20261122), workbook([HEADINGS, ["a.mp4", "甲", "农业科技"]])
    for _ in range(80):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            read_sheet(bytes(data), "x")
        except Invalid:
            continue


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_formula_goes_out_as_text(text: str) -> None:
    assert harmless(text) == f"'{text}"
    book = openpyxl.load_workbook(io.BytesIO(sheets.to_xlsx("x", ["标题"], [[text]])))
    assert book.active["A2"].data_type == "s"
    assert harmless("苹果-冬剪=好") == "苹果-冬剪=好"


# --- files ------------------------------------------------------------------------------------------------------------
DVD = [
    *(Listed(f"老光盘/VIDEO_TS/VTS_02_{part}.VOB", 1_000) for part in (0, 2, 1, 3)),
    Listed("老光盘/VIDEO_TS/VTS_01_1.VOB", 500),
    Listed("老光盘/VIDEO_TS/VIDEO_TS.VOB", 5_000),
    Listed("老光盘/VIDEO_TS/VIDEO_TS.IFO", 50),
]


def paths(said: str, files: list[Listed]) -> tuple[list[str], str | None]:
    match = Shelf(files).find(said)
    return [Path(file.path).name for file in match.files], match.problem


def test_a_dvds_longest_title_is_joined_in_order() -> None:
    for said in ("老光盘", "老光盘\\video_ts", "老光盘/VIDEO_TS/"):
        assert paths(said, DVD) == (["VTS_02_1.VOB", "VTS_02_2.VOB", "VTS_02_3.VOB"], None)


def test_a_video_cds_tracks_are_joined_in_order() -> None:
    files = [Listed(f"VCD/MPEGAV/AVSEQ{n}.DAT", 9) for n in (10, 2, 1)] + [Listed("VCD/INFO.VCD", 1)]
    assert paths("VCD", files) == (["AVSEQ1.DAT", "AVSEQ2.DAT", "AVSEQ10.DAT"], None)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("没有.mp4", "missing"),
        ("", "no_file"),
        ("空.mp4", "empty"),
        ("木马.mp4", "program"),
        ("上.wmv；下.wmv", "not_joinable"),
        ("同名.mp4", "ambiguous"),
        ("杂", "no_media"),
        ("两段", "not_joinable"),
    ],
)
def test_a_file_that_cannot_be_taken_has_a_reason(said: str, problem: str) -> None:
    files = [
        Listed("空.mp4", 0),
        Listed("木马.mp4", 9, b"MZ\x90".hex()),
        *(Listed(name, 9) for name in ("上.wmv", "下.wmv", "a/同名.mp4", "b/同名.mp4", "杂/x.doc")),
        *(Listed(f"两段/{n}.wmv", 9) for n in (1, 2)),
    ]
    assert paths(said, files)[1] == problem


# --- rows -------------------------------------------------------------------------------------------------------------
FILES = [Listed("a.mp4", 3), Listed("b.mp4", 4), Listed("a.srt", 5), Listed("讲义.pdf", 6)]


def planned(database: Database, caller: Caller, *rows: dict[str, str]) -> list[bulk.RowPlan]:
    with database.read() as session:
        made = [SheetRow(number, row) for number, row in enumerate(rows, start=2)]
        return bulk.plan_rows(session, caller, made, FILES)


GOOD = {"file": "a.mp4", "title": "苹果冬剪", "section": "农业科技"}


def test_a_row_becomes_a_request(database: Database, people: People) -> None:
    more = {
        "sections": "科普健康；致富信息",
        "tags": "苹果、修剪",
        "local_type": "风土人情专题",
        "months": "11-2",
        "course": "果树四季",
        "course_order": "2",
        "rights_from": "2026/1/1",
        "rights_until": "2027年12月31日",
        "rights_regions": "1301",
        "subtitles": "a.srt",
        "attachments": "讲义.pdf",
    }
    (row,) = planned(database, people["county"], {**GOOD, **more})
    assert (row.state, row.files, row.subtitles, row.attachments) == (
        "new",
        ["a.mp4"],
        ["a.srt"],
        ["讲义.pdf"],
    )
    assert row.programme["sections"] == ["kepu", "zhifu"]
    assert row.programme["months"] == [1, 2, 11, 12]
    assert row.programme["rights"] == {
        "valid_from": "2025-12-31T16:00:00.000Z",
        "valid_until": "2027-12-31T16:00:00.000Z",
        "regions": ["1301"],
    }
    assert (row.programme["course"], row.programme["course_order"]) == ("果树四季", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "长" * 10_000},
        {"section": "没有的板块"},
        {"months": "13"},
        {"rights_until": "2026-02-30"},
        {"rights_from": "2027-01-01", "rights_until": "2026-01-01"},
        {"region": "1302"},
        {"course_order": "零"},
        {"subtitles": "讲义.pdf"},
        {"attachments": "没有.pdf"},
        {"department": "没有的单位"},
    ],
)
def test_a_wrong_cell_is_named_and_the_others_are_read_all_the_same(
    database: Database, people: People, wrong: dict[str, str]
) -> None:
    row, other = planned(
        database, people["county"], {**GOOD, **wrong}, {**GOOD, "file": "b.mp4", "title": "乙"}
    )
    assert (row.state, len(row.problems), other.state) == ("bad", 1, "new")


def test_a_second_row_of_the_same_file_is_a_double(database: Database, people: People) -> None:
    rows = planned(database, people["county"], GOOD, {**GOOD, "title": "另一个名字"})
    assert [row.state for row in rows] == ["new", "bad"]
    assert rows[1].problems[0].text() == "与第 2 行重复"


def test_the_dry_run_answers_in_words_and_stores_nothing(
    app: Flask, database: Database, bearer: Callable[[str], dict[str, str]]
) -> None:
    client, county = app.test_client(), bearer("county")
    sheet = csv_of("a.mp4,苹果冬剪,农业科技,,,", "没有.mp4,乙,农业科技,,,")
    body = {
        "filename": "清单.csv",
        "content": base64.b64encode(sheet).decode(),
        "files": [{"path": "a.mp4", "size": 9}],
    }
    answer = client.post("/api/v1/imports/check", json=body, headers=county).json
    assert answer["counts"] == {"new": 1, "exists": 0, "bad": 1}
    assert answer["items"][1]["problems"] == [{"code": "missing", "text": "找不到文件“没有.mp4”"}]
    assert (
        client.post("/api/v1/imports/check", json={**body, "content": "%"}, headers=county).status_code == 422
    )
    assert client.post("/api/v1/imports/check", json=body, headers=bearer("leader")).status_code == 403
    assert client.get("/api/v1/imports/template.xlsx", headers=county).data[:2] == b"PK"
    assert client.get("/api/v1/imports/template.exe", headers=county).status_code == 404
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Programme)) == 0


# --- a whole folder ---------------------------------------------------------------------------------------------------
@pytest.fixture
def api(server: Server, bearer: Callable[[str], dict[str, str]]) -> ApiClient:
    return ApiClient(server.url, bearer("county")["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    folder = tmp_path / "光盘"
    (folder / "老片" / "VIDEO_TS").mkdir(parents=True)
    for part in (1, 2):
        (folder / "老片" / "VIDEO_TS" / f"VTS_01_{part}.VOB").write_bytes(bytes([part]) * 1_500)
    (folder / "a.mp4").write_bytes(b"film" * 300)
    (folder / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n你好\n", "utf-8")
    lines = [
        "文件,标题,板块,课程,字幕",
        "a.mp4,苹果冬剪,农业科技,果树,a.srt",
        "老片,家乡旧事,燕赵乡土,,",
        "b.mp4,缺的,农业科技,,",
    ]
    (folder / "清单.csv").write_text("\n".join(lines), "gbk")
    return folder


def test_a_folder_is_imported_once_however_often_it_is_run(
    api: ApiClient, disc: Path, database: Database
) -> None:
    dry = import_folder(api, disc, dry_run=True)
    assert [row["state"] for row in dry.rows] == ["new", "new", "bad"]
    first = import_folder(api, disc)
    assert [row["state"] for row in first.rows] == ["created", "created", "bad"]
    again = import_folder(api, disc)
    assert [row["state"] for row in again.rows] == ["exists", "exists", "bad"]
    assert not again.is_clean
    with database.read() as session:
        found = {row.title: row for row in session.scalars(select(Programme))}
        assert set(found) == {"苹果冬剪", "家乡旧事"}
        joined = session.get_one(Asset, found["家乡旧事"].editions[0].asset_id)
        assert (joined.filename, joined.size) == ("VTS_01_1.VOB", 3_000)
        assert [file.kind for file in found["苹果冬剪"].editions[0].files] == ["subtitles"]
        assert session.get_one(CourseProgramme, found["苹果冬剪"].id).order == 1


def test_without_a_list_every_film_and_disc_goes_into_one_section(api: ApiClient, disc: Path) -> None:
    (disc / "清单.csv").unlink()
    with pytest.raises(UsageError, match="清单"):
        import_folder(api, disc)
    done = import_folder(api, disc, section="xiangtu")
    assert {row["title"] for row in done.rows if row["state"] == "created"} == {"a", "老片"}


def test_the_command_prints_each_row_and_fails_where_one_is_wrong(
    api: ApiClient,
    disc: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    bearer: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    token = bearer("county")["Authorization"].removeprefix("Bearer ")
    common = ["--server", server.url, "--token", token]
    assert main(["catalog", "import", str(disc), "--dry-run", "--json", *common]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["dry_run"], answer["counts"]["bad"]) == (True, 1)
    assert main(["catalog", "import", "--template", str(tmp_path / "t.xlsx")]) == 0
    assert (tmp_path / "t.xlsx").read_bytes()[:2] == b"PK"
    assert main(["catalog", "import", *common]) == 2
