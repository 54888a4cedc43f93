"""Who plays when two rules want the same minute. Pure.

The narrower region wins over the wider (one village out of a county), group study over all else, a one-off over a
series, then the rule made first. What loses is reported, never cut: no programme is shortened unless its own rule says so.

Tolerant ends: an item whose rule allows N minutes may run that far into what follows; what follows then starts later,
whole. Delays add up from item to item, each within the tolerance of the one before; where they no longer fit, the
lesser of the two is left out. What is ``fixed`` (group study) is never delayed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from protocol.documents import Item, ItemKind, Why
from protocol.times import SHANGHAI, to_text
from server.schedule.rulebook import Release, SlotRule


@dataclass(frozen=True)
class Problem:
    """A rule that could not be honoured: its id, a code and what it was about (for the conflict report)."""

    rule: str
    code: str
    at: datetime | None = None
    other: str | None = None
    region: str = ""


@dataclass(frozen=True)
class Placed:
    """One occurrence of a rule. ``planned`` is when the rule says, ``start`` when it really begins."""

    start: datetime
    end: datetime
    rule: SlotRule
    release: Release
    planned: datetime | None = None

    @cached_property
    def order(self) -> tuple[int, bool, bool, str, datetime]:
        """The smaller wins."""
        rule = self.rule
        return -len(rule.region), not rule.fixed, rule.rrule is not None, rule.id, self.planned or self.start

    @cached_property
    def tolerance(self) -> timedelta:
        return timedelta(minutes=self.rule.tolerance_min)

    @cached_property
    def id(self) -> str:
        rule = self.rule
        planned = self.planned or self.start
        if planned == rule.starts_at and rule.rrule is None:
            return rule.id
        day = planned.astimezone(SHANGHAI)
        added = bool(rule.rdates) and to_text(planned) in rule.rdates
        return f"{rule.id}@{day:%Y%m%dT%H%M}" if added else f"{rule.id}@{day:%Y%m%d}"

    @cached_property
    def why(self) -> Why:
        rule = self.rule
        return Why(rule=rule.why or f"slot:{rule.id}", level=rule.level, region=rule.region, by=rule.by)

    @cached_property
    def is_first(self) -> bool:
        return (self.planned or self.start) == self.rule.starts_at

    @cached_property
    def plain_item(self) -> Item:
        return self.item()

    def item(self, window: str | None = None) -> Item:
        return Item(
            id=self.id,
            starts_at=to_text(self.start),
            duration_ms=(self.end - self.start) // timedelta(milliseconds=1),
            edition=self.release.edition,
            release=self.release.release,
            required=self.rule.required,
            why=self.why,
            window=window,
            kind=ItemKind(self.rule.kind),
            premiere=self.rule.premiere and self.is_first,
        )


@dataclass
class _Line:
    """Winners in order of their planned start."""

    starts: list[datetime] = field(default_factory=list)
    items: list[Placed] = field(default_factory=list)
    longest: timedelta = timedelta(0)

    def clash(self, one: Placed) -> Placed | None:
        """A winner that overlaps by more than tolerance allows; the earliest."""
        at = bisect_left(self.starts, one.start - self.longest)
        while at < len(self.items):
            other = self.items[at]
            if other.start >= one.end:
                return None
            if other.end > one.start and not tolerable(one, other):
                return other
            at += 1
        return None

    def add(self, one: Placed) -> None:
        at = bisect_left(self.starts, one.start)
        self.starts.insert(at, one.start)
        self.items.insert(at, one)
        self.longest = max(self.longest, one.end - one.start)


def tolerable(one: Placed, other: Placed) -> bool:
    """Whether two that overlap may both play: the earlier one ends within its tolerance, and the later one may wait."""
    earlier, later = (one, other) if one.start < other.start else (other, one)
    if earlier.start == later.start or later.rule.fixed or not earlier.tolerance:
        return False
    return earlier.end - later.start <= earlier.tolerance


def without_overlap(candidates: Iterable[Placed], problems: list[Problem], region: str = "") -> list[Placed]:
    """The candidates that play, in order, none over another; whoever loses is reported as ``overlapped``."""
    line = _Line()
    for one in sorted(candidates, key=lambda p: p.order):
        beaten_by = line.clash(one)
        if beaten_by is None:
            line.add(one)
        else:
            problems.append(Problem(one.rule.id, "overlapped", one.start, beaten_by.rule.id, region))
    return _delayed(line.items, problems, region)


def _delayed(winners: Sequence[Placed], problems: list[Problem], region: str) -> list[Placed]:
    """Start what is run into later. Each round leaves out at most one item, so it ends."""
    kept = list(winners)
    while True:
        result, loser = _one_pass(kept)
        if loser is None:
            return result
        gone, by = loser
        problems.append(Problem(gone.rule.id, "overlapped", gone.start, by.rule.id, region))
        kept.remove(gone)


def _one_pass(winners: Sequence[Placed]) -> tuple[list[Placed], tuple[Placed, Placed] | None]:
    result: list[Placed] = []
    before: Placed | None = None
    for one in winners:
        if before is None or not result or result[-1].end <= one.start:
            result.append(one)
            before = one
            continue
        ends = result[-1].end
        if one.rule.fixed or ends - one.start > before.tolerance:
            return result, (one, before) if before.order < one.order and not one.rule.fixed else (before, one)
        result.append(replace(one, start=ends, end=ends + (one.end - one.start), planned=one.start))
        before = one
    return result, None
