"""From rows to the rulebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from protocol.documents import Picture, SectionName
from protocol.regions import level_of, lineage
from protocol.times import SHANGHAI
from server.catalog.models import ProgrammeTag, Section
from server.catalog.topics import topics_between
from server.schedule import rulebook as book
from server.schedule.models import (
    Channel,
    Filler,
    FillerSection,
    NoticeRule,
    PushRule,
    Slot,
    StudyEvening,
    StudyRule,
    WindowRule,
)
from server.schedule.releases import ReleaseRef, as_release, playable, releases_of

DEFAULT_FILLER_MS = (10_000, 180_000)
"""A channel without chosen fillers uses every released programme between these lengths."""
MOST_WEIGHT = 9


def load_rules(
    session: Session,
    releases: Mapping[str, ReleaseRef] | None,
    begin: datetime,
    end: datetime | None = None,
    *,
    region: str | None = None,
    with_fillers: bool = True,
) -> book.Rules:
    """The rules as data. ``releases`` by edition id; None for a preview, where every released edition counts.

    One-off slots before ``begin`` (and, if given, after ``end``) are left out. ``region``: only what one region's
    timetable is made from, quicker; its library is then not whole. Without fillers, quicker still.
    """
    channels = session.scalars(select(Channel).order_by(Channel.position)).all()
    slots, windows, study = _slots(session, begin, end, region), window_rules(session), _study(session)
    if region is None:
        known = releases_of(session, releases)
    else:
        known = _named(session, releases, slots, windows, study)
        known |= _possible_fillers(session, releases) if with_fillers else {}
    return book.Rules(
        channels=[channel_rule(c) for c in channels],
        slots=slots,
        windows=windows,
        fillers={c.id: filler_programmes(session, c.id, known) for c in channels} if with_fillers else {},
        releases=known,
        study=study,
        notices=_notices(session, begin),
        pushes=_pushes(session, known, begin) if region is None else [],
        topics=_topics(session, begin, end or begin + timedelta(days=31)) if region is None else [],
        sections=_sections(session),
    )


def add_fillers(session: Session, rules: book.Rules) -> book.Rules:
    """The same rules with the fillers they were read without."""
    known = {**rules.releases, **_possible_fillers(session, None)}
    fillers = {channel.id: filler_programmes(session, channel.id, known) for channel in rules.channels}
    return replace(rules, releases=known, fillers=fillers)


def _named(
    session: Session,
    releases: Mapping[str, ReleaseRef] | None,
    slots: Sequence[book.SlotRule],
    windows: Sequence[book.WindowSpan],
    study: Sequence[book.StudyPlan],
) -> dict[str, book.Release]:
    """The releases that a timetable names: those of slots, fills and study evenings."""
    wanted = {slot.programme for slot in slots} | {p for window in windows for p in window.fill}
    wanted |= {p for plan in study for evening in plan.evenings.values() for p in evening.programmes}
    return releases_of(session, releases, sorted(wanted))


def _possible_fillers(session: Session, releases: Mapping[str, ReleaseRef] | None) -> dict[str, book.Release]:
    """Chosen ones, and everything short."""
    found = playable(session, lengths_ms=(1, DEFAULT_FILLER_MS[1]))
    found.update(playable(session, sorted(session.scalars(select(Filler.programme_id)))))
    return {
        programme: as_release(one, releases.get(one.edition) if releases is not None else None)
        for programme, one in found.items()
        if releases is None or one.edition in releases
    }


def channel_rule(channel: Channel) -> book.ChannelRule:
    logo = None
    if channel.logo_sha256 and channel.logo_length and channel.logo_pieces_root:
        logo = Picture(
            sha256=channel.logo_sha256, length=channel.logo_length, pieces_root=channel.logo_pieces_root
        )
    return book.ChannelRule(
        channel.id, channel.name, channel.name_en, logo, channel.next_card_ms, channel.no_repeat_min * 60_000
    )


_SLOT_COLUMNS = (
    Slot.id, Slot.channel, Slot.region, Slot.level, Slot.programme_id, Slot.starts_at, Slot.rrule, Slot.required,
    Slot.created_by_name, Slot.exdates, Slot.rdates, Slot.excluded, Slot.kind, Slot.premiere, Slot.duration_ms,
    Slot.tolerance_min,
)  # fmt: skip


def _slots(
    session: Session, begin: datetime, end: datetime | None, region: str | None
) -> list[book.SlotRule]:
    """By column, not as objects: a province has thousands."""
    recent = Slot.starts_at >= begin - timedelta(days=1)
    if end is not None:
        recent &= Slot.starts_at < end
    further = cast(Slot.rdates, String) != "[]"  # JSON compares as text on both databases
    query = select(*_SLOT_COLUMNS).where(
        Slot.removed_at.is_(None), or_(Slot.rrule.is_not(None), recent, further)
    )
    if region is not None:
        query = query.where(Slot.region.in_(lineage(region)))
    return [_slot_of(row) for row in session.execute(query.order_by(Slot.id))]


def _slot_of(row: Any) -> book.SlotRule:
    (
        id_, channel, region, level, programme, starts_at, rrule, required, by, exdates, rdates, excluded, kind,
        premiere, duration_ms, tolerance_min,
    ) = row  # fmt: skip
    return book.SlotRule(
        id_, channel, region, level, programme, starts_at, rrule, required, by, tuple(exdates), tuple(rdates),
        tuple(excluded), kind, premiere, duration_ms, tolerance_min,
    )  # fmt: skip


def slot_rule(slot: Slot) -> book.SlotRule:
    return _slot_of([getattr(slot, column.key) for column in _SLOT_COLUMNS])


def window_rule(window: WindowRule) -> book.WindowSpan:
    return book.WindowSpan(
        id=window.id,
        channel=window.channel,
        region=window.region,
        level=window.level,
        starts_at=window.starts_at,
        duration_ms=window.duration_ms,
        rrule=window.rrule,
        admits=tuple(window.admits),
        exdates=tuple(window.exdates),
        rdates=tuple(window.rdates),
        excluded=tuple(window.excluded),
        fill=tuple(window.fill),
        deadline_hours=window.deadline_hours,
    )


def window_rules(session: Session) -> list[book.WindowSpan]:
    rows = session.scalars(select(WindowRule).where(WindowRule.removed_at.is_(None)).order_by(WindowRule.id))
    return [window_rule(window) for window in rows]


def filler_programmes(session: Session, channel: str, known: Mapping[str, book.Release]) -> list[str]:
    """A channel's fillers, each as often as its weight says; where none were chosen, every short programme."""
    shortest, longest = DEFAULT_FILLER_MS
    weights: dict[str, int] = {}
    sections = select(FillerSection.section, FillerSection.weight).where(FillerSection.channel == channel)
    for section, weight in session.execute(sections.order_by(FillerSection.section)):
        for programme, release in known.items():
            if release.section == section and release.duration_ms <= longest:
                weights[programme] = weight
    chosen = select(Filler.programme_id, Filler.weight).where(Filler.channel == channel)
    weights.update(dict(session.execute(chosen.order_by(Filler.id)).all()))
    if weights:
        return [programme for programme, weight in weights.items() for _ in range(min(weight, MOST_WEIGHT))]
    return sorted(p for p, release in known.items() if shortest <= release.duration_ms <= longest)


