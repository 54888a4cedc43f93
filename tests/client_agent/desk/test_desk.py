"""The desk of a running station: sessions and plays reach the log, corrections reach the province, PINs guard them."""

from __future__ import annotations

import pytest

from client_agent.desk import log_pages, people_pages
from client_agent.desk.log_pages import Amendment, HeadsSaid, LateSession
from client_agent.desk.people_pages import KeepPerson, Nothing, SignIn
from client_agent.evening import Deed, HeadCount
from client_agent.player import PlayState
from client_agent.routes import Refused
from client_agent.sessions import Subject
from protocol.batch import Attendance, LateEntry, Mode, Roll, Study
from tests.client_agent.test_evening import MINUTE, tonight  # noqa: F401


def parts(tonight):  # noqa: F811
    return tonight.server.parts


def month(tonight):  # noqa: F811
    return log_pages.month(parts(tonight), {})


def sign_in(tonight, post="A", pin="2580"):  # noqa: F811
    return people_pages.sign_in(parts(tonight), SignIn(post=post, pin=pin))


@pytest.fixture
def staffed(tonight):  # noqa: F811
    people_pages.keep_person(parts(tonight), KeepPerson(post="A", name="张三", pin="2580"))
    return tonight


def hold(tonight, present=31):  # noqa: F811
    """A session of one programme."""
    tonight.do(Deed.BEGIN)
    tonight.evening.count_heads(HeadCount(present=present, expected=42))
    release = tonight.told()["session"]["current"]["release"]
    tonight.evening.heard(release, 9 * MINUTE, 9 * MINUTE)
    tonight.do(Deed.STOP)
    tonight.do(Deed.FINISH)


def watch(tonight):  # noqa: F811
    subject = Subject(
        Mode.LIBRARY, *["01890000-0000-7000-8000-00000000000b"] * 2, "d" * 64, "冬小麦", "nongji", 20 * MINUTE
    )
    play = tonight.player.begin(subject)
    tonight.player.report(play, PlayState.PLAYING, 0)
    tonight.player._session = tonight.player._session.__class__(
        **{
            **vars_of(tonight.player._session),
            "watched": ((0, 3 * MINUTE),),
            "first_mono_ms": 0,
            "last_mono_ms": 1,
        }
    )


def vars_of(made):
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def test_a_session_without_a_sign_in_is_held_all_the_same_and_says_so(tonight):  # noqa: F811
    hold(tonight)
    [day] = month(tonight)["days"]
    [entry] = day["entries"]
    assert (entry["by"], entry["heads"]["present"], entry["manual"]) == ("", 31, False)


def test_who_is_signed_in_leads_the_session_and_takes_the_roll(staffed):
    sign_in(staffed)
    hold(staffed)
    [record] = staffed.records(Study)
    [roll] = staffed.records(Attendance)
    assert (record.led_by, roll.taken_by) == ("A", "A")
    assert month(staffed)["days"][0]["entries"][0]["by"] == "A"


def test_a_session_whose_line_was_not_written_before_the_power_went_stands_in_the_log_after_it(tonight):  # noqa: F811
    tonight.outbox.on_finished = lambda _: None
    hold(tonight)
    assert month(tonight)["days"] == []
    tonight.off()
    tonight.on()
    [day] = month(tonight)["days"]
    assert (day["studies"], day["entries"][0]["heads"]["present"]) == (1, 31)


def test_a_play_that_the_power_cut_off_stands_in_the_log_as_far_as_it_was_seen(tonight):  # noqa: F811
    watch(tonight)
    tonight.player._journal()
    tonight.off()
    tonight.on()
    [entry] = month(tonight)["days"][0]["entries"]
    assert (entry["kind"], entry["programmes"][0]["played_ms"]) == ("viewing", 3 * MINUTE)


def test_the_log_stands_when_the_outbox_is_gone(tonight):  # noqa: F811
    hold(tonight)
    tonight.off()
    for file in tonight.station.paths.data.glob("outbox.sqlite*"):
        file.unlink()
    tonight.on()
    assert month(tonight)["sum"]["studies"] == 1


