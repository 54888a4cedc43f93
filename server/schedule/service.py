"""Use cases of the schedule: placing and removing programmes, windows, compiling documents, listings, explanations.

Every function works in the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from protocol.documents import Frame, LocalDocument, Window, encode
from protocol.merge import Listing, merge
from protocol.names import frame_target, local_target
from protocol.regions import Level, level_of, lineage, within
from protocol.times import SHANGHAI, day_bounds_ms, from_ms, to_text
from server.catalog.airings import record_airing
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme
from server.db import new_id
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller, Role
from server.regions.models import Region
from server.schedule import resolve as r
from server.schedule.models import Channel, DocumentSerial, Filler, Slot, WindowRule
from server.schedule.recurrence import BadRecurrence, check_rrule, occurrences

MAIN_CHANNEL = "main"
HORIZON_DAYS = 14
"""How far ahead documents reach, and how long a station without a line goes on (trust: valid_until 14 d)."""
DEFAULT_FILLER_MS = (10_000, 180_000)
"""A channel without chosen fillers uses every released programme between these lengths."""
_PROVINCIAL = frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR})


_D = TypeVar("_D", Frame, LocalDocument)


@dataclass(frozen=True)
class ReleaseRef:
    """What publish knows of an admitted edition: the manifest's hash and the exact length."""

    release: str
    duration_ms: int


@dataclass
class CompiledSchedule:
    """Numbered documents by region, and what could not be honoured."""

    frames: dict[str, Frame] = field(default_factory=dict)
    locals: dict[str, LocalDocument] = field(default_factory=dict)
    problems: list[r.Problem] = field(default_factory=list)


# --- set-up -------------------------------------------------------------------------------------------------------
def seed(session: Session) -> None:
    """The default channel with a daily county window from 20:00 to 21:00; nothing where channels exist."""
    if session.scalar(select(Channel.id).limit(1)) is not None:
        return
    session.add(Channel(id=MAIN_CHANNEL, name="综合频道", name_en="General channel", position=1))
    session.flush()
    first = datetime(2026, 1, 1, 20, 0, tzinfo=SHANGHAI)
    session.add(
        WindowRule(
            id=new_id(),
            channel=MAIN_CHANNEL,
            region="13",
            level=Level.COUNTY,
            starts_at=first,
            duration_ms=3_600_000,
            rrule="FREQ=DAILY",
        )
    )
    session.flush()


# --- placing --------------------------------------------------------------------------------------------------------
def put_slot(
    session: Session,
    caller: Caller,
    *,
    region: str,
    starts_at: datetime,
    programme_id: str,
    channel: str = MAIN_CHANNEL,
    rrule: str | None = None,
    required: bool = False,
    now: datetime,
) -> Slot:
    """Place a released programme. The province speaks in the frame (anywhere below it), a city or county in its windows.

    Raises NotFound, Forbidden, Invalid (not released, outside a window, rights, in the past), Conflict (overlap).
    """
    if session.get(Region, region) is None:
        raise NotFound(N_("没有这个行政区划：%(region)s"), region=region)
    _known_channel(session, channel)
    caller.require(Action.SCHEDULE_EDIT, region)
    edition = schedulable_edition(session, programme_id)
    level = _airtime_level(caller, region)
    _check_rrule(rrule)
    slot = Slot(
        id=new_id(),
        channel=channel,
        region=region,
        level=level,
        programme_id=edition.programme_id,
        starts_at=starts_at,
        rrule=rrule,
        required=required,
        created_by=caller.id,
        created_by_name=caller.name,
        created_at=now,
    )
    _check_time(slot, edition, now)
    _check_rights(edition.programme, starts_at)
    _check_overlap(session, slot, edition)
    if level != r.PROVINCE:
        _check_window(session, slot, edition)
    session.add(slot)
    session.flush()
    _update_airing(session, edition, now)
    return slot


