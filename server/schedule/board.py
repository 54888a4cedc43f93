"""The board's view: several days of a region with what stands there, whose it is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.merge import ListedItem
from protocol.regions import level_of, within
from protocol.times import SHANGHAI, day_bounds_ms, from_ms, from_text, to_text
from server.catalog.models import Airing, Programme, Section
from server.catalog.search import Filters, list_programmes
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.schedule import service
from server.schedule.airtime import rights_of
from server.schedule.board_views import (
    BoardChannel,
    BoardItem,
    BoardLimit,
    BoardRight,
    BoardView,
    BoardWarning,
    BoardWindow,
    LibraryItem,
)
from server.schedule.guide import ANNOUNCED
from server.schedule.models import Slot
from server.schedule.recurrence import occurrences
from server.schedule.resolve import Problem

Say = Callable[[str, Mapping[str, object]], str]
"""Puts a text into the reader's language: the edge knows which."""

WARNINGS: dict[str, str] = {
    "not_released": N_("%(at)s《%(title)s》没有可播的版本，不会播出"),
    "rights_time": N_("%(at)s《%(title)s》那时没有播出授权，不会播出"),
    "rights_region": N_("%(at)s《%(title)s》在%(place)s没有播出授权"),
    "outside_window": N_("%(at)s《%(title)s》不在地方窗口内，不会播出"),
    "overlapped": N_("%(at)s《%(title)s》被《%(other)s》盖住，不会播出"),
}
MOST_WARNINGS = 50
MOST_FOUND = 40
_MOST_LOOKED_AT = 200
"""Of what fits: the rest of it may not be released yet."""
_LONGEST_DRAG = timedelta(minutes=45)


@dataclass(frozen=True)
class _Names:
    """What the rules name by id, for people."""

    titles: Mapping[str, str]
    sections: Mapping[str, str]
    places: Mapping[str, str]


def view(
    session: Session,
    caller: Caller,
    *,
    region: str,
    day: date,
    days: int,
    english: bool = False,
    say: Say,
) -> BoardView:
    """What the board shows. Raises NotFound, Forbidden, Invalid."""
    caller.require(Action.SCHEDULE_VIEW)
    if not 1 <= days <= 7:
        raise Invalid(N_("一次最多看 %(most)s 天"), most=7)
    span = [day + timedelta(days=i) for i in range(days)]
    seen = service.preview(session, region=region, days=span)
    slots = {slot.id: slot for slot in service.slots_seen(session, region)}
    playable = service.playable(session, sorted({slot.programme_id for slot in slots.values()}))
    names = _Names(
        titles={slot.id: _title(session, slot.programme_id, playable) for slot in slots.values()},
        sections=section_names(session, english),
        places=regions.names(session, {slot.region for slot in slots.values()} | {region}),
    )
    sections = {p.edition: names.sections.get(p.section, p.section) for p in playable.values()}
    lengths = {p.programme: p.duration_ms for p in playable.values()}
    found: dict[tuple[str, str], BoardItem] = {}
    for (channel, _day), listing in seen.listings.items():
        for item in listing.items:
            if item.source in ANNOUNCED and (channel, item.id) not in found:
                slot = slots.get(_slot_id(item))
                shown = _item(caller, channel, item, slot, names)
                shown.title = item.text or seen.titles.get(item.edition or "", "") or shown.title
                shown.section = sections.get(item.edition or "", "")
                shown.programme_ms = lengths.get(shown.programme or "", item.duration_ms)
                found[channel, item.id] = shown
    level = _level(caller, region)
    return BoardView(
        region=region,
        region_name=regions.full_name(session, region),
        day=day.isoformat(),
        days=[one.isoformat() for one in span],
        number=seen.number,
        level=level,
        may_edit=bool(level),
        channels=[
            BoardChannel(id=c.id, name=c.name_en if english and c.name_en else c.name)
            for c in service.channels(session)
        ],
        items=list(found.values()),
        windows=_windows(caller, region, span, seen, names),
        warnings=_warnings(seen.problems, region, span, slots, names, say),
        study_days=_study_days(found.values(), span),
        limits=_limits(session, caller, region, names) if level else [],
    )


