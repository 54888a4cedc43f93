"""What a reviewer really watched: spans of the source, merged, clipped and believed only as fast as time passes. Pure.

A span is [from, to) in milliseconds of the source. The share is of what the recipe keeps, so skipping a removed stretch
costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]

FASTEST = 2.0
"""The player's highest speed: nobody watches more seconds of film in a second than this."""
GRACE_MS = 20_000
"""What a report may be ahead of the clock: players report every ten seconds, lines are uneven."""
MOST_SPANS = 500


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same moments as few spans in order; empty and reversed ones are left out."""
    merged: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0] >= 0):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def total(spans: Iterable[Span]) -> int:
    """Milliseconds covered by spans that do not overlap."""
    return sum(end - begin for begin, end in spans)


def within_spans(spans: Iterable[Span], kept: Sequence[Span]) -> list[Span]:
    """What of ``spans`` lies inside ``kept``; both merged."""
    return [
        (max(begin, low), min(end, high))
        for begin, end in spans
        for low, high in kept
        if min(end, high) > max(begin, low)
    ]


def added(known: Sequence[Span], reported: Iterable[Span], *, elapsed_ms: int, length_ms: int) -> list[Span]:
    """Known spans with those reported now, ``elapsed_ms`` after the last report.

    What is new beyond what could be played in that time is not believed: it is cut off from the end.
    """
    allowed = int(max(0, elapsed_ms) * FASTEST) + GRACE_MS
    result = merge(known)
    for part in without(merge((max(0, b), min(e, length_ms)) for b, e in reported), result):
        believed = (part[0], min(part[1], part[0] + allowed))
        allowed -= believed[1] - believed[0]
        result = merge([*result, believed])
    return result[:MOST_SPANS]


def without(spans: Sequence[Span], known: Sequence[Span]) -> list[Span]:
    """What of ``spans`` lies outside ``known``; both merged."""
    parts = []
    for begin, end in spans:
        at = begin
        for low, high in known:
            if high > at and low < end:
                if low > at:
                    parts.append((at, low))
                at = max(at, high)
        if at < end:
            parts.append((at, end))
    return parts


def share(watched: Iterable[Span], kept: Sequence[Span]) -> float:
    """How much of what is kept was watched, 0 to 1; of nothing kept, 0."""
    whole = total(kept)
    return min(1.0, total(within_spans(merge(watched), kept)) / whole) if whole else 0.0