def remove_slot(session: Session, caller: Caller, slot_id: str, *, now: datetime) -> None:
    """Take a placed programme out again; the row stays, marked. Raises NotFound, Forbidden."""
    slot = session.get(Slot, slot_id)
    if slot is None or slot.removed_at is not None:
        raise NotFound(N_("没有这个时段"))
    caller.require(Action.SCHEDULE_EDIT, slot.region)
    if slot.level == r.PROVINCE and not _is_provincial(caller):
        raise Forbidden(N_("省级编排只能由省级编辑修改"))
    slot.removed_at = now
    session.flush()
    edition = _released(session).get(slot.programme_id)
    if edition is not None:
        _update_airing(session, edition, now)


def put_window(
    session: Session,
    caller: Caller,
    *,
    starts_at: datetime,
    duration_ms: int,
    level: str = Level.COUNTY,
    region: str = "13",
    rrule: str | None = None,
    channel: str = MAIN_CHANNEL,
    admits: Sequence[str] = (),
) -> WindowRule:
    """Open a window in the frame of a region. Raises NotFound, Forbidden, Invalid."""
    if session.get(Region, region) is None:
        raise NotFound(N_("没有这个行政区划：%(region)s"), region=region)
    _known_channel(session, channel)
    caller.require(Action.SCHEDULE_EDIT, region)
    if not _is_provincial(caller):
        raise Forbidden(N_("地方窗口由省级编辑开设"))
    if level not in (Level.CITY, Level.COUNTY) or not 0 < duration_ms <= 24 * 3_600_000:
        raise Invalid(N_("地方窗口须属于市级或县级，时长在 24 小时以内"))
    _check_rrule(rrule)
    window = WindowRule(
        id=new_id(),
        channel=channel,
        region=region,
        level=level,
        starts_at=starts_at,
        duration_ms=duration_ms,
        rrule=rrule,
        admits=list(admits),
        created_by_name=caller.name,
    )
    session.add(window)
    session.flush()
    return window


def set_fillers(session: Session, caller: Caller, channel: str, programme_ids: Sequence[str]) -> None:
    """Choose a channel's fillers. Raises Forbidden, NotFound."""
    caller.require(Action.SCHEDULE_EDIT, "13")
    _known_channel(session, channel)
    session.query(Filler).where(Filler.channel == channel).delete()
    for programme_id in dict.fromkeys(programme_ids):
        if session.get(Programme, programme_id) is None:
            raise NotFound(N_("没有这个节目"))
        session.add(Filler(id=new_id(), channel=channel, programme_id=programme_id))
    session.flush()


def schedulable_edition(session: Session, programme_id: str) -> Edition:
    """The newest released edition of a programme (an edition's id is accepted too). Raises NotFound, Conflict."""
    edition = session.get(Edition, programme_id)
    programme = session.get(Programme, edition.programme_id if edition else programme_id)
    if programme is None:
        raise NotFound(N_("没有这个节目"))
    released = _released(session).get(programme.id)
    if released is None:
        raise Conflict(N_("《%(title)s》尚未通过三审，不能编排"), code="not_released", title=programme.title)
    return released


def _known_channel(session: Session, channel: str) -> None:
    if session.get(Channel, channel) is None:
        raise NotFound(N_("没有这个频道：%(channel)s"), channel=channel)


def _check_rrule(rrule: str | None) -> None:
    if rrule is None:
        return
    try:
        check_rrule(rrule)
    except BadRecurrence as error:
        raise Invalid(N_("重复规则不对：%(reason)s"), reason=str(error)) from error


def _airtime_level(caller: Caller, region: str) -> str:
    if _is_provincial(caller):
        return r.PROVINCE
    level = level_of(region)
    if level not in (Level.CITY, Level.COUNTY):
        raise Invalid(N_("市县只能在本市或本县的地方窗口内编排"))
    return level


def _is_provincial(caller: Caller) -> bool:
    return any(role in _PROVINCIAL for role, _ in caller.grants)


