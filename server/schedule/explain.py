"""What plays here at this time, and why: the winning rule, who made it, what it beat. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from protocol.documents import Emergency, Frame
from protocol.merge import ListedItem, Source, on_air
from protocol.regions import level_of, lineage, within
from protocol.times import to_ms, to_text
from server.i18n import N_
from server.schedule.placement import Placed
from server.schedule.recurrence import occurrences
from server.schedule.resolve import PROVINCE, Resolver, SlotRule, Span, window_for

VERDICTS: dict[str, str] = {
    "on_air": N_("正在播出"),
    "narrower": N_("让位：《%(other)s》只针对更小的地区"),
    "once": N_("让位：《%(other)s》是单次安排，优先于系列"),
    "earlier": N_("冲突：《%(other)s》先排"),
    "study": N_("让位：集中学习《%(other)s》"),
    "province": N_("让位：省级节目《%(other)s》占用了窗口"),
    "excluded": N_("本地区除外"),
    "skipped": N_("本次停排"),
    "outside_window": N_("不在开放给%(level)s的窗口内"),
    "not_released": N_("没有可播的版本"),
    "rights_time": N_("这时没有播出授权"),
    "rights_region": N_("在本地区没有播出授权"),
    "over": N_("已经播完，或被推迟"),
    "emergency": N_("让位：应急插播"),
}
SOURCES: dict[Source, str] = {
    Source.FRAME: N_("省级编排"),
    Source.LOCAL: N_("地方窗口内的编排"),
    Source.FILL: N_("窗口无人编排，播窗口的备用节目"),
    Source.FILLER: N_("没有编排，播垫片"),
    Source.EMERGENCY: N_("应急插播"),
    Source.SLATE: N_("没有可播的节目，显示待机画面"),
}
LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class Candidate:
    """A rule that wanted this minute here, and what became of it. ``message`` is a Chinese source text for ``params``."""

    rule: str
    level: str
    region: str
    by: str
    title: str
    programme: str
    starts_at: datetime
    ends_at: datetime
    verdict: str
    message: str
    params: dict[str, str]
    is_series: bool
    beaten_by: str | None = None


@dataclass(frozen=True)
class Explanation:
    """``shown`` is what the listing has at the instant; ``windows`` those open then. The winner is first among
    ``candidates``, if a rule won at all."""

    region: str
    channel: str
    at: datetime
    shown: ListedItem
    title: str
    candidates: Sequence[Candidate]
    windows: Sequence[Span]
    frame_region: str

    @property
    def source_message(self) -> str:
        return SOURCES[self.shown.source]


def explain(
    resolver: Resolver, region: str, channel: str, at: datetime, *, emergency: Emergency | None = None
) -> Explanation:
    """Why ``region`` sees what it sees on ``channel`` at ``at``, which must lie in the resolver's span."""
    frame, shown = shown_at(resolver, region, channel, at, emergency)
    candidates = sorted(
        _Contest(resolver, region, channel, at, shown).candidates(),
        key=lambda c: (c.verdict != "on_air", -len(c.region), c.rule),
    )
    windows = [
        span
        for span in resolver.windows(region, channel)
        if span[1].starts_at <= to_text(at) < span[1].ends_at
    ]
    title = title_of(resolver, shown)
    return Explanation(region, channel, at, shown, title, candidates, windows, frame.region)


def shown_at(
    resolver: Resolver, region: str, channel: str, at: datetime, emergency: Emergency | None
) -> tuple[Frame, ListedItem]:
    """The frame a region follows, and what its listing has at an instant."""
    frame = resolver.frame_for(region)
    own = set(resolver.local_regions)
    local_documents = [resolver.local(code) for code in lineage(region) if code in own]
    item = on_air(
        region=region,
        channel=channel,
        at_ms=to_ms(at),
        frame=frame,
        local_documents=local_documents,
        emergency=emergency,
    )
    return frame, item


def title_of(resolver: Resolver, shown: ListedItem) -> str:
    """A title for people, or an emergency's text."""
    releases = resolver.rules.releases.values()
    return shown.text or next((r.title for r in releases if r.edition == shown.edition), "")


