"""重播重审: the rule alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from server.catalog.rereview import (
    REASON_NAMES,
    Reason,
    Signature,
    Standing,
    may_sign,
    missing_stages,
    stages_needed,
    why_rereview,
)
from server.catalog.review import Stage

NOW = datetime(2027, 12, 5, 11, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FRESH = Standing(
    released_at=NOW - 10 * DAY, last_aired_at=None, re_reviewed_at=None, checked_terms=3, newest_hit=None
)


def why(standing: Standing) -> list[Reason]:
    return why_rereview(standing, days=365, now=NOW)


def test_a_year_counts_from_release_last_showing_or_last_re_review_whichever_is_latest() -> None:
    old = replace(FRESH, released_at=NOW - 400 * DAY)
    assert why(old) == [Reason.NOT_AIRED]
    assert why(replace(old, last_aired_at=NOW - 366 * DAY)) == [Reason.NOT_AIRED]
    assert why(replace(old, last_aired_at=NOW - 364 * DAY)) == []
    assert why(replace(old, re_reviewed_at=NOW - DAY)) == []
    assert why(replace(old, released_at=NOW - 365 * DAY + timedelta(seconds=1))) == []
    assert why(replace(old, released_at=NOW - 365 * DAY)) == [Reason.NOT_AIRED]


def test_only_a_word_that_the_list_learnt_since_the_approval_asks_for_another_look() -> None:
    assert why(replace(FRESH, newest_hit=3)) == []
    assert why(replace(FRESH, newest_hit=4)) == [Reason.TERMS]


def test_age_needs_one_person_a_word_or_a_protected_period_two() -> None:
    assert stages_needed([], protected=True) == ()
    assert stages_needed([Reason.NOT_AIRED], protected=False) == (Stage.FINAL,)
    assert stages_needed([Reason.NOT_AIRED], protected=True) == (Stage.SECOND, Stage.FINAL)
    assert stages_needed([Reason.TERMS], protected=False) == (Stage.SECOND, Stage.FINAL)


def test_no_author_and_nobody_twice() -> None:
    given = [Signature(Stage.SECOND, "li")]
    assert missing_stages((Stage.SECOND, Stage.FINAL), given) == [Stage.FINAL]
    assert may_sign("wang", authors={"zhao"}, given=given)
    assert not may_sign("li", authors={"zhao"}, given=given)
    assert not may_sign("zhao", authors={"zhao"}, given=given)


def test_every_reason_has_its_sentence() -> None:
    assert set(REASON_NAMES) == set(Reason)
