"""What a line can bring by when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.schedule.lines import ASSUMED_BPS, Line, line_of, reachable_bytes

NOW = datetime(2026, 12, 5, 8, 0, tzinfo=UTC)  # 16:00 in the province
EVENING = NOW + timedelta(hours=3)


@given(st.integers(0, 23), st.integers(1, 24), st.integers(1, 10_000_000))
def test_a_line_brings_no_more_than_its_allowed_hours_at_the_measured_speed(begins, ends, speed):
    line = Line((speed,) * 24, begins, ends)
    day = reachable_bytes(line, NOW, NOW + timedelta(days=1))
    hours = (ends - begins) if begins < ends else 24 - begins + ends

    assert day == pytest.approx(speed / 8 * 3600 * hours, rel=1e-6, abs=2)
    assert reachable_bytes(line, NOW, EVENING) <= day + 1


def test_hours_count_at_their_own_speed_else_the_median_else_the_speed_altogether_else_an_assumed_one():
    hour = timedelta(hours=1)
    by_hour = Line((0,) * 16 + (8_000,) + (0,) * 7)
    assert reachable_bytes(by_hour, NOW, NOW + hour) == 1_000 * 3600
    assert reachable_bytes(by_hour, NOW + hour, NOW + 2 * hour) == 1_000 * 3600
    assert reachable_bytes(Line(usual_bps=16_000), NOW, NOW + hour) == 2_000 * 3600
    assert reachable_bytes(Line(), NOW, NOW + hour) == ASSUMED_BPS / 8 * 3600
    assert [one.is_measured for one in (by_hour, Line(usual_bps=1), Line(), Line((0,) * 24))] == [
        True,
        True,
        False,
        False,
    ]


def test_a_health_report_tells_the_line():
    told = {"speed_by_hour": [5] * 24, "download_from_hour": 22, "download_to_hour": 6, "throughput_bps": 7}
    assert line_of(told) == Line((5,) * 24, 22, 6, None, 7)
    assert line_of(told | {"monthly_cap_bytes": 10, "month_bytes": 30}).cap_left == 0
    assert line_of({}) == Line()
