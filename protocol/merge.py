"""From signed documents to a listing: the one pure rule that server and agent share.

Precedence: recall > emergency > frame; local items only inside windows that the frame opens to their level. So a
terminal checks for itself that nobody speaks outside his window, and an absent city blocks nothing. The result has
no overlaps and no gaps: what nothing fills becomes filler, and where there is no filler, slate.

The algorithm, for one region, channel and day (all instants in milliseconds since 1970):

1. items of the frame, in order of start; a later one that overlaps an earlier one is dropped;
2. local items: level and region must be the window's and an ancestor's, the span wholly inside the window;
3. windows that stayed (partly) empty play the window's ``fill``, then fillers;
4. every other gap plays fillers, in an order that depends on region, channel and the gap's start, and on what played
   that day before: none comes again within the channel's ``no_repeat_ms`` while there is another one to play;
5. emergencies cut through everything; what they interrupt goes on at its right offset afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import cycle, pairwise
from typing import Annotated

from msgspec import Meta, Struct

from protocol.documents import (
    Emergency,
    EmergencyItem,
    Frame,
    FrameChannel,
    Item,
    ItemKind,
    LocalDocument,
    Ref,
    Why,
    Window,
)
from protocol.regions import level_of, within
from protocol.times import Timestamp, day_bounds_ms, day_of_ms, ms_to_text, text_to_ms

SHORTEST_FILLER_MS = 5_000
"""A gap shorter than this shows the slate: a filler that flashes by is worse than a still picture."""


class Source(StrEnum):
    FRAME = "frame"
    LOCAL = "local"
    FILL = "fill"
    FILLER = "filler"
    EMERGENCY = "emergency"
    SLATE = "slate"


class ListedItem(Struct, frozen=True, kw_only=True):
    """One entry of a listing. ``media_offset_ms`` is where in the programme it begins (after an interruption);
    a slate has no edition and no release; ``text`` is an emergency's plain text."""

    id: str
    starts_at: Timestamp
    duration_ms: Annotated[int, Meta(gt=0)]
    source: Source
    edition: str | None = None
    release: str | None = None
    media_offset_ms: int = 0
    required: bool = False
    text: str | None = None
    why: Why | None = None
    kind: ItemKind = ItemKind.PROGRAMME
    premiere: bool = False

    @property
    def starts_ms(self) -> int:
        return text_to_ms(self.starts_at)

    @property
    def ends_ms(self) -> int:
        return self.starts_ms + self.duration_ms


class Listing(Struct, frozen=True, kw_only=True):
    """What one region sees on one channel on one day, in order, without gap or overlap."""

    region: str
    channel: str
    day: str
    items: list[ListedItem]

    def at(self, moment_ms: int) -> ListedItem | None:
        """The item on air at an instant, or None outside the day."""
        for item in self.items:
            start = item.starts_ms
            if start <= moment_ms < start + item.duration_ms:
                return item
        return None


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    id: str
    source: Source
    edition: str | None = None
    release: str | None = None
    media_offset: int = 0
    required: bool = False
    text: str | None = None
    why: Why | None = None
    kind: ItemKind = ItemKind.PROGRAMME
    premiere: bool = False

    def listed(self) -> ListedItem:
        return ListedItem(
            id=self.id,
            starts_at=ms_to_text(self.start),
            duration_ms=self.end - self.start,
            source=self.source,
            edition=self.edition,
            release=self.release,
            media_offset_ms=self.media_offset,
            required=self.required,
            text=self.text,
            why=self.why,
            kind=self.kind,
            premiere=self.premiere,
        )


@dataclass(frozen=True)
class _OpenWindow:
    window: Window
    start: int
    end: int


def merge(
    *,
    region: str,
    channel: str,
    day: date,
    frame: Frame | None,
    local_documents: Sequence[LocalDocument] = (),
    emergency: Emergency | None = None,
    recalled: Collection[str] = (),
) -> Listing:
    """The listing of a region's channel on a day.

    ``frame`` is the nearest ancestor's; ``recalled`` holds releases (hex SHA-256). Documents must already be
    verified; their validity is applied here: outside a frame's validity there is only slate. Raises nothing for
    odd content: what breaks a rule is left out.
    """
    day_start, day_end = day_bounds_ms(day)
    spans = _day(region, channel, (day_start, day_end), day_end, frame, local_documents, emergency, recalled)
    items = [span.listed() for span in spans if span.end > day_start and span.start < day_end]
    return Listing(region=region, channel=channel, day=day.isoformat(), items=items)