def _limits(session: Session, caller: Caller, region: str, names: _Names) -> list[BoardLimit]:
    """The caller's airtime rights by channel; a channel on which nothing limits him is left out."""
    found = []
    for channel in service.channels(session):
        rights = rights_of(session, caller, region, channel.id)
        spans = [
            BoardRight(
                from_minute=right.from_minute,
                to_minute=right.to_minute,
                weekdays=list(right.weekdays),
                sections=[names.sections.get(slug, slug) for slug in right.sections],
            )
            for right in rights
        ]
        if spans:
            found.append(BoardLimit(channel=channel.id, spans=spans))
    return found


def section_names(session: Session, english: bool) -> dict[str, str]:
    """Names of sections by slug, in the reader's language."""
    rows = session.execute(select(Section.slug, Section.name, Section.name_en))
    return {slug: (name_en if english and name_en else name) for slug, name, name_en in rows}


def _title(session: Session, programme_id: str, playable: Mapping[str, service.Playable]) -> str:
    known = playable.get(programme_id)
    if known is not None:
        return known.title
    programme = session.get(Programme, programme_id)
    return programme.title if programme else ""


def _slot_id(item: ListedItem) -> str:
    rule = item.why.rule if item.why else ""
    return rule.removeprefix("slot:") if rule.startswith("slot:") else ""


def _item(caller: Caller, channel: str, item: ListedItem, slot: Slot | None, names: _Names) -> BoardItem:
    why = item.why
    shown = BoardItem(
        id=item.id,
        channel=channel,
        starts_at=item.starts_at,
        duration_ms=item.duration_ms,
        title="",
        source=item.source.value,
        required=item.required,
        level=why.level if why else "",
        region=why.region if why else "",
        region_name=names.places.get(why.region, why.region) if why else "",
        by=why.by if why else "",
    )
    if slot is None:
        return shown
    shown.title = names.titles.get(slot.id, "")
    shown.slot, shown.version, shown.rrule = slot.id, slot.version, slot.rrule
    shown.programme, shown.may_cut = slot.programme_id, slot.may_cut
    shown.kind, shown.premiere, shown.changed_by = slot.kind, slot.premiere, slot.changed_by_name
    shown.occurs_at = to_text(_occurrence(slot, from_text(item.starts_at)))
    shown.series_starts_at = to_text(slot.starts_at)
    shown.editable = may_change(caller, slot.region, slot.level)
    return shown


def may_change(caller: Caller, region: str, level: str) -> bool:
    """Whether a caller may change a rule of a region in a level's airtime (placing asks the same, and refuses)."""
    if not caller.can(Action.SCHEDULE_EDIT, region):
        return False
    return level != "province" or service.is_provincial(caller)


def _occurrence(slot: Slot, shown_at: datetime) -> datetime:
    """The start that the rule gives to an occurrence which may have begun later."""
    if slot.rrule is None and not slot.rdates:
        return slot.starts_at
    starts = occurrences(
        slot.starts_at,
        slot.rrule,
        shown_at - _LONGEST_DRAG,
        shown_at + timedelta(milliseconds=1),
        exdates=slot.exdates,
        rdates=slot.rdates,
    )
    return max(starts, default=shown_at)


def _level(caller: Caller, region: str) -> str:
    """In whose airtime the caller would place here; empty where he may not at all."""
    if not caller.can(Action.SCHEDULE_EDIT, region):
        return ""
    if service.is_provincial(caller):
        return "province"
    return level_of(region).value if level_of(region) in ("city", "county") else ""