def _study(session: Session) -> list[book.StudyPlan]:
    evenings: dict[str, dict[str, book.Evening]] = {}
    for row in session.scalars(select(StudyEvening).where(StudyEvening.removed_at.is_(None))):
        evenings.setdefault(row.rule_id, {})[row.day.isoformat()] = book.Evening(
            programmes=tuple(row.programmes),
            discussion_ms=row.discussion_min * 60_000,
            title=row.title,
            moved_to=row.moved_to,
            cancelled=row.cancelled,
            reason=row.reason,
        )
    rows = session.scalars(select(StudyRule).where(StudyRule.removed_at.is_(None)).order_by(StudyRule.id))
    return [
        book.StudyPlan(
            id=rule.id,
            channel=rule.channel,
            region=rule.region,
            level=rule.level,
            starts_at=rule.starts_at,
            duration_ms=rule.duration_ms,
            rrule=rule.rrule,
            title=rule.title,
            by=rule.created_by_name,
            evenings=evenings.get(rule.id, {}),
        )
        for rule in rows
    ]


def _notices(session: Session, begin: datetime) -> list[book.NoticeSpan]:
    rows = session.scalars(
        select(NoticeRule)
        .where(NoticeRule.removed_at.is_(None), NoticeRule.approved_at.is_not(None), NoticeRule.until > begin)
        .order_by(NoticeRule.starts_at, NoticeRule.id)
    )
    return [book.NoticeSpan(n.id, n.region, n.level, n.text, n.starts_at, n.until) for n in rows]


def _pushes(session: Session, known: Mapping[str, book.Release], begin: datetime) -> list[book.PushSpan]:
    rows = session.scalars(select(PushRule).where(PushRule.removed_at.is_(None)).order_by(PushRule.id))
    month = begin.astimezone(SHANGHAI).month
    return [
        book.PushSpan(rule.region, rule.level, _pushed(session, rule, known), rule.until)
        for rule in rows
        if not rule.months or month in rule.months
    ]


def _pushed(session: Session, rule: PushRule, known: Mapping[str, book.Release]) -> tuple[str, ...]:
    if rule.programme_id:
        return (rule.programme_id,)
    if rule.tag:
        tagged = select(ProgrammeTag.programme_id).where(ProgrammeTag.tag == rule.tag)
        return tuple(sorted(set(session.scalars(tagged)) & set(known)))
    return tuple(sorted(p for p, release in known.items() if release.section == rule.section))


def _topics(session: Session, begin: datetime, end: datetime) -> list[book.TopicSpan]:
    return [
        book.TopicSpan(
            id=topic.id,
            title=topic.title,
            starts_at=topic.starts_at,
            until=topic.until,
            programmes=topic.programmes,
            summary=topic.summary,
            regions=topic.regions,
            required=topic.required,
            poster=topic.poster,
            level=level_of(topic.region),
        )
        for topic in topics_between(session, begin, end)
    ]


def _sections(session: Session) -> list[SectionName]:
    rows = session.execute(select(Section.slug, Section.name, Section.name_en).order_by(Section.position))
    return [SectionName(slug=slug, name=name, name_en=name_en) for slug, name, name_en in rows]
