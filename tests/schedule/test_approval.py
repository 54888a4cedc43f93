"""A week on its way: draft, submitted, approved, frozen; two people; what is changed afterwards is listed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.times import SHANGHAI
from server.errors import Conflict, Forbidden, Invalid, NotFound, YuanboError
from server.schedule import approval, service
from server.schedule.approval_rules import (
    MOVES,
    Move,
    WeekState,
    bounds,
    monday_of,
    state_at,
    touches,
    usual_lock,
)
from tests.schedule.conftest import COUNTY, DEPUTY, EVENING, NOW, PROVINCE, add_programme

WEEK = date(2026, 12, 7)
LOCK = datetime(2026, 12, 4, 18, 0, tzinfo=SHANGHAI)
LATER = date(2026, 12, 14)


# --- the rules --------------------------------------------------------------------------------------------------------
def test_a_week_is_named_by_its_monday_and_locked_on_the_friday_before():
    assert monday_of(date(2026, 12, 13)) == WEEK
    assert usual_lock(WEEK) == LOCK
    assert bounds(WEEK)[0] == datetime(2026, 12, 7, tzinfo=SHANGHAI)


@given(st.sampled_from(WeekState), st.sampled_from(Move), st.integers(-100, 100))
def test_an_approved_week_freezes_by_the_clock_alone_and_then_moves_no_more(state, move, hours):
    now = LOCK + timedelta(hours=hours)
    seen = state_at(state, LOCK, now)

    assert seen == (WeekState.FROZEN if state is WeekState.APPROVED and hours >= 0 else state)
    if seen is WeekState.FROZEN:
        assert (seen, move) not in MOVES


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"starts_at": "2026-12-08T11:00:00.000Z"}, True),
        ({"starts_at": "2026-12-14T11:00:00.000Z"}, False),
        ({"starts_at": "2026-11-02T11:00:00.000Z", "rrule": "FREQ=WEEKLY"}, True),
        ({"starts_at": "2026-11-02T11:00:00.000Z", "rrule": "FREQ=WEEKLY;UNTIL=20261120"}, False),
        ({"starts_at": "2026-12-01T11:00:00.000Z", "until": "2026-12-07T01:00:00.000Z"}, True),
        ({"starts_at": "2026-12-08T11:00:00.000Z", "removed_at": "2026-12-01T11:00:00.000Z"}, False),
        ({"day": "2026-12-13"}, True),
        ({"day": "2026-12-14"}, False),
        ({}, True),
    ],
)
def test_a_rule_touches_the_weeks_it_happens_in(rule, found):
    begin, end = bounds(WEEK)

    assert touches(rule, None, begin, end) is found
    assert touches(None, rule, begin, end) is found


@pytest.fixture
def session(province):
    """One open transaction of a province with a few regions."""
    return province


# --- the service ------------------------------------------------------------------------------------------------------
def state(session, region="13", week=LATER, now=NOW):
    return approval.week_of(session, PROVINCE, region, week, now=now).state


def put(session, by=PROVINCE, region="13", days=9, hour=19):
    programme = add_programme(session, f"节目{days}{hour}{region}")
    at = EVENING + timedelta(days=days)
    return service.put_slot(
        session, by, region=region, starts_at=at.replace(hour=hour), programme_id=programme, now=NOW
    )


def test_a_week_goes_from_draft_to_frozen_through_two_people(session):
    assert state(session) is WeekState.DRAFT
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    assert state(session) is WeekState.SUBMITTED
    with pytest.raises(Forbidden):
        approval.approve(session, PROVINCE, "13", LATER, now=NOW)

    approval.approve(session, DEPUTY, "13", LATER, comment="可以", now=NOW)

    assert state(session) is WeekState.APPROVED
    assert state(session, now=usual_lock(LATER)) is WeekState.FROZEN
    assert state(session, "130123") is WeekState.DRAFT


def test_what_was_changed_after_submission_is_not_approved_unseen(session):
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    put(session)

    with pytest.raises(Conflict) as refused:
        approval.approve(session, DEPUTY, "13", LATER, now=NOW)

    assert refused.value.code == "changed"
    approval.take_back(session, PROVINCE, "13", LATER, now=NOW)
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    approval.approve(session, DEPUTY, "13", LATER, now=NOW)


def test_a_change_of_another_week_or_of_a_county_leaves_the_provinces_week_alone(session):
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    put(session, days=2)
    put(session, by=COUNTY, region="130123", hour=20)

    assert approval.week_of(session, PROVINCE, "13", LATER, now=NOW).since == []
    approval.submit(session, COUNTY, "130123", LATER, now=NOW)
    assert approval.week_of(session, COUNTY, "130123", LATER, now=NOW).since == []


def test_late_changes_are_listed_with_who_what_and_why(session):
    approval.submit(session, PROVINCE, "13", WEEK, now=NOW - timedelta(days=2))
    approval.approve(session, DEPUTY, "13", WEEK, now=NOW - timedelta(days=2))
    put(session, days=3)

    [late] = approval.week_of(session, PROVINCE, "13", WEEK, now=NOW).since

    assert late.is_late
    assert (late.change.actor_name, late.change.kind, late.reason) == ("省编", "slot", "")
    with pytest.raises(Forbidden):
        approval.explain_late(session, COUNTY, late.change.seq, "我说的", now=NOW)
    with pytest.raises(Invalid):
        approval.explain_late(session, PROVINCE, late.change.seq, "  ", now=NOW)
    approval.explain_late(session, PROVINCE, late.change.seq, "片源有误", now=NOW)
    [late] = approval.week_of(session, PROVINCE, "13", WEEK, now=NOW).since
    assert late.reason == "片源有误"


def test_returning_and_reopening_need_a_reason(session):
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    with pytest.raises(Invalid):
        approval.give_back(session, DEPUTY, "13", LATER, comment=" ", now=NOW)
    approval.give_back(session, DEPUTY, "13", LATER, comment="周三太满", now=NOW)
    assert state(session) is WeekState.DRAFT
    approval.submit(session, PROVINCE, "13", LATER, now=NOW)
    approval.approve(session, DEPUTY, "13", LATER, now=NOW)
    with pytest.raises(Invalid):
        approval.reopen(session, DEPUTY, "13", LATER, comment="", now=NOW)
    approval.reopen(session, DEPUTY, "13", LATER, comment="换节目", now=NOW)
    assert state(session) is WeekState.DRAFT


@pytest.mark.parametrize("move", [Move.APPROVE, Move.RETURN, Move.REOPEN, Move.TAKE_BACK])
def test_moves_that_are_not_open_are_refused(session, move):
    with pytest.raises(Conflict):
        approval.move(session, DEPUTY, "13", LATER, move, comment="理由", now=NOW)


@pytest.mark.parametrize(
    ("who", "region", "week", "error"),
    [
        (COUNTY, "13", LATER, Forbidden),
        (COUNTY, "130124", LATER, Forbidden),
        (PROVINCE, "1399", LATER, NotFound),
        (PROVINCE, "130123105", LATER, Invalid),
        (PROVINCE, "13", date(2026, 11, 1), Invalid),
        (PROVINCE, "13", date(2029, 1, 1), Invalid),
    ],
)
def test_what_cannot_be_submitted_is_said(session, who, region, week, error):
    with pytest.raises(error) as refused:
        approval.submit(session, who, region, week, now=NOW)
    assert isinstance(refused.value, YuanboError)