def _check_time(slot: Slot, edition: Edition, now: datetime) -> None:
    if slot.rrule is None and slot.starts_at + _length(edition) <= now:
        raise Invalid(N_("这个时间已经过去"), code="past")
    if slot.starts_at > now + timedelta(days=366):
        raise Invalid(N_("最多提前一年编排"), code="too_far")


def _check_rights(programme: Programme, starts_at: datetime) -> None:
    begin, until = programme.rights_from, programme.rights_until
    if (begin and starts_at < begin) or (until and starts_at >= until):
        raise Invalid(N_("《%(title)s》在这个时间没有播出授权"), code="rights", title=programme.title)


def _check_overlap(session: Session, slot: Slot, edition: Edition) -> None:
    """Refuse what would certainly lose: the same region and level at the same time, neither an exception to the other."""
    begin, end = slot.starts_at, slot.starts_at + timedelta(days=HORIZON_DAYS)
    mine = [(at, at + _length(edition)) for at in occurrences(slot.starts_at, slot.rrule, begin, end)]
    others = session.scalars(
        select(Slot).where(
            Slot.channel == slot.channel,
            Slot.region == slot.region,
            Slot.level == slot.level,
            Slot.removed_at.is_(None),
        )
    )
    released = _released(session)
    for other in others:
        theirs = released.get(other.programme_id)
        if theirs is None or (other.rrule is None) != (slot.rrule is None):
            continue  # a one-off over a series is an exception, not a conflict
        for start in occurrences(other.starts_at, other.rrule, begin - timedelta(days=1), end):
            if any(start < until and at < start + _length(theirs) for at, until in mine):
                raise Conflict(
                    N_("%(at)s 已排《%(title)s》"),
                    code="overlap",
                    at=start.astimezone(SHANGHAI).strftime("%m-%d %H:%M"),
                    title=theirs.programme.title,
                )


def _check_window(session: Session, slot: Slot, edition: Edition) -> None:
    day = slot.starts_at.astimezone(SHANGHAI).date()
    begin, end = (from_ms(ms) for ms in day_bounds_ms(day))
    spans = [
        s for rule in _window_rules(session) for s in r.expand_window(rule, begin, end + timedelta(days=1))
    ]
    placed = r.Placed(
        slot.starts_at, slot.starts_at + _length(edition), _slot_rule(slot), _release(edition, None)
    )
    if r.window_for(slot.region, slot.channel, placed, spans) is None:
        level = level_of(slot.region)
        open_here = sorted(
            f"{_clock(w.starts_at)}–{_clock(w.ends_at)}"
            for rule, w in spans
            if rule.level == level and within(slot.region, rule.region) and rule.channel == slot.channel
            and w.starts_at < to_text(end)
        )  # fmt: skip
        raise Invalid(
            N_("不在地方窗口内；当天的窗口：%(windows)s"),
            code="outside_window",
            windows="、".join(open_here) or "—",
        )


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%H:%M")


# --- reading the rules -------------------------------------------------------------------------------------------------
def _released(session: Session) -> dict[str, Edition]:
    """Newest released, playable edition by programme."""
    rows = session.scalars(
        select(Edition)
        .join(Asset, Edition.asset_id == Asset.id)
        .where(Edition.state == EditionState.RELEASED, Asset.state == AssetState.READY)
        .options(selectinload(Edition.programme), selectinload(Edition.asset))
        .order_by(Edition.number)
    )
    return {edition.programme_id: edition for edition in rows}


def _length(edition: Edition) -> timedelta:
    return timedelta(milliseconds=edition.asset.duration_ms or 0)


def _release(edition: Edition, known: ReleaseRef | None) -> r.Release:
    return r.Release(
        edition=edition.id,
        release=known.release if known else hashlib.sha256(edition.id.encode()).hexdigest(),
        duration_ms=known.duration_ms if known else (edition.asset.duration_ms or 0),
        section=edition.programme.section,
    )