def _windows(
    caller: Caller, region: str, span: Sequence[date], seen: service.Preview, names: _Names
) -> list[BoardWindow]:
    begin, end = _bounds(span)
    mine = not service.is_provincial(caller) and caller.can(Action.SCHEDULE_EDIT, region)
    return [
        BoardWindow(
            id=window.id,
            channel=channel,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            level=window.level,
            admits=[names.sections.get(slug, slug) for slug in window.admits],
            mine=mine and window.level == level_of(region),
            closes_at=to_text(from_text(window.starts_at) - timedelta(hours=rule.deadline_hours))
            if rule.deadline_hours
            else None,
        )
        for channel, spans in seen.windows.items()
        for rule, window in spans
        if window.starts_at < to_text(end) and window.ends_at > to_text(begin)
    ]


def _bounds(span: Sequence[date]) -> tuple[datetime, datetime]:
    return from_ms(day_bounds_ms(min(span))[0]), from_ms(day_bounds_ms(max(span))[1])


def _study_days(items: Iterable[BoardItem], span: Sequence[date]) -> list[str]:
    """The days on which something required, or group study, begins."""
    found = {
        from_text(item.starts_at).astimezone(SHANGHAI).date()
        for item in items
        if item.required or item.kind == "study"
    }
    return sorted(day.isoformat() for day in found if day in span)


def _warnings(
    problems: Sequence[Problem],
    region: str,
    span: Sequence[date],
    slots: Mapping[str, Slot],
    names: _Names,
    say: Say,
) -> list[BoardWarning]:
    begin, end = _bounds(span)
    found: dict[tuple[str, str, datetime | None], BoardWarning] = {}
    for problem in problems:
        slot = slots.get(problem.rule)
        text = WARNINGS.get(problem.code)
        if slot is None or text is None or (problem.at and not begin <= problem.at < end):
            continue
        if problem.code == "overlapped" and _is_meant(slot, slots.get(problem.other or "")):
            continue
        at = problem.at.astimezone(SHANGHAI).strftime("%m-%d %H:%M") if problem.at else ""
        params = {
            "at": at,
            "title": names.titles.get(slot.id, ""),
            "other": names.titles.get(problem.other or "", ""),
            "place": names.places.get(problem.region or region, problem.region or region),
        }
        found.setdefault(
            (problem.rule, problem.code, problem.at),
            BoardWarning(
                code=problem.code,
                text=say(text, params),
                at=to_text(problem.at) if problem.at else None,
                slot=slot.id,
            ),
        )
    return list(found.values())[:MOST_WARNINGS]


def _is_meant(beaten: Slot, winner: Slot | None) -> bool:
    """A one-off over a series, or a narrower region over a wider one, is an exception that somebody meant."""
    if winner is None:
        return False
    narrower = winner.region != beaten.region and within(winner.region, beaten.region)
    return narrower or (beaten.rrule is not None and winner.rrule is None)


# --- the library beside it --------------------------------------------------------------------------------------------
def library(
    session: Session, caller: Caller, *, q: str, section: str | None, english: bool, now: datetime
) -> list[LibraryItem]:
    """Released programmes that fit what was typed, ready to be dragged onto the board. Raises NotFound (section)."""
    caller.require(Action.SCHEDULE_EDIT)
    filters = Filters(q=q.strip() or None, section=section or None)
    programmes, _ = list_programmes(session, caller, filters, limit=_MOST_LOOKED_AT, now=now)
    playable = service.playable(session, [p.id for p in programmes])
    sections = section_names(session, english)
    airings = {
        airing.edition_id: airing
        for airing in session.scalars(
            select(Airing).where(Airing.edition_id.in_([p.edition for p in playable.values()]))
        )
    }
    found = [playable[p.id] for p in programmes if p.id in playable]
    return [_library_item(one, airings.get(one.edition), sections) for one in found[:MOST_FOUND]]


def _library_item(one: service.Playable, airing: Airing | None, sections: Mapping[str, str]) -> LibraryItem:
    return LibraryItem(
        programme=one.programme,
        title=one.title,
        section=sections.get(one.section, one.section),
        duration_ms=one.duration_ms,
        number=one.number,
        next_at=to_text(airing.next_at) if airing and airing.next_at else None,
        last_at=to_text(airing.last_at) if airing and airing.last_at else None,
    )
