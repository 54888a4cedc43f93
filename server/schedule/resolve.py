"""From rules to documents: which frame each region gets and what each city or county says in its windows. Pure.

A frame is complete, not an overlay: a region that differs from its parent (because the province placed something
there alone, or left it out of something) gets one of its own; a region that does not differ gets none. Documents are
made one by one, when they are asked for, so that one edit need not make a whole province anew.

Nothing that signers or terminals would refuse gets into a document: what is not released, has no right to be shown
there and then, or stands outside its window is left out and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalChannel,
    LocalDocument,
    Notice,
    Ref,
    StudyDay,
    Topic,
    Window,
)
from protocol.regions import level_of, lineage, within
from protocol.times import SHANGHAI, to_text
from server.schedule import study
from server.schedule.placement import Placed, Problem, tolerable, without_overlap
from server.schedule.recurrence import occurrences
from server.schedule.rulebook import (
    PROVINCE,
    ChannelRule,
    Evening,
    NoticeSpan,
    PushSpan,
    Release,
    Rules,
    SlotRule,
    StudyPlan,
    TopicSpan,
    WindowSpan,
)

__all__ = [
    "PROVINCE", "ChannelRule", "Evening", "NoticeSpan", "Placed", "Problem", "PushSpan", "Release", "Resolved",
    "Resolver", "Rules", "SlotRule", "Span", "StudyPlan", "TopicSpan", "WindowSpan", "expand_window", "frame_regions",
    "resolve", "tolerable", "window_for", "without_overlap",
]  # fmt: skip

Span = tuple[WindowSpan, Window]
_Key = tuple[str, str, bool]
"""Region, channel, and whether the province speaks."""


@dataclass
class Resolved:
    """Documents with serial 0 (the service numbers them) and what could not be honoured."""

    frames: dict[str, Frame] = field(default_factory=dict)
    locals: dict[str, LocalDocument] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def resolve(rules: Rules, begin: datetime, end: datetime) -> Resolved:
    """All documents for the span [begin, end), which is also their validity."""
    resolver = Resolver(rules, begin, end)
    resolved = Resolved()
    for region in resolver.frame_regions:
        frame = resolver.frame(region)
        if frame is not None:
            resolved.frames[region] = frame
    for region in resolver.local_regions:
        resolved.locals[region] = resolver.local(region)
    resolved.problems = sorted(set(resolver.problems), key=lambda p: (p.rule, p.code, str(p.at), p.region))
    return resolved


def frame_regions(rules: Rules) -> list[str]:
    """Every region for which the province has a rule of its own; the province itself first of all."""
    own = {rule.region for rule in rules.regional if rule.level == PROVINCE}
    own |= {window.region for window in rules.windows}
    own |= {area for slot in rules.slots for area in slot.excluded if within(area, slot.region)}
    own |= {area for window in rules.windows for area in window.excluded if within(area, window.region)}
    own |= {region for topic in rules.topics if topic.level == PROVINCE for region in topic.regions}
    return sorted(own | {rules.root})


def expand_window(rule: WindowSpan, begin: datetime, end: datetime) -> list[Span]:
    """The occurrences of a window rule that overlap the span; ``fill`` is added by the resolver."""
    length = timedelta(milliseconds=rule.duration_ms)
    starts = occurrences(
        rule.starts_at, rule.rrule, begin - length, end, exdates=rule.exdates, rdates=rule.rdates
    )
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
        for start in starts
    ]


class Resolver:
    """Makes documents of one set of rules and one span on demand. ``problems`` are those of what was asked for so far."""

    def __init__(self, rules: Rules, begin: datetime, end: datetime) -> None:
        self.rules, self.begin, self.end = rules, begin, end
        self.problems: list[Problem] = []
        self._frames: dict[str, Frame | None] = {}
        self._lines: dict[tuple[str, str], list[Placed]] = {}
        self._valid_from, self._valid_until = to_text(begin), to_text(end)
        self._study = [day for plan in rules.study for day in study.days(plan, rules.releases, begin, end)]
        self._slots: dict[_Key, list[SlotRule]] = {}
        for slot in (*rules.slots, *(slot for day in self._study for slot in day.slots)):
            self._slots.setdefault((slot.region, slot.channel, slot.level == PROVINCE), []).append(slot)
        self._windows: dict[tuple[str, str], list[WindowSpan]] = {}
        for window in rules.windows:
            self._windows.setdefault((window.region, window.channel), []).append(window)
        self._placed: dict[_Key, list[Placed]] = {}
        self._spans: dict[tuple[str, str], list[Span]] = {}
        self._left_out = {(area, slot.channel) for slot in rules.slots for area in slot.excluded}

    # --- which ---
    @cached_property
    def frame_regions(self) -> list[str]:
        return frame_regions(self.rules)

    @cached_property
    def local_regions(self) -> list[str]:
        """Cities and counties that say anything: in a window, as a notice, a push or a study day."""
        said = {region for region, _, is_province in self._slots if not is_province}
        said |= {rule.region for rule in self.rules.regional if rule.level != PROVINCE}
        said |= {notice.region for notice in self.rules.notices if notice.level != PROVINCE}
        said |= {area for topic in self.rules.topics if topic.level != PROVINCE for area in topic.regions}
        return sorted(said)

    @property
    def all_slots(self) -> list[SlotRule]:
        """Every slot, those of study evenings too."""
        return [*self.rules.slots, *(slot for day in self._study for slot in day.slots)]

    # --- rules to occurrences ---
    def placed(self, region: str, channel: str, *, province: bool) -> list[Placed]:
        """The occurrences of the rules for exactly this region, released and with the right to be shown then."""
        key = (region, channel, province)
        if key not in self._placed:
            self._placed[key] = [one for slot in self._slots.get(key, ()) for one in self._expanded(slot)]
        return self._placed[key]

    def _expanded(self, slot: SlotRule) -> Iterable[Placed]:
        release = self.rules.releases.get(slot.programme)
        starts = occurrences(
            slot.starts_at, slot.rrule, self.begin, self.end, exdates=slot.exdates, rdates=slot.rdates
        )
        for start in starts:
            if release is None:
                self.problems.append(Problem(slot.id, "not_released", start, region=slot.region))
            elif not release.allowed_at(start):
                self.problems.append(Problem(slot.id, "rights_time", start, region=slot.region))
            else:
                given = min(slot.duration_ms or release.duration_ms, release.duration_ms)
                yield Placed(start, start + timedelta(milliseconds=given), slot, release)

    def _filled(self, span: Span) -> Span:
        rule, window = span
        if not rule.fill:
            return span
        return rule, Window(
            id=window.id,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            level=window.level,
            admits=window.admits,
            fill=self._refs(rule.fill, rule.region),
        )

    def _refs(self, programmes: Iterable[str], region: str) -> list[Ref]:
        found = (self.rules.releases.get(programme) for programme in programmes)
        return [release.ref() for release in found if release is not None and release.allowed_in(region)]

    # --- frames ---
    def frame(self, region: str) -> Frame | None:
        """A region's frame; None where it would say what the frame above it says."""
        if region not in self._frames:
            made = self._frame(region)
            above = self._frame_above(region)
            self._frames[region] = None if above is not None and _same(made, above) else made
        return self._frames[region]

    def frame_for(self, region: str) -> Frame:
        """The frame that stations of any region follow."""
        own = set(self.frame_regions)
        for code in lineage(region):
            if code in own and (frame := self.frame(code)) is not None:
                return frame
        return self._frames.setdefault(self.rules.root, self._frame(self.rules.root))  # type: ignore[return-value]

    def _frame_above(self, region: str) -> Frame | None:
        return self.frame_for(lineage(region)[1]) if region != self.rules.root and len(region) > 2 else None

    def _frame(self, region: str) -> Frame:
        return Frame(
            region=region,
            serial=0,
            valid_from=self._valid_from,
            valid_until=self._valid_until,
            channels=[self._channel(channel, region) for channel in self.rules.channels],
            library=self._library(region),
            notices=self._notices(region, province=True),
            sections=list(self.rules.sections),
            topics=self._topics(region, province=True),
            study=self._study_days(region, province=True) or [],
        )

    def _channel(self, channel: ChannelRule, region: str) -> FrameChannel:
        return FrameChannel(
            id=channel.id,
            name=channel.name,
            items=self._items(region, channel.id),
            windows=[window for _, window in self.windows(region, channel.id)],
            fillers=self._refs(self.rules.fillers.get(channel.id, ()), region),
            name_en=channel.name_en,
            logo=channel.logo,
            next_card_ms=channel.next_card_ms,
            no_repeat_ms=channel.no_repeat_ms,
        )

    def _items(self, region: str, channel: str) -> list[Item]:
        return [placed.plain_item for placed in self.line(region, channel)]

    def line(self, region: str, channel: str) -> list[Placed]:
        """What the province shows in a region on a channel, in order, none over another."""
        nearest = self._nearest_with_own(region, channel)
        key = (nearest, channel)
        if key not in self._lines:
            self._lines[key] = without_overlap(self._candidates(nearest, channel), self.problems, nearest)
        return self._lines[key]

    def _nearest_with_own(self, region: str, channel: str) -> str:
        """The nearest region above (or the region itself) for which anything differs on this channel."""
        studying = self._studies(region)
        for code in lineage(region):
            own = (code, channel, True) in self._slots or (code, channel) in self._left_out
            if own or code == studying:
                return code
        return self.rules.root

    def _candidates(self, region: str, channel: str) -> list[Placed]:
        """Whatever the province means for the whole of a region."""
        studying = self._studies(region)
        found = []
        for code in lineage(region):
            for placed in self.placed(code, channel, province=True):
                if not placed.rule.covers(region):
                    continue
                if placed.rule.fixed and placed.rule.region != studying:
                    continue
                if not placed.release.allowed_in(region):
                    self.problems.append(
                        Problem(placed.rule.id, "rights_region", placed.start, region=region)
                    )
                    continue
                found.append(placed)
        return found

    def windows(self, region: str, channel: str) -> list[Span]:
        """The windows open in a region, by their start."""
        found = [
            span
            for code in lineage(region)
            for span in self._spans_of(code, channel)
            if span[0].covers(region)
        ]
        return sorted(found, key=lambda span: (span[1].starts_at, span[1].id))

    def _spans_of(self, region: str, channel: str) -> list[Span]:
        key = (region, channel)
        if key not in self._spans:
            self._spans[key] = [
                self._filled(span)
                for rule in self._windows.get(key, ())
                for span in expand_window(rule, self.begin, self.end)
            ]
        return self._spans[key]

    # --- beside the timetable ---
    def _library(self, region: str) -> list[LibraryEntry]:
        pushed = self._pushed(region, province=True)
        shared = not pushed and not self._limited
        if shared:
            return self._plain_library
        return [
            self._entry(programme, release, pushed)
            for programme, release in self._ordered_releases
            if release.allowed_in(region)
        ]

    @cached_property
    def _ordered_releases(self) -> list[tuple[str, Release]]:
        return sorted(self.rules.releases.items(), key=lambda pair: pair[1].edition)

    @cached_property
    def _limited(self) -> bool:
        return any(release.regions for release in self.rules.releases.values())

    @cached_property
    def _plain_library(self) -> list[LibraryEntry]:
        return [self._entry(programme, release, {}) for programme, release in self._ordered_releases]

    def _entry(self, programme: str, release: Release, pushed: dict[str, datetime | None]) -> LibraryEntry:
        until = pushed.get(programme)
        return LibraryEntry(
            edition=release.edition,
            release=release.release,
            section=release.section,
            pushed=programme in pushed,
            until=to_text(until) if until else None,
        )

    def _pushed(self, region: str, *, province: bool) -> dict[str, datetime | None]:
        """Pushed programmes and when the push ends; the longest of several."""
        found: dict[str, datetime | None] = {}
        for push in self.rules.pushes:
            mine = within(region, push.region) if province else push.region == region
            if (push.level == PROVINCE) is not province or not mine:
                continue
            if push.until is not None and push.until <= self.begin:
                continue
            for programme in push.programmes:
                known = found.get(programme, push.until)
                endless = known is None or push.until is None
                found[programme] = None if endless else max(known, push.until)  # type: ignore[type-var]
        return found

    def _notices(self, region: str, *, province: bool) -> list[Notice]:
        """Tickers for a region or a part of it; one of a wider region is named for this one, as its signers expect."""
        return [
            Notice(
                id=notice.id,
                text=notice.text,
                region=notice.region if within(notice.region, region) else region,
                starts_at=to_text(notice.starts_at),
                until=to_text(notice.until),
            )
            for notice in self.rules.notices
            if (notice.level == PROVINCE) is province
            and notice.until > self.begin
            and notice.starts_at < self.end
            and (within(notice.region, region) if not province else _related(notice.region, region))
        ]

    def _topics(self, region: str, *, province: bool) -> list[Topic]:
        return [
            Topic(
                id=topic.id,
                title=topic.title,
                summary=topic.summary,
                starts_at=to_text(topic.starts_at),
                until=to_text(topic.until),
                required=topic.required,
                poster=topic.poster,
                programmes=self._refs(topic.programmes, region),
            )
            for topic in self.rules.topics
            if topic.until > self.begin
            and (topic.level == PROVINCE) is province
            and (any(within(region, area) for area in topic.regions) if province else region in topic.regions)
        ]

    def _studies(self, region: str) -> str | None:
        """Whose provincial study days hold in a region: the nearest region that has any."""
        own = self._study_regions
        return next((code for code in lineage(region) if code in own), None)

    @cached_property
    def _study_regions(self) -> frozenset[str]:
        return frozenset(plan.region for plan in self.rules.study if plan.level == PROVINCE)

    def _study_days(self, region: str, *, province: bool) -> list[StudyDay] | None:
        holder = self._studies(region) if province else region
        plans = {
            plan.id
            for plan in self.rules.study
            if plan.region == holder and (plan.level == PROVINCE) is province
        }
        if not plans:
            return None
        days = [
            day.document(self._refs(day.programmes, region)) for day in self._study if day.plan.id in plans
        ]
        return sorted(days, key=lambda day: (day.starts_at, day.id))

    # --- local documents ---
    def local(self, region: str) -> LocalDocument:
        """What a city or county says."""
        channels = []
        for channel in self.rules.channels:
            items = self._local_items(region, channel.id)
            if items:
                channels.append(LocalChannel(id=channel.id, items=items))
        return LocalDocument(
            region=region,
            serial=0,
            valid_from=self._valid_from,
            valid_until=self._valid_until,
            channels=channels,
            notices=self._notices(region, province=False),
            library=self._local_library(region),
            topics=self._topics(region, province=False),
            study=self._study_days(region, province=False),
        )

    def _local_library(self, region: str) -> list[LibraryEntry]:
        pushed = self._pushed(region, province=False)
        return [
            self._entry(programme, release, pushed)
            for programme, release in self._ordered_releases
            if programme in pushed and release.allowed_in(region)
        ]

    def _local_items(self, region: str, channel: str) -> list[Item]:
        """Items that stand in a window whole and where the province shows nothing; what does not is reported."""
        spans = self.windows(region, channel)
        provincial = self.line(region, channel)
        admitted = []
        windows: dict[str, str] = {}
        for one in self.placed(region, channel, province=False):
            window = window_for(region, channel, one, spans)
            taken = next((p for p in provincial if p.start < one.end and one.start < p.end), None)
            if window is None:
                self.problems.append(Problem(one.rule.id, "outside_window", one.start, region=region))
            elif taken is not None:
                self.problems.append(Problem(one.rule.id, "overlapped", one.start, taken.rule.id, region))
            elif not one.release.allowed_in(region):
                self.problems.append(Problem(one.rule.id, "rights_region", one.start, region=region))
            else:
                windows[one.id] = window.id
                admitted.append(one)
        placed = without_overlap(admitted, self.problems, region)
        return [one.item(windows[one.id]) for one in self._still_inside(placed, spans, provincial, region)]

    def _still_inside(
        self, placed: Sequence[Placed], spans: Sequence[Span], provincial: Sequence[Placed], region: str
    ) -> Iterable[Placed]:
        """What was delayed may have left its window, or run into the province's programme."""
        for one in placed:
            if one.planned is None:
                yield one
                continue
            fits = window_for(region, one.rule.channel, one, spans)
            if fits is None or any(p.start < one.end and one.start < p.end for p in provincial):
                self.problems.append(Problem(one.rule.id, "outside_window", one.start, region=region))
            else:
                yield one


def window_for(region: str, channel: str, one: Placed, spans: Sequence[Span]) -> Window | None:
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


def _related(one: str, other: str) -> bool:
    return within(one, other) or within(other, one)


def _same(made: Frame, above: Frame) -> bool:
    """Whether two frames say the same, region aside."""
    notices = [replace_region(n, above.region) for n in made.notices]
    wider = [replace_region(n, above.region) for n in above.notices if _related(n.region, made.region)]
    return (
        made.channels == above.channels
        and made.library == above.library
        and made.topics == above.topics
        and made.study == above.study
        and notices == wider
    )


def replace_region(notice: Notice, region: str) -> Notice:
    return Notice(
        id=notice.id, text=notice.text, region=region, starts_at=notice.starts_at, until=notice.until
    )
