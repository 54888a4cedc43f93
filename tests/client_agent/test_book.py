"""The station's own book: kept through a restart, bounded, and clear about what it is not."""

from __future__ import annotations

import sqlite3

import pytest

from client_agent.book import MOST_POSITIONS, Book
from client_agent.errors import UnusableData

MINUTE = 60_000
LONG = 45 * MINUTE


@pytest.fixture
def book(tmp_path):
    opened = Book(tmp_path / "book.sqlite")
    yield opened
    opened.close()


def test_a_place_in_a_programme_survives_a_restart(book, tmp_path):
    book.keep_position("a", 12 * MINUTE, LONG, now_ms=1)
    book.close()
    again = Book(tmp_path / "book.sqlite")
    assert again.positions() == {"a": 12 * MINUTE}
    again.close()


def test_what_was_left_last_comes_first(book):
    for at, release in enumerate(("a", "b", "a")):
        book.keep_position(release, (at + 1) * MINUTE, LONG, now_ms=at)
    assert list(book.positions().items()) == [("a", 3 * MINUTE), ("b", 2 * MINUTE)]


@pytest.mark.parametrize("position_ms", [0, 29_999, LONG - 20_000, LONG])
def test_hardly_begun_or_as_good_as_seen_is_nothing_to_go_on_with(book, position_ms):
    book.keep_position("a", 12 * MINUTE, LONG, now_ms=1)
    book.keep_position("a", position_ms, LONG, now_ms=2)
    assert book.positions() == {}


def test_the_book_stays_small(book):
    for at in range(MOST_POSITIONS + 5):
        book.keep_position(f"{at}", MINUTE, LONG, now_ms=at)
    assert len(book.positions()) == MOST_POSITIONS
    assert "4" not in book.positions()


def test_the_same_wish_is_news_once_a_day(book):
    day = 86_400_000
    assert book.wish("hthc", now_ms=0, again_after_ms=day)
    assert not book.wish("hthc", now_ms=day - 1, again_after_ms=day)
    assert book.wish("dxm", now_ms=day - 1, again_after_ms=day)
    assert book.wish("hthc", now_ms=day, again_after_ms=day)


def test_a_clock_that_stepped_back_swallows_no_wish(book):
    assert book.wish("hthc", now_ms=10_000, again_after_ms=86_400_000)
    assert book.wish("hthc", now_ms=5_000, again_after_ms=86_400_000)


def test_what_was_on_air_is_kept_with_its_latest_time_and_forgotten_after_its_week(book):
    book.note_aired([("a", 100), ("b", 200)], forget_before_ms=0)
    book.note_aired([("a", 300)], forget_before_ms=150)
    assert book.aired(0) == [("a", 300), ("b", 200)]
    assert book.aired_until() == 300
    book.note_aired([], forget_before_ms=250)
    assert book.aired(0) == [("a", 300)]


def test_a_book_of_a_newer_program_is_left_alone(tmp_path):
    path = tmp_path / "book.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(UnusableData):
        Book(path)


def test_a_file_that_is_no_book_is_said_so(tmp_path):
    path = tmp_path / "book.sqlite"
    path.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(UnusableData, match=r"book\.sqlite"):
        Book(path)
