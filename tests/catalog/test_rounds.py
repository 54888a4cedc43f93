"""What goes round the three reviews: tasks and due times, who is told, urgency, proofreading, protected periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server.catalog import desk, duty, policies, protection, rounds, service
from server.catalog.airings import record_airing
from server.catalog.deadlines import ReviewPolicy
from server.catalog.models import Asset, AssetState, Edition, ReviewTask, Stage
from server.catalog.programmes import Changes, NewProgramme, change_programme, create_programme
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid
from server.identity.messages import inbox
from server.identity.models import Account, RoleGrant
from server.identity.rules import Caller, Role
from server.identity.service import caller_of
from tests.catalog.conftest import NOW

People = dict[str, Caller]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def draft(database: Database, people: People, asset: Callable[..., str]) -> str:
    """A county's draft, its file ready and ten minutes long; the edition's id."""
    new = NewProgramme(
        title="农村安全用电", section="kepu", asset_id=asset(people["county"], AssetState.READY)
    )
    with database.write() as session:
        programme = create_programme(session, people["county"], new, now=NOW)
        session.execute(update(Asset).values(duration_ms=600_000))
        return programme.editions[0].id


@pytest.fixture
def colleague(database: Database, people: People) -> Callable[..., Caller]:
    def make(username: str, role: Role, region: str = "13") -> Caller:
        with database.write() as session:
            account = Account(
                username=username,
                name=username,
                password_hash="",
                department=None,
                locale="zh_CN",
                is_active=True,
                created_at=NOW,
                grants=[RoleGrant(role=role, region=region)],
            )
            session.add(account)
            session.flush()
            return caller_of(account)

    return make


def submit(database: Database, who: Caller, edition: str, at: Any = NOW, **more: Any) -> None:
    with database.write() as session:
        service.submit(session, who, edition, now=at, **more)


def decide(database: Database, who: Caller, edition: str, stage: str, at: Any = NOW, **more: Any) -> None:
    with database.write() as session:
        service.decide(
            session,
            who,
            edition,
            Stage(stage),
            now=at,
            **{"approve": True, "comment": "", **more},
        )


def told(database: Database, who: Caller) -> list[str]:
    with database.read() as session:
        return sorted(f"{row.kind}:{row.title}" for row in inbox(session, who)[0])


def tasks(database: Database, edition: str) -> list[ReviewTask]:
    with database.read() as session:
        return list(
            session.scalars(
                select(ReviewTask).where(ReviewTask.edition_id == edition).order_by(ReviewTask.id)
            )
        )


def test_each_stage_opens_with_its_due_time_and_its_reviewers_are_told(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    (first,) = tasks(database, draft)
    assert (first.stage, first.due_at) == ("first", NOW + timedelta(hours=24))
    assert told(database, people["first"]) == ["waiting:待初审：%(title)s"]
    assert told(database, people["second"]) == []
    decide(database, people["first"], draft, "first", NOW + timedelta(hours=1))
    assert [(t.stage, t.closed_at is not None) for t in tasks(database, draft)] == [
        ("first", True),
        ("second", False),
    ]
    assert told(database, people["second"]) == ["waiting:待复审：%(title)s"]


def test_the_contributor_hears_what_became_of_it(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    decide(database, people["first"], draft, "first", approve=False, comment="声音太小")
    assert told(database, people["county"]) == ["returned:退回修改：%(title)s"]
    submit(database, people["county"], draft)
    for stage in ("first", "second", "final"):
        decide(database, people[stage], draft, stage)
    assert "released:三审通过：%(title)s" in told(database, people["county"])
    assert all(task.closed_at for task in tasks(database, draft))


def test_the_queue_holds_what_one_may_decide_urgent_first_then_by_due_time(
    database: Database, people: People, draft: str, asset: Callable[..., str]
) -> None:
    with database.write() as session:
        new = NewProgramme(title="防汛避险", section="kepu", asset_id=asset(people["editor"]))
        urgent = create_programme(session, people["editor"], new, now=NOW).editions[0].id
    submit(database, people["county"], draft)
    submit(database, people["editor"], urgent, NOW + MINUTE, urgent_reason="今晚暴雨")
    with database.read() as session:
        waiting = desk.queue(session, people["first"])
        assert [item.edition.id for item in waiting] == [urgent, draft]
        assert waiting[0].task.due_at == NOW + 16 * MINUTE
        assert not waiting[1].overdue(NOW + timedelta(hours=23))
        assert waiting[1].overdue(NOW + timedelta(hours=24))
        assert desk.queue(session, people["second"]) == []
        assert desk.queue(session, people["first-of-1302"]) == []
        assert desk.queue(session, people["county"]) == []


def test_what_was_handed_in_is_kept_for_comparison(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    decide(database, people["first"], draft, "first", approve=False, comment="标题不清")
    with database.write() as session:
        edition = session.get_one(Edition, draft)
        change_programme(
            session,
            people["county"],
            edition.programme_id,
            Changes(title="农村安全用电常识"),
            now=NOW,
        )
    submit(database, people["county"], draft)
    with database.read() as session:
        edition = session.get_one(Edition, draft)
        before = desk.compared_with(session, edition)
        now = rounds.newest_round(session, draft)
        assert before is not None
        assert now is not None
        assert (before.content["words"]["title"], now.content["words"]["title"]) == (
            "农村安全用电",
            "农村安全用电常识",
        )


# --- urgent -----------------------------------------------------------------------------------------------------------
def test_an_urgent_review_is_decided_only_with_a_second_factor(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft, urgent_reason="今晚暴雨")
    assert told(database, people["first"]) == ["duty:加急初审：%(title)s"]
    with pytest.raises(Forbidden) as refused:
        decide(database, people["first"], draft, "first")
    assert refused.value.code == "second_factor_needed"
    decide(database, people["first"], draft, "first", stepped_up=True)


def test_whoever_is_on_duty_is_called_and_one_who_may_not_decide_is_passed_over(
    database: Database, people: People, draft: str, colleague: Callable[..., Caller]
) -> None:
    on_duty, deputy = colleague("on-duty", Role.FIRST_REVIEWER), colleague("deputy", Role.FIRST_REVIEWER)
    with database.write() as session:
        duty.set_shift(
            session,
            people["admin"],
            stage=Stage.FIRST,
            starts_at=NOW - MINUTE,
            ends_at=NOW + 60 * MINUTE,
            username="on-duty",
            deputy="deputy",
            now=NOW,
        )
        assert duty.on_duty(session, Stage.FIRST, barred=(), now=NOW) == duty.OnDuty(on_duty.id, deputy.id)
        assert duty.on_duty(session, Stage.FIRST, barred={on_duty.id}, now=NOW) == duty.OnDuty(
            deputy.id, None
        )
        assert duty.on_duty(session, Stage.FINAL, barred=(), now=NOW) == duty.OnDuty(None, None)
    submit(database, people["county"], draft, urgent_reason="今晚暴雨")
    (task,) = tasks(database, draft)
    assert (task.called_id, task.deputy_id) == (on_duty.id, deputy.id)
    assert told(database, on_duty) == ["duty:加急初审：%(title)s"]
    assert told(database, deputy) == told(database, people["first"]) == []


def test_a_review_under_way_becomes_urgent_once(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    with database.write() as session:
        service.hurry(session, people["editor"], draft, reason="提前到今晚播出", now=NOW + MINUTE)
        with pytest.raises(Conflict):
            service.hurry(session, people["editor"], draft, reason="再催", now=NOW + MINUTE)
    assert [(t.is_urgent, t.closed_at is None) for t in tasks(database, draft)] == [
        (False, False),
        (True, True),
    ]
    assert sorted(told(database, people["first"])) == [
        "duty:加急初审：%(title)s",
        "waiting:待初审：%(title)s",
    ]


def test_only_editors_make_things_urgent(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    with database.write() as session, pytest.raises(Forbidden):
        service.hurry(session, people["first"], draft, reason="急", now=NOW)


@pytest.mark.parametrize(
    ("username", "deputy", "starts", "ends", "error"),
    [
        ("second", None, 0, 60, Invalid),
        ("first-of-1302", None, 0, 60, Invalid),
        ("first", "first", 0, 60, Invalid),
        ("first", None, 60, 60, Invalid),
        ("first", None, -60, 0, Invalid),
    ],
)
def test_a_roster_that_makes_no_sense_is_refused(
    database: Database, people: People, username: str, deputy: str, starts: int, ends: int, error: type
) -> None:
    with database.write() as session, pytest.raises(error):
        duty.set_shift(
            session,
            people["admin"],
            stage=Stage.FIRST,
            starts_at=NOW + starts * MINUTE,
            ends_at=NOW + ends * MINUTE,
            username=username,
            deputy=deputy,
            now=NOW,
        )


def test_one_stage_has_one_shift_at_a_time(database: Database, people: People) -> None:
    def add(stage: Stage, start: int, end: int) -> None:
        with database.write() as session:
            duty.set_shift(
                session,
                people["admin"],
                stage=stage,
                starts_at=NOW + start * MINUTE,
                ends_at=NOW + end * MINUTE,
                username=stage.value,
                now=NOW,
            )

    add(Stage.FIRST, 0, 60)
    add(Stage.FIRST, 60, 120)
    add(Stage.SECOND, 0, 60)
    with pytest.raises(Conflict):
        add(Stage.FIRST, 30, 90)


# --- checklists, proofreading -----------------------------------------------------------------------------------------
def test_a_checklist_that_is_sent_must_be_complete_and_is_kept(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    with database.read() as session:
        questions = policies.checklist(session, Stage.FIRST)
    everything = {item.id: True for item in questions.items}
    with pytest.raises(Invalid) as refused:
        decide(database, people["first"], draft, "first", checks={**everything, "rights": False})
    assert refused.value.code == "checklist"
    decide(database, people["first"], draft, "first", checks=everything)
    with database.read() as session:
        (review,) = service.reviews_of(session, [draft])
        detail = desk.details_of(session, [review])[review.id]
    assert (detail.checklist_version, len(detail.answers)) == (0, len(questions.items))


def test_the_policy_may_demand_checklist_and_proofreadings(
    database: Database, people: People, draft: str
) -> None:
    with database.write() as session:
        rules = ReviewPolicy(checklist_required=True, proofreading_required=True, first_hours=2)
        policies.set_policy(session, people["admin"], rules, now=NOW)
        with pytest.raises(Forbidden):
            policies.set_policy(session, people["editor"], rules, now=NOW)
    submit(database, people["county"], draft)
    assert tasks(database, draft)[0].due_at == NOW + timedelta(hours=2)
    with pytest.raises(Invalid):
        decide(database, people["first"], draft, "first")
    for stage in ("first", "second"):
        decide(database, people[stage], draft, stage, checks=all_yes(database, stage))
    with pytest.raises(Conflict) as refused:
        decide(database, people["final"], draft, "final", checks=all_yes(database, "final"))
    assert refused.value.code == "proofreading_missing"
    with database.write() as session:
        for username in ("first", "second", "editor"):
            desk.proofread(session, people[username], draft, found="", now=NOW)
    decide(database, people["final"], draft, "final", checks=all_yes(database, "final"))


def all_yes(database: Database, stage: str) -> dict[str, bool]:
    with database.read() as session:
        return {item.id: True for item in policies.checklist(session, Stage(stage)).items}


def test_three_people_proofread_none_of_them_the_contributor(
    database: Database, people: People, draft: str
) -> None:
    with database.write() as session, pytest.raises(Conflict):
        desk.proofread(session, people["first"], draft, found="", now=NOW)
    submit(database, people["county"], draft)
    with database.write() as session:
        with pytest.raises(Forbidden):
            desk.proofread(session, people["county"], draft, found="", now=NOW)
        desk.proofread(session, people["first"], draft, found="“电闸”误作“电匣”", now=NOW)
        with pytest.raises(Forbidden):
            desk.proofread(session, people["first"], draft, found="", now=NOW)
        desk.proofread(session, people["second"], draft, found="", now=NOW)
        desk.proofread(session, people["editor"], draft, found="", now=NOW)
        with pytest.raises(Conflict):
            desk.proofread(session, people["final"], draft, found="", now=NOW)
    with database.read() as session:
        done = rounds.proofreadings(session, draft, 1)
    assert [(row.number, row.found) for row in done] == [(1, "“电闸”误作“电匣”"), (2, ""), (3, "")]


def test_a_new_version_of_a_checklist_leaves_the_old_one_readable(database: Database, people: People) -> None:
    item = policies.Item(id="sound", text="声音清楚")
    with database.write() as session:
        made = policies.set_checklist(session, people["admin"], Stage.FIRST, [item], now=NOW)
        policies.set_checklist(
            session, people["admin"], Stage.FIRST, [item, policies.Item(id="b", text="二")], now=NOW
        )
        assert made.version == 1
        assert len(policies.checklist(session, Stage.FIRST).items) == 2
        assert policies.checklist(session, Stage.FIRST, 1).items == [item]
        with pytest.raises(Invalid):
            policies.set_checklist(session, people["admin"], Stage.FIRST, [item, item], now=NOW)


# --- remarks, watching ------------------------------------------------------------------------------------------------
def test_remarks_stand_at_their_time_code_and_are_ticked_off(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    with database.write() as session:
        desk.comment(session, people["first"], draft, text="整体节奏慢", at_ms=None, now=NOW)
        late = desk.comment(session, people["first"], draft, text="字幕错字", at_ms=90_000, now=NOW)
        desk.comment(session, people["county"], draft, text="已改", at_ms=30_000, now=NOW)
        for bad in (
            {"text": " ", "at_ms": None},
            {"text": "x", "at_ms": 600_001},
            {"text": "x", "at_ms": -1},
        ):
            with pytest.raises(Invalid):
                desk.comment(session, people["first"], draft, now=NOW, **bad)
        with pytest.raises(Forbidden):
            desk.comment(session, people["leader"], draft, text="x", at_ms=None, now=NOW)
        desk.resolve_comment(session, people["county"], late.id, resolved=True, now=NOW)
    with database.read() as session:
        found = [
            (row.at_ms, row.stage, row.resolved_at is not None) for row in desk.comments(session, [draft])
        ]
    assert found == [(30_000, None, False), (90_000, "first", True), (None, "first", False)]


def test_what_was_watched_goes_into_the_decision(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    with database.write() as session:
        assert desk.watched(session, people["first"], draft, [(0, 20_000)], now=NOW) == pytest.approx(1 / 30)
    with database.write() as session:
        at = NOW + timedelta(minutes=10)
        share = desk.watched(session, people["first"], draft, [(0, 300_000), (450_000, 480_000)], now=at)
    assert share == pytest.approx(0.55)
    decide(database, people["first"], draft, "first", at)
    with database.read() as session:
        (review,) = service.reviews_of(session, [draft])
        detail = desk.details_of(session, [review])[review.id]
    assert detail.watched_share == pytest.approx(0.55)
    assert detail.waited_s == 600


# --- protected periods ------------------------------------------------------------------------------------------------
@pytest.fixture
def protected(database: Database, people: People) -> None:
    with database.write() as session:
        protection.declare(
            session,
            people["admin"],
            starts_at=NOW,
            ends_at=NOW + timedelta(days=3),
            reason="党代会",
            now=NOW,
        )


def through_second(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    for stage in ("first", "second"):
        decide(database, people[stage], draft, stage)


def test_a_late_change_in_a_protected_period_needs_a_second_person(
    database: Database, people: People, draft: str, protected: None
) -> None:
    through_second(database, people, draft)
    with database.write() as session:
        record_airing(session, draft, last_at=None, next_at=NOW + timedelta(days=1), regions=["13"])
    with pytest.raises(Conflict) as refused:
        decide(database, people["final"], draft, "final")
    assert refused.value.code == "countersignature_missing"
    with database.write() as session:
        with pytest.raises(Forbidden):
            desk.countersign(session, people["editor"], draft, now=NOW)
        desk.countersign(session, people["admin"], draft, comment="同意", now=NOW)
        with pytest.raises(Conflict):
            desk.countersign(session, people["admin"], draft, now=NOW)
    decide(database, people["final"], draft, "final")


def test_who_countersigned_does_not_approve_finally(
    database: Database, people: People, draft: str, protected: None, colleague: Callable[..., Caller]
) -> None:
    other = colleague("final-two", Role.FINAL_REVIEWER)
    through_second(database, people, draft)
    with database.write() as session:
        record_airing(session, draft, last_at=None, next_at=NOW + timedelta(days=1), regions=["13"])
        desk.countersign(session, other, draft, now=NOW)
    with pytest.raises(Forbidden) as refused:
        decide(database, other, draft, "final")
    assert refused.value.code == "same_person"
    decide(database, people["final"], draft, "final")


def test_what_airs_after_the_period_is_reviewed_as_ever(
    database: Database, people: People, draft: str, protected: None
) -> None:
    through_second(database, people, draft)
    with database.write() as session:
        record_airing(session, draft, last_at=None, next_at=NOW + timedelta(days=4), regions=["13"])
        with pytest.raises(Conflict):
            desk.countersign(session, people["admin"], draft, now=NOW)
    decide(database, people["final"], draft, "final")


def test_a_withdrawal_tells_the_schedules_editors_of_the_gap(
    database: Database, people: People, draft: str
) -> None:
    through_second(database, people, draft)
    decide(database, people["final"], draft, "final")
    with database.write() as session:
        record_airing(session, draft, last_at=None, next_at=NOW + timedelta(days=1), regions=["130123"])
    with database.write() as session:
        service.withdraw(session, people["editor"], draft, reason="版权到期", now=NOW)
    assert "schedule:撤下的节目留下空档：%(title)s" in told(database, people["city"])
    assert "schedule:撤下的节目留下空档：%(title)s" not in told(database, people["neighbour"])
    assert "withdrawn:已撤下：%(title)s" in told(database, people["county"])
