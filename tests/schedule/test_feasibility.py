"""Which stations cannot have an item in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.schedule.feasibility import Cause, Need, Station, feasibility
from server.schedule.lines import ASSUMED_BPS, Line

NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)  # noon in Shanghai
HOUR = timedelta(hours=1)
MEGABIT = 1_000_000
FAST = Line(speeds=(2 * MEGABIT,) * 24)


def need(name: str, hours: float, megabytes: float, region: str = "13", **more) -> Need:
    return Need(name, name, round(megabytes * 1e6), NOW + timedelta(hours=hours), (region,), **more)


def station(name: str, line: Line = FAST, region: str = "130123", **more) -> Station:
    return Station(name, region, line, heard_at=more.pop("heard_at", NOW), **more)


def one(line: Line, *needs: Need, **more) -> dict[str, Cause | None]:
    found = feasibility([station("s", line, **more)], needs, now=NOW)
    return {item: prospect.cannot.get("s") for item, prospect in found.prospects.items()}


def test_what_fits_in_the_time_and_what_does_not() -> None:
    assert one(FAST, need("a", 1, 899)) == {"a": None}
    assert one(FAST, need("a", 1, 901)) == {"a": Cause.SLOW}


def test_earlier_items_come_first_and_delay_the_later_ones() -> None:
    assert one(FAST, need("a", 1, 500), need("b", 2, 1200), need("c", 4, 800)) == {
        "a": None, "b": None, "c": None,
    }  # fmt: skip
    assert one(FAST, need("a", 1, 500), need("b", 2, 1400)) == {"a": None, "b": Cause.SLOW}


def test_an_item_shown_twice_is_fetched_once() -> None:
    twice = [Need(f"i{n}", "same", 800_000_000, NOW + n * HOUR, ("13",)) for n in (1, 2)]
    assert one(FAST, *twice) == {"i1": None, "i2": None}


def test_only_the_allowed_hours_count() -> None:
    night = Line(speeds=FAST.speeds, from_hour=22, to_hour=6)
    assert one(night, need("tonight", 8, 1)) == {"tonight": Cause.NO_HOURS}
    assert one(night, need("tomorrow", 24, 7_100)) == {"tomorrow": None}
    assert one(night, need("tomorrow", 24, 7_300)) == {"tomorrow": Cause.SLOW}


def test_hours_without_a_measurement_count_at_the_median_of_the_others() -> None:
    line = Line(speeds=(0,) * 12 + (MEGABIT, 0, 3 * MEGABIT) + (0,) * 9)
    assert one(line, need("a", 2, 375 - 1)) == {"a": None}, "1 Mbit/s for an hour, then 2"
    assert one(line, need("a", 2, 450 * 3 + 1)) == {"a": Cause.SLOW}


def test_a_station_that_measured_nothing_counts_at_the_assumed_speed() -> None:
    fits = ASSUMED_BPS * 3600 / 8 / 1e6
    found = feasibility([station("s", Line())], [need("a", 1, fits - 1), need("b", 1, 2)], now=NOW)
    assert (found.unmeasured, found.prospects["a"].can, found.prospects["b"].can) == (1, 1, 0)


def test_what_was_announced_and_is_not_reported_missing_is_there() -> None:
    told = need("a", 0.001, 9_000, announced_at=NOW - HOUR)
    found = feasibility([station("s"), station("t", missing=("a",), missing_bytes=100)], [told], now=NOW)
    assert (found.prospects["a"].have, found.prospects["a"].can) == (1, 1), "t lacks only its last bytes"
    unheard = feasibility([station("s", heard_at=NOW - 2 * HOUR)], [told], now=NOW)
    assert unheard.prospects["a"].cannot == {"s": Cause.SLOW}


def test_a_silent_station_is_said_to_be_silent() -> None:
    found = feasibility([station("s", heard_at=NOW - timedelta(days=8))], [need("a", 9, 1)], now=NOW)
    assert (found.silent, found.prospects["a"].cannot) == (1, {"s": Cause.SILENT})


def test_a_monthly_cap_that_is_used_up_is_the_cause() -> None:
    assert one(Line(FAST.speeds, cap_left=100_000_000), need("a", 9, 90), need("b", 9.5, 20)) == {
        "a": None, "b": Cause.CAP,
    }  # fmt: skip


def test_only_the_regions_meant_are_asked() -> None:
    needs = [need("a", 9, 1, region="1301", excluded=("130124",)), need("b", 9, 1, region="1302")]
    places = ["130123105201", "130124", "1302", "130227"]
    found = feasibility([station(p, region=p) for p in places], needs, now=NOW)
    assert [found.prospects[n].stations for n in ("a", "b")] == [1, 2]


def test_what_has_aired_already_is_not_asked_for() -> None:
    assert feasibility([station("s")], [need("a", -1, 1)], now=NOW).prospects == {}


speeds = st.lists(st.sampled_from([0, 40_000, 300_000, 2_000_000]), min_size=24, max_size=24).map(tuple)
lines = st.builds(
    Line,
    speeds=st.one_of(st.just(()), speeds),
    from_hour=st.integers(0, 23),
    to_hour=st.integers(1, 24),
    cap_left=st.one_of(st.none(), st.integers(0, 10**9)),
)


@settings(max_examples=60, deadline=None)
@given(lines, st.lists(st.tuples(st.floats(0.1, 160), st.floats(1, 800)), min_size=1, max_size=8))
def test_a_faster_line_never_does_worse_and_the_numbers_add_up(line: Line, drawn: list) -> None:
    needs = [need(f"i{n}", hours, megabytes) for n, (hours, megabytes) in enumerate(drawn)]
    faster = Line(tuple(2 * speed for speed in line.speeds), line.from_hour, line.to_hour, line.cap_left)
    found = feasibility([station("slow", line), station("fast", faster)], needs, now=NOW)
    for prospect in found.prospects.values():
        assert prospect.have + prospect.can + len(prospect.cannot) == prospect.stations == 2
        assert "slow" in prospect.cannot or "fast" not in prospect.cannot


@pytest.mark.full
def test_a_whole_province_is_reckoned() -> None:
    """54,145 stations on lines that all differ, every one lacking everything."""
    many = (
        station(f"s{n}", Line(tuple(10_000 + (n * 7 + h * 13) % 900_000 for h in range(24))))
        for n in range(54_145)
    )
    needs = [need(f"i{n}", 2 + 1.6 * n, 60) for n in range(100)]
    found = feasibility(many, needs, now=NOW)
    assert all(prospect.stations == 54_145 for prospect in found.prospects.values())
