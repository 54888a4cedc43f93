"""站点开放: the hours the set was on, and those it was meant to be."""

from __future__ import annotations

from datetime import datetime

import pytest

from client_agent.book import Book
from client_agent.desk.opening import SILENT_MS, WRITE_MS, Opening
from protocol.batch import ClockState, Health
from protocol.times import SHANGHAI, ms_to_text, to_ms

EVENING_MS = to_ms(datetime(2026, 11, 22, 19, 0, tzinfo=SHANGHAI))
MINUTE_MS = 60_000


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path / "book.sqlite")
    yield made
    made.close()


@pytest.fixture
def opening(book):
    return Opening(book, lambda: None)


def ask(opening, minutes, start_ms=EVENING_MS, known=True):
    """The page asks every five seconds."""
    for step in range(int(minutes * 12) + 1):
        opening.seen(step * 5_000 + start_ms - EVENING_MS, start_ms + step * 5_000 if known else None)


def test_minutes_are_summed_by_day(opening):
    ask(opening, 90)
    assert opening.month("2026-11") == {"2026-11-22": (90 * MINUTE_MS, 0)}


def test_over_midnight_each_day_has_its_own(opening):
    ask(opening, 60, EVENING_MS + 270 * MINUTE_MS)
    found = opening.month("2026-11")
    assert found.keys() == {"2026-11-22", "2026-11-23"}
    assert abs(sum(open_ms for open_ms, _ in found.values()) - 60 * MINUTE_MS) <= WRITE_MS


def test_a_set_that_was_away_is_not_counted_and_no_minute_is_written_twice_after_a_cut(opening, book):
    opening.seen(0, EVENING_MS)
    opening.seen(SILENT_MS + 1, EVENING_MS + SILENT_MS + 1)
    assert opening.month("2026-11") == {}
    ask(opening, 3)
    again = Opening(book, lambda: None)
    ask(again, 3)
    assert again.month("2026-11")["2026-11-22"][0] <= 6 * MINUTE_MS


def test_a_screen_that_is_off_and_a_day_nobody_knows_count_nothing(book):
    dark = Opening(book, lambda: False)
    ask(dark, 10)
    ask(Opening(book, lambda: True), 10, known=False)
    assert dark.month("2026-11") == {}


def test_a_clock_set_back_counts_nothing_negative(opening):
    opening.seen(100_000, EVENING_MS)
    opening.seen(50_000, EVENING_MS - 10 * MINUTE_MS)
    ask(opening, 2)
    assert opening.month("2026-11")["2026-11-22"][0] <= 2 * MINUTE_MS


def test_fillers_come_with_health(opening):
    fields = {
        "agent_version": "1",
        "disk_free": 1,
        "disk_total": 1,
        "stored_items": 0,
        "ready": 0,
        "wanted": 0,
    }
    for clock in (ClockState.KNOWN, ClockState.UNCERTAIN):
        opening.take(
            Health(
                seq=1,
                at=ms_to_text(EVENING_MS),
                boot="b",
                mono_ms=1,
                between_ms=MINUTE_MS,
                clock=clock,
                **fields,
            )
        )
    assert opening.month("2026-11") == {"2026-11-22": (0, MINUTE_MS)}


def test_the_plan_is_seven_spans_or_none(opening, book):
    assert opening.plan() == [None] * 7
    spans = [(1140, 1260), None, (1140, 1260), None, None, (540, 1440), None]
    opening.set_plan(spans)
    assert Opening(book, lambda: None).plan() == spans
    for wrong in ([None] * 6, [(5, 5)] + [None] * 6, [(0, 1441)] + [None] * 6):
        with pytest.raises(ValueError, match="seven"):
            opening.set_plan(wrong)
    book.keep_note("opening-plan", "{broken")
    assert opening.plan() == [None] * 7
