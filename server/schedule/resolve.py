"""From rules to documents: which frame each region gets and what each city or county says in its windows.

Pure: takes rules and what is released, returns documents without serials. A frame is complete, not an overlay: a
region that differs from its parent (because the province placed something there alone) gets one of its own.

Who wins inside a frame: the narrower region over the wider (one village out of a county), a one-off over a series,
then the rule made first. What loses is reported, not silently dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalChannel,
    LocalDocument,
    Ref,
    Why,
    Window,
)
from protocol.regions import Level, level_of, within
from protocol.times import SHANGHAI, to_text
from server.schedule.recurrence import occurrences

PROVINCE = Level.PROVINCE.value


@dataclass(frozen=True)
class Release:
    """A released edition as the schedule names it."""

    edition: str
    release: str
    duration_ms: int
    section: str

    def ref(self) -> Ref:
        return Ref(edition=self.edition, release=self.release, duration_ms=self.duration_ms)


@dataclass(frozen=True)
class SlotRule:
    id: str
    channel: str
    region: str
    level: str
    programme: str
    starts_at: datetime
    rrule: str | None
    required: bool
    by: str


@dataclass(frozen=True)
class WindowSpan:
    """A window rule. ``region`` is the frame's region it stands in."""

    id: str
    channel: str
    region: str
    level: str
    starts_at: datetime
    duration_ms: int
    rrule: str | None
    admits: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChannelRule:
    id: str
    name: str


@dataclass(frozen=True)
class Rules:
    """Everything the documents are made from. ``releases`` by programme id; ``fillers`` programme ids by channel."""

    channels: Sequence[ChannelRule]
    slots: Sequence[SlotRule]
    windows: Sequence[WindowSpan]
    fillers: Mapping[str, Sequence[str]]
    releases: Mapping[str, Release]


@dataclass(frozen=True)
class Problem:
    """A rule that could not be honoured: its id, a code and what it was about (for the conflict report)."""

    rule: str
    code: str
    at: datetime | None = None
    other: str | None = None


@dataclass(frozen=True)
class Placed:
    start: datetime
    end: datetime
    rule: SlotRule
    release: Release

    def item(self, window: str | None = None) -> Item:
        day = self.start.astimezone(SHANGHAI)
        return Item(
            id=self.rule.id if self.rule.rrule is None else f"{self.rule.id}@{day:%Y%m%d}",
            starts_at=to_text(self.start),
            duration_ms=self.release.duration_ms,
            edition=self.release.edition,
            release=self.release.release,
            required=self.rule.required,
            why=Why(
                rule=f"slot:{self.rule.id}", level=self.rule.level, region=self.rule.region, by=self.rule.by
            ),
            window=window,
        )


@dataclass
class Resolved:
    """Documents with serial 0 (the service numbers them) and what could not be honoured."""

    frames: dict[str, Frame] = field(default_factory=dict)
    locals: dict[str, LocalDocument] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def resolve(rules: Rules, begin: datetime, end: datetime) -> Resolved:
    """All documents for the span [begin, end), which is also their validity."""
    resolved = Resolved()
    placed = _expand(rules, begin, end, resolved.problems)
    spans = [span for rule in rules.windows for span in expand_window(rule, begin, end)]
    for region in frame_regions(rules):
        resolved.frames[region] = _frame(region, rules, placed, spans, begin, end, resolved.problems)
    for region in sorted({p.rule.region for p in placed if p.rule.level != PROVINCE}):
        resolved.locals[region] = _local(region, rules, placed, spans, begin, end, resolved.problems)
    return resolved


def frame_regions(rules: Rules) -> list[str]:
    """The regions that need a frame of their own: the province, and wherever the province placed something alone."""
    root = min((c.region for c in rules.windows), key=len, default="13")[:2]
    own = {slot.region for slot in rules.slots if slot.level == PROVINCE}
    own |= {window.region for window in rules.windows}
    return sorted(own | {root})


def expand_window(rule: WindowSpan, begin: datetime, end: datetime) -> list[tuple[WindowSpan, Window]]:
    """The occurrences of a window rule that overlap the span."""
    length = timedelta(milliseconds=rule.duration_ms)
    return [
        (
            rule,
            Window(
                id=f"{rule.id}@{start.astimezone(SHANGHAI):%Y%m%dT%H%M}",
                starts_at=to_text(start),
                ends_at=to_text(start + length),
                level=rule.level,
                admits=list(rule.admits),
            ),
        )
        for start in occurrences(rule.starts_at, rule.rrule, begin - length, end)
    ]


