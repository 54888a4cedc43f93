"""Arithmetic of received numbers, against plain sets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.stats import ranges

SPANS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=12
)


def numbers(spans) -> set[int]:
    return {n for first, last in spans for n in range(first, last + 1)}


def is_canonical(spans) -> bool:
    return all(a <= b for a, b in spans) and all(left[1] + 1 < right[0] for left, right in pairwise(spans))


@given(SPANS, SPANS)
def test_union_is_the_union_in_the_fewest_spans(left, right):
    result = ranges.union(left, right)
    assert numbers(result) == numbers(left) | numbers(right)
    assert is_canonical(result)


@given(SPANS, SPANS)
def test_subtract_is_the_difference(left, right):
    result = ranges.subtract(ranges.union(left), ranges.union(right))
    assert numbers(result) == numbers(left) - numbers(right)
    assert is_canonical(result)


@given(SPANS, SPANS)
def test_missing_is_what_lies_below_the_highest_and_is_not_settled(received, settled):
    got = ranges.union(received)
    top = max(numbers(got), default=0)
    assert ranges.high_water(got) == top
    assert numbers(ranges.missing(got, settled)) == set(range(1, top + 1)) - numbers(got) - numbers(settled)


@given(SPANS, st.integers(1, 80))
def test_contains_finds_what_is_there(spans, number):
    assert ranges.contains(ranges.union(spans), number) == (number in numbers(spans))


@given(st.sets(st.integers(1, 80)))
def test_single_numbers_make_a_range_set(single):
    result = ranges.of_numbers(single)
    assert numbers(result) == single
    assert is_canonical(result)
