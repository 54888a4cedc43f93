"""Finding programmes: what is found, in which order, by whom, and that it is kept in step."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from server.catalog import courses, search, search_index, service
from server.catalog.courses import CourseChanges
from server.catalog.models import Airing, Asset, Department, Edition, EditionState, Programme
from server.catalog.programmes import Changes, NewProgramme, Rights, change_programme, create_programme
from server.catalog.search import Filters
from server.catalog.search_models import SearchDocument
from server.db import Database
from server.errors import Invalid
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]
NewAsset = Callable[..., str]
Add = Callable[..., str]


@pytest.fixture
def add(database: Database, people: People, asset: NewAsset) -> Add:
    """``add(title, by="county", …)``: a programme, a draft; its id."""

    def make(title: str, by: str = "editor", **more: Any) -> str:
        new = NewProgramme(title=title, asset_id=asset(people[by]), **{"section": "kepu", **more})
        with database.write() as session:
            return create_programme(session, people[by], new, now=NOW).id

    return make


@pytest.fixture
def find(database: Database, people: People) -> Callable[..., list[str]]:
    """``find("小麦", by="admin", …)``: the titles, in order."""

    def look(q: str | None = None, by: str = "admin", now: datetime = NOW, **filters: Any) -> list[str]:
        with database.read() as session:
            found, _ = search.list_programmes(session, people[by], Filters(q=q, **filters), now=now)
            return [row.title for row in found]

    return look


Find = Callable[..., list[str]]


def release(database: Database, programme_id: str, at: datetime = NOW) -> None:
    with database.write() as session:
        edition = session.scalars(select(Edition).where(Edition.programme_id == programme_id)).one()
        edition.state, edition.released_at = EditionState.RELEASED, at


# ---------------------------------------------------------------- words


def test_a_two_character_word_a_longer_one_and_a_single_character_are_found(add: Add, find: Find) -> None:
    add("冬小麦返青管理")
    add("大棚黄瓜种植")
    assert find("小麦") == find("返青管") == find("麦") == find("理") == ["冬小麦返青管理"]
    assert find("麦小") == find("小麦种植") == find("青理") == []
    assert find("黄瓜 种植") == find("种植，黄瓜！") == ["大棚黄瓜种植"]
    assert find("黄瓜 小麦") == []
    assert find("？！") == []


def test_the_title_counts_most_then_shelf_and_place_then_the_summary_and_the_freshest_first(
    add: Add, find: Find
) -> None:
    add("养蜂", summary="正定县的农业合作社")
    add("正定古城")
    add("梨树修剪", by="county")
    add("正定小吃")
    assert find("正定") == ["正定小吃", "正定古城", "梨树修剪", "养蜂"]


def test_words_may_stand_in_different_places(add: Add, find: Find) -> None:
    add("冬小麦返青管理", department="nongye", summary="浇水和追肥")
    assert find("小麦 农业厅 追肥") == find("科普健康 小麦") == find("popular 小麦") == ["冬小麦返青管理"]


def test_a_word_is_not_found_across_two_texts(add: Add, find: Find) -> None:
    add("防治小", summary="麦田")
    assert find("小麦") == []


def test_a_number_comes_before_titles_that_hold_its_figures(database: Database, add: Add, find: Find) -> None:
    add("12 个月的农活")
    wanted = add("用水安全")
    with database.write() as session:
        session.get_one(Programme, wanted).number = 12
    assert find("12") == ["用水安全", "12 个月的农活"]


def test_a_release_makes_a_programme_fresh(database: Database, add: Add, find: Find) -> None:
    old = add("小麦 一")
    add("小麦 二")
    assert find("小麦") == ["小麦 二", "小麦 一"]
    release(database, old, NOW + timedelta(days=1))
    assert find("小麦") == ["小麦 一", "小麦 二"]


def test_hostile_queries_find_nothing_and_break_nothing(add: Add, find: Find) -> None:
    add("普通节目")
    for q in (
        '"',
        "'",
        "* OR 1",
        "a\x00b",
        "NEAR(小 麦)",
        "title:小麦",
        "'小麦':*",
        "\ud800",
        "&&& | !",
        "ﷺ" * 99,
    ):
        assert find(q) == [], q
    assert find("普通" * 400) == []


# ---------------------------------------------------------------- pages


def test_pages_of_a_search_have_no_gaps_and_no_doubles(database: Database, people: People, add: Add) -> None:
    for n in range(4):
        add(f"小麦 {n}")
    for n in range(4):
        add(f"高粱 {n}", summary="小麦之后播种")
    seen, after = [], None
    with database.read() as session:
        while True:
            page, after = search.list_programmes(
                session, people["admin"], Filters(q="小麦"), after=after, limit=3, now=NOW
            )
            seen += [row.title for row in page]
            if after is None:
                break
    assert seen == [f"小麦 {n}" for n in (3, 2, 1, 0)] + [f"高粱 {n}" for n in (3, 2, 1, 0)]
    with database.read() as session:
        assert search.count_programmes(session, people["admin"], Filters(q="小麦"), now=NOW) == 8


@pytest.mark.parametrize("after", ["x", "9-1", "0-", "0-999999999999", "-1-1", "0-1-1"])
def test_a_made_up_place_in_the_pages_is_refused(database: Database, people: People, after: str) -> None:
    with database.read() as session, pytest.raises(Invalid):
        search.list_programmes(session, people["admin"], Filters(q="小麦"), after=after, now=NOW)


# ---------------------------------------------------------------- who finds what


def test_nobody_finds_what_he_may_not_see(database: Database, add: Add, find: Find) -> None:
    secret = add("正定小麦", by="county")
    assert find("小麦", by="county") == find("小麦", by="city") == ["正定小麦"]
    assert find("小麦", by="neighbour") == find("小麦", by="keji") == find("小麦", by="station") == []
    release(database, secret)
    assert find("小麦", by="station") == ["正定小麦"]
    assert find("小麦", by="neighbour") == []


# ---------------------------------------------------------------- filters


def test_filters_by_length_rights_and_where_it_was_shown(
    database: Database, people: People, add: Add, find: Find
) -> None:
    year = timedelta(days=365)
    long = add("长片", rights=Rights(valid_until=NOW + timedelta(days=10)))
    add("短片", rights=Rights(valid_from=NOW - year, valid_until=NOW - timedelta(days=1)))
    with database.write() as session:
        edition = session.scalars(select(Edition).where(Edition.programme_id == long)).one()
        session.get_one(Asset, edition.asset_id).duration_ms = 40 * 60_000
        session.add(Airing(edition_id=edition.id, last_at=NOW - year, next_at=None, regions=["1301"]))
    assert find(longer=30) == find(longer=40) == find(shorter=41) == ["长片"]
    assert find(shorter=40) == []
    assert find(rights="expiring") == find(rights="valid") == ["长片"]
    assert find(rights="expired") == ["短片"]
    assert find(unseen_in="130123") == find(unseen_in="1301") == ["短片"]
    assert find(unseen_in="1302") == find(unseen_in="13") == ["短片", "长片"]
    assert find("长片", unseen_in="130123105201") == []
    for wrong in ({"rights": "x"}, {"unseen_in": "x"}, {"unseen_in": "131"}):
        with pytest.raises(Invalid):
            find(**wrong)


def test_filters_by_what_is_said(database: Database, people: People, add: Add, find: Find) -> None:
    add("春播", more=Changes(months=[3, 4], tags=["玉米"], sections=["nongji"]))
    add("冬闲", more=Changes(months=[1, 12], local_type="arts", kind="courseware"))
    add("全年")
    assert find(month=3) == ["全年", "春播"]
    assert find(month=1) == find(month=12) == ["全年", "冬闲"]
    assert find(month=2) == ["全年"]
    assert find(tag="玉米") == find(section="nongji") == ["春播"]
    assert find(local_type="any") == find(local_type="地方特色文艺") == find(kind="课件") == ["冬闲"]
    for wrong in ({"month": 13}, {"kind": "x"}, {"local_type": "x"}):
        with pytest.raises(Invalid):
            find(**wrong)


def test_initials_tags_courses_and_further_shelves_are_found(
    database: Database, people: People, add: Add, find: Find
) -> None:
    wheat = add("冬小麦返青", more=Changes(tags=["田间管理"], sections=["fazhi"], local_type="customs"))
    add("别的")
    for q in ("dxm", "xmfq", "XMFQ", "田间", "法治", "风土"):
        assert find(q) == ["冬小麦返青"], q
    editor = people["editor"]
    with database.write() as session:
        said = CourseChanges(title="果树栽培", programmes=[wheat])
        course = courses.create_course(session, editor, said, now=NOW)
    assert find("栽培") == find(course=course.id) == ["冬小麦返青"]
    with database.write() as session:
        courses.change_course(session, editor, course.id, CourseChanges(programmes=[]), now=NOW)
    assert find("栽培") == []


# ---------------------------------------------------------------- kept in step


def test_a_change_is_found_when_its_transaction_ends_and_not_when_it_fails(
    database: Database, people: People, add: Add, find: Find
) -> None:
    changed = add("旧名字")
    with database.write() as session:
        change_programme(session, people["editor"], changed, Changes(title="新名字"), now=NOW)
    assert find("旧名") == []
    assert find("新名") == ["新名字"]

    def fail() -> None:
        with database.write() as session:
            change_programme(session, people["editor"], changed, Changes(title="失败"), now=NOW)
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert find("失败") == []
    assert find("新名") == ["新名字"]


def test_a_renamed_department_is_found_by_its_new_name(database: Database, add: Add, find: Find) -> None:
    add("冬小麦返青管理", department="nongye")
    with database.write() as session:
        session.get_one(Department, "nongye").name = "省农业农村厅"
    assert find("农村厅") == ["冬小麦返青管理"]
    assert find("农业厅") == []


def test_a_programme_that_is_deleted_is_not_found(database: Database, add: Add, find: Find) -> None:
    gone = add("将被删除")
    with database.write() as session:
        session.execute(delete(Edition).where(Edition.programme_id == gone))
        session.execute(delete(Programme).where(Programme.id == gone))
    assert find("删除") == []
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SearchDocument)) == 0


def test_indexing_anew_finds_the_same_in_the_same_order(database: Database, add: Add, find: Find) -> None:
    early = add("小麦 一")
    add("小麦 二")
    add("谷子", summary="小麦")
    release(database, early, NOW + timedelta(days=1))
    before = find("小麦")
    with database.write() as session:
        assert search_index.rebuild(session) == 3
    assert find("小麦") == before == ["小麦 一", "小麦 二", "谷子"]


def test_programmes_of_before_the_search_are_caught_up_with(database: Database, add: Add, find: Find) -> None:
    add("早先的节目")
    with database.write() as session:
        session.execute(delete(SearchDocument))
    assert find("早先") == []
    with database.write() as session:
        service.seed(session)
    assert find("早先") == ["早先的节目"]


WORDS = ["小麦", "玉米", "种植", "病虫", "防治", "正定", "大棚", "养殖", "政策", "合作社", "麦田", "米粉"]


def test_what_is_found_is_what_holds_the_words(
    database: Database, people: People, add: Add, find: Find
) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    titles = ["".join(dice.choices(WORDS, k=dice.randint(1, 4))) for _ in range(40)]
    for title in titles:
        add(title)
    for _ in range(60):
        query = "".join(dice.choices("小麦玉米种植病虫防治正定大棚", k=dice.randint(1, 3)))
        assert find(query) == [title for title in titles[::-1] if query in title], (seed, query)
