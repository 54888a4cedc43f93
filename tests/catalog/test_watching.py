"""What was watched: spans merged, clipped to what is shown, and believed only as fast as time passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.catalog import watching
from server.catalog.watching import GRACE_MS, added, merge, share, total, without

MINUTE = 60_000
SPANS = st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(0, 1_000_000)), max_size=20)


def test_the_share_is_of_what_the_recipe_keeps() -> None:
    kept = [(0, 40_000), (60_000, 120_000)]
    assert share([(0, 120_000)], kept) == 1.0
    assert share([(0, 20_000), (40_000, 60_000)], kept) == 0.2
    assert share([], kept) == 0.0
    assert share([(0, 10)], []) == 0.0


def test_watching_twice_counts_once() -> None:
    assert merge([(0, 10), (5, 20), (20, 30), (50, 40), (-5, 3)]) == [(0, 30)]


def test_nobody_watches_an_hour_in_a_second() -> None:
    spans = added([], [(0, 60 * MINUTE)], elapsed_ms=1_000, length_ms=60 * MINUTE)
    assert total(spans) == GRACE_MS + 2_000


def test_honest_reports_count_in_full_however_often_they_come() -> None:
    spans: list[tuple[int, int]] = []
    for second in range(10, 601, 10):
        spans = added(spans, [(0, second * 1000)], elapsed_ms=10_000, length_ms=10 * MINUTE)
    assert spans == [(0, 10 * MINUTE)]


def test_what_lies_behind_the_end_is_not_there() -> None:
    assert added([], [(50_000, 90_000)], elapsed_ms=MINUTE, length_ms=60_000) == [(50_000, 60_000)]


@given(known=SPANS, reported=SPANS, elapsed_ms=st.integers(0, 100_000))
def test_what_was_watched_never_shrinks_nor_grows_faster_than_allowed(
    known: list[tuple[int, int]], reported: list[tuple[int, int]], elapsed_ms: int
) -> None:
    before = merge((b, min(e, 1_000_000)) for b, e in known)
    after = added(before, reported, elapsed_ms=elapsed_ms, length_ms=1_000_000)
    assert after == merge(after)
    assert without(before, after) == []
    assert total(after) - total(before) <= int(elapsed_ms * watching.FASTEST) + GRACE_MS
    assert without(after, merge([*before, *reported])) == []