def _expand(rules: Rules, begin: datetime, end: datetime, problems: list[Problem]) -> list[Placed]:
    placed = []
    for slot in rules.slots:
        release = rules.releases.get(slot.programme)
        if release is None:
            problems.append(Problem(rule=slot.id, code="not_released", at=slot.starts_at))
            continue
        length = timedelta(milliseconds=release.duration_ms)
        placed += [
            Placed(start, start + length, slot, release)
            for start in occurrences(slot.starts_at, slot.rrule, begin, end)
        ]
    return placed


def without_overlap(candidates: Iterable[Placed], problems: list[Problem]) -> list[Placed]:
    """Place candidates in order of precedence; who overlaps a winner is reported as overlapped."""
    winners: list[Placed] = []
    for one in sorted(candidates, key=_precedence):
        beaten_by = next((w for w in winners if w.start < one.end and one.start < w.end), None)
        if beaten_by is None:
            winners.append(one)
        else:
            problems.append(
                Problem(rule=one.rule.id, code="overlapped", at=one.start, other=beaten_by.rule.id)
            )
    return sorted(winners, key=lambda p: p.start)


def _precedence(one: Placed) -> tuple[int, bool, str, datetime]:
    return -len(one.rule.region), one.rule.rrule is not None, one.rule.id, one.start


def _frame(
    region: str,
    rules: Rules,
    placed: Sequence[Placed],
    spans: Sequence[tuple[WindowSpan, Window]],
    begin: datetime,
    end: datetime,
    problems: list[Problem],
) -> Frame:
    channels = []
    for channel in rules.channels:
        mine = [
            p
            for p in placed
            if p.rule.level == PROVINCE and p.rule.channel == channel.id and within(region, p.rule.region)
        ]
        windows = [w for rule, w in spans if rule.channel == channel.id and within(region, rule.region)]
        channels.append(
            FrameChannel(
                id=channel.id,
                name=channel.name,
                items=[p.item() for p in without_overlap(mine, problems)],
                windows=sorted(windows, key=lambda w: (w.starts_at, w.id)),
                fillers=_refs(rules, channel.id),
            )
        )
    library = sorted(rules.releases.values(), key=lambda r: r.edition)
    return Frame(
        region=region,
        serial=0,
        valid_from=to_text(begin),
        valid_until=to_text(end),
        channels=channels,
        library=[LibraryEntry(edition=r.edition, release=r.release, section=r.section) for r in library],
    )


def _refs(rules: Rules, channel: str) -> list[Ref]:
    released = (rules.releases.get(programme) for programme in rules.fillers.get(channel, ()))
    return [release.ref() for release in released if release is not None]


def _local(
    region: str,
    rules: Rules,
    placed: Sequence[Placed],
    spans: Sequence[tuple[WindowSpan, Window]],
    begin: datetime,
    end: datetime,
    problems: list[Problem],
) -> LocalDocument:
    channels = []
    for channel in rules.channels:
        mine = [
            p
            for p in placed
            if p.rule.region == region and p.rule.level != PROVINCE and p.rule.channel == channel.id
        ]
        items = []
        for one in without_overlap(mine, problems):
            window = window_for(region, channel.id, one, spans)
            if window is None:
                problems.append(Problem(rule=one.rule.id, code="outside_window", at=one.start))
            else:
                items.append(one.item(window.id))
        if items:
            channels.append(LocalChannel(id=channel.id, items=items))
    return LocalDocument(
        region=region, serial=0, valid_from=to_text(begin), valid_until=to_text(end), channels=channels
    )


def window_for(
    region: str, channel: str, one: Placed, spans: Sequence[tuple[WindowSpan, Window]]
) -> Window | None:
    """The window occurrence that admits an item whole, or None."""
    start, end = to_text(one.start), to_text(one.end)
    for rule, window in spans:
        if rule.channel != channel or rule.level != level_of(region) or not within(region, rule.region):
            continue
        if rule.admits and one.release.section not in rule.admits:
            continue
        if window.starts_at <= start and end <= window.ends_at:
            return window
    return None
