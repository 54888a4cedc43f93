"""When rules happen, in Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.times import SHANGHAI
from server.schedule.recurrence import BadRecurrence, check_rrule, occurrences


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_a_series_keeps_its_wall_time() -> None:
    starts = occurrences(
        wall("2026-12-01T19:00").astimezone(UTC),
        "FREQ=DAILY",
        wall("2026-12-04T00:00"),
        wall("2026-12-06T00:00"),
    )
    assert [s.astimezone(SHANGHAI).isoformat() for s in starts] == [
        "2026-12-04T19:00:00+08:00",
        "2026-12-05T19:00:00+08:00",
    ]


def test_the_29th_of_february_comes_only_in_leap_years() -> None:
    starts = occurrences(
        wall("2024-02-29T19:00"), "FREQ=YEARLY", wall("2025-01-01T00:00"), wall("2033-01-01T00:00")
    )
    assert [s.year for s in starts] == [2028, 2032]


def test_study_days_on_the_5th_15th_and_25th() -> None:
    starts = occurrences(
        wall("2026-12-05T19:00"),
        "FREQ=MONTHLY;BYMONTHDAY=5,15,25",
        wall("2027-02-01T00:00"),
        wall("2027-03-01T00:00"),
    )
    assert [s.astimezone(SHANGHAI).day for s in starts] == [5, 15, 25]


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=DAILY;BYHOUR=1,2", "nonsense", "FREQ=DAILY;COUNT=x"]
)
def test_rules_that_nobody_meant_are_refused(rule: str) -> None:
    with pytest.raises(BadRecurrence):
        check_rrule(rule)


def test_a_rule_without_end_is_expanded_only_where_asked() -> None:
    starts = list(
        occurrences(
            wall("1990-01-01T08:00"), "FREQ=DAILY", wall("2026-12-01T00:00"), wall("2026-12-02T00:00")
        )
    )
    assert len(starts) == 1
