"""今日要办: from the station's facts to what is said first."""

from __future__ import annotations

import pytest

from client_agent.desk.summary import facts_of
from client_agent.desk.todo import PAGES, Facts, What, todo
from client_agent.evening import Deed, HeadCount
from tests.client_agent.test_evening import NOW, tonight  # noqa: F401

DAY = 86_400_000
WELL = Facts(now_ms=NOW, day=20, heard_ms=NOW)


def whats(**facts):
    known = {name: getattr(WELL, name) for name in WELL.__dataclass_fields__}
    return [one.what for one in todo(Facts(**known | facts))]


def test_a_station_that_is_well_has_nothing_to_do():
    assert todo(WELL) == []


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"clock_known": False}, What.CLOCK),
        ({"study_ms": NOW, "study_lacks": 2}, What.STUDY_MISSING),
        ({"study_ms": NOW}, What.STUDY_TONIGHT),
        ({"refused": 1}, What.REFUSED),
        ({"short_bytes": 5, "disk_full": True}, What.DISK_SHORT),
        ({"disk_full": True}, What.DISK_FULL),
        ({"heard_ms": NOW - 2 * DAY}, What.NOT_HEARD),
        ({"heard_ms": None}, What.NOT_HEARD),
        ({"missing": 3}, What.MISSING),
        ({"people": 0}, What.NOBODY),
        ({"no_heads_ms": NOW}, What.HEADS),
        ({"missed_days": 1}, What.BEHIND),
        ({"unsent_ms": NOW - 7 * DAY}, What.UNSENT),
        ({"feedback_given": False}, What.FEEDBACK),
        ({"tested": False}, What.SELF_TEST),
        ({"unchecked": 9}, What.CHECK),
        ({"people": 1}, What.NO_B),
    ],
)
def test_each_thing_is_said_alone(facts, what):
    assert whats(**facts) == [what]


def test_what_keeps_tonight_from_playing_comes_before_paperwork():
    assert whats(feedback_given=False, study_ms=NOW, study_lacks=1, people=1, clock_known=True) == [
        What.STUDY_MISSING,
        What.FEEDBACK,
        What.NO_B,
    ]


def test_nothing_is_nagged_about_too_early_or_by_a_clock_nobody_trusts():
    assert whats(feedback_given=False, day=2) == []
    assert whats(unsent_ms=NOW - 6 * DAY) == []
    assert whats(clock_known=False, unsent_ms=0, feedback_given=False, heard_ms=0) == [What.CLOCK]


def test_everything_leads_to_a_page():
    assert PAGES.keys() == set(What)


def test_the_facts_are_the_station_s(tonight):  # noqa: F811
    desk = tonight.server.parts.desk
    facts = facts_of(desk)
    assert (facts.study_ms, facts.people, facts.tested, facts.no_heads_ms) == (
        NOW - 12 * 60_000,
        0,
        False,
        None,
    )
    assert facts.study_lacks == 0
    tonight.do(Deed.BEGIN)
    tonight.do(Deed.FINISH)
    assert facts_of(desk).no_heads_ms is not None
    assert facts_of(desk).study_ms is None


def test_a_session_with_heads_is_not_asked_about(tonight):  # noqa: F811
    tonight.do(Deed.BEGIN)
    tonight.evening.count_heads(HeadCount(present=3))
    tonight.do(Deed.FINISH)
    assert facts_of(tonight.server.parts.desk).no_heads_ms is None
