"""月计划: the county's days as the village holds them, how they went, and what is offered tonight."""

from __future__ import annotations

from datetime import datetime

import pytest

from client_agent import reporting
from client_agent.desk import plan_pages
from client_agent.desk.people_pages import KeepPerson, SignIn, keep_person, sign_in
from client_agent.desk.plan import NotPlanned
from client_agent.desk.plan_pages import Add, Move, Restore, step
from client_agent.desk.plan_rules import Change, DayState, PlanChange, adjusted, state_of
from client_agent.evening import Deed, NoSession
from client_agent.routes import Refused
from protocol.batch import PlanChanged
from protocol.documents import StudyDay, Why
from protocol.times import SHANGHAI, ms_to_text, text_to_ms
from tests.client_agent.test_evening import MINUTE, NOW, tonight  # noqa: F401

DAY = 86_400_000


def county_day(name="d", starts_ms=NOW, title="第一次集中学习"):
    return StudyDay(
        id=name, channel="main", starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(starts_ms + 120 * MINUTE),
        title=title, why=Why(rule="r", level="county", region="130123"),
    )  # fmt: skip


def moved(name="d", against_ms=NOW, to_ms_=NOW + DAY, **more):
    return PlanChange(
        day=name, what=Change.MOVE, at_ms=NOW, reason="farming", against_ms=against_ms, starts_ms=to_ms_,
        ends_ms=to_ms_ + 120 * MINUTE, **more,
    )  # fmt: skip


def own(name="own@1", starts_ms=NOW + 2 * DAY, what=Change.ADD):
    return PlanChange(day=name, what=what, at_ms=NOW, starts_ms=starts_ms, ends_ms=starts_ms + 60 * MINUTE)


# --- the rules ----------------------------------------------------------------------------------------------------------
def test_a_moved_day_says_what_it_was_meant_for_and_why():
    [day] = adjusted([county_day()], [moved()])
    assert (text_to_ms(day.starts_at), text_to_ms(day.moved_from), day.reason) == (NOW + DAY, NOW, "农忙")
    assert text_to_ms(day.ends_at) - text_to_ms(day.starts_at) == 120 * MINUTE


def test_the_last_word_holds_and_taken_back_the_county_s():
    days = [county_day()]
    assert text_to_ms(adjusted(days, [moved(), moved(to_ms_=NOW + 3 * DAY)])[0].starts_at) == NOW + 3 * DAY
    restore = PlanChange(day="d", what=Change.RESTORE, at_ms=NOW)
    assert adjusted(days, [moved(), restore]) == days


def test_a_day_that_the_county_moved_itself_is_where_the_county_put_it():
    later = county_day(starts_ms=NOW + 5 * DAY)
    assert adjusted([later], [moved(against_ms=NOW)]) == [later]


def test_days_of_its_own_stand_in_order_until_taken_away():
    days = [county_day(), county_day("e", NOW + 5 * DAY)]
    assert [day.id for day in adjusted(days, [own()])] == ["d", "own@1", "e"]
    assert [day.id for day in adjusted(days, [own(), own(what=Change.RESTORE)])] == ["d", "e"]


@pytest.mark.parametrize(
    ("sessions", "late", "now_ms", "state"),
    [
        ({}, set(), NOW - DAY, DayState.COMING),
        ({}, set(), NOW, DayState.TODAY),
        ({}, set(), NOW + 2 * DAY, DayState.MISSED),
        ({"d": True}, set(), NOW + 2 * DAY, DayState.DONE),
        ({"d": False}, set(), NOW + 2 * DAY, DayState.PARTLY),
        ({}, {"2026-12-05"}, NOW + 2 * DAY, DayState.LATE),
        ({"other": True}, set(), NOW + 2 * DAY, DayState.MISSED),
    ],
)
def test_how_a_day_went(sessions, late, now_ms, state):
    today = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).date().isoformat()
    assert state_of(county_day(), sessions, late, today, now_ms) is state


def test_months_step_over_the_year():
    assert (step("2026-12", 1), step("2027-01", -1), step("2026-11", 0)) == ("2027-01", "2026-12", "2026-11")


# --- the station --------------------------------------------------------------------------------------------------------
@pytest.fixture
def staffed(tonight):  # noqa: F811
    keep_person(tonight.server.parts, KeepPerson(post="A", name="张三", pin="2580"))
    sign_in(tonight.server.parts, SignIn(post="A", pin="2580"))
    return tonight


def plan(tonight):  # noqa: F811
    return tonight.server.parts.desk.plan


def told(tonight):  # noqa: F811
    return plan_pages.month(tonight.server.parts, {"month": "2026-12"})["days"]


def test_a_day_moved_to_another_evening_is_offered_there_and_not_here(staffed):
    assert staffed.told()["offer"]["day"] == "d"
    plan_pages.move(staffed.server.parts, Move(day="d", starts_ms=NOW + DAY, reason="farming"))
    assert staffed.told()["offer"] is None
    with pytest.raises(NoSession):
        staffed.do(Deed.BEGIN)
    offer = staffed.evening._offer(NOW + DAY, lambda _: {"stored": True})
    assert (offer["day"], offer["reason"]) == ("d", "农忙")
    plan_pages.restore(staffed.server.parts, Restore(day="d"))
    assert staffed.told()["offer"]["day"] == "d"


def test_a_change_survives_the_power_and_stands_in_the_log(staffed):
    plan_pages.move(staffed.server.parts, Move(day="d", starts_ms=NOW + DAY, reason="weather"))
    staffed.off()
    staffed.on()
    assert text_to_ms(plan(staffed).days()[0].starts_at) == NOW + DAY
    events = [
        line
        for line in staffed.server.parts.desk.log.lines("2026-12-01", "2026-12-31")
        if line.reason == "plan-move"
    ]
    assert [(line.by, line.text, line.study_day) for line in events] == [("A", "weather", "d")]
    [told] = staffed.records(PlanChanged)
    assert (told.day, told.change, told.reason, told.by) == ("d", "move", "天气", "A")
    assert (text_to_ms(told.started_at), text_to_ms(told.planned_at)) == (NOW + DAY, NOW - 12 * MINUTE)


