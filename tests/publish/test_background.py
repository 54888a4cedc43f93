"""What goes out by itself, what waits for whom, and what becomes of orders when the publisher dies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from protocol.documents import Emergency, EmergencyItem, Frame, LocalDocument, decode
from protocol.names import frame_target, local_target, release_target
from server.catalog import protection
from server.catalog import service as programmes
from server.catalog.models import Edition
from server.errors import Conflict, Forbidden
from server.identity.messages import Message
from server.identity.rules import Role
from server.lease import LeaseRow
from server.publish import orders, queue, service
from server.publish.jobs import BackgroundPublisher
from server.publish.models import (
    ChangeState,
    OrderState,
    PublicationKind,
    PublicationOrder,
)
from server.schedule import approval, notices
from server.schedule import service as schedule
from server.schedule.models import EmergencyRule
from tests.flow.province import wait_until
from tests.publish.conftest import ADMIN, COUNTY, EDITOR, EVENING, somebody

TARGET = local_target("130123")
WINDOW = EVENING.replace(hour=20)
CITY = somebody(Role.CITY_EDITOR, "1301")
OTHER_CITY = somebody(Role.CITY_EDITOR, "1307")


@pytest.fixture
def edition(province) -> str:
    made = province.release("蔚县剪纸")
    province.publish()
    return made


def on_air(terminal) -> list[str]:
    data = terminal.fetch(TARGET)
    if data is None:
        return []
    return [item.edition for channel in decode(data, LocalDocument).channels for item in channel.items]


def kinds(province) -> list[str]:
    with province.database.read() as session:
        return [row.kind for row in service.list_publications(session, ADMIN)]


# --- clean edits ------------------------------------------------------------------------------------------------------
def test_a_countys_clean_edit_goes_out_with_the_next_step(province, terminal, edition):
    worker = province.worker()
    worker.step()
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)

    assert worker.step()

    assert on_air(terminal) == [edition]
    assert province.waiting() == []
    assert kinds(province)[0] == PublicationKind.UNATTENDED
    assert not worker.step()  # and nothing is left to do


def test_an_edit_beside_a_fault_of_the_same_county_waits_until_the_report_is_clean(
    province, terminal, edition
):
    other = province.release("冬小麦返青管理")
    province.publish()
    slot = province.place(other, at=WINDOW.replace(minute=30), region="130123", by=COUNTY)
    with province.database.write() as session:
        session.get(Edition, other).programme.rights_until = WINDOW
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)

    assert not province.worker().step()

    [waiting] = province.waiting()
    assert [reason["code"] for reason in waiting.reasons] == ["rights_time"]
    with province.database.write() as session:
        schedule.remove_slot(session, COUNTY, slot, now=province.now)
    assert province.worker().step()
    assert on_air(terminal) == [edition]


def test_an_edit_taken_back_goes_out_too(province, terminal, edition):
    slot = province.place(edition, at=WINDOW, region="130123", by=COUNTY)
    province.changes()
    with province.database.write() as session:
        schedule.remove_slot(session, COUNTY, slot, now=province.now)

    assert province.changes().changed

    assert on_air(terminal) == []


def test_only_what_changed_is_signed_again(province, edition):
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)

    result = province.changes()

    assert (result.documents, result.roles) == (1, 1)  # the county's document, its city's role
    assert not province.changes().changed


def test_the_provinces_edit_waits_and_goes_out_once_a_second_person_approved_it(province, terminal, edition):
    province.place(edition)
    assert not province.changes().changed
    [waiting] = province.waiting()
    assert (waiting.region, waiting.authors) == ("13", [EDITOR.id])
    assert [reason["code"] for reason in waiting.reasons] == ["frame"]

    with province.database.write() as session:
        queue.approve(session, ADMIN, waiting.id, now=province.now)
    assert province.changes().changed

    frame = decode(terminal.fetch(frame_target("13")), Frame)
    assert [item.edition for item in frame.channels[0].items] == [edition]
    [done] = province.waiting(ChangeState.PUBLISHED)
    assert done.number == terminal.versions()[1]


def test_nobody_approves_his_own_change_nor_one_elsewhere(province, edition):
    province.place(edition)
    province.changes()
    [waiting] = province.waiting()
    for person, error in ((EDITOR, Forbidden), (COUNTY, Exception), (CITY, Exception)):
        with province.database.write() as session, pytest.raises(error):
            queue.approve(session, person, waiting.id, now=province.now)
    assert [row.state for row in province.waiting()] == [ChangeState.WAITING]


def test_an_approval_holds_for_the_very_change_only(province, terminal, edition):
    province.place(edition)
    province.changes()
    [waiting] = province.waiting()
    with province.database.write() as session:
        queue.approve(session, ADMIN, waiting.id, now=province.now)
    province.place(edition, at=EVENING.replace(hour=21))

    assert not province.changes().changed

    [again] = province.waiting()
    assert len(again.lines) == 2
    assert [row.id for row in province.waiting(ChangeState.SUPERSEDED)] == [waiting.id]


def test_a_returned_change_stays_out_even_when_somebody_publishes_until_it_is_edited(
    province, terminal, edition
):
    slot = province.place(edition)
    province.changes()
    [waiting] = province.waiting()
    with province.database.write() as session:
        queue.give_back(session, ADMIN, waiting.id, comment="放到周六", now=province.now)

    result = province.publish()

    assert [held.problems[0].code for held in result.held_back] == ["returned"]
    frame = decode(terminal.fetch(frame_target("13")), Frame)
    assert frame.channels[0].items == []
    with province.database.write() as session:
        schedule.remove_slot(session, EDITOR, slot, now=province.now)
    province.place(edition, at=EVENING + timedelta(days=7))
    assert province.publish().held_back == ()


def test_two_people_who_decide_at_once_do_not_contradict_each_other(province, edition):
    province.place(edition)
    province.changes()
    [waiting] = province.waiting()
    with province.database.write() as session:
        queue.approve(session, ADMIN, waiting.id, now=province.now)
        queue.approve(session, ADMIN, waiting.id, now=province.now)
    with province.database.write() as session, pytest.raises(Conflict):
        queue.give_back(session, ADMIN, waiting.id, comment="不", now=province.now)


def test_days_that_came_into_reach_while_nobody_published_go_out_with_the_next_publication(
    province, terminal, edition
):
    with province.database.write() as session:
        schedule.put_slot(
            session,
            EDITOR,
            region="13",
            starts_at=EVENING,
            programme_id=edition,
            rrule="FREQ=DAILY",
            now=province.now,
        )
    province.publish()
    before = decode(terminal.fetch(frame_target("13")), Frame)
    province.later(days=2)
    terminal.now = province.now
    service.keep_fresh(province.database, province.config, province.store, now=province.now)

    assert not province.changes().changed  # days alone are no change …
    assert province.waiting() == []
    assert province.publish().changed  # … but whoever publishes carries them on

    after = decode(terminal.fetch(frame_target("13")), Frame)
    assert after.valid_until > before.valid_until
    assert after.channels[0].items[-1].starts_at > before.channels[0].items[-1].starts_at
    assert service.reaches_until(province.config) == after.valid_until


# --- protected periods -----------------------------------------------------------------------------------------------------
def protect(province) -> None:
    with province.database.write() as session:
        protection.declare(
            session,
            ADMIN,
            starts_at=province.now,
            ends_at=province.now + timedelta(days=3),
            reason="重要会议",
            now=province.now,
        )
    province.later(minutes=1)


def test_in_a_protected_period_even_a_clean_edit_waits(province, terminal, edition):
    protect(province)
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)

    assert not province.changes().changed
    [waiting] = province.waiting()
    assert [reason["code"] for reason in waiting.reasons] == ["protected"]
    assert not province.publish().changed  # nor does it go out under somebody's hand

    with province.database.write() as session:
        queue.approve(session, CITY, waiting.id, now=province.now)
    assert province.changes().changed
    assert on_air(terminal) == [edition]


# --- what may no longer be played -------------------------------------------------------------------------------------------
def test_a_withdrawn_programme_is_gone_with_the_next_step(province, terminal, edition):
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)
    worker = province.worker()
    worker.step()
    assert on_air(terminal) == [edition]
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)

    assert worker.step()

    assert terminal.fetch(release_target(edition)) is None
    assert on_air(terminal) == []


# --- rolling back -------------------------------------------------------------------------------------------------------------
def test_a_rollback_brings_the_old_schedule_with_higher_serials_and_holds_what_is_edited(
    province, terminal, edition
):
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)
    first = province.publish().number
    before = decode(terminal.fetch(TARGET), LocalDocument)
    province.place(edition, at=WINDOW.replace(minute=30), region="130123", by=COUNTY)
    province.place(edition)
    province.publish()
    serial = decode(terminal.fetch(TARGET), LocalDocument).serial

    result = service.roll_back(
        province.database, province.config, province.store, to=first, now=province.now, by="测试"
    )

    assert result.number > first
    after = decode(terminal.fetch(TARGET), LocalDocument)
    assert after.channels == before.channels
    assert after.serial > serial
    assert decode(terminal.fetch(frame_target("13")), Frame).channels[0].items == []
    assert not province.changes().changed
    assert {r["code"] for row in province.waiting() for r in row.reasons} >= {"rolled_back"}
    assert province.publish().changed  # publishing takes up the present schedule again
    assert len(on_air(terminal)) == 2
    assert province.waiting() == []


def test_a_rollback_undoes_no_withdrawal_and_no_recall(province, terminal, edition):
    other = province.release("冬小麦返青管理")
    for hour, one in ((20, edition), (20, other)):
        province.place(
            one, at=EVENING.replace(hour=hour, minute=30 * (one == other)), region="130123", by=COUNTY
        )
    first = province.publish().number
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)
        service.recall(session, ADMIN, other, reason="有误", now=province.now)
    province.publish()

    service.roll_back(
        province.database, province.config, province.store, to=first, now=province.now, by="测试"
    )

    assert on_air(terminal) == []
    assert terminal.fetch(release_target(edition)) is None
    assert other.encode() in terminal.fetch("recall.json")


# --- orders ------------------------------------------------------------------------------------------------------------------------
def ask(province, **more) -> str:
    with province.database.write() as session:
        return orders.ask(session, EDITOR, now=province.now, **more).id


def state_of(province, order: str) -> str:
    with province.database.read() as session:
        return session.get(PublicationOrder, order).state


def test_an_order_left_by_a_killed_publisher_is_carried_out_by_the_next(province, edition):
    province.place(edition)
    order = ask(province)
    with province.database.write() as session:
        orders.begin(session, order, now=province.now)
        row = session.get(LeaseRow, service.LEASE)
        row.holder, row.expires_ms = "elsewhere/1/abcd", 0

    assert province.worker().step()

    assert state_of(province, order) == OrderState.DONE


def test_an_order_that_was_served_before_its_publisher_died_is_done_without_another(province, edition):
    province.place(edition)
    order = ask(province)
    number = province.publish().number

    province.worker().step()

    with province.database.read() as session:
        answer = session.get(PublicationOrder, order).answer
    assert (answer["changed"], answer["number"]) == (False, number)


def test_orders_are_carried_out_in_turn_and_one_that_fails_stops_none(province, edition):
    old = province.publish().number
    province.place(edition)
    province.publish()
    (province.config.read / "r" / "metadata" / f"{old}.snapshot.json").unlink()
    first, second = ask(province, back_to=old), ask(province)
    worker = province.worker()

    assert worker.step()
    assert worker.step()

    assert state_of(province, first) == OrderState.FAILED
    assert state_of(province, second) == OrderState.DONE
    with province.database.read() as session:
        assert session.get(PublicationOrder, first).error["code"] == "not_kept"


def test_a_worker_without_keys_leaves_orders_to_the_one_that_has_them(sqlite_province):
    province = sqlite_province
    order = ask(province)
    encoder = BackgroundPublisher(replace(province.config, data=province.config.data / "elsewhere"))
    encoder.start()
    encoder.stop()
    assert state_of(province, order) == OrderState.QUEUED

    publisher = BackgroundPublisher(province.config)
    publisher.start()
    wait_until(lambda: state_of(province, order) == OrderState.DONE, "the order to be carried out")
    publisher.stop()


def test_whoever_may_approve_is_told_once(province, edition):
    province.place(edition)
    province.changes()
    province.later(minutes=5)
    province.changes()
    with province.database.read() as session:
        keys = [message.key for message in session.query(Message)]
    assert len(keys) == len(set(keys))


def test_an_edit_of_a_programme_not_admitted_yet_is_said_to_wait_for_the_catalogue(
    province, terminal, edition
):
    fresh = province.release("刚审完")
    province.place(fresh, at=WINDOW, region="130123", by=COUNTY)

    assert not province.changes().changed

    with province.database.read() as session:
        [missing] = queue.not_admitted(session, COUNTY, now=province.now)
        assert queue.not_admitted(session, OTHER_CITY, now=province.now) == []
    assert (missing.region, missing.title) == ("130123", "刚审完")
    province.publish()
    assert on_air(terminal) == [fresh]
    with province.database.read() as session:
        assert queue.not_admitted(session, COUNTY, now=province.now) == []


# --- emergencies -------------------------------------------------------------------------------------------------------------------
OFFICER = somebody(Role.FINAL_REVIEWER)


def propose(province, **more) -> str:
    with province.database.write() as session:
        rule = notices.propose_emergency(
            session,
            EDITOR,
            regions=["130123"],
            ends_at=province.now + timedelta(minutes=30),
            now=province.now,
            **more,
        )
        return rule.id


def overrides(terminal) -> list[EmergencyItem]:
    return decode(terminal.fetch("emergency.json"), Emergency).items


def test_an_emergency_goes_out_with_the_step_after_the_second_person_and_ends(province, terminal, edition):
    worker = province.worker()
    worker.step()
    rule = propose(province, text="暴雨红色预警，请立即转移", drill=True)
    worker.step()
    assert overrides(terminal) == []

    with province.database.write() as session:
        notices.approve_emergency(session, OFFICER, rule, now=province.now)
    assert worker.step()

    [item] = overrides(terminal)
    assert (item.text, item.regions) == ("【演练】暴雨红色预警，请立即转移", ["130123"])
    with province.database.write() as session:
        notices.end_emergency(session, EDITOR, rule, now=province.now)
    worker.step()
    assert overrides(terminal) == []


def test_an_emergency_may_show_a_programme_of_the_catalogue_and_is_over_by_itself(
    province, terminal, edition
):
    worker = province.worker()
    rule = propose(province, programme_id=edition)
    with province.database.write() as session:
        notices.approve_emergency(session, OFFICER, rule, now=province.now)
    worker.step()
    assert [item.ref.edition for item in overrides(terminal)] == [edition]

    province.later(hours=1)
    terminal.now = province.now
    assert worker.step()

    assert overrides(terminal) == []


def test_an_emergency_row_that_says_approved_without_a_second_person_is_not_signed(
    province, terminal, edition
):
    """Somebody with the database's password writes the row; the signers ask the audit chain."""
    rule = propose(province, text="伪造的通知")
    with province.database.write() as session:
        row = session.get(EmergencyRule, rule)
        row.approved_at, row.approved_by = province.now, OFFICER.id

    for publish in (province.changes, province.publish):
        result = publish()
        assert [(h.subject, h.problems[0].code) for h in result.held_back] == [
            ("emergency.json", "not_agreed")
        ]
    assert overrides(terminal) == []


def test_the_text_of_an_approved_emergency_cannot_be_swapped_in_its_row(province, terminal, edition):
    rule = propose(province, text="今晚停电")
    with province.database.write() as session:
        notices.approve_emergency(session, OFFICER, rule, now=province.now)
        session.get(EmergencyRule, rule).text = "别的话"

    assert [held.problems[0].code for held in province.changes().held_back] == ["not_agreed"]
    assert overrides(terminal) == []


# --- weeks ---------------------------------------------------------------------------------------------------------------------------
def test_a_week_that_lies_before_its_approver_is_not_published_piece_by_piece(province, terminal, edition):
    with province.database.write() as session:
        approval.submit(session, COUNTY, "130123", WINDOW.date(), now=province.now)
    province.place(edition, at=WINDOW, region="130123", by=COUNTY)

    assert not province.changes().changed

    [waiting] = province.waiting()
    assert [reason["code"] for reason in waiting.reasons] == ["week_submitted"]
    with province.database.write() as session:
        approval.take_back(session, COUNTY, "130123", WINDOW.date(), now=province.now)
    assert province.changes().changed
    assert on_air(terminal) == [edition]
