"""An evening of group study, whatever the hour, the power or the discussion."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent import study
from client_agent.study import StudyState
from protocol.documents import Ref, StudyDay, Why
from protocol.identifiers import uuid7
from protocol.times import SHANGHAI, ms_to_text, to_ms

SEVEN = to_ms(datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI))
MINUTE = 60_000
HOUR = 60 * MINUTE


def ref(seed: str, minutes: int = 20) -> Ref:
    return Ref(edition=uuid7(SEVEN), release=seed * 64, duration_ms=minutes * MINUTE)


def study_day(
    name: str = "day", starts_ms: int = SEVEN, discussion_ms: int = 10 * MINUTE, programmes=None
) -> StudyDay:
    return StudyDay(
        id=name, channel="main", starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(starts_ms + 2 * HOUR),
        title="十二月第一次集中学习", discussion_ms=discussion_ms, why=Why(rule="r", level="county", region="130123"),
        programmes=[ref("a"), ref("b")] if programmes is None else programmes,
    )  # fmt: skip


def begun(day: StudyDay | None = None, now_ms: int = SEVEN + 12 * MINUTE) -> study.StudySession:
    day = day or study_day()
    programmes = [
        study.Studied(r.edition, r.edition, r.release, "标题", "dangjian", r.duration_ms, day.discussion_ms)
        for r in day.programmes
    ]
    return study.begin("s1", day, programmes, now_ms=now_ms, led_by="A")


def test_begun_at_twelve_past_it_plays_from_second_nought_and_knows_its_planned_hour():
    session = begun()
    assert (session.state, session.index, session.current.position_ms) == (StudyState.PLAYING, 0, 0)
    assert (session.planned_ms, session.started_ms) == (SEVEN, SEVEN + 12 * MINUTE)


def test_each_programme_is_talked_over_and_then_comes_the_close():
    session = study.heard(begun(), 20 * MINUTE, 20 * MINUTE)
    session = study.over(session, now_ms=SEVEN + 32 * MINUTE)
    assert session.state is StudyState.DISCUSSING
    session = study.onward(session, now_ms=SEVEN + 40 * MINUTE)
    assert (session.state, session.index, session.discussed_ms) == (StudyState.PLAYING, 1, 8 * MINUTE)
    session = study.onward(study.over(session, now_ms=SEVEN + HOUR), now_ms=SEVEN + HOUR + MINUTE)
    assert (session.state, session.completed) == (StudyState.CLOSING, True)
    session = study.finish(session, now_ms=SEVEN + HOUR + 3 * MINUTE)
    assert (session.state, session.ended_ms) == (StudyState.ENDED, SEVEN + HOUR + 3 * MINUTE)
    assert [one.played_ms for one in session.programmes] == [20 * MINUTE, 0]


def test_where_no_discussion_is_meant_the_next_programme_follows_at_once():
    session = study.over(begun(study_day(discussion_ms=0)), now_ms=SEVEN)
    assert (session.state, session.index) == (StudyState.PLAYING, 1)


def test_back_from_the_discussion_one_is_where_one_left_off_and_an_ended_programme_begins_again():
    session = study.over(study.heard(begun(), 5 * MINUTE, 5 * MINUTE), now_ms=SEVEN)
    assert study.back(session, now_ms=SEVEN + MINUTE).current.position_ms == 5 * MINUTE
    ended = study.over(study.heard(begun(), 20 * MINUTE, 20 * MINUTE), now_ms=SEVEN)
    again = study.back(ended, now_ms=SEVEN + MINUTE)
    assert (again.state, again.current.position_ms, again.discussed_ms) == (StudyState.PLAYING, 0, MINUTE)


def test_ended_early_it_is_not_completed_and_what_was_talked_counts():
    session = study.over(begun(), now_ms=SEVEN)
    session = study.finish(session, now_ms=SEVEN + 6 * MINUTE)
    assert (session.completed, session.discussed_ms) == (False, 6 * MINUTE)


def test_after_a_power_cut_it_is_the_same_session_at_the_same_place():
    before = study.heard(begun(), 7 * MINUTE, 7 * MINUTE)
    after = study.after_a_break(before, now_ms=SEVEN + HOUR)
    assert (after.id, after.index, after.current.position_ms, after.broken) == ("s1", 0, 7 * MINUTE, 1)


def test_a_session_nobody_ended_is_over_when_the_power_comes_back_days_later():
    before = study.heard(begun(), 7 * MINUTE, 7 * MINUTE)
    after = study.after_a_break(before, now_ms=SEVEN + 50 * HOUR)
    assert (after.state, after.completed) == (StudyState.ENDED, False)
    assert after.ended_ms == before.since_ms


def test_a_break_in_the_discussion_is_no_discussion():
    session = study.over(begun(), now_ms=SEVEN)
    session = study.after_a_break(session, now_ms=SEVEN + 2 * HOUR)
    assert study.onward(session, now_ms=SEVEN + 2 * HOUR + MINUTE).discussed_ms == MINUTE


def test_a_session_without_programmes_cannot_begin():
    with pytest.raises(ValueError, match="nothing"):
        study.begin("s1", study_day(), [], now_ms=SEVEN)


@pytest.mark.parametrize(
    ("hours", "offered"), [(-3.1, False), (-3, True), (0, True), (1.9, True), (13.9, True), (14, False)]
)
def test_a_study_day_is_offered_from_three_hours_before_until_twelve_hours_after(hours, offered):
    assert (study.day_for([study_day()], SEVEN + int(hours * HOUR)) is not None) is offered


def test_the_day_that_runs_comes_before_the_one_to_come_and_one_without_programmes_is_none():
    days = [
        study_day("next", SEVEN + 3 * HOUR),
        study_day("now"),
        study_day("empty", SEVEN + HOUR, programmes=[]),
    ]
    assert study.day_for(days, SEVEN + HOUR).id == "now"


MOVES = {
    "heard": lambda s, at: study.heard(s, at % (25 * MINUTE), 1_000),
    "over": lambda s, at: study.over(s, now_ms=at),
    "onward": lambda s, at: study.onward(s, now_ms=at),
    "back": lambda s, at: study.back(s, now_ms=at),
    "stop": lambda s, at: study.stop(s, now_ms=at),
    "finish": lambda s, at: study.finish(s, now_ms=at),
    "break": lambda s, at: study.after_a_break(s, now_ms=at),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.integers(-HOUR, 3 * HOUR)), max_size=40))
def test_whatever_is_pressed_in_whatever_order_the_account_stays_sound(moves):
    session, ended = begun(), None
    for name, step in moves:
        session = MOVES[name](session, SEVEN + step)
        assert 0 <= session.index < len(session.programmes)
        assert session.discussed_ms >= 0
        assert all(0 <= one.position_ms <= one.duration_ms for one in session.programmes)
        assert (session.ended_ms is not None) is (session.state is StudyState.ENDED)
        if ended is not None:
            assert session == ended
        ended = session if session.state is StudyState.ENDED else None
