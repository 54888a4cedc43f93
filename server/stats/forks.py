"""Restored and cloned disks: what the order of a terminal's epochs gives away. Pure.

Each epoch names the one before it and that one's last number, as its disk remembered them. One predecessor with two
successors means that a disk was restored or cloned: nothing is lost by that, both lines of records are real, and it
is only noted. Where the records of both lines were also written in the same stretch of time, two devices work under
one key: everything after the point where they part is *disputed*, shown as such and left out of rankings. Nobody
can tell which of them is the original.

    E1 1…50 ──┬── E1 51…80 ── E2 …      the line that went on
              └── E3 (after E1, 50) …   the line of the copy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""First and last moment of some records, ms since 1970."""
BEYOND_ALL = 2**63 - 1


@dataclass(frozen=True)
class Life:
    """An epoch as this decision needs it: what it follows, its highest number, when its records were written."""

    epoch: str
    prev_epoch: str | None
    prev_last: int
    hwm: int
    span: Span | None


@dataclass(frozen=True)
class Verdict:
    """``copied``: some predecessor has two successors. ``disputed``: epoch → the number above which its records are
    disputed."""

    copied: bool
    disputed: dict[str, int]


SpanAfter = Callable[[str, int], Span | None]
"""When the records of an epoch above a number were written; None where there are none."""


def judge(lives: Iterable[Life], span_after: SpanAfter) -> Verdict:
    """Find copies among a terminal's epochs; ``span_after`` is only asked where two lines part."""
    by_prev: dict[str | None, list[Life]] = {}
    known: dict[str, Life] = {}
    for life in lives:
        known[life.epoch] = life
        by_prev.setdefault(life.prev_epoch, []).append(life)
    copied = False
    disputed: dict[str, int] = {}
    for prev, successors in by_prev.items():
        for cut, lines in _partings(known.get(prev) if prev else None, successors):
            copied = True
            if _in_one_stretch(cut, lines, by_prev, span_after):
                for epoch, after in _beyond(cut, lines, by_prev):
                    disputed[epoch] = min(after, disputed.get(epoch, BEYOND_ALL))
    return Verdict(copied, disputed)


@dataclass(frozen=True)
class _Cut:
    """Where two lines part: after number ``at`` of ``epoch`` (None: before anything was reported)."""

    epoch: str | None
    at: int


_Lines = tuple[list[Life], list[Life], bool]
"""The copy's first epochs, the other line's, and whether that one also holds numbers of the predecessor itself."""


def _partings(prev: Life | None, successors: Sequence[Life]) -> Iterable[tuple[_Cut, _Lines]]:
    """Each point where one more line leaves the predecessor, the earliest first."""
    ordered = sorted(successors, key=lambda life: (life.prev_last, life.epoch))
    for index, life in enumerate(ordered):
        others = ordered[index + 1 :]
        went_on = prev is not None and prev.hwm > life.prev_last
        if others or went_on:
            yield _Cut(prev.epoch if prev else None, life.prev_last), ([life], others, went_on)


def _in_one_stretch(
    cut: _Cut, lines: _Lines, by_prev: dict[str | None, list[Life]], span_after: SpanAfter
) -> bool:
    copy, others, went_on = lines
    left = _span_of(_descent(copy, by_prev))
    spans = [_span_of(_descent(others, by_prev))]
    if went_on and cut.epoch is not None:
        spans.append(span_after(cut.epoch, cut.at))
    right = _hull(spans)
    return left is not None and right is not None and left[0] < right[1] and right[0] < left[1]


def _beyond(cut: _Cut, lines: _Lines, by_prev: dict[str | None, list[Life]]) -> Iterable[tuple[str, int]]:
    copy, others, went_on = lines
    for life in _descent([*copy, *others], by_prev):
        yield life.epoch, 0
    if went_on and cut.epoch is not None:
        yield cut.epoch, cut.at


def _descent(roots: Iterable[Life], by_prev: dict[str | None, list[Life]]) -> list[Life]:
    """The epochs and all that follow them; a circle, which only a liar can draw, ends."""
    found: dict[str, Life] = {}
    waiting = list(roots)
    while waiting:
        life = waiting.pop()
        if life.epoch not in found:
            found[life.epoch] = life
            waiting += by_prev.get(life.epoch, [])
    return list(found.values())


def _span_of(lives: Iterable[Life]) -> Span | None:
    return _hull(life.span for life in lives)


def _hull(spans: Iterable[Span | None]) -> Span | None:
    given = [span for span in spans if span is not None]
    if not given:
        return None
    return min(start for start, _ in given), max(end for _, end in given)
