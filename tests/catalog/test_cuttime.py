"""From the source's time to the cut's and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.catalog.cuttime import FRAME_MS, CutTime, on_grid
from server.catalog.recipe import Recipe
from server.transcode.ladder import on_grid as frames_on_grid

CUT = CutTime(Recipe(in_ms=1_000, out_ms=10_000, removed=((4_000, 6_000),)).kept(20_000), intro_ms=2_000)


def test_an_instant_moves_with_the_cut_and_is_gone_where_it_was_cut_away() -> None:
    assert [CUT.at(at) for at in (999, 1_000, 3_999, 4_000, 5_999, 6_000, 9_999, 10_000)] == [
        None, 2_000, 4_999, None, None, 5_000, 8_999, None,
    ]  # fmt: skip
    assert CUT.duration_ms == 9_000


def test_a_stretch_over_a_removed_one_is_one_piece_again() -> None:
    assert CUT.spans(3_000, 7_000) == [(4_000, 6_000)]
    assert CUT.spans(4_100, 5_900) == []
    assert CUT.spans(0, 20_000) == [(2_000, 9_000)]


def test_what_is_shown_comes_from_an_instant_of_the_source() -> None:
    assert [CUT.source(at) for at in (0, 1_999, 2_000, 5_000, 8_999, 9_000)] == [
        None,
        None,
        1_000,
        6_000,
        9_999,
        None,
    ]


@given(st.lists(st.integers(0, 100_000), min_size=2, max_size=12), st.integers(0, 100_000))
def test_the_cut_in_milliseconds_is_the_cut_in_frames(edges: list[int], at: int) -> None:
    ordered = sorted(set(edges))
    kept = list(zip(ordered[::2], ordered[1::2], strict=False))
    cut, frames = CutTime(kept), frames_on_grid(kept, 10_000)
    assert cut.duration_ms == sum(span.frames for span in frames) * FRAME_MS
    shown = cut.at(on_grid(at))
    inside = [span for span in frames if span.first <= on_grid(at) // FRAME_MS < span.last]
    assert (shown is None) == (not inside)
    if shown is not None:
        assert cut.source(shown) == on_grid(at)
