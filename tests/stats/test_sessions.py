"""One session told by station and phones: which count holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from protocol.batch import Roll
from server.stats.sessions import HeadCount, Source, merge

NOW = datetime(2026, 12, 5, 11, tzinfo=UTC)


def count(source, present, minute=0, roll=Roll.START, order=0):
    return HeadCount(source, roll, present, 42, 0, 0, NOW + timedelta(minutes=minute), "", order)


def test_the_stations_count_wins_whenever_the_phone_told_its_own_and_the_difference_is_said():
    station, phone = count(Source.STATION, 31, 5), count(Source.PHONE, 33, 60)
    [roll] = merge([phone, station])
    assert (roll.holds, roll.counts, roll.difference) == (station, (station, phone), 2)


def test_a_phone_alone_holds():
    [roll] = merge([count(Source.PHONE, 33)])
    assert (roll.holds.present, roll.difference) == (33, 0)


def test_of_one_source_the_last_count_holds_also_at_the_same_moment():
    [roll] = merge(
        [
            count(Source.STATION, 31, 5, order=7),
            count(Source.STATION, 30, 5, order=9),
            count(Source.STATION, 2),
        ]
    )
    assert (roll.holds.present, [c.present for c in roll.counts]) == (30, [30, 31, 2])


def test_beginning_end_and_late_are_rolls_of_their_own():
    counts = [
        count(Source.PHONE, 3, roll=Roll.LATE),
        count(Source.STATION, 2, roll=Roll.END),
        count(Source.PHONE, 1),
    ]
    assert [(r.roll, r.holds.present, r.difference) for r in merge(counts)] == [
        (Roll.START, 1, 0),
        (Roll.END, 2, 0),
        (Roll.LATE, 3, 0),
    ]
    assert merge([]) == []
