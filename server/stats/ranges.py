"""Arithmetic of received numbers. Pure.

A range set is a sorted list of disjoint (first, last) pairs, ends included, no two of them touching.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Range = tuple[int, int]


def union(*sets: Iterable[Range]) -> list[Range]:
    """Everything in any of the sets; the given pairs may overlap, touch and stand in any order."""
    merged: list[Range] = []
    for first, last in sorted(pair for ranges in sets for pair in ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def of_numbers(numbers: Iterable[int]) -> list[Range]:
    """The range set of single numbers."""
    return union((number, number) for number in numbers)


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """What is in ``ranges`` but not in ``taken``, both range sets."""
    left: list[Range] = []
    holes = list(taken)
    at = 0
    for first, last in ranges:
        start = first
        while at < len(holes) and holes[at][1] < start:
            at += 1
        probe = at
        while probe < len(holes) and holes[probe][0] <= last:
            if start < holes[probe][0]:
                left.append((start, holes[probe][0] - 1))
            start = max(start, holes[probe][1] + 1)
            probe += 1
        if start <= last:
            left.append((start, last))
    return left


def contains(ranges: Sequence[Range], number: int) -> bool:
    """Whether a number is in a range set."""
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) // 2
        if ranges[middle][1] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low][0] <= number


def high_water(ranges: Sequence[Range]) -> int:
    """The highest number in a range set, 0 for none."""
    return ranges[-1][1] if ranges else 0


def missing(ranges: Sequence[Range], settled: Iterable[Range] = ()) -> list[Range]:
    """The numbers from 1 to the high-water mark that are neither received nor ``settled`` (reported as dropped)."""
    top = high_water(ranges)
    return subtract([(1, top)], union(ranges, settled)) if top else []
