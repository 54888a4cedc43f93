"""Messages to people: who gets them, once, in his language, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from server.db import Database
from server.errors import NotFound
from server.identity import messages, service
from server.identity.messages import MessageKind, holders, inbox, mark_all_read, mark_read, post, unread_count
from server.identity.rules import Action, Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
Person = Callable[..., Caller]


def say(database: Database, who: Caller, title: str = "节目退回", **more: object) -> int:
    with database.write() as session:
        return post(session, [who.id], kind=MessageKind.RETURNED, title=title, now=NOW, **more)  # type: ignore[arg-type]


def titles(database: Database, who: Caller, **filters: object) -> list[str]:
    with database.read() as session:
        return [row.title for row in inbox(session, who, **filters)[0]]  # type: ignore[arg-type]


def test_a_message_lies_in_the_inbox_of_each_recipient_once_and_of_nobody_else(
    database: Database, person: Person
) -> None:
    wang, li, zhao = (person(name, Role.COUNTY_EDITOR, "130123") for name in ("wang", "li", "zhao"))
    with database.write() as session:
        new = post(session, [wang.id, li.id, wang.id], kind=MessageKind.NOTICE, title="你好", now=NOW)
    assert new == 2
    assert (titles(database, wang), titles(database, li), titles(database, zhao)) == (["你好"], ["你好"], [])


def test_a_message_with_a_key_comes_once_however_often_it_is_posted(
    database: Database, person: Person
) -> None:
    wang = person("wang", Role.COUNTY_EDITOR, "130123")
    assert [say(database, wang, key="due:1"), say(database, wang, key="due:1")] == [1, 0]
    assert say(database, wang, key="due:2") == 1
    assert len(titles(database, wang)) == 2


def test_a_message_of_a_use_case_that_failed_was_never_sent(database: Database, person: Person) -> None:
    wang = person("wang", Role.COUNTY_EDITOR, "130123")

    def use_case() -> None:
        with database.write() as session:
            post(session, [wang.id], kind=MessageKind.NOTICE, title="你好", now=NOW)
            raise RuntimeError("it fails afterwards")

    with pytest.raises(RuntimeError):
        use_case()
    assert titles(database, wang) == []


def test_opening_a_message_counts_it_as_read_and_only_for_whom_it_is(
    database: Database, person: Person
) -> None:
    wang, li = (person(name, Role.COUNTY_EDITOR, "130123") for name in ("wang", "li"))
    say(database, wang, "一")
    say(database, wang, "二")
    with database.write() as session:
        newest = next(row for row in inbox(session, wang)[0] if row.title == "二")
        with pytest.raises(NotFound):
            mark_read(session, li, newest.id, now=NOW)
        mark_read(session, wang, newest.id, now=NOW)
        assert mark_read(session, wang, newest.id, now=NOW + timedelta(hours=1)).read_at == NOW
        assert unread_count(session, wang) == 1
    assert titles(database, wang, unread=True) == ["一"]
    with database.write() as session:
        assert mark_all_read(session, wang, now=NOW) == 1
        assert unread_count(session, wang) == 0


def test_the_inbox_pages_and_filters(database: Database, person: Person) -> None:
    wang = person("wang", Role.COUNTY_EDITOR, "130123")
    for number in range(5):
        say(database, wang, str(number))
    with database.write() as session:
        post(session, [wang.id], kind=MessageKind.DUTY, title="值班", now=NOW)
    with database.read() as session:
        first, following = inbox(session, wang, kind=MessageKind.RETURNED, limit=3)
        second, end = inbox(session, wang, kind=MessageKind.RETURNED, after=following, limit=3)
    assert (len(first), len(second), end) == (3, 2, None)
    assert {row.title for row in [*first, *second]} == {"0", "1", "2", "3", "4"}


def test_holders_are_active_people_whose_grant_covers_the_region(database: Database, person: Person) -> None:
    province = person("p", Role.FIRST_REVIEWER, "13")
    city = person("c", Role.FIRST_REVIEWER, "1301")
    person("other", Role.FIRST_REVIEWER, "130131")
    person("editor", Role.COUNTY_EDITOR, "130123")
    gone = person("gone", Role.FIRST_REVIEWER, "13")
    with database.write() as session:
        service.get_account(session, "gone").is_active = False
        found = holders(session, Action.REVIEW_FIRST, "130123105")
    assert gone.id not in found
    assert found == sorted([province.id, city.id])


def test_the_api_shows_ones_own_messages_filled_in_and_in_ones_language(
    app: Flask, database: Database, person: Person
) -> None:
    wang = person("wang", Role.COUNTY_EDITOR, "130123")
    with database.write() as session:
        _, token = service.issue_token(session, service.get_account(session, "wang"), "测试", now=NOW)
        post(
            session,
            [wang.id],
            kind=MessageKind.RETURNED,
            title="没有板块“%(name)s”",
            params={"name": "<b>菜价</b>"},
            text="完全 100% 的原文",
            link="/programmes",
            now=NOW,
        )
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    answer = client.get("/api/v1/messages", headers={**headers, "Accept-Language": "zh"}).get_json()
    (message,) = answer["items"]
    assert (answer["unread"], message["title"]) == (1, "没有板块“<b>菜价</b>”")
    english = client.get("/api/v1/messages", headers={**headers, "Accept-Language": "en"}).get_json()
    assert "菜价" in english["items"][0]["title"]
    assert "没有板块" not in english["items"][0]["title"]
    read = client.post(f"/api/v1/messages/{message['id']}/read", headers=headers)
    assert read.get_json()["read_at"]
    assert client.get("/api/v1/messages", headers=headers).get_json()["unread"] == 0
    assert client.post(f"/api/v1/messages/{wang.id}/read", headers=headers).status_code == 404


def test_every_kind_of_message_has_a_name() -> None:
    assert set(messages.KIND_NAMES) == set(MessageKind)
