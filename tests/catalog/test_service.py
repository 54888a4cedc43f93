"""Programmes, editions and reviews on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server.catalog import programmes, review, search, service
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Review, Stage
from server.catalog.programmes import Changes, NewProgramme, Rights
from server.catalog.search import Filters
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound, YuanboError
from server.identity import audit
from server.identity.rules import Caller

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
People = dict[str, Caller]
NewAsset = Callable[..., str]
UNKNOWN_ID = "01935d5e-7c00-7000-8000-000000000001"


def create(database: Database, caller: Caller, asset_id: str, **fields: Any) -> str:
    """A programme; its id."""
    new = NewProgramme(**{"title": "农村安全用电", "section": "kepu", "asset_id": asset_id, **fields})
    with database.write() as session:
        return programmes.create_programme(session, caller, new, now=NOW).id


def submit(database: Database, caller: Caller, programme: str) -> None:
    with database.write() as session:
        service.submit(session, caller, programme, now=NOW)


def decide(database: Database, caller: Caller, programme: str, stage: str, *, approve: bool = True) -> None:
    with database.write() as session:
        service.decide(
            session,
            caller,
            programme,
            Stage(stage),
            approve=approve,
            comment="" if approve else "声音太小",
            now=NOW,
        )


def state_of(database: Database, programme: str) -> str:
    with database.read() as session:
        return session.get_one(Programme, programme).editions[-1].state


def encoded(database: Database, state: AssetState = AssetState.READY) -> None:
    with database.write() as session:
        session.execute(update(Asset).values(state=state))


@pytest.fixture
def draft(database: Database, people: People, asset: NewAsset) -> str:
    return create(database, people["county"], asset(people["county"]))


@pytest.fixture
def released(database: Database, people: People, draft: str) -> str:
    return release(database, people, draft)


def release(database: Database, people: People, programme: str, contributor: str = "county") -> str:
    submit(database, people[contributor], programme)
    encoded(database)
    for stage in ("first", "second", "final"):
        decide(database, people[stage], programme, stage)
    return programme


# ---------------------------------------------------------------- shelves


def test_there_are_twelve_sections_and_eight_departments_seeded_once(
    database: Database, people: People
) -> None:
    with database.write() as session:
        service.seed(session)
        service.seed(session)
    with database.read() as session:
        assert [row.name for row in service.sections(session)] == [
            "党建时政", "政策法规", "党史党性", "先锋风采", "致富信息", "农业科技",
            "市场行情", "文化娱乐", "科普健康", "法治课堂", "青年创业", "燕赵乡土",
        ]  # fmt: skip
        assert len(service.departments(session)) == 8
        shelves = [*service.sections(session), *service.departments(session)]
        assert all(row.slug.isascii() and row.slug.isalpha() and row.name_en for row in shelves)


def test_seeding_again_leaves_an_edited_shelf_alone(database: Database, people: People) -> None:
    with database.write() as session:
        service.section_named(session, "kepu").name = "健康生活"
    with database.write() as session:
        service.seed(session)
        assert service.section_named(session, "健康生活").slug == "kepu"


def test_shelves_are_named_by_slug_or_name(database: Database, people: People) -> None:
    with database.read() as session:
        for text in ("kepu", "科普健康", "Popular science and health"):
            assert service.section_named(session, text).slug == "kepu"
        for text in ("nongye", "省农业厅", "农业厅"):
            assert service.department_named(session, text).slug == "nongye"
        for look in (service.section_named, service.department_named):
            with pytest.raises(Invalid, match="没有"):
                look(session, "不存在")


# ---------------------------------------------------------------- contributing


def test_a_programme_begins_as_a_draft_in_ones_own_region(
    database: Database, people: People, draft: str
) -> None:
    with database.read() as session:
        programme = service.get_programme(session, people["county"], draft)
        assert (programme.region, programme.section, programme.number) == ("130123", "kepu", None)
        (edition,) = programme.editions
        assert (edition.number, edition.state) == (1, EditionState.DRAFT)
        assert edition.contributor_id == people["county"].id
        assert audit.entries_of(session, f"programme:{draft}")[0].action == "programme.create"


SENSELESS: tuple[dict[str, Any], ...] = (
    {"title": ""},
    {"title": " \t\n "},
    {"title": "字" * 201},
    {"title": "字" * 10_000},
    {"title": "\x00\x01"},
    {"section": "不存在"},
    {"department": "不存在"},
    {"region": "99"},
    {"region": "' or ''='"},
    {"summary": "字" * 5_001},
    {"rights": Rights(valid_from=NOW, valid_until=NOW)},
    {"rights": Rights(source="字" * 201)},
)


def test_a_programme_that_makes_no_sense_is_refused_and_leaves_nothing(
    database: Database, people: People, asset: NewAsset
) -> None:
    source = asset(people["county"])
    for wrong in SENSELESS:
        with pytest.raises(Invalid):
            create(database, people["county"], source, **wrong)
    with database.read() as session:
        assert session.scalars(select(Programme)).all() == []
        assert audit.head_of(session).seq == 0


def test_a_title_is_kept_as_one_plain_line(database: Database, people: People, asset: NewAsset) -> None:
    programme = create(database, people["county"], asset(people["county"]), title="  三会\n一课\x00  怎么开 ")
    with database.read() as session:
        assert session.get_one(Programme, programme).title == "三会 一课 怎么开"


def test_an_editor_contributes_only_in_his_own_region(
    database: Database, people: People, asset: NewAsset
) -> None:
    county = people["county"]
    for region in ("130131", "1301", "13"):
        with pytest.raises(Forbidden):
            create(database, county, asset(county), region=region)
    for region in ("130123", "130123105", "130123105201"):
        create(database, county, asset(county), region=region)


def test_a_partner_contributes_only_for_its_own_department(
    database: Database, people: People, asset: NewAsset
) -> None:
    nongye = people["nongye"]
    with pytest.raises(Forbidden):
        create(database, nongye, asset(nongye), department="keji")
    for department in (None, "nongye", "省农业厅"):
        programme = create(database, nongye, asset(nongye), department=department)
        with database.read() as session:
            assert session.get_one(Programme, programme).department == "nongye"


def test_somebody_who_only_watches_contributes_nothing(
    database: Database, people: People, asset: NewAsset
) -> None:
    for username in ("station", "leader", "first"):
        with pytest.raises(Forbidden):
            create(database, people[username], asset(people[username]))


def test_the_file_of_somebody_else_is_not_there(database: Database, people: People, asset: NewAsset) -> None:
    foreign = asset(people["neighbour"])
    for asset_id in (foreign, UNKNOWN_ID, "nonsense"):
        with pytest.raises(NotFound):
            create(database, people["county"], asset_id)


def test_a_refused_file_becomes_no_programme(database: Database, people: People, asset: NewAsset) -> None:
    with pytest.raises(Invalid, match="不是视频") as refusal:
        create(database, people["county"], asset(people["county"], AssetState.REFUSED))
    assert refusal.value.code == "not_media"


# ---------------------------------------------------------------- who sees what


def who_sees(database: Database, people: People, programme: str) -> set[str]:
    seen = set()
    for username, caller in people.items():
        with database.read() as session:
            listed, _ = search.list_programmes(session, caller, now=NOW)
            is_listed = programme in [row.id for row in listed]
            try:
                service.get_programme(session, caller, programme)
                is_there = True
            except NotFound:
                is_there = False
        assert is_listed == is_there, username
        if is_there:
            seen.add(username)
    return seen


PROVINCE = {"admin", "editor", "first", "second", "final", "leader"}


def test_a_draft_is_seen_where_it_is_worked_on(database: Database, people: People, draft: str) -> None:
    assert who_sees(database, people, draft) == PROVINCE | {"city", "county"}


def test_a_released_programme_of_a_county_is_seen_in_it_and_above(
    database: Database, people: People, released: str
) -> None:
    everybody_there = PROVINCE | {"city", "county", "station", "nongye", "keji"}
    assert who_sees(database, people, released) == everybody_there


def test_a_released_programme_of_the_province_is_seen_by_all(
    database: Database, people: People, asset: NewAsset
) -> None:
    programme = create(database, people["editor"], asset(people["editor"]))
    release(database, people, programme, "editor")
    assert who_sees(database, people, programme) == set(people)


def test_a_partners_draft_is_hidden_from_other_partners(
    database: Database, people: People, asset: NewAsset
) -> None:
    programme = create(database, people["nongye"], asset(people["nongye"]))
    assert who_sees(database, people, programme) == PROVINCE | {"nongye"}


# ---------------------------------------------------------------- finding


def found(database: Database, caller: Caller, **filters: Any) -> list[str]:
    with database.read() as session:
        return [row.title for row in search.list_programmes(session, caller, Filters(**filters), now=NOW)[0]]


def test_programmes_are_filtered(database: Database, people: People, asset: NewAsset) -> None:
    county, nongye = people["county"], people["nongye"]
    create(database, county, asset(county), title="农村安全用电", section="kepu", region="130123105")
    create(database, county, asset(county), title="防电信诈骗 100%", section="fazhi")
    wheat = create(database, nongye, asset(nongye), title="冬小麦返青管理", section="nongji")
    submit(database, nongye, wheat)
    admin = people["admin"]
    assert found(database, admin) == ["冬小麦返青管理", "防电信诈骗 100%", "农村安全用电"]
    assert found(database, admin, section="科普健康") == ["农村安全用电"]
    assert found(database, admin, department="农业厅") == ["冬小麦返青管理"]
    assert found(database, admin, region="130123") == ["防电信诈骗 100%", "农村安全用电"]
    assert found(database, admin, state="first_review") == ["冬小麦返青管理"]
    assert found(database, admin, q="小麦") == ["冬小麦返青管理"]
    assert found(database, admin, q="100%") == ["防电信诈骗 100%"]
    assert found(database, admin, q="_") == []
    assert found(database, admin, q="  ") == found(database, admin)
    assert found(database, admin, q="用电", section="fazhi") == []
    assert found(database, admin, mine=True) == []
    assert found(database, county, mine=True) == ["防电信诈骗 100%", "农村安全用电"]
    for wrong in ({"state": "open"}, {"section": "x"}, {"department": "x"}):
        with pytest.raises(Invalid):
            found(database, admin, **wrong)


def test_a_programme_is_found_by_its_number(database: Database, people: People, released: str) -> None:
    assert found(database, people["admin"], q="1") == ["农村安全用电"]
    assert found(database, people["admin"], q="2") == []


def test_a_long_list_is_paged_without_gaps_or_doubles(
    database: Database, people: People, asset: NewAsset
) -> None:
    county = people["county"]
    made = [create(database, county, asset(county), title=f"第 {n} 个") for n in range(5)]
    seen, after = [], None
    with database.read() as session:
        while True:
            page, after = search.list_programmes(session, county, after=after, limit=2, now=NOW)
            seen += [row.id for row in page]
            if after is None:
                break
    assert seen == made[::-1]


def test_counts_are_by_the_newest_editions_state(
    database: Database, people: People, asset: NewAsset, released: str
) -> None:
    create(database, people["county"], asset(people["county"]))
    with database.read() as session:
        counts = service.count_by_state(session, people["county"])
    assert counts == {EditionState.DRAFT: 1, EditionState.RELEASED: 1}


# ---------------------------------------------------------------- three reviews


def test_three_different_people_release_an_edition(database: Database, people: People, released: str) -> None:
    with database.read() as session:
        edition = service.get_edition(session, people["county"], released)
        assert (edition.state, edition.released_at) == (EditionState.RELEASED, NOW)
        assert edition.programme.number == 1
        decisions = service.reviews_of(session, [edition.id])
        assert [(d.stage, d.reviewer_id) for d in decisions] == [
            (stage, people[stage].id) for stage in ("first", "second", "final")
        ]
        proof = service.proven_release(session, edition.id)
        assert proof is not None
        assert proof.reviewers == tuple(people[stage].id for stage in ("first", "second", "final"))
        assert (proof.source_sha256, proof.recipe_sha256) == (edition.asset.sha256, edition.recipe_sha256)
        links = {link.seq: link for link in audit.entries_of(session, f"edition:{edition.id}")}
        assert all(links[d.audit_seq].action == f"review.{d.stage}" for d in decisions)
        audit.verify_chain(session)


def test_a_row_set_to_released_by_sql_proves_nothing(database: Database, people: People, draft: str) -> None:
    with database.write() as session:
        session.execute(update(Edition).values(state=EditionState.RELEASED, released_at=NOW))
    with database.read() as session:
        edition = service.get_edition(session, people["county"], draft)
        assert edition.state == EditionState.RELEASED
        assert service.proven_release(session, edition.id) is None


def test_a_stage_is_held_only_by_its_role_and_in_its_region(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    for username in ("admin", "editor", "city", "county", "second", "final", "leader"):
        with pytest.raises(Forbidden):
            decide(database, people[username], draft, "first")
    with pytest.raises(NotFound):
        decide(database, people["first-of-1302"], draft, "first")
    assert state_of(database, draft) == "first_review"


def test_a_stage_out_of_turn_is_refused(database: Database, people: People, draft: str) -> None:
    for stage in ("first", "second", "final"):
        with pytest.raises(Conflict):
            decide(database, people[stage], draft, stage)
    submit(database, people["county"], draft)
    with pytest.raises(Conflict):
        decide(database, people["second"], draft, "second")
    decide(database, people["first"], draft, "first")
    with pytest.raises(Conflict):
        decide(database, people["first"], draft, "first")


def with_grants_of(caller: Caller, *others: Caller) -> Caller:
    return replace(caller, grants=(*caller.grants, *(grant for other in others for grant in other.grants)))


def test_one_person_with_every_role_still_holds_only_one_stage(
    database: Database, people: People, draft: str
) -> None:
    everything = with_grants_of(people["first"], people["second"], people["final"])
    submit(database, people["county"], draft)
    encoded(database)
    decide(database, everything, draft, "first")
    with pytest.raises(Forbidden, match="不能担任两审"):
        decide(database, everything, draft, "second")
    decide(database, people["second"], draft, "second")
    with pytest.raises(Forbidden, match="不能担任两审"):
        decide(database, everything, draft, "final")


def test_neither_the_contributor_nor_who_submitted_for_him_reviews(
    database: Database, people: People, draft: str
) -> None:
    contributor = with_grants_of(people["county"], people["first"])
    submitter = with_grants_of(people["city"], people["first"])
    submit(database, submitter, draft)
    for person in (contributor, submitter):
        with pytest.raises(Forbidden, match="不能审核自己的节目"):
            decide(database, person, draft, "first")
    decide(database, people["first"], draft, "first")


def test_a_returned_edition_says_why_and_goes_through_all_three_again(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    encoded(database)
    decide(database, people["first"], draft, "first")
    with pytest.raises(Invalid, match="原因"), database.write() as session:
        service.decide(session, people["second"], draft, Stage.SECOND, approve=False, comment=" ", now=NOW)
    decide(database, people["second"], draft, "second", approve=False)
    assert state_of(database, draft) == "returned"
    with database.read() as session:
        assert session.scalars(select(Review.comment).where(~Review.approved)).all() == ["声音太小"]
    release(database, people, draft)
    assert state_of(database, draft) == "released"


def test_who_returned_at_one_stage_does_not_take_another_in_the_next_round(
    database: Database, people: People, draft: str
) -> None:
    both = with_grants_of(people["first"], people["second"])
    submit(database, people["county"], draft)
    decide(database, both, draft, "first", approve=False)
    submit(database, people["county"], draft)
    decide(database, both, draft, "first")
    with pytest.raises(Forbidden):
        decide(database, both, draft, "second")


def test_the_final_approval_waits_for_the_encoding_and_a_return_does_not(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    for state in (AssetState.UPLOADED, AssetState.PROCESSING, AssetState.FAILED):
        encoded(database, state)
        if state == AssetState.UPLOADED:
            decide(database, people["first"], draft, "first")
            decide(database, people["second"], draft, "second")
        with pytest.raises(Conflict, match="转码") as refusal:
            decide(database, people["final"], draft, "final")
        assert refusal.value.code == "not_ready"
    decide(database, people["final"], draft, "final", approve=False)
    assert state_of(database, draft) == "returned"


def test_a_refused_file_cannot_be_submitted(database: Database, people: People, draft: str) -> None:
    encoded(database, AssetState.REFUSED)
    with pytest.raises(Conflict):
        submit(database, people["county"], draft)


def test_nobody_elses_draft_is_submitted(
    database: Database, people: People, asset: NewAsset, draft: str
) -> None:
    partners = create(database, people["nongye"], asset(people["nongye"]))
    for username, programme in (("neighbour", draft), ("keji", partners), ("station", draft)):
        with pytest.raises((NotFound, Forbidden)):
            submit(database, people[username], programme)
    submit(database, people["nongye"], partners)


def test_a_partner_does_not_submit_what_it_only_sees(
    database: Database, people: People, released: str
) -> None:
    with pytest.raises(Forbidden):
        submit(database, people["nongye"], released)


def test_of_two_decisions_at_once_one_counts(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    together = threading.Barrier(2)

    def press(approve: bool) -> str:
        together.wait()
        try:
            decide(database, people["first"], draft, "first", approve=approve)
        except YuanboError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(press, [True, False]))
    assert outcomes == ["done", "not_at_stage"]
    with database.read() as session:
        assert len(session.scalars(select(Review)).all()) == 1
        audit.verify_chain(session)


def test_a_withdrawn_edition_never_comes_back(database: Database, people: People, released: str) -> None:
    with database.write() as session:
        edition = service.withdraw(session, people["county"], released, reason="内容过时", now=NOW)
        assert edition.state == EditionState.WITHDRAWN
        assert service.proven_release(session, edition.id) is None
    with pytest.raises(Conflict):
        submit(database, people["county"], released)
    with pytest.raises(Conflict), database.write() as session:
        service.withdraw(session, people["county"], released, now=NOW)


def test_a_partner_withdraws_nothing(database: Database, people: People, asset: NewAsset) -> None:
    programme = create(database, people["nongye"], asset(people["nongye"]))
    with pytest.raises(Forbidden), database.write() as session:
        service.withdraw(session, people["nongye"], programme, now=NOW)


# ---------------------------------------------------------------- numbers


def test_a_released_programme_gets_the_smallest_free_number(
    database: Database, people: People, asset: NewAsset
) -> None:
    county = people["county"]
    for taken in (1, 2, 4):
        programme = create(database, county, asset(county))
        with database.write() as session:
            session.get_one(Programme, programme).number = taken
    fresh = release(database, people, create(database, county, asset(county)))
    with database.read() as session:
        assert session.get_one(Programme, fresh).number == 3


def test_programmes_released_at_once_get_different_numbers(
    database: Database, people: People, asset: NewAsset
) -> None:
    county = people["county"]
    programmes = [create(database, county, asset(county)) for _ in range(4)]
    encoded(database)
    for programme in programmes:
        submit(database, county, programme)
        decide(database, people["first"], programme, "first")
        decide(database, people["second"], programme, "second")
    together = threading.Barrier(4)

    def press(programme: str) -> None:
        together.wait()
        decide(database, people["final"], programme, "final")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(press, programmes))
    with database.read() as session:
        assert sorted(session.scalars(select(Programme.number))) == [1, 2, 3, 4]


# ---------------------------------------------------------------- editions and changes


def test_a_new_cut_is_a_new_edition_and_keeps_the_number(
    database: Database, people: People, asset: NewAsset, released: str
) -> None:
    county = people["county"]
    with database.write() as session:
        edition = programmes.new_edition(session, county, None, released, asset_id=asset(county), now=NOW)
        assert (edition.number, edition.state) == (2, EditionState.DRAFT)
    release(database, people, released)
    with database.read() as session:
        programme = session.get_one(Programme, released)
        assert programme.number == 1
        assert [e.state for e in programme.editions] == ["released", "released"]


def test_a_second_cut_waits_until_the_first_is_through(
    database: Database, people: People, asset: NewAsset, draft: str
) -> None:
    county = people["county"]
    second = asset(county)
    with pytest.raises(Conflict, match="第 1 版"), database.write() as session:
        programmes.new_edition(session, county, None, draft, asset_id=second, now=NOW)
    with database.write() as session:
        session.get_one(Programme, draft).editions[0].asset.state = AssetState.REFUSED
    with database.write() as session:
        assert programmes.new_edition(session, county, None, draft, asset_id=second, now=NOW).number == 2


def test_words_change_only_while_nobody_reviews_them(database: Database, people: People, draft: str) -> None:
    county = people["county"]

    def change(caller: Caller = county, **fields: Any) -> Programme:
        with database.write() as session:
            return programmes.change_programme(session, caller, draft, Changes(**fields), now=NOW)

    until = NOW + timedelta(days=365)
    changed = change(
        title="安全用电", section="法治课堂", rights=Rights(source="县供电公司", valid_until=until)
    )
    assert (changed.title, changed.section, changed.rights_until) == ("安全用电", "fazhi", until)
    assert change(summary="一").title == "安全用电"
    with pytest.raises(Invalid):
        change(title="")
    with pytest.raises(Forbidden):
        change(region="130131")
    with pytest.raises(NotFound):
        change(people["neighbour"], title="别人的")
    submit(database, county, draft)
    with pytest.raises(Conflict):
        change(title="偷偷改")
    decide(database, people["first"], draft, "first", approve=False)
    assert change(title="改过了").title == "改过了"


def test_words_changed_while_somebody_submits_are_never_other_than_those_submitted(
    database: Database, people: People, asset: NewAsset
) -> None:
    county = people["county"]
    for number in range(4):
        programme = create(database, county, asset(county), title="旧名")
        together = threading.Barrier(2)

        def change(programme: str = programme, together: threading.Barrier = together) -> None:
            together.wait()
            with database.write() as session:
                programmes.change_programme(session, county, programme, Changes(title="新名"), now=NOW)

        def hand_in(programme: str = programme, together: threading.Barrier = together) -> None:
            together.wait()
            submit(database, county, programme)

        with ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(change), pool.submit(hand_in)]
        assert outcomes[1].exception() is None, number
        with database.read() as session:
            edition = service.get_edition(session, county, programme)
            (link,) = [
                e for e in audit.entries_of(session, f"edition:{edition.id}") if e.action == review.SUBMITTED
            ]
            assert link.detail["title"] == edition.programme.title


# ---------------------------------------------------------------- what waits for me


def waits(database: Database, caller: Caller) -> dict[str, list[str]]:
    with database.read() as session:
        queue = service.home_queue(session, caller)
        lists = {
            "submit": queue.to_submit,
            "returned": queue.returned,
            "refused": queue.refused,
            **{stage.value: editions for stage, editions in queue.to_review.items()},
        }
        assert queue.total == sum(map(len, lists.values()))
        return {name: [e.programme_id for e in editions] for name, editions in lists.items() if editions}


def test_each_person_finds_what_waits_for_him(database: Database, people: People, draft: str) -> None:
    county, first, second = people["county"], people["first"], people["second"]
    assert waits(database, county) == {"submit": [draft]}
    assert waits(database, people["city"]) == {}
    submit(database, county, draft)
    assert waits(database, county) == {}
    assert waits(database, first) == {"first": [draft]}
    assert waits(database, people["first-of-1302"]) == {}
    assert waits(database, second) == {}
    decide(database, first, draft, "first")
    assert (waits(database, first), waits(database, second)) == ({}, {"second": [draft]})
    assert waits(database, with_grants_of(first, second)) == {}
    decide(database, second, draft, "second", approve=False)
    assert waits(database, county) == {"returned": [draft]}
    encoded(database, AssetState.REFUSED)
    assert waits(database, county) == {"refused": [draft]}


def test_what_the_caller_may_do_is_said(database: Database, people: People, draft: str) -> None:
    with database.read() as session:
        edition = service.get_edition(session, people["county"], draft)
        programme = edition.programme
        assert service.moves_on_edition(people["county"], edition) == ["submit", "withdraw"]
        assert service.moves_on_edition(people["first"], edition) == []
        assert service.moves_on_programme(people["county"], programme) == ["change"]
        assert service.moves_on_programme(people["leader"], programme) == []


def test_an_id_that_cannot_be_one_is_not_found(database: Database, people: People) -> None:
    for wrong in ("nonsense", "", "x" * 300, UNKNOWN_ID, "' or 1=1 --"):
        with database.read() as session, pytest.raises(NotFound):
            service.get_programme(session, people["admin"], wrong)
        with database.read() as session, pytest.raises(NotFound):
            service.get_edition(session, people["admin"], wrong)


def test_every_stage_has_its_action_in_the_table() -> None:
    assert set(service.REVIEW_ACTIONS) == set(Stage) == set(review.STATE_OF_STAGE)
