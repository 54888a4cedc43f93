"""The conflict report: what is wrong with the coming days before anything is published. Pure.

An *error* means that something somebody placed will not be seen as placed, or that a signer or a terminal would refuse
it: a report with an error is not clean. A *warning* is a matter of judgement; *info* says what wins over what as meant
(one evening over a series, one village out of a county).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from protocol.documents import Item
from protocol.regions import level_of, within
from protocol.times import SHANGHAI, from_text
from server.i18n import N_
from server.schedule.resolve import PROVINCE, Problem, Resolver, SlotRule, Span


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


MESSAGES: dict[str, tuple[Severity, str]] = {
    "overlapped": (Severity.ERROR, N_("%(at)s《%(title)s》与《%(other)s》冲突，不会播出")),
    "exception": (Severity.INFO, N_("%(at)s《%(title)s》让位给《%(other)s》")),
    "not_released": (Severity.ERROR, N_("%(at)s《%(title)s》没有可播的版本：%(state)s")),
    "rights_time": (Severity.ERROR, N_("%(at)s《%(title)s》没有播出授权")),
    "rights_region": (Severity.ERROR, N_("%(at)s《%(title)s》在%(place)s没有播出授权")),
    "outside_window": (Severity.ERROR, N_("%(at)s《%(title)s》不在%(place)s的地方窗口内")),
    "rereview": (Severity.ERROR, N_("《%(title)s》需要重播重审")),
    "blank": (Severity.ERROR, N_("%(channel)s没有垫片，%(place)s在 %(at)s 起无节目可播")),
    "gap": (Severity.WARNING, N_("%(at)s 起%(minutes)s分钟只有垫片（%(place)s）")),
    "party_share": (Severity.WARNING, N_("%(place)s党员教育节目占 %(share)s%%，低于 %(minimum)s%%")),
    "too_often_day": (Severity.WARNING, N_("%(place)s %(day)s 播《%(title)s》%(count)s 次")),
    "too_often": (Severity.WARNING, N_("%(place)s在 %(days)s 天内播《%(title)s》%(count)s 次")),
    "window_missed": (Severity.WARNING, N_("%(at)s 的地方窗口已截止，%(count)s 个地区没有编排")),
    "window_open": (Severity.INFO, N_("%(at)s 的地方窗口还有 %(count)s 个地区没有编排")),
    "successor": (Severity.WARNING, N_("《%(title)s》编排在已撤并的%(place)s")),
    "cannot_have": (Severity.WARNING, N_("%(at)s《%(title)s》：%(count)s 个站点来不及收到")),
}


@dataclass(frozen=True)
class Limits:
    """What counts as too little or too much. ``party_sections`` are the sections of Party education (item 10 of the
    programme's principles); shares in per cent of placed time."""

    party_sections: tuple[str, ...] = ()
    party_minimum: int = 20
    most_a_day: int = 3
    most_a_week: int = 10
    gap_minutes: int = 90
    gap_from_hour: int = 18
    gap_to_hour: int = 22


@dataclass(frozen=True)
class Facts:
    """What the rules themselves do not say. ``titles`` and ``states`` by programme; ``rereview`` are programmes that need
    one; ``counties`` and ``cities`` are the regions that may fill windows; ``merged`` those merged into others."""

    titles: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    rereview: frozenset[str] = frozenset()
    counties: Sequence[str] = ()
    cities: Sequence[str] = ()
    merged: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``message`` is a Chinese source text for ``params``, where ``place`` is a region's code until
    the service puts its name; ``regions`` are those concerned where there are several; ``stations`` likewise."""

    code: str
    severity: Severity
    region: str
    message: str
    params: Mapping[str, str | int]
    channel: str = ""
    at: datetime | None = None
    rule: str = ""
    other: str = ""
    regions: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()

    def text(self) -> str:
        return self.message % self.params


def find_conflicts(
    resolver: Resolver, facts: Facts, limits: Limits, *, now: datetime, scope: str = "13"
) -> list[Finding]:
    """Everything wrong in the resolver's span with what is seen in ``scope``, the worst first."""
    return by_urgency(set(_Search(resolver, facts, limits, now, scope).all()))


def by_urgency(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, then by time."""
    return sorted(findings, key=_urgency)


def finding(
    code: str, region: str, params: Mapping[str, str | int], *, regions: tuple[str, ...] = (), at: datetime | None = None,
    rule: str = "", other: str = "", channel: str = "", stations: tuple[str, ...] = (),
) -> Finding:  # fmt: skip
    severity, message = MESSAGES[code]
    kept = _Params(params)
    return Finding(code, severity, region, message, kept, channel, at, rule, other, regions, stations)


class _Params(dict[str, str | int]):
    """Findings are compared and put into sets."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((key, str(value)) for key, value in self.items())))


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _urgency(found: Finding) -> tuple[int, str, str, str, str]:
    return _ORDER[found.severity], str(found.at or ""), found.code, found.region, found.rule


class _Search:
    def __init__(self, resolver: Resolver, facts: Facts, limits: Limits, now: datetime, scope: str) -> None:
        self._resolver, self._facts, self._limits, self._now, self._scope = (
            resolver,
            facts,
            limits,
            now,
            scope,
        )
        self._slots = {slot.id: slot for slot in resolver.all_slots}
        self._frames = [
            code
            for code in resolver.frame_regions
            if _touches(code, scope) and resolver.frame(code) is not None
        ]
        self._locals = [code for code in resolver.local_regions if _touches(code, scope)]
        self._local_items = {code: self._items_of(code) for code in self._locals}

    def _items_of(self, region: str) -> dict[str, list[Item]]:
        return {channel.id: channel.items for channel in self._resolver.local(region).channels}

    def all(self) -> Iterator[Finding]:
        yield from self._problems()
        yield from self._slots_themselves()
        yield from self._windows()
        for region in self._seen_regions():
            for channel in self._resolver.rules.channels:
                items = self._seen(region, channel.id)
                yield from self._gaps(region, channel.id, channel.name, items)
                yield from self._repeats(region, channel.id, items)
            yield from self._party_share(region)

    def _seen_regions(self) -> list[str]:
        """Every region whose timetable differs from the one above it, in the scope; or the one the scope follows."""
        own = sorted({code for code in (*self._frames, *self._locals) if within(code, self._scope)})
        return own if self._scope in own else [self._scope, *own]

    def _seen(self, region: str, channel: str) -> list[Item]:
        """Placed items as a region sees them, in order."""
        items = [placed.plain_item for placed in self._resolver.line(region, channel)]
        for code, by_channel in self._local_items.items():
            if within(region, code):
                items += by_channel.get(channel, [])
        return sorted(items, key=lambda item: item.starts_at)

    # --- what could not be honoured ---
    def _problems(self) -> Iterator[Finding]:
        for problem in set(self._resolver.problems):
            slot = self._slots.get(problem.rule)
            if slot is None or not _touches(problem.region or slot.region, self._scope):
                continue
            yield self._problem(problem, slot)

    def _problem(self, problem: Problem, slot: SlotRule) -> Finding:
        other = self._slots.get(problem.other or "")
        code = problem.code
        if code == "overlapped" and other is not None and _is_exception(other, slot):
            code = "exception"
        region = problem.region or slot.region
        params: dict[str, str | int] = {
            "title": self._title(slot.programme),
            "at": _wall(problem.at),
            "place": region,
        }
        if other is not None:
            params["other"] = self._title(other.programme)
        if code == "not_released":
            params["state"] = self._facts.states.get(slot.programme, "")
        return finding(
            code, region, params, channel=slot.channel, at=problem.at, rule=slot.id, other=problem.other or ""
        )

    def _slots_themselves(self) -> Iterator[Finding]:
        for slot in self._resolver.all_slots:
            if not _touches(slot.region, self._scope):
                continue
            params = {"title": self._title(slot.programme), "place": slot.region}
            if slot.programme in self._facts.rereview:
                yield finding("rereview", slot.region, params, channel=slot.channel, rule=slot.id)
            if slot.region in self._facts.merged:
                yield finding("successor", slot.region, params, channel=slot.channel, rule=slot.id)

    # --- windows ---
    def _windows(self) -> Iterator[Finding]:
        for channel in self._resolver.rules.channels:
            spans: dict[str, Span] = {}
            holders: dict[str, list[str]] = {}
            for region in (*self._facts.counties, *self._facts.cities):
                if not _touches(region, self._scope):
                    continue
                filled = {item.window for item in self._local_items.get(region, {}).get(channel.id, [])}
                for rule, window in self._resolver.windows(region, channel.id):
                    if rule.level == level_of(region) and window.id not in filled:
                        spans[window.id] = rule, window
                        holders.setdefault(window.id, []).append(region)
            for window_id, regions in holders.items():
                yield from self._unfilled(channel.id, spans[window_id], regions)

    def _unfilled(self, channel: str, span: Span, regions: Sequence[str]) -> Iterator[Finding]:
        rule, window = span
        opens = from_text(window.starts_at)
        closes = opens - timedelta(hours=rule.deadline_hours)
        if opens <= self._now or opens >= self._resolver.end:
            return
        code = "window_missed" if rule.deadline_hours and closes <= self._now else "window_open"
        params: dict[str, str | int] = {"at": _wall(opens), "count": len(regions)}
        yield finding(
            code, rule.region, params, channel=channel, at=opens, rule=rule.id, regions=tuple(regions)
        )

    # --- the timetable as seen ---
    def _gaps(self, region: str, channel: str, name: str, items: Sequence[Item]) -> Iterator[Finding]:
        fillers = self._resolver.rules.fillers.get(channel, ())
        if not any(programme in self._resolver.rules.releases for programme in fillers):
            first = self._first_gap(items)
            if first is not None:
                params: dict[str, str | int] = {"channel": name, "place": region, "at": _wall(first)}
                yield finding("blank", region, params, channel=channel, at=first)
            return
        for start, end in self._prime_gaps(items):
            minutes = int((end - start) / timedelta(minutes=1))
            if minutes >= self._limits.gap_minutes:
                params = {"at": _wall(start), "minutes": minutes, "place": region}
                yield finding("gap", region, params, channel=channel, at=start)

    def _first_gap(self, items: Sequence[Item]) -> datetime | None:
        at = max(self._resolver.begin, self._now)
        for item in items:
            start = from_text(item.starts_at)
            if start > at:
                return at
            at = max(at, start + timedelta(milliseconds=item.duration_ms))
        return at if at < self._resolver.end else None

    def _prime_gaps(self, items: Sequence[Item]) -> Iterator[tuple[datetime, datetime]]:
        """Spans of the evening hours in which nothing is placed, day by day."""
        day = self._resolver.begin.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        times = [
            (from_text(i.starts_at), from_text(i.starts_at) + timedelta(milliseconds=i.duration_ms))
            for i in items
        ]
        while day < self._resolver.end:
            at, closes = (
                day + timedelta(hours=self._limits.gap_from_hour),
                day + timedelta(hours=self._limits.gap_to_hour),
            )
            for start, end in times:
                if end <= at or start >= closes:
                    continue
                if start > at:
                    yield at, start
                at = max(at, end)
            if at < closes and closes > self._now:
                yield at, closes
            day += timedelta(days=1)

    def _repeats(self, region: str, channel: str, items: Iterable[Item]) -> Iterator[Finding]:
        by_edition = {
            release.edition: programme for programme, release in self._resolver.rules.releases.items()
        }
        shown = [(by_edition.get(i.edition, ""), _day(i)) for i in items if i.kind != "promo"]
        days = max(1, (self._resolver.end - self._resolver.begin).days)
        for (programme, day), count in Counter(shown).items():
            if count > self._limits.most_a_day:
                params: dict[str, str | int] = {
                    "place": region, "day": day, "title": self._title(programme), "count": count,
                }  # fmt: skip
                yield finding("too_often_day", region, params, channel=channel, rule=programme)
        most = self._limits.most_a_week * days / 7
        for programme, count in Counter(programme for programme, _ in shown).items():
            if count > max(most, self._limits.most_a_day):
                params = {"place": region, "days": days, "title": self._title(programme), "count": count}
                yield finding("too_often", region, params, channel=channel, rule=programme)

    def _party_share(self, region: str) -> Iterator[Finding]:
        sections = {r.edition: r.section for r in self._resolver.rules.releases.values()}
        total = party = 0
        for channel in self._resolver.rules.channels:
            for item in self._seen(region, channel.id):
                total += item.duration_ms
                party += item.duration_ms * (sections.get(item.edition) in self._limits.party_sections)
        if total and self._limits.party_sections and party * 100 < self._limits.party_minimum * total:
            params: dict[str, str | int] = {
                "place": region, "share": party * 100 // total, "minimum": self._limits.party_minimum,
            }  # fmt: skip
            yield finding("party_share", region, params)

    def _title(self, programme: str) -> str:
        release = self._resolver.rules.releases.get(programme)
        return (release.title if release else "") or self._facts.titles.get(programme, "?")


def _is_exception(winner: SlotRule, loser: SlotRule) -> bool:
    """Whether somebody meant it: one place out of many, one evening over a series, a study day, or the province's
    programme over nothing else."""
    narrower = len(winner.region) > len(loser.region)
    once = winner.rrule is None and loser.rrule is not None and winner.region == loser.region
    return (winner.level == loser.level == PROVINCE and (narrower or once)) or (
        once and winner.level == loser.level
    )


def _touches(region: str, scope: str) -> bool:
    return within(region, scope) or within(scope, region)


def _wall(at: datetime | None) -> str:
    return at.astimezone(SHANGHAI).strftime("%m-%d %H:%M") if at else ""


def _day(item: Item) -> str:
    return from_text(item.starts_at).astimezone(SHANGHAI).strftime("%m-%d")