def test_nothing_in_the_log_is_corrected_by_nobody(staffed):
    hold(staffed)
    wrong = Amendment(about=2, reason="miscounted", heads=HeadsSaid(expected=42, present=40))
    with pytest.raises(Refused, match="sign-in"):
        log_pages.amend(parts(staffed), wrong)
    with pytest.raises(Refused, match="sign-in"):
        log_pages.check(parts(staffed), Nothing())
    assert month(staffed)["sum"]["late"] == 0


def test_other_heads_are_reported_late_under_the_same_session(staffed):
    hold(staffed)
    sign_in(staffed)
    entry = month(staffed)["days"][0]["entries"][0]
    asked = Amendment(
        about=entry["n"], reason="miscounted", heads=HeadsSaid(expected=42, present=33, members=12)
    )
    log_pages.amend(parts(staffed), asked)
    late = staffed.records(Attendance)[-1]
    [session] = staffed.records(Study)
    assert (late.roll, late.session, late.present, late.members, late.public, late.taken_by) == (
        Roll.LATE, session.session, 33, 12, 21, "A",
    )  # fmt: skip
    [told] = staffed.records(LateEntry)
    assert (told.session, told.by, told.reason, told.manual, told.void) == (
        session.session,
        "A",
        "数错了",
        False,
        False,
    )
    assert told.started_at == session.started_at
    entry = month(staffed)["days"][0]["entries"][0]
    assert (entry["heads"]["present"], entry["start"]["present"]) == (33, 31)


def test_a_late_entry_is_told_after_a_power_cut_before_its_record(staffed, monkeypatch):
    hold(staffed)
    sign_in(staffed)
    n = month(staffed)["days"][0]["entries"][0]["n"]
    with monkeypatch.context() as cut:
        cut.setattr(log_pages, "tell", lambda *_: None)
        log_pages.amend(
            parts(staffed), Amendment(about=n, reason="miscounted", heads=HeadsSaid(expected=42, present=33))
        )
    assert len(staffed.records(Attendance)) == 1
    staffed.off()
    staffed.on()
    assert {one.roll for one in staffed.records(Attendance)} == {Roll.START, Roll.LATE}
    staffed.off()
    staffed.on()
    assert len(staffed.records(Attendance)) == 2


def late_session(day="2026-12-04", minute=19 * 60, **more):
    heads = more.pop("heads", HeadsSaid(expected=42, present=20))
    return LateSession(day=day, from_minute=minute, minutes=90, reason="power_cut", heads=heads, **more)


def test_a_session_without_a_record_is_entered_late_and_reported_so(staffed):
    sign_in(staffed)
    log_pages.add_late(parts(staffed), late_session())
    [roll] = staffed.records(Attendance)
    assert (roll.roll, roll.present) == (Roll.LATE, 20)
    [entered] = staffed.records(LateEntry)
    assert (entered.session, entered.manual, entered.reason) == (roll.session, True, "停电")
    told = month(staffed)
    day = told["days"][-1]
    assert (day["day"], day["entries"][0]["manual"], told["sum"]["study_ms"]) == (
        "2026-12-04",
        True,
        90 * MINUTE,
    )


@pytest.mark.parametrize(
    "day", ["2026-12-06", "2026-08-01", "2026-02-30"], ids=["to come", "long ago", "no day"]
)
def test_no_session_is_entered_for_a_day_to_come_or_long_ago(staffed, day):
    sign_in(staffed)
    with pytest.raises(Refused, match="day"):
        log_pages.add_late(parts(staffed), late_session(day))
    assert staffed.records(Attendance) == []


def test_more_members_than_people_are_refused(staffed):
    sign_in(staffed)
    with pytest.raises(Refused, match="heads"):
        log_pages.add_late(parts(staffed), late_session(heads=HeadsSaid(expected=1, present=2, members=3)))


def test_wrong_pins_are_told_apart_and_whoever_changes_stands_in_the_log(staffed):
    with pytest.raises(Refused, match="no-person"):
        sign_in(staffed, "B")
    for word in ["pin-wrong"] * 5 + ["pin-locked"]:
        with pytest.raises(Refused, match=word):
            sign_in(staffed, pin="1111")
    assert people_pages.people(parts(staffed), {})["people"][0]["wait_ms"] > 0
    assert [one["reason"] for one in month(staffed)["days"][0]["others"]] == ["person"]
