"""What time it is, as far as a terminal may believe it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.clock import (
    MAX_HELD_MS,
    Anchor,
    NoSuchTime,
    Reading,
    after_issued,
    after_server_time,
    estimate,
)
from protocol.batch import ClockState
from protocol.times import DAY_MS
from tests.client_agent.repository import NOON_MS

T = 1_796_443_200_000
HOUR_MS = 3_600_000
BOOT = Reading("boot-1", 10_000, T)


def later(reading: Reading, ms: int, rtc_ms: int | None = None) -> Reading:
    return Reading(reading.boot, reading.mono_ms + ms, reading.rtc_ms + ms if rtc_ms is None else rtc_ms)


def test_without_any_signed_time_the_rtc_is_a_guess():
    assert estimate(None, BOOT) == (T, ClockState.UNCERTAIN)


def test_a_server_s_time_bound_to_our_nonce_is_exact_whatever_the_rtc_says():
    anchor = after_server_time(None, T, Reading("boot-1", 10_000, 0))
    assert estimate(anchor, Reading("boot-1", 70_000, 5)) == (T + 60_000, ClockState.KNOWN)
    assert estimate(anchor, Reading("boot-1", 70_000, T + HOUR_MS)) == (T + 60_000, ClockState.KNOWN)


def test_a_timestamp_tells_the_least_time_it_can_be():
    anchor = after_issued(None, T - HOUR_MS, "k", BOOT)
    assert estimate(anchor, BOOT) == (T, ClockState.KNOWN), "the RTC lies in what signed time allows"
    wrong = Reading("boot-1", 10_000, 0)
    assert estimate(anchor, later(wrong, 60_000)) == (T - HOUR_MS + 60_000, ClockState.KNOWN)


def test_after_a_boot_the_rtc_counts_up_to_ninety_days_past_the_anchor():
    anchor = after_server_time(None, T, BOOT)
    for rtc_ms in (T, T + MAX_HELD_MS):
        assert estimate(anchor, Reading("boot-2", 5_000, rtc_ms)) == (rtc_ms, ClockState.HELD)
    for rtc_ms in (0, T - 1, T + MAX_HELD_MS + 1):
        assert estimate(anchor, Reading("boot-2", 5_000, rtc_ms)) == (T + 5_000, ClockState.UNCERTAIN)


def test_an_older_timestamp_changes_nothing():
    anchor = after_issued(None, T, "k", BOOT)
    assert after_issued(anchor, T - HOUR_MS, "k", later(BOOT, 1)) == anchor
    assert after_issued(anchor, T, "k", Reading("boot-2", 5, 0)) == anchor, (
        "nor makes it known in another boot"
    )


def test_an_hourly_timestamp_does_not_blur_an_exact_time():
    exact = after_server_time(None, T, BOOT)
    heard = after_issued(exact, T + HOUR_MS, "k", later(BOOT, 2 * HOUR_MS))
    assert heard.passed_ms == T + HOUR_MS
    assert estimate(heard, later(BOOT, 2 * HOUR_MS)) == (T + 2 * HOUR_MS, ClockState.KNOWN)


def test_a_timestamp_from_our_future_moves_the_clock():
    exact = after_server_time(None, T, BOOT)
    heard = after_issued(exact, T + HOUR_MS, "k", later(BOOT, 1_000))
    assert estimate(heard, later(BOOT, 1_000))[0] == T + HOUR_MS


def test_new_timestamp_keys_start_the_clock_anew():
    driven = after_issued(None, T + 365 * 24 * HOUR_MS, "stolen", BOOT)
    assert after_issued(driven, T, "new", later(BOOT, 5)) == Anchor(T, T, False, "boot-1", 10_005, "new")


def test_a_server_s_time_never_leads_behind_what_has_passed():
    anchor = after_issued(None, T, "k", BOOT)
    assert estimate(after_server_time(anchor, T - HOUR_MS, BOOT), BOOT)[0] == T


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10 * HOUR_MS), st.integers(0, HOUR_MS)), max_size=20))
def test_while_keys_and_boot_stay_the_clock_never_runs_backwards(events):
    anchor, reading, last = after_server_time(None, T, Reading("boot-1", 0, 0)), Reading("boot-1", 0, 0), 0
    for is_timestamp, offset, passing in events:
        reading = later(reading, passing)
        before = estimate(anchor, reading)[0]
        if is_timestamp:
            anchor = after_issued(anchor, T + offset, "", reading)
        now_ms, state = estimate(anchor, reading)
        assert state is ClockState.KNOWN
        assert now_ms >= before >= last
        last = now_ms


# --- set by hand --------------------------------------------------------------------------------------------------------
def test_a_time_set_by_hand_plays_the_programme_but_marks_nothing_as_known(terminal, machine):
    machine.reboot("boot-2", 0)
    assert terminal.clock.now_ms()[1] is ClockState.UNCERTAIN
    for wrong in (NOON_MS - DAY_MS, NOON_MS + 91 * DAY_MS):
        with pytest.raises(NoSuchTime):
            terminal.clock.set_by_hand(wrong)
    terminal.clock.set_by_hand(NOON_MS + DAY_MS)
    machine.pass_time(60_000)
    assert terminal.clock.for_programmes() == (NOON_MS + DAY_MS + 60_000, ClockState.HELD)
    assert terminal.clock.now_ms()[1] is ClockState.UNCERTAIN


def test_a_time_set_by_hand_ends_with_the_boot_unless_the_machine_kept_it(terminal, machine):
    machine.reboot("boot-2", 0)
    terminal.clock.set_by_hand(NOON_MS + DAY_MS)
    machine.reboot("boot-3", 0)
    assert terminal.clock.for_programmes()[1] is ClockState.UNCERTAIN
    machine.reboot("boot-4", NOON_MS + 2 * DAY_MS)
    assert terminal.clock.for_programmes()[1] is ClockState.HELD


def test_signed_time_ends_what_was_set_by_hand(terminal, machine):
    machine.reboot("boot-2", 0)
    terminal.clock.set_by_hand(NOON_MS + DAY_MS)
    terminal.clock.hear_server_time(NOON_MS + 3 * DAY_MS)
    assert terminal.clock.for_programmes() == (NOON_MS + 3 * DAY_MS, ClockState.KNOWN)
    with pytest.raises(NoSuchTime):
        terminal.clock.set_by_hand(NOON_MS + 4 * DAY_MS)
