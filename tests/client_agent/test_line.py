"""What the line may carry, and what it is told to have carried."""

from __future__ import annotations

import pytest

from client_agent.line import Line
from client_agent.line_rules import (
    HOUR_MS,
    Capacity,
    LineRules,
    hour_of,
    opens_ms,
    rules_for,
    speeds_by_hour,
)
from protocol import names
from protocol.documents import LineRule
from tests.client_agent.repository import NOON_MS

NIGHT = LineRules(from_hour=22, to_hour=6)


def test_an_hour_is_that_of_shijiazhuang():
    assert hour_of(NOON_MS) == 12
    assert hour_of(0) == 8


def test_a_span_over_midnight_allows_the_night_only():
    assert [hour for hour in range(24) if NIGHT.allows(hour)] == [0, 1, 2, 3, 4, 5, 22, 23]
    assert all(LineRules().allows(hour) for hour in range(24))
    assert [hour for hour in range(24) if LineRules(from_hour=20, to_hour=24).allows(hour)] == [
        20,
        21,
        22,
        23,
    ]


def test_it_is_known_when_the_line_opens_again():
    assert opens_ms(NIGHT, NOON_MS + 5) == NOON_MS + 10 * HOUR_MS
    assert opens_ms(NIGHT, NOON_MS + 11 * HOUR_MS) == NOON_MS + 11 * HOUR_MS


def test_the_nearest_region_s_rule_holds():
    given = [LineRule(region="13", from_hour=1, to_hour=2), LineRule(region="130123", from_hour=3, to_hour=4)]
    assert rules_for("130123105201", given).from_hour == 3
    assert rules_for("130131102201", given).from_hour == 1
    assert rules_for("130131102201", []) == LineRules()


def test_capacity_counts_hours_limits_measured_speeds_and_the_month():
    speeds = [0] * 24
    speeds[13] = 8_000
    line = Capacity(LineRules(), speeds, 16_000, now_ms=NOON_MS, until_ms=NOON_MS + 3 * HOUR_MS)
    assert line.by(NOON_MS) == 0
    assert line.by(NOON_MS + HOUR_MS // 2) == 3_600_000
    assert line.by(NOON_MS + 2 * HOUR_MS) == 7_200_000 + 3_600_000
    assert line.by(NOON_MS + 99 * HOUR_MS) == 7_200_000 * 2 + 3_600_000
    night = Capacity(NIGHT, [], 16_000, now_ms=NOON_MS, until_ms=NOON_MS + 11 * HOUR_MS)
    assert night.by(NOON_MS + 10 * HOUR_MS) == 0
    assert night.by(NOON_MS + 11 * HOUR_MS) == 7_200_000
    capped = Capacity(LineRules(), [], 16_000, now_ms=NOON_MS, until_ms=NOON_MS + HOUR_MS, month_left=1_000)
    assert capped.by(NOON_MS + HOUR_MS) == 1_000
    held = LineRules(bytes_a_second=tuple([100] * 24))
    limited = Capacity(held, [], 16_000, now_ms=NOON_MS, until_ms=NOON_MS + HOUR_MS)
    assert limited.by(NOON_MS + HOUR_MS) == 360_000


def test_speeds_are_medians_of_the_days():
    days = [(20, 1_000_000, 1_000), (20, 2_000_000, 1_000), (20, 9_000_000, 1_000), (3, 1_000, 0)]
    found = speeds_by_hour(days)
    assert found[20] == 16_000_000
    assert sum(1 for speed in found if speed) == 1


@pytest.fixture
def ticking():
    return [0.0]


@pytest.fixture
def line(terminal, ticking):
    return Line(terminal.database, "130123105201", lambda: NOON_MS, monotonic=lambda: ticking[0])


def test_time_with_several_at_once_counts_once(line, ticking):
    with line.busy():
        ticking[0] = 1
        with line.busy():
            ticking[0] = 3
        line.took(1_000_000)
        ticking[0] = 4
    ticking[0] = 50
    line.flush()
    assert line.measured() == 4
    assert line.speeds()[12] == 2_000_000
    assert line.month_bytes() == 1_000_000


def test_the_station_s_own_rules_win_over_the_province_s(line, province, source, terminal):
    from client_agent.refresh import refresh

    province.network([source.url], lines=[LineRule(region="13", from_hour=1, to_hour=5)], poll_s=300)
    province.publish()
    refresh(terminal)
    assert line.rules == LineRules(from_hour=1, to_hour=5)
    line.set_rules(NIGHT)
    assert line.rules == NIGHT
    line.set_rules(None)
    assert line.rules.to_hour == 5
    assert names.NETWORK_TARGET
