"""One thing to many programmes, and filters kept under a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from server.catalog import many, search, topics
from server.catalog.many import Deed
from server.catalog.models import AssetState, Edition, Programme
from server.catalog.programmes import NewProgramme, create_programme
from server.catalog.search import Filters
from server.db import Database
from server.errors import Invalid, NotFound
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]


@pytest.fixture
def add(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    def make(title: str, by: str = "editor", state: AssetState = AssetState.READY) -> str:
        new = NewProgramme(title=title, section="kepu", asset_id=asset(people[by], state))
        with database.write() as session:
            return create_programme(session, people[by], new, now=NOW).id

    return make


Add = Callable[..., str]


def errors(
    database: Database, caller: Caller, ids: list[str], deed: Deed, value: str = ""
) -> dict[str, str | None]:
    with database.write() as session:
        done = many.do(session, caller, ids, deed, value, now=NOW)
        return {one.title: one.error.code if one.error else None for one in done}


def test_what_is_refused_leaves_the_others_as_done(database: Database, people: People, add: Add) -> None:
    good, other, sent = add("好的"), add("别人的", "neighbour"), add("已送审")
    errors(database, people["editor"], [sent], Deed.SUBMIT)
    done = errors(database, people["editor"], [good, other, sent, good], Deed.SUBMIT)
    assert done == {"好的": None, "别人的": None, "已送审": "conflict"}
    county = errors(database, people["county"], [good, other], Deed.SECTION, "fazhi")
    assert county == {"": "not_found"} or set(county.values()) == {"not_found"}
    with database.read() as session:
        states = dict(session.execute(select(Programme.title, Edition.state).join(Edition)).all())
    assert set(states.values()) == {"first_review"}


def test_sections_and_tags_are_changed_and_found(database: Database, people: People, add: Add) -> None:
    ids = [add("甲"), add("乙")]
    editor = people["editor"]
    assert errors(database, editor, ids, Deed.SECTION, "法治课堂") == {"甲": None, "乙": None}
    assert errors(database, editor, ids, Deed.TAG, "小麦") == {"甲": None, "乙": None}
    assert errors(database, editor, ids[:1], Deed.UNTAG, "小麦") == {"甲": None}
    with database.read() as session:
        found, _ = search.list_programmes(session, editor, Filters(q="小麦", section="fazhi"), now=NOW)
        assert [row.title for row in found] == ["乙"]


def test_programmes_join_a_topic_once(database: Database, people: People, add: Add) -> None:
    editor, one, two = people["editor"], add("甲"), add("乙")
    with database.write() as session:
        said = topics.TopicChanges(
            title="春耕", starts_at=NOW, until=NOW + timedelta(days=9), region="13", programmes=[one]
        )
        topic = topics.create_topic(session, editor, said, now=NOW).id
    assert errors(database, editor, [one, two], Deed.TOPIC, topic) == {"甲": "in_topic", "乙": None}
    with database.read() as session:
        assert [row.programme_id for row in topics.get_topic(session, editor, topic).programmes] == [one, two]


def test_what_cannot_be_done_to_any_is_refused_at_once(database: Database, people: People, add: Add) -> None:
    one = add("甲")
    for ids, deed, value in (
        ([], Deed.SUBMIT, ""), ([one] * 300 + [str(n) for n in range(300)], Deed.SUBMIT, ""), ([one], Deed.TAG, " "),
        ([one], Deed.SECTION, "没有"), ([one], Deed.WITHDRAW, ""),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            errors(database, people["editor"], ids, deed, value)
    with pytest.raises(NotFound):
        errors(database, people["editor"], [one], Deed.TOPIC, "x")
    assert errors(database, people["editor"], ["x"], Deed.SUBMIT) == {"": "not_found"}


def test_filters_are_kept_under_ones_own_name(database: Database, people: People) -> None:
    mine, other = people["editor"], people["admin"]
    with database.write() as session:
        many.save_view(session, mine, "春耕", Filters(q="小麦"), now=NOW)
        many.save_view(session, mine, "春耕", Filters(month=3, mine=True), now=NOW)
        (view,) = many.saved_views(session, mine)
        assert many.filters_of(view.filters) == Filters(month=3, mine=True)
        assert many.saved_views(session, other) == []
        with pytest.raises(Invalid):
            many.save_view(session, mine, "空的", Filters(), now=NOW)
        with pytest.raises(NotFound):
            many.forget_view(session, other, view.id)
        many.forget_view(session, mine, view.id)
        assert many.saved_views(session, mine) == []


@pytest.mark.parametrize("wrong", [{"month": "x"}, {"longer": "-1"}, {"shorter": "9" * 9}, {"month": "٣"}])
def test_filters_that_are_no_numbers_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        many.filters_of(wrong)


def test_the_pages_of_the_library(app: Flask, database: Database, people: People, add: Add) -> None:
    """The page, more cards for a script, one deed for many, a view kept: as an editor's browser asks for them."""
    from server.identity.service import get_account, session_key

    ids = [add(f"第 {n} 个") for n in range(30)]
    client = app.test_client()
    with database.read() as session, client.session_transaction() as cookie:
        cookie["_user_id"] = session_key(get_account(session, "editor"))
    page = client.get("/programmes?section=kepu")
    assert page.status_code == 200
    token = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]
    assert "30 个" in page.text
    assert page.text.count('name="id"') == 24
    more = client.get(f"/programmes?section=kepu&after={ids[6]}", headers={"HX-Request": "true"})
    assert "<html" not in more.text
    assert more.text.count('name="id"') == 6
    sent = {"csrf_token": token}
    client.post(
        "/programmes/many",
        data=sent | {"deed": "tag", "tag": "麦", "id": ids[:2], "back": "section=kepu&_external=1"},
    )
    assert "2 个" in client.get("/programmes?tag=麦").text
    saved = client.post("/programmes/views", data=sent | {"name": "麦子", "back": "tag=麦"})
    assert saved.status_code == 302
    assert "麦子" in client.get("/programmes").text
    assert client.get("/programmes?month=x").status_code == 422