class _Contest:
    def __init__(
        self, resolver: Resolver, region: str, channel: str, at: datetime, shown: ListedItem
    ) -> None:
        self._resolver, self._region, self._channel, self._at, self._shown = (
            resolver,
            region,
            channel,
            at,
            shown,
        )
        self._line = resolver.line(region, channel)
        self._slots = {slot.id: slot for slot in resolver.all_slots}

    def candidates(self) -> Iterator[Candidate]:
        above = set(lineage(self._region))
        for slot in self._slots.values():
            if slot.channel == self._channel and slot.region in above:
                for planned, end in self._wanting(slot):
                    yield self._judged(slot, planned, end)

    def _wanting(self, slot: SlotRule) -> Iterator[tuple[datetime, datetime]]:
        """Occurrences that would be on air now if they were alone, those taken out by an exception too; and what was
        delayed into now."""
        release = self._resolver.rules.releases.get(slot.programme)
        length = timedelta(milliseconds=release.duration_ms if release else 3_600_000)
        if slot.duration_ms is not None:
            length = min(length, timedelta(milliseconds=slot.duration_ms))
        begin = self._at - length - timedelta(hours=1)
        starts = occurrences(
            slot.starts_at, slot.rrule, begin, self._at + timedelta(milliseconds=1), rdates=slot.rdates
        )
        for start in starts:
            delayed = next((p for p in self._line if p.rule.id == slot.id and p.planned == start), None)
            if start + length > self._at or (delayed is not None and delayed.start <= self._at < delayed.end):
                yield start, start + length

    def _judged(self, slot: SlotRule, start: datetime, end: datetime) -> Candidate:
        release = self._resolver.rules.releases.get(slot.programme)
        verdict, winner = self._verdict(slot, start, end)
        other = winner.release.title if winner else ""
        params = {"other": other, "level": level_of(slot.region).value}
        return Candidate(
            rule=slot.why or f"slot:{slot.id}",
            level=slot.level,
            region=slot.region,
            by=slot.by,
            title=release.title if release else "",
            programme=slot.programme,
            starts_at=start,
            ends_at=end,
            verdict=verdict,
            message=VERDICTS[verdict],
            params=params,
            is_series=slot.rrule is not None,
            beaten_by=winner.rule.id if winner else None,
        )

    def _verdict(self, slot: SlotRule, start: datetime, end: datetime) -> tuple[str, Placed | None]:
        release = self._resolver.rules.releases.get(slot.programme)
        fault = self._fault(slot, start)
        if fault is not None or release is None:
            return fault or "not_released", None
        if self._is_shown(slot):
            return "on_air", None
        if self._shown.source is Source.EMERGENCY:
            return "emergency", None
        return self._beaten(slot, Placed(start, end, slot, release))

    def _fault(self, slot: SlotRule, start: datetime) -> str | None:
        """Why the rule would not play even if it were alone."""
        release = self._resolver.rules.releases.get(slot.programme)
        faults = {
            "excluded": any(within(self._region, area) for area in slot.excluded),
            "skipped": to_text(start) in slot.exdates,
            "not_released": release is None,
            "rights_time": release is not None and not release.allowed_at(start),
            "rights_region": release is not None and not release.allowed_in(self._region),
        }
        return next((code for code, is_so in faults.items() if is_so), None)

    def _is_shown(self, slot: SlotRule) -> bool:
        shown = self._shown.id.rstrip("+")
        return shown == slot.id or shown.startswith(f"{slot.id}@")

    def _beaten(self, slot: SlotRule, one: Placed) -> tuple[str, Placed | None]:
        over = [p for p in self._line if p.start < one.end and one.start < p.end and p.rule.id != slot.id]
        if slot.level != PROVINCE:
            if over:
                return "province", over[0]
            spans = self._resolver.windows(slot.region, self._channel)
            if window_for(slot.region, self._channel, one, spans) is None:
                return "outside_window", None
            own = self._resolver.placed(slot.region, self._channel, province=False)
            over = [p for p in own if p.start < one.end and one.start < p.end and p.order < one.order]
        if not over:
            return "over", None
        winner = min(over, key=lambda p: p.order)
        if winner.rule.fixed:
            return "study", winner
        if len(winner.rule.region) > len(slot.region):
            return "narrower", winner
        once = winner.rule.rrule is None and slot.rrule is not None
        return ("once" if once else "earlier"), winner
