"""Courses and topics, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from server.catalog import courses, programmes, topics
from server.catalog.courses import CourseChanges
from server.catalog.describing import course_ref
from server.catalog.programmes import NewProgramme
from server.catalog.topics import TopicChanges
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity.rules import Caller

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(days=30)
People = dict[str, Caller]


@pytest.fixture
def made(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    def make(caller: str = "county", title: str = "节目") -> str:
        new = NewProgramme(title=title, section="kepu", asset_id=asset(people[caller]))
        with database.write() as session:
            return programmes.create_programme(session, people[caller], new, now=NOW).id

    return make


def test_a_course_keeps_its_programmes_in_order(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    county, (one, two, three) = people["county"], (made(), made(), made())
    with database.write() as session:
        said = CourseChanges(title="果树四季", programmes=[two, one], section="农业科技")
        course = courses.create_course(session, county, said, now=NOW)
        courses.put_into_course(session, county, course, _programme(session, three), 1)
        assert [row.programme_id for row in course.programmes] == [three, two, one]
        assert course_ref(session, one).order == 3  # type: ignore[union-attr]
    with database.write() as session:
        courses.change_course(session, county, course.id, CourseChanges(programmes=[one]), now=NOW)
        assert course_ref(session, two) is None
    with database.write() as session:
        courses.remove_course(session, county, course.id, now=NOW)
    with database.read() as session, pytest.raises(NotFound):
        courses.get_course(session, county, course.id)


def _programme(session, programme_id: str):
    from server.catalog.models import Programme

    return session.get_one(Programme, programme_id)


def test_a_programme_is_in_one_course_and_only_ones_own_are_taken(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    mine, others = made(), made("nongye")
    with database.write() as session:
        courses.create_course(
            session, people["county"], CourseChanges(title="甲", programmes=[mine]), now=NOW
        )
    with pytest.raises(Conflict), database.write() as session:
        courses.create_course(
            session, people["county"], CourseChanges(title="乙", programmes=[mine]), now=NOW
        )
    with pytest.raises(NotFound), database.write() as session:
        courses.create_course(
            session, people["county"], CourseChanges(title="丙", programmes=[others]), now=NOW
        )
    with database.read() as session:
        assert [row.title for row in courses.list_courses(session, people["county"])[0]] == ["甲"]


def test_a_topic_has_a_period_targets_and_an_order(
    database: Database, people: People, made: Callable[..., str]
) -> None:
    city, (one, two) = people["city"], (made(), made())
    with database.write() as session:
        topic = topics.create_topic(
            session,
            city,
            TopicChanges(
                title="冬季果园",
                regions=["130123"],
                starts_at=NOW,
                until=UNTIL,
                required=True,
                programmes=[two, one],
            ),
            now=NOW,
        )
        assert topic.region == "1301"
    with database.read() as session:
        (found,) = topics.topics_between(session, NOW, NOW + timedelta(days=1))
        assert (found.programmes, found.required, found.regions) == ((two, one), True, ("130123",))
        assert found.reaches("130123105")
        assert not found.reaches("130131")
        assert topics.topics_between(session, UNTIL, UNTIL + timedelta(days=1)) == []
        assert topics.list_topics(session, people["station"], at=NOW)[0][0].title == "冬季果园"
        assert topics.list_topics(session, people["first-of-1302"])[0] == []
    with database.write() as session:
        topics.end_topic(session, city, topic.id, now=NOW)
        assert topics.topics_between(session, NOW, UNTIL) == []


@pytest.mark.parametrize(
    "said",
    [
        {"title": ""},
        {"title": "长" * 61},
        {"until": NOW},
        {"until": NOW + timedelta(days=400)},
        {"regions": ["1302"]},
        {"regions": ["139999"]},
        {"starts_at": None},
    ],
)
def test_a_topic_that_makes_no_sense_is_refused(database: Database, people: People, said: dict) -> None:
    whole = {"title": "专题", "starts_at": NOW, "until": UNTIL, **said}
    with pytest.raises(Invalid), database.write() as session:
        topics.create_topic(session, people["city"], TopicChanges(**whole), now=NOW)


def test_a_partner_makes_no_topic(database: Database, people: People) -> None:
    with pytest.raises(Forbidden), database.write() as session:
        topics.create_topic(
            session, people["nongye"], TopicChanges(title="专题", starts_at=NOW, until=UNTIL), now=NOW
        )


def test_courses_and_topics_through_the_api(
    app: Flask, bearer: Callable[[str], dict[str, str]], made: Callable[..., str]
) -> None:
    client, county = app.test_client(), bearer("county")
    one = made()
    course = client.post("/api/v1/courses", json={"title": "果树", "programmes": [one]}, headers=county).json
    assert [row["title"] for row in course["programmes"]] == ["节目"]
    path = f"/api/v1/courses/{course['id']}"
    assert client.patch(path, json={"title": "果树四季"}, headers=county).json["title"] == "果树四季"
    assert client.get(f"/api/v1/programmes/{one}", headers=county).json["course"]["title"] == "果树四季"
    assert client.delete(path, headers=county).status_code == 204
    body = {
        "title": "春耕",
        "starts_at": "2026-12-01T00:00:00.000Z",
        "until": "2027-03-01T00:00:00.000Z",
        "programmes": [one],
    }
    topic = client.post("/api/v1/topics", json=body, headers=county)
    assert topic.status_code == 201, topic.json
    path = f"/api/v1/topics/{topic.json['id']}"
    assert client.patch(path, json={"required": True}, headers=county).json["required"] is True
    assert client.get("/api/v1/topics", headers=bearer("station")).json["items"][0]["title"] == "春耕"
    assert client.post(f"{path}/end", headers=county).json["ended_at"]
    assert client.post("/api/v1/topics", json=body, headers=bearer("nongye")).status_code == 403