def test_the_power_goes_at_every_write_and_a_change_and_its_line_stand_or_fall_together(staffed, monkeypatch):
    class PowerCut(BaseException):
        pass

    parts, book = staffed.server.parts, staffed.server.parts.book
    execute, count, done = book.execute, 0, False

    def events():
        return [
            line.study_day
            for line in parts.desk.log.lines("2026-12-01", "2026-12-31")
            if line.reason == "plan-move"
        ]

    while not done:
        left = count

        def dying(statement, values=()):
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCut
            return execute(statement, values)

        monkeypatch.setattr(book, "execute", dying)
        try:
            parts.desk.plan.move("d", NOW + DAY, "farming", "A")
            done = True
        except PowerCut:
            pass
        finally:
            monkeypatch.setattr(book, "execute", execute)
        changed = parts.desk.plan.changed("d") is not None
        assert (changed, bool(events())) in ((False, False), (True, True))
        assert parts.desk.log.broken_at() is None
        if changed:
            parts.desk.plan.restore("d", "A")
            break
        count += 1
    assert count >= 4


def test_a_day_of_the_village_s_own_is_offered_and_held_like_any_other(staffed):
    parts = staffed.server.parts
    release = staffed.station.programmes[0].release
    plan_pages.move(parts, Move(day="d", starts_ms=NOW + 20 * DAY, reason="meeting"))
    added = plan_pages.add(parts, Add(starts_ms=NOW + 60 * MINUTE, releases=[release, release]))["day"]
    assert staffed.told()["offer"]["day"] == added
    staffed.do(Deed.BEGIN)
    staffed.evening.heard(release, 19 * MINUTE, 19 * MINUTE)
    staffed.do(Deed.OVER)
    staffed.do(Deed.ONWARD)
    staffed.do(Deed.FINISH)
    assert [(one["state"], one["own"]) for one in told(staffed) if one["id"] == added] == [("done", True)]


@pytest.mark.parametrize(
    ("starts_ms", "word"), [(NOW - MINUTE, "past"), (NOW + 90 * DAY, "far")], ids=["past", "far"]
)
def test_no_day_is_moved_into_the_past_or_out_of_sight(staffed, starts_ms, word):
    with pytest.raises(Refused, match=word):
        plan_pages.move(staffed.server.parts, Move(day="d", starts_ms=starts_ms, reason="other"))
    assert plan(staffed).changed("d") is None


def test_what_is_unknown_or_held_is_not_moved(staffed):
    with pytest.raises(Refused, match="day"):
        plan_pages.move(staffed.server.parts, Move(day="zzz", starts_ms=NOW + DAY, reason="other"))
    staffed.do(Deed.BEGIN)
    staffed.do(Deed.FINISH)
    with pytest.raises(Refused, match="held"):
        plan_pages.move(staffed.server.parts, Move(day="d", starts_ms=NOW + DAY, reason="other"))
    with pytest.raises(NotPlanned):
        plan(staffed).restore("d", "A")


def test_nobody_changes_the_plan_without_a_pin(tonight):  # noqa: F811
    with pytest.raises(Refused, match="sign-in"):
        plan_pages.move(tonight.server.parts, Move(day="d", starts_ms=NOW + DAY, reason="other"))
    with pytest.raises(Refused, match="sign-in"):
        plan_pages.add(tonight.server.parts, Add(starts_ms=NOW + DAY, releases=["0" * 64]))


def test_only_programmes_of_the_library_are_added(staffed):
    with pytest.raises(Refused, match="release"):
        plan_pages.add(staffed.server.parts, Add(starts_ms=NOW + DAY, releases=["0" * 64]))


def test_days_that_documents_no_longer_name_are_remembered_once_past_and_forgotten_when_taken_out(tonight):  # noqa: F811
    station = tonight.station
    past = county_day("past", NOW - 3 * DAY)
    soon = county_day("soon", NOW + 3 * DAY)
    station.more["study"] = [past, *station.more["study"], soon]
    station.publish()
    assert [one["id"] for one in told(tonight)] == ["past", "d", "soon"]
    station.more["study"] = [day for day in station.more["study"] if day.id == "d"]
    station.publish()
    assert [(one["id"], one["state"]) for one in told(tonight)] == [("past", "missed"), ("d", "today")]


def test_a_session_ended_early_is_held_in_part(tonight):  # noqa: F811
    tonight.do(Deed.BEGIN)
    tonight.do(Deed.STOP)
    tonight.do(Deed.FINISH)
    assert [one["state"] for one in told(tonight)] == ["partly"]


def test_a_changed_clock_that_nobody_trusts_changes_no_plan(tmp_path):
    from tests.client_agent.station import Machine, Station

    station = Station(tmp_path / "dark", NOW, known_clock=False)
    station.publish()
    agent = station.open(Machine(NOW))
    outbox = reporting.open_outbox(agent)
    _, server = reporting.open_tv(agent, outbox, 0)
    keep_person(server.parts, KeepPerson(post="A", name="张三", pin="2580"))
    sign_in(server.parts, SignIn(post="A", pin="2580"))
    with pytest.raises(Refused, match="clock"):
        plan_pages.move(server.parts, Move(day="d", starts_ms=NOW + DAY, reason="other"))
    server.server_close()
    server.parts.book.close()
    outbox.close()
    agent.close()