def on_air(
    *,
    region: str,
    channel: str,
    at_ms: int,
    frame: Frame | None,
    local_documents: Sequence[LocalDocument] = (),
    emergency: Emergency | None = None,
    recalled: Collection[str] = (),
) -> ListedItem:
    """The one item of :func:`merge`'s listing at an instant, without working out the rest of the day."""
    bounds = day_bounds_ms(day_of_ms(at_ms))
    spans = _day(region, channel, bounds, at_ms, frame, local_documents, emergency, recalled)
    return next(span for span in spans if span.start <= at_ms < span.end).listed()


def _day(
    region: str,
    channel: str,
    bounds: tuple[int, int],
    until: int,
    frame: Frame | None,
    local_documents: Sequence[LocalDocument],
    emergency: Emergency | None,
    recalled: Collection[str],
) -> list[_Span]:
    """The spans of a day, at least as far as ``until``."""
    forbidden = frozenset(recalled)
    lines = [c for c in frame.channels if c.id == channel] if frame else []
    if frame is None or not lines or not within(region, frame.region):
        spans = [_slate(*bounds)]
    else:
        spans = _timetable(region, lines[0], frame, local_documents, forbidden, bounds, until)
    return _interrupted(spans, region, emergency, forbidden, *bounds)


def _timetable(
    region: str,
    line: FrameChannel,
    frame: Frame,
    local_documents: Sequence[LocalDocument],
    forbidden: frozenset[str],
    bounds: tuple[int, int],
    until: int,
) -> list[_Span]:
    valid_from, valid_until = text_to_ms(frame.valid_from), text_to_ms(frame.valid_until)
    windows = _windows(line.windows)
    placed = _without_overlap([], _spans(line.items, Source.FRAME, forbidden, valid_from, valid_until))
    placed = _without_overlap(placed, _local_spans(region, line.id, windows, local_documents, forbidden))
    fillers = [
        ref for ref in line.fillers if ref.release not in forbidden and ref.duration_ms >= SHORTEST_FILLER_MS
    ]
    fills = {
        opened.window.id: [
            ref
            for ref in opened.window.fill
            if ref.release not in forbidden and ref.duration_ms >= SHORTEST_FILLER_MS
        ]
        for opened in windows
    }
    whole: list[_Span] = []
    played = _Played(line.no_repeat_ms)
    for gap_start, gap_end, span in _with_gaps(placed, *bounds):
        if gap_start > until:
            break
        for part_start, part_end, window_id in _by_window(gap_start, gap_end, windows):
            whole += _filled(
                part_start,
                part_end,
                fills.get(window_id or "", []),
                fillers,
                f"{region}|{line.id}",
                (valid_from, valid_until),
                played,
                until,
            )
        if span is not None:
            whole.append(span)
    return whole


def _windows(windows: Sequence[Window]) -> list[_OpenWindow]:
    opened = [_OpenWindow(w, text_to_ms(w.starts_at), text_to_ms(w.ends_at)) for w in windows]
    return sorted((w for w in opened if w.start < w.end), key=lambda w: (w.start, w.window.id))


def _spans(
    items: Iterable[Item], source: Source, forbidden: frozenset[str], valid_from: int, valid_until: int
) -> Iterator[_Span]:
    for item in items:
        start = text_to_ms(item.starts_at)
        if item.release in forbidden or not valid_from <= start < valid_until:
            continue
        yield _Span(
            start=start,
            end=start + item.duration_ms,
            id=item.id,
            source=source,
            edition=item.edition,
            release=item.release,
            required=item.required,
            why=item.why,
            kind=item.kind,
            premiere=item.premiere,
        )


