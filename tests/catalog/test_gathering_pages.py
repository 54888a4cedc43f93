"""The pages of courses and topics, and the library as a spreadsheet."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from openpyxl import load_workbook

from server.catalog import courses, programmes, topics
from server.catalog.courses import CourseChanges
from server.catalog.lom import CELTS_NAMES
from server.catalog.models import Course, Programme, RenditionFile, Topic
from server.catalog.programmes import NewProgramme
from server.catalog.typed import moved, ordered
from server.db import Database
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]
Bearer = Callable[[str], dict[str, str]]
TOPIC = {
    "title": "冬季培训", "summary": "农闲学技术", "starts_at": "2026-12-01T00:00", "until": "2027-01-31T23:30",
    "regions": "正定县，1302", "required": "1", "position": "3", "region": "13",
}  # fmt: skip


@pytest.fixture
def made(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    def make(title: str, caller: str = "editor") -> str:
        new = NewProgramme(title=title, section="kepu", asset_id=asset(people[caller]))
        with database.write() as session:
            return programmes.create_programme(session, people[caller], new, now=NOW).id

    return make


def test_a_course_is_made_filled_put_in_order_and_taken_apart(
    app: Flask, database: Database, made: Callable[..., str], bearer: Bearer
) -> None:
    one, two, three = made("苹果一"), made("苹果二"), made("苹果三")
    client, headers = app.test_client(), bearer("editor")

    def press(deed: str, **fields: str) -> list[str]:
        client.post(f"{page}/programmes", data={"deed": deed, **fields}, headers=headers)
        with database.read() as session:
            return [row.programme_id for row in courses.get_course(session, caller, course_id).programmes]

    answer = client.post("/courses", data={"title": "果树四季", "section": "nongji"}, headers=headers)
    page = answer.location
    course_id = page.rsplit("/", 1)[1]
    with database.read() as session:
        caller = _caller(database, "editor")
        assert session.get_one(Course, course_id).section == "nongji"
    text = client.get(f"{page}?find=苹果", headers=headers).get_data(as_text=True)
    assert all(f"add:{programme_id}" in text for programme_id in (one, two, three))
    press(f"add:{one}")
    press(f"add:{two}")
    assert press(f"add:{three}") == [one, two, three]
    assert press(f"up:{three}") == [one, three, two]
    assert press(f"down:{one}") == [three, one, two]
    assert press("order", **{f"at-{two}": "1"}) == [two, three, one]
    assert press(f"remove:{three}") == [two, one]
    assert press("add:nothing") == [two, one]
    assert "苹果二" in client.get(page, headers=bearer("leader")).get_data(as_text=True)
    assert client.post(page, data={"title": "", "summary": "写了很久"}, headers=headers).status_code == 422
    assert client.post(f"{page}/remove", headers=headers).status_code == 302
    assert client.get(page, headers=headers).status_code == 404


def _caller(database: Database, username: str) -> Caller:
    from server.identity.service import caller_of, get_account

    with database.read() as session:
        return caller_of(get_account(session, username))


def test_a_topic_has_period_places_programmes_and_a_poster(
    app: Flask, database: Database, made: Callable[..., str], bearer: Bearer
) -> None:
    client, headers, one = app.test_client(), bearer("editor"), made("冬剪")
    with database.write() as session:
        edition = session.get_one(Programme, one).editions[0]
        still = hashlib.sha256(b"still").hexdigest()
        session.add(
            RenditionFile(
                asset_id=edition.asset_id,
                kind="poster",
                sha256=still,
                length=9,
                pieces_root="0" * 64,
                created_at=NOW,
            )
        )
    page = client.post("/topics", data=TOPIC, headers=headers).location
    client.post(f"{page}/programmes", data={"deed": f"add:{one}"}, headers=headers)
    assert still in client.get(page, headers=headers).get_data(as_text=True)
    client.post(f"{page}/poster", data={"sha256": "f" * 64}, headers=headers)
    client.post(f"{page}/poster", data={"sha256": still}, headers=headers)
    said = {**TOPIC, "regions": "", "until": "2027-02-01T00:00", "position": "0"}
    said.pop("required")
    assert client.post(page, data=said, headers=headers).status_code == 302
    with database.read() as session:
        topic = topics.get_topic(session, _caller(database, "editor"), page.rsplit("/", 1)[1])
        assert (topic.until, topic.starts_at) == (
            datetime(2027, 1, 31, 16, 0, tzinfo=UTC),
            datetime(2026, 11, 30, 16, 0, tzinfo=UTC),
        )
        assert (topic.regions, topic.required, topic.position, topic.poster_sha256) == ([], False, 0, still)
        assert [row.programme_id for row in topic.programmes] == [one]
    assert client.post(f"{page}/end", headers=headers).status_code == 302
    assert "已结束" in client.get("/topics", headers=headers).get_data(as_text=True)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"title": ""}, "名称"), ({"until": "2026-11-01T00:00"}, "结束"), ({"starts_at": "明天"}, "明天"),
        ({"regions": "月亮县"}, "月亮县"), ({"region": "1301", "regions": "1302"}, "地区"),
    ],
)  # fmt: skip
def test_a_topic_that_makes_no_sense_is_refused_beside_what_was_typed(
    app: Flask, database: Database, people: People, bearer: Bearer, wrong: dict[str, str], reason: str
) -> None:
    answer = app.test_client().post("/topics", data={**TOPIC, **wrong}, headers=bearer("editor"))
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "农闲学技术" in text
    assert reason in text.split('id="problem">')[1].split("</div>")[0]
    with database.read() as session:
        assert session.query(Topic).count() == 0


def test_strangers_read_courses_and_topics_and_change_none(
    app: Flask, database: Database, people: People, bearer: Bearer
) -> None:
    client = app.test_client()
    with database.write() as session:
        course = courses.create_course(session, people["editor"], CourseChanges(title="省课"), now=NOW).id
    topic = client.post("/topics", data=TOPIC, headers=bearer("editor")).location
    for stranger in ("county", "keji", "leader"):
        headers = bearer(stranger)
        for page in (f"/courses/{course}", topic):
            text = client.get(page, headers=headers).get_data(as_text=True)
            assert 'name="find"' not in text
            client.post(page, data={**TOPIC, "title": "改了"}, headers=headers)
            client.post(f"{page}/remove", headers=headers)
            client.post(f"{page}/end", headers=headers)
    with database.read() as session:
        assert session.get_one(Course, course).title == "省课"
        row = session.get_one(Topic, topic.rsplit("/", 1)[1])
        assert (row.title, row.ended_at) == ("冬季培训", None)


def test_the_library_is_exported_as_it_is_filtered_with_lom_fields_and_no_formulas(
    app: Flask, made: Callable[..., str], bearer: Bearer
) -> None:
    made("=cmd|' /C calc'!A0")
    made("冬小麦")
    made("别人的草稿", "nongye")
    client = app.test_client()

    def rows(query: str, who: str = "editor") -> list[list[object]]:
        answer = client.get(f"/programmes/export.xlsx{query}", headers=bearer(who))
        sheet = load_workbook(io.BytesIO(answer.data)).worksheets[0]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
        return [[cell.value for cell in row] for row in sheet.iter_rows()]

    found = rows("")
    assert found[0] == list(CELTS_NAMES)
    title, status = found[0].index("general.title"), found[0].index("lifeCycle.status")
    assert {row[title] for row in found[1:]} >= {"'=cmd|' /C calc'!A0", "冬小麦"}
    assert {row[status] for row in found[1:]} == {"draft"}
    assert [row[title] for row in rows("?q=小麦")[1:]] == ["冬小麦"]
    assert rows("", "keji")[1:] == []
    assert client.get("/programmes/export.xlsx?longer=x", headers=bearer("editor")).status_code == 302
    assert "export.xlsx?section=kepu" in client.get(
        "/programmes?section=kepu", headers=bearer("editor")
    ).get_data(as_text=True)


def test_a_list_is_moved_and_ordered_by_what_people_write() -> None:
    assert moved(["a", "b"], "up", "a") == ["a", "b"]
    assert moved(["a", "b"], "down", "b") == ["a", "b"]
    assert moved(["a"], "remove", "z") == ["a"]
    assert ordered(["a", "b", "c"], {"a": "1", "b": "2", "c": "1"}) == ["c", "a", "b"]
    assert ordered(["a", "b", "c"], {"a": "3", "b": "2", "c": "3"}) == ["b", "c", "a"]
    assert ordered(["a", "b"], {"a": "x", "b": "99999999"}) == ["a", "b"]