def _slot_rule(slot: Slot) -> r.SlotRule:
    return r.SlotRule(
        id=slot.id,
        channel=slot.channel,
        region=slot.region,
        level=slot.level,
        programme=slot.programme_id,
        starts_at=slot.starts_at,
        rrule=slot.rrule,
        required=slot.required,
        by=slot.created_by_name,
    )


def _window_rules(session: Session) -> list[r.WindowSpan]:
    rows = session.scalars(select(WindowRule).where(WindowRule.removed_at.is_(None)).order_by(WindowRule.id))
    return [
        r.WindowSpan(w.id, w.channel, w.region, w.level, w.starts_at, w.duration_ms, w.rrule, tuple(w.admits))
        for w in rows
    ]


def load_rules(session: Session, releases: Mapping[str, ReleaseRef] | None, begin: datetime) -> r.Rules:
    """The rules as data. ``releases`` by edition id; None for a preview, where every released edition counts."""
    editions = _released(session)
    known = {
        programme: _release(edition, releases.get(edition.id) if releases is not None else None)
        for programme, edition in editions.items()
        if releases is None or edition.id in releases
    }
    known = {programme: release for programme, release in known.items() if release.duration_ms > 0}
    slots = session.scalars(
        select(Slot)
        .where(
            Slot.removed_at.is_(None),
            Slot.rrule.is_not(None) | (Slot.starts_at >= begin - timedelta(days=1)),
        )
        .order_by(Slot.id)
    )
    channels = session.scalars(select(Channel).order_by(Channel.position)).all()
    return r.Rules(
        channels=[r.ChannelRule(c.id, c.name) for c in channels],
        slots=[_slot_rule(s) for s in slots],
        windows=_window_rules(session),
        fillers={c.id: _filler_programmes(session, c.id, known) for c in channels},
        releases=known,
    )


def _filler_programmes(session: Session, channel: str, known: Mapping[str, r.Release]) -> list[str]:
    chosen = list(
        session.scalars(select(Filler.programme_id).where(Filler.channel == channel).order_by(Filler.id))
    )
    if chosen:
        return chosen
    shortest, longest = DEFAULT_FILLER_MS
    return sorted(p for p, release in known.items() if shortest <= release.duration_ms <= longest)


# --- documents ---------------------------------------------------------------------------------------------------------
def horizon(now: datetime) -> tuple[datetime, datetime]:
    """The span documents cover: from yesterday's midnight in Asia/Shanghai, HORIZON_DAYS ahead of today's."""
    today = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1), today + timedelta(days=HORIZON_DAYS)


def compile_documents(
    session: Session, *, releases: Mapping[str, ReleaseRef], now: datetime
) -> CompiledSchedule:
    """Frames and local documents from the rules, numbered: a serial rises when the content changed, only then.

    A region that had a document keeps one, empty if need be: no role or target ever silently vanishes.
    """
    begin, end = horizon(now)
    resolved = r.resolve(load_rules(session, releases, begin), begin, end)
    for target in session.scalars(select(DocumentSerial.target)):
        region = target.rsplit("/", 1)[-1].removesuffix(".json")
        if target.startswith("local/") and region not in resolved.locals:
            resolved.locals[region] = _empty_local(region, begin, end)
    compiled = CompiledSchedule(problems=resolved.problems)
    for region, frame in resolved.frames.items():
        compiled.frames[region] = _numbered(session, frame_target(region), frame)
    for region, local in resolved.locals.items():
        compiled.locals[region] = _numbered(session, local_target(region), local)
    session.flush()
    return compiled


def _empty_local(region: str, begin: datetime, end: datetime) -> LocalDocument:
    return LocalDocument(
        region=region, serial=0, valid_from=to_text(begin), valid_until=to_text(end), channels=[]
    )


def _numbered(session: Session, target: str, document: _D) -> _D:
    content = hashlib.sha256(encode(document)).hexdigest()
    row = session.get(DocumentSerial, target)
    if row is None:
        row = DocumentSerial(target=target, serial=0, content_sha256="")
        session.add(row)
    if row.content_sha256 != content:
        row.serial += 1
        row.content_sha256 = content
    return msgspec.structs.replace(document, serial=row.serial)