def _local_spans(
    region: str,
    channel: str,
    windows: Sequence[_OpenWindow],
    documents: Sequence[LocalDocument],
    forbidden: frozenset[str],
) -> list[_Span]:
    by_id = {opened.window.id: opened for opened in windows}
    admitted: list[_Span] = []
    for document in sorted(documents, key=lambda d: (-len(d.region), d.region)):
        if not within(region, document.region):
            continue
        valid = text_to_ms(document.valid_from), text_to_ms(document.valid_until)
        level = level_of(document.region)
        for line in document.channels:
            if line.id != channel:
                continue
            in_window = {i.id: by_id[i.window] for i in line.items if i.window in by_id}
            for span in _spans(line.items, Source.LOCAL, forbidden, *valid):
                opened = in_window.get(span.id)
                if opened is None or opened.window.level != level:
                    continue
                if opened.start <= span.start and span.end <= opened.end:
                    admitted.append(span)
    return admitted


def _without_overlap(placed: Sequence[_Span], more: Iterable[_Span]) -> list[_Span]:
    """Add spans that overlap nothing placed before them; among the new ones the earlier start stays."""
    result = sorted(placed, key=lambda s: s.start)
    for span in sorted(more, key=lambda s: (s.start, s.id)):
        if all(span.end <= other.start or other.end <= span.start for other in result):
            result.append(span)
    return sorted(result, key=lambda s: s.start)


def _with_gaps(placed: Sequence[_Span], start: int, end: int) -> Iterator[tuple[int, int, _Span | None]]:
    """(gap start, gap end, the span after it) through the whole day; gaps may be empty."""
    at = start
    for span in placed:
        if span.end <= start or span.start >= end:
            continue
        yield at, max(at, span.start), span
        at = max(at, span.end)
    yield at, max(at, end), None


def _by_window(start: int, end: int, windows: Sequence[_OpenWindow]) -> Iterator[tuple[int, int, str | None]]:
    """Cut a gap where windows begin and end, naming the window each part lies in (the first, if several)."""
    if start >= end:
        return
    edges = {start, end}
    for opened in windows:
        edges.update(edge for edge in (opened.start, opened.end) if start < edge < end)
    ordered = sorted(edges)
    for part_start, part_end in pairwise(ordered):
        inside = (w.window.id for w in windows if w.start <= part_start and part_end <= w.end)
        yield part_start, part_end, next(inside, None)


class _Played:
    """When each filler began last on this day, so that none comes again too soon."""

    def __init__(self, no_repeat_ms: int) -> None:
        self._no_repeat_ms = no_repeat_ms
        self._began: dict[str, int] = {}
        self._last: str | None = None

    def choose(self, waiting: list[Ref], at: int) -> Ref:
        """Take from ``waiting`` (not empty) what may play now: the first that is not too soon, else the one that began
        longest ago; never the same twice in a row while there is another."""
        for place, ref in enumerate(waiting):
            if ref.release != self._last and self._is_free(ref, at):
                return waiting.pop(place)
        others = [place for place, ref in enumerate(waiting) if ref.release != self._last] or [0]
        free = [place for place in others if self._is_free(waiting[place], at)]
        return waiting.pop(
            free[0] if free else min(others, key=lambda n: self._began.get(waiting[n].release, 0))
        )

    def has_free(self, waiting: Sequence[Ref], at: int) -> bool:
        return any(ref.release != self._last and self._is_free(ref, at) for ref in waiting)

    def began(self, ref: Ref, at: int) -> None:
        self._began[ref.release] = at
        self._last = ref.release

    def _is_free(self, ref: Ref, at: int) -> bool:
        began = self._began.get(ref.release)
        return began is None or at - began >= self._no_repeat_ms


def _filled(
    start: int,
    end: int,
    fill: Sequence[Ref],
    fillers: Sequence[Ref],
    seed: str,
    valid: tuple[int, int],
    played: _Played,
    until: int,
) -> list[_Span]:
    valid_from, valid_until = valid
    spans: list[_Span] = []
    if start < valid_from:
        spans.append(_slate(start, min(end, valid_from)))
    low, high = max(start, valid_from), min(end, valid_until)
    if low < high and fill:
        spans += _in_a_row(low, high, cycle(fill), Source.FILL, until)
    elif low < high and fillers:
        spans += _in_a_row(low, high, _Shuffled(fillers, f"{seed}|{low}", played), Source.FILLER, until)
    elif low < high:
        spans.append(_slate(low, high))
    if end > valid_until:
        spans.append(_slate(max(start, valid_until), end))
    return spans


