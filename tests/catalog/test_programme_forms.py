"""The forms of a programme: what is posted is there; what does not fit stands again beside its reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from server.catalog import describing, programmes, service
from server.catalog.models import Edition, EditionState, Programme
from server.catalog.programmes import Changes, NewProgramme, Rights
from server.db import Database
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]
Bearer = Callable[[str], dict[str, str]]
SRT = "1\n00:00:01,000 --> 00:00:03,000\n冬季修剪\n".encode("gb18030")
SAID = {
    "title": "苹果冬剪", "summary": "四个步骤", "section": "nongji", "sections": ["kepu", "nongji"], "department": "nongye",
    "region": "正定县", "tags": "苹果，修剪；果树", "local_type": "customs", "audience": "果农", "months": ["12", "1"],
    "rights_source": "省农林科学院", "rights_licence": "全省使用", "rights_from": "2026-01-01", "rights_until": "2028-12-31",
    "rights_regions": "石家庄市、130227", "chapters": "0:00 导语\n1:02:30.5 动手",
}  # fmt: skip


@pytest.fixture
def draft(database: Database, people: People, asset: Callable[..., str]) -> str:
    new = NewProgramme(title="旧题", section="kepu", asset_id=asset(people["editor"]))
    with database.write() as session:
        return programmes.create_programme(session, people["editor"], new, now=NOW).id


def test_everything_that_is_said_is_saved_and_stands_in_the_form_again(
    app: Flask, database: Database, draft: str, bearer: Bearer
) -> None:
    client, headers = app.test_client(), bearer("editor")
    assert client.post(f"/programmes/{draft}/edit", data=SAID, headers=headers).status_code == 302
    with database.read() as session:
        words = describing.describe(session, session.get_one(Programme, draft).editions[0])
    assert (words.title, words.section, words.sections) == ("苹果冬剪", "nongji", ("kepu",))
    assert (words.place, words.department, words.local_type) == ("130123", "nongye", "customs")
    assert (set(words.tags), words.months) == ({"苹果", "修剪", "果树"}, (1, 12))
    assert [(one.at_ms, one.title) for one in words.chapters] == [(0, "导语"), (3_750_500, "动手")]
    assert words.rights.regions == ["1301", "130227"]
    assert words.rights.valid_until == "2028-12-31T16:00:00.000Z"
    page = client.get(f"/programmes/{draft}/edit", headers=headers).get_data(as_text=True)
    for text in ('value="2028-12-31"', "1:02:30.5 动手", "石家庄", 'name="csrf_token"', 'value="130123"'):
        assert text in page
    assert client.post(f"/programmes/{draft}/edit", data=SAID, headers=headers).status_code == 302


def test_rights_that_end_within_a_day_keep_their_moment_when_nobody_touches_the_day(
    app: Flask, database: Database, people: People, draft: str, bearer: Bearer
) -> None:
    until = datetime(2027, 5, 1, 4, 30, tzinfo=UTC)
    with database.write() as session:
        changes = Changes(rights=Rights(valid_until=until))
        programmes.change_programme(session, people["editor"], draft, changes, now=NOW)
    said = {**SAID, "rights_from": "", "rights_until": "2027-05-01"}
    app.test_client().post(f"/programmes/{draft}/edit", data=said, headers=bearer("editor"))
    with database.read() as session:
        assert session.get_one(Programme, draft).rights_until == until


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"title": " "}, "名称"), ({"chapters": "十二分 动手"}, "十二分 动手"), ({"region": "月亮县"}, "月亮县"),
        ({"rights_until": "2025-01-01"}, "版权期限"), ({"rights_from": "31.12.2026"}, "31.12.2026"), ({"months": ["13"]}, "农时"),
        ({"section": "nowhere"}, "nowhere"), ({"tags": "字" * 21}, "标签"), ({"region": "1301、1302"}, "一个地区"),
        ({"rights_until": "9999-12-31"}, "日期"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_beside_what_was_typed_and_nothing_changes(
    app: Flask, database: Database, draft: str, bearer: Bearer, wrong: dict[str, Any], reason: str
) -> None:
    said = {**SAID, "summary": "写了很久的简介", **wrong}
    answer = app.test_client().post(f"/programmes/{draft}/edit", data=said, headers=bearer("editor"))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "写了很久的简介" in page
    assert reason in page.split('id="problem">')[1].split("</div>")[0]
    with database.read() as session:
        assert session.get_one(Programme, draft).title == "旧题"


def test_subtitles_and_papers_are_added_and_taken_off(
    app: Flask, database: Database, draft: str, bearer: Bearer
) -> None:
    client, headers = app.test_client(), bearer("editor")
    sent = {"file": (io.BytesIO(SRT), "字幕.srt"), "language": "zh", "title": "中文"}
    assert client.post(f"/editions/{draft}/files", data=sent, headers=headers).status_code == 302
    for data, name, reason in (
        (b"MZ", "讲义.pdf", "不是 PDF"),
        (b"", "a.srt", "空的"),
        (b"x", "a.vtt", "字幕"),
    ):
        answer = client.post(
            f"/editions/{draft}/files", data={"file": (io.BytesIO(data), name)}, headers=headers
        )
        assert (answer.status_code, reason in answer.get_data(as_text=True)) == (422, True)
    with database.read() as session:
        rows = session.get_one(Programme, draft).editions[0].files
        assert [(row.kind, row.title, row.language) for row in rows] == [("subtitles", "中文", "zh")]
        path = f"/editions/{draft}/files/{rows[0].id}/remove"
    assert "中文" in client.get(f"/programmes/{draft}/edit", headers=headers).get_data(as_text=True)
    assert client.post(path, headers=headers).status_code == 302
    with database.read() as session:
        assert session.get_one(Programme, draft).editions[0].files == []


def test_a_still_becomes_the_poster(app: Flask, database: Database, draft: str, bearer: Bearer) -> None:
    client, headers = app.test_client(), bearer("editor")
    assert (
        client.post(f"/editions/{draft}/poster", data={"position": "2"}, headers=headers).status_code == 302
    )
    assert (
        client.post(f"/editions/{draft}/poster", data={"position": "x"}, headers=headers).status_code == 422
    )
    with database.read() as session:
        assert session.get_one(Programme, draft).editions[0].poster == 2


def test_what_was_approved_changes_only_as_a_new_edition(
    app: Flask, database: Database, draft: str, bearer: Bearer
) -> None:
    client, headers = app.test_client(), bearer("editor")
    with database.write() as session:
        edition: Edition = session.get_one(Programme, draft).editions[0]
        edition.state, edition.released_at = EditionState.RELEASED, NOW
    assert client.post(f"/programmes/{draft}/edit", data=SAID, headers=headers).status_code == 409
    assert "/edition" in client.get(f"/programmes/{draft}/edit", headers=headers).get_data(as_text=True)
    assert (
        client.post(f"/programmes/{draft}/edition", data={"reason": "改题"}, headers=headers).status_code
        == 302
    )
    assert client.post(f"/programmes/{draft}/edit", data=SAID, headers=headers).status_code == 302
    with database.read() as session:
        programme = session.get_one(Programme, draft)
        assert (programme.title, len(programme.editions)) == ("旧题", 2)
        assert (
            describing.describe(session, service.changeable_edition(programme) or edition).title == "苹果冬剪"
        )


@pytest.mark.parametrize("stranger", ["neighbour", "keji", "leader"])
def test_a_stranger_neither_reads_nor_sends_the_forms(
    app: Flask, database: Database, draft: str, bearer: Bearer, stranger: str
) -> None:
    client, headers = app.test_client(), bearer(stranger)
    assert client.get(f"/programmes/{draft}/edit", headers=headers).status_code in (403, 404)
    for path in (
        "/programmes/{}/edit",
        "/programmes/{}/edition",
        "/editions/{}/poster",
        "/editions/{}/files",
    ):
        answer = client.post(path.format(draft), data={**SAID, "position": "3"}, headers=headers)
        assert answer.status_code in (403, 404, 422)
    with database.read() as session:
        programme = session.get_one(Programme, draft)
        assert (programme.title, len(programme.editions), programme.editions[0].poster) == ("旧题", 1, 0)