# --- listings ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ListingView:
    """A listing with the titles of what is in it, by edition."""

    listing: Listing
    titles: Mapping[str, str]
    windows: Sequence[Window]


def preview_listings(
    session: Session, *, region: str, days: Sequence[date], channel: str = MAIN_CHANNEL
) -> list[ListingView]:
    """What a region would see on these days if everything were published now. Raises NotFound."""
    if session.get(Region, region) is None:
        raise NotFound(N_("没有这个行政区划：%(region)s"), region=region)
    begin, end = (from_ms(day_bounds_ms(day)[i]) for day, i in ((min(days), 0), (max(days), 1)))
    begin -= timedelta(days=1)
    resolved = r.resolve(load_rules(session, None, begin), begin, end)
    frame = next((resolved.frames[code] for code in lineage(region) if code in resolved.frames), None)
    local_documents = [resolved.locals[code] for code in lineage(region) if code in resolved.locals]
    titles = {e.id: e.programme.title for e in _released(session).values()}
    windows = [w for c in (frame.channels if frame else []) if c.id == channel for w in c.windows]
    return [
        ListingView(
            merge(region=region, channel=channel, day=day, frame=frame, local_documents=local_documents),
            titles,
            [w for w in windows if w.starts_at < to_text(from_ms(day_bounds_ms(day)[1])) and w.ends_at > to_text(from_ms(day_bounds_ms(day)[0]))],
        )
        for day in days
    ]  # fmt: skip


def week_view(
    session: Session, caller: Caller, *, region: str, start_day: date, channel: str = MAIN_CHANNEL
) -> list[ListingView]:
    """Seven days of a region's channel for the console. Raises NotFound, Forbidden."""
    caller.require(Action.SCHEDULE_VIEW)
    days = [start_day + timedelta(days=i) for i in range(7)]
    return preview_listings(session, region=region, days=days, channel=channel)


@dataclass(frozen=True)
class Choice:
    """A programme that may be placed, for a form."""

    id: str
    title: str
    length: str


def schedulable(session: Session) -> list[Choice]:
    """Every released programme, by title."""
    choices = [
        Choice(e.programme_id, e.programme.title, _minutes_text(e.asset.duration_ms or 0))
        for e in _released(session).values()
    ]
    return sorted(choices, key=lambda c: c.title)


def _minutes_text(ms: int) -> str:
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"


def channels(session: Session) -> list[Channel]:
    return list(session.scalars(select(Channel).order_by(Channel.position)))


def slots_in(
    session: Session, *, region: str | None = None, begin: datetime | None = None, end: datetime | None = None
) -> list[Slot]:
    """Placed slots, optionally of one region's subtree and a span of first starts."""
    query = select(Slot).where(Slot.removed_at.is_(None)).order_by(Slot.starts_at, Slot.id)
    if region:
        query = query.where(Slot.region.startswith(region))
    if begin:
        query = query.where((Slot.starts_at >= begin) | Slot.rrule.is_not(None))
    if end:
        query = query.where(Slot.starts_at < end)
    return list(session.scalars(query))


# --- airings -------------------------------------------------------------------------------------------------------------
def _update_airing(session: Session, edition: Edition, now: datetime) -> None:
    """Tell the catalogue when and where an edition is shown next and was last."""
    begin, end = now - timedelta(days=366), now + timedelta(days=60)
    starts: list[datetime] = []
    regions: set[str] = set()
    slots = select(Slot).where(Slot.programme_id == edition.programme_id, Slot.removed_at.is_(None))
    for slot in session.scalars(slots):
        found = list(occurrences(slot.starts_at, slot.rrule, begin, end))
        starts += found
        if found:
            regions.add(slot.region)
    record_airing(
        session,
        edition.id,
        last_at=max((s for s in starts if s <= now), default=None),
        next_at=min((s for s in starts if s > now), default=None),
        regions=sorted(regions),
    )