def _in_a_row(
    start: int, end: int, refs: Iterator[Ref] | _Shuffled, source: Source, until: int
) -> list[_Span]:
    """Play refs one after another until the end; the last one is cut there. Nothing that begins after ``until``."""
    spans: list[_Span] = []
    at = start
    while end - at >= SHORTEST_FILLER_MS and at <= until:
        ref = refs.take(at) if isinstance(refs, _Shuffled) else next(refs)
        until = min(at + ref.duration_ms, end)
        spans.append(
            _Span(
                start=at,
                end=until,
                id=f"{source}-{at}",
                source=source,
                edition=ref.edition,
                release=ref.release,
            )
        )
        at = until
    if at < end:
        spans.append(_slate(at, end))
    return spans


class _Shuffled:
    """Fillers without end, shuffled anew each round by the seed."""

    def __init__(self, refs: Sequence[Ref], seed: str, played: _Played) -> None:
        self._refs, self._seed, self._played = refs, seed, played
        self._waiting: list[Ref] = []
        self._turn = 0

    def take(self, at: int) -> Ref:
        """What plays at ``at``."""
        if not self._waiting or (
            len(self._waiting) < len(self._refs) and not self._played.has_free(self._waiting, at)
        ):
            self._waiting += self._round()
        ref = self._played.choose(self._waiting, at)
        self._played.began(ref, at)
        return ref

    def _round(self) -> list[Ref]:
        keys = {
            place: hashlib.sha256(f"{self._seed}|{self._turn}|{place}|{ref.release}".encode()).digest()
            for place, ref in enumerate(self._refs)
        }
        self._turn += 1
        return [self._refs[place] for place in sorted(keys, key=keys.__getitem__)]


def _slate(start: int, end: int) -> _Span:
    return _Span(start=start, end=end, id=f"slate-{start}", source=Source.SLATE)


def _interrupted(
    spans: Sequence[_Span],
    region: str,
    emergency: Emergency | None,
    forbidden: frozenset[str],
    day_start: int,
    day_end: int,
) -> list[_Span]:
    result = list(spans)
    for item in sorted(emergency.items if emergency else [], key=lambda i: (i.priority, i.starts_at, i.id)):
        if any(within(region, area) for area in item.regions):
            result = _cut(result, _emergency_spans(item, forbidden, day_start, day_end))
    return result


def _emergency_spans(
    item: EmergencyItem, forbidden: frozenset[str], day_start: int, day_end: int
) -> list[_Span]:
    """An emergency's programme repeats until it ends; text alone is one span. Recalled: nothing."""
    start, end = text_to_ms(item.starts_at), text_to_ms(item.ends_at)
    if end <= start or (item.ref is not None and item.ref.release in forbidden):
        return []
    base = _Span(start=start, end=end, id=item.id, source=Source.EMERGENCY, text=item.text)
    if item.ref is None:
        return [base] if item.text else []
    ref = item.ref
    skipped = max(0, (day_start - start) // ref.duration_ms)
    spans = []
    at = start + skipped * ref.duration_ms
    while at < min(end, day_end):
        until = min(at + ref.duration_ms, end)
        spans.append(
            replace(base, start=at, end=until, id=f"{item.id}-{at}", edition=ref.edition, release=ref.release)
        )
        at = until
    return spans


def _cut(spans: Sequence[_Span], over: Sequence[_Span]) -> list[_Span]:
    """Lay contiguous spans over others; what is interrupted goes on at its right offset."""
    if not over:
        return list(spans)
    start, end = over[0].start, over[-1].end
    before = [replace(s, end=min(s.end, start)) for s in spans if s.start < start]
    after = [
        s
        if s.start >= end
        else replace(
            s,
            start=end,
            id=f"{s.id}+",
            media_offset=s.media_offset + end - s.start if s.release else 0,
        )
        for s in spans
        if s.end > end
    ]
    return [*before, *over, *after]
