"""Placing programmes: put, change, move, resize, except, remove, restore; and whatever may be said against it.

Every function works in the caller's transaction. What would certainly lose or be refused by signers is refused here,
with a reason; what may turn out wrong later (rights that end, a window that closes) is the conflict report's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import ItemKind
from protocol.regions import Level, level_of, within
from protocol.times import SHANGHAI, day_bounds_ms, from_ms, to_text
from server.catalog.airings import record_airing
from server.catalog.rereviews import needs_rereview
from server.db import new_id, take_turn
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller, Role
from server.regions.models import Region
from server.schedule import history
from server.schedule import resolve as r
from server.schedule.airtime import check_airtime
from server.schedule.loading import slot_rule, window_rules
from server.schedule.models import Channel, Slot
from server.schedule.recurrence import BadRecurrence, check_rrule, occurrences
from server.schedule.releases import Playable, as_release, playable, schedulable

MAIN_CHANNEL = "main"
HORIZON_DAYS = 14
"""How far ahead documents reach, and how long a station without a line goes on (trust: valid_until 14 d)."""
MOST_TOLERANCE_MIN = 30
MOST_DATES = 200
MOST_EXCLUDED = 200
SHORTEST_CUT_MS = 10_000
_PROVINCIAL = frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR})


class SlotChanges(TypedDict, total=False):
    """What may be changed of a slot; what is absent stays."""

    region: str
    starts_at: datetime
    programme_id: str
    channel: str
    rrule: str | None
    required: bool
    excluded: Sequence[str]
    kind: str
    premiere: bool
    duration_ms: int | None
    may_cut: bool
    tolerance_min: int


# --- use cases -----------------------------------------------------------------------------------------------------------
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
    excluded: Sequence[str] = (),
    kind: str = ItemKind.PROGRAMME,
    premiere: bool = False,
    duration_ms: int | None = None,
    may_cut: bool = False,
    tolerance_min: int = 0,
    now: datetime,
) -> Slot:
    """Place a released programme. The province speaks in the frame (anywhere below it), a city or county in its windows.

    Raises NotFound, Forbidden, Invalid (not released, outside a window, rights, in the past), Conflict (overlap).
    """
    standing_region(session, region)
    known_channel(session, channel)
    caller.require(Action.SCHEDULE_EDIT, region)
    edition = schedulable(session, programme_id)
    slot = Slot(
        id=new_id(),
        channel=channel,
        region=region,
        level=airtime_level(caller, region),
        programme_id=edition.programme,
        starts_at=starts_at,
        rrule=clean_rrule(rrule),
        required=required,
        exdates=[],
        rdates=[],
        excluded=sorted(set(excluded)),
        kind=kind,
        premiere=premiere,
        duration_ms=duration_ms,
        may_cut=may_cut,
        tolerance_min=tolerance_min,
        version=1,
        created_by=caller.id,
        created_by_name=caller.name,
        created_at=now,
    )
    _check_rereview(session, edition, now)
    _check(session, caller, slot, edition, now=now)
    history.added(session, caller, slot, now=now)
    update_airing(session, edition, now)
    return slot


def change_slot(
    session: Session,
    caller: Caller,
    slot_id: str,
    changes: SlotChanges,
    *,
    version: int | None,
    deed: str = "changed",
    now: datetime,
) -> Slot:
    """Move, resize or change a slot as a whole. ``version`` is the one the caller saw.

    Raises as :func:`put_slot`, and history.Stale when somebody else changed it meanwhile.
    """
    slot = _mine(session, caller, slot_id, version, changes)
    wanted = _wanted_values(session, caller, slot, changes)
    edition = schedulable(session, wanted.get("programme_id", slot.programme_id))
    if "programme_id" in wanted:
        wanted["programme_id"] = edition.programme
        if edition.programme != slot.programme_id:
            _check_rereview(session, edition, now)
    before = Slot(**{**_values(slot), **wanted})
    _check(session, caller, before, edition, now=now, instead_of=slot.id)
    wanted["duration_ms"] = before.duration_ms
    others = {slot.programme_id, edition.programme}
    history.apply(session, caller, slot, wanted, deed=deed, now=now)
    _update_airings(session, others, now)
    return slot


def except_occurrence(
    session: Session,
    caller: Caller,
    slot_id: str,
    at: datetime,
    *,
    version: int | None,
    put_back: bool = False,
    now: datetime,
) -> Slot:
    """Leave one occurrence of a series out, or put it back. Raises as :func:`change_slot`; Invalid where none is."""
    slot = _mine(session, caller, slot_id, version, {"at": at, "put_back": put_back})
    text = to_text(at)
    if put_back:
        values = {"exdates": [d for d in slot.exdates if d != text]}
    elif not _happens(slot, at):
        raise Invalid(N_("%(at)s 没有这个系列的节目"), code="no_occurrence", at=wall(at))
    elif text in slot.rdates:
        values = {"rdates": [d for d in slot.rdates if d != text]}
    else:
        values = {"exdates": _dates(slot.exdates, text)}
    history.apply(session, caller, slot, values, deed="put_back" if put_back else "skipped", now=now)
    _update_airings(session, {slot.programme_id}, now)
    return slot


def add_occurrence(
    session: Session, caller: Caller, slot_id: str, at: datetime, *, version: int | None, now: datetime
) -> Slot:
    """One more occurrence, outside the rule. Raises as :func:`change_slot`."""
    slot = _mine(session, caller, slot_id, version, {"at": at})
    if _happens(slot, at):
        return slot
    edition = schedulable(session, slot.programme_id)
    extra = Slot(**{**_values(slot), "starts_at": at, "rrule": None, "exdates": [], "rdates": []})
    _check(session, caller, extra, edition, now=now, instead_of=slot.id)
    text = to_text(at)
    left_out = [d for d in slot.exdates if d != text]
    values: dict[str, Any] = {"exdates": left_out}
    if not _follows_rule(slot, at):
        values["rdates"] = _dates(slot.rdates, text)
    history.apply(session, caller, slot, values, deed="added", now=now)
    _update_airings(session, {slot.programme_id}, now)
    return slot


def move_occurrence(
    session: Session,
    caller: Caller,
    slot_id: str,
    at: datetime,
    to: datetime,
    *,
    version: int | None,
    programme_id: str | None = None,
    now: datetime,
) -> tuple[Slot, Slot]:
    """This time only: leave one occurrence out and place a one-off (the same programme, or another) in its stead.

    Returns the series and the one-off. Raises as :func:`change_slot`.
    """
    series = except_occurrence(session, caller, slot_id, at, version=version, now=now)
    once = put_slot(
        session,
        caller,
        region=series.region,
        starts_at=to,
        programme_id=programme_id or series.programme_id,
        channel=series.channel,
        required=series.required,
        excluded=series.excluded,
        kind=series.kind,
        duration_ms=series.duration_ms,
        may_cut=series.may_cut,
        tolerance_min=series.tolerance_min,
        now=now,
    )
    return series, once


def remove_slot(
    session: Session, caller: Caller, slot_id: str, *, version: int | None = None, now: datetime
) -> Slot:
    """Take a placed programme out again; the row stays, marked. Raises NotFound, Forbidden, history.Stale."""
    slot = _mine(session, caller, slot_id, version, {"removed": True})
    history.apply(session, caller, slot, {"removed_at": now}, deed="removed", now=now)
    _update_airings(session, {slot.programme_id}, now)
    return slot


def restore_slot(
    session: Session, caller: Caller, slot_id: str, *, version: int | None = None, now: datetime
) -> Slot:
    """Put a removed slot back as it was. Raises as :func:`put_slot`, and history.Stale."""
    slot = history.locked(session, Slot, slot_id)
    _require_mine(caller, slot)
    if version is not None and slot.version != version:
        raise history.Stale(slot, {"removed": False})
    if slot.removed_at is None:
        return slot
    edition = schedulable(session, slot.programme_id)
    _check(session, caller, slot, edition, now=now, instead_of=slot.id)
    history.apply(session, caller, slot, {"removed_at": None}, deed="restored", now=now)
    _update_airings(session, {slot.programme_id}, now)
    return slot


def set_back(
    session: Session, caller: Caller, slot: Slot, state: Mapping[str, Any], *, now: datetime
) -> None:
    """Give a slot the state it had before a change (for undo). Raises as :func:`put_slot`."""
    _require_mine(caller, slot)
    values = history.restored_values(Slot, state)
    wanted = Slot(**{**_values(slot), **values})
    _require_mine(caller, wanted)
    if wanted.removed_at is None:
        edition = schedulable(session, wanted.programme_id)
        _check(session, caller, wanted, edition, now=now, instead_of=slot.id)
    others = {slot.programme_id, wanted.programme_id}
    history.apply(session, caller, slot, values, deed="undone", now=now)
    _update_airings(session, others, now)


# --- whose, and which values ----------------------------------------------------------------------------------------------
def _mine(
    session: Session, caller: Caller, slot_id: str, version: int | None, mine: Mapping[str, Any]
) -> Slot:
    slot = session.get(Slot, slot_id)
    if slot is None:
        raise NotFound(N_("没有这个时段"))
    _require_mine(caller, slot)
    return history.current(session, Slot, slot_id, version, mine)


def _require_mine(caller: Caller, slot: Slot) -> None:
    caller.require(Action.SCHEDULE_EDIT, slot.region)
    if slot.level == r.PROVINCE and not is_provincial(caller):
        raise Forbidden(N_("省级编排只能由省级编辑修改"))


def _wanted_values(session: Session, caller: Caller, slot: Slot, changes: SlotChanges) -> dict[str, Any]:
    wanted: dict[str, Any] = dict(changes)
    if "region" in wanted and wanted["region"] != slot.region:
        known_region(session, wanted["region"])
        caller.require(Action.SCHEDULE_EDIT, wanted["region"])
        if slot.level != r.PROVINCE and level_of(wanted["region"]) != slot.level:
            raise Invalid(N_("市县只能在本市或本县的地方窗口内编排"))
    if "channel" in wanted:
        known_channel(session, wanted["channel"])
    if "rrule" in wanted:
        wanted["rrule"] = clean_rrule(wanted["rrule"])
    if "excluded" in wanted:
        wanted["excluded"] = sorted(set(wanted["excluded"]))
    if "starts_at" in wanted and wanted["starts_at"] != slot.starts_at:
        # A moved series takes its exceptions with it: they are starts, and every start moves by as much.
        shift = wanted["starts_at"] - slot.starts_at
        wanted["exdates"] = [_shifted(text, shift) for text in slot.exdates]
        wanted["rdates"] = [_shifted(text, shift) for text in slot.rdates]
    return wanted


def _shifted(text: str, by: timedelta) -> str:
    return to_text(datetime.fromisoformat(text) + by)


def _values(slot: Slot) -> dict[str, Any]:
    return {column.key: getattr(slot, column.key) for column in Slot.__table__.columns}


def _dates(known: Sequence[str], text: str) -> list[str]:
    if len(known) >= MOST_DATES:
        raise Invalid(N_("一个系列最多 %(most)s 个例外，请另排一个系列"), most=MOST_DATES)
    return sorted({*known, text})


def _happens(slot: Slot, at: datetime) -> bool:
    found = occurrences(
        slot.starts_at,
        slot.rrule,
        at,
        at + timedelta(milliseconds=1),
        exdates=slot.exdates,
        rdates=slot.rdates,
    )
    return any(start == at for start in found)


def _follows_rule(slot: Slot, at: datetime) -> bool:
    return any(s == at for s in occurrences(slot.starts_at, slot.rrule, at, at + timedelta(milliseconds=1)))


# --- what may be said against it --------------------------------------------------------------------------------------------
def _check(
    session: Session, caller: Caller, slot: Slot, edition: Playable, *, now: datetime, instead_of: str = ""
) -> None:
    take_turn(session, f"slots:{slot.channel}:{slot.region}")
    _check_form(session, slot, edition)
    _check_time(slot, edition, now)
    _check_rights(edition, slot)
    check_airtime(session, caller, slot, given_length(slot, edition), edition.section)
    if slot.level != r.PROVINCE:
        _check_window(session, slot, edition, now)
    _check_overlap(session, slot, edition, instead_of, now)


def given_length(slot: Slot, edition: Playable) -> timedelta:
    """The time a slot is given: the programme's length, unless it may be cut."""
    return min(edition.length, timedelta(milliseconds=slot.duration_ms or edition.duration_ms))


def _check_form(session: Session, slot: Slot, edition: Playable) -> None:
    if slot.kind not in {ItemKind.PROGRAMME, ItemKind.PROMO, ItemKind.STUDY}:
        raise Invalid(N_("没有这种编排：%(kind)s"), kind=slot.kind)
    if not 0 <= slot.tolerance_min <= MOST_TOLERANCE_MIN:
        raise Invalid(N_("允许超时须在 0 到 %(most)s 分钟之间"), most=MOST_TOLERANCE_MIN)
    if len(slot.excluded) > MOST_EXCLUDED:
        raise Invalid(N_("一条编排最多除外 %(most)s 个地区"), most=MOST_EXCLUDED)
    for region in slot.excluded:
        known_region(session, region)
        if region == slot.region or not within(region, slot.region):
            raise Invalid(N_("除外的地区须在编排的地区之内"), code="excluded")
    if slot.duration_ms is None or slot.duration_ms == edition.duration_ms:
        slot.duration_ms = None
    elif not slot.may_cut:
        raise Invalid(N_("《%(title)s》须播完整；确需截短，请先允许截短"), code="whole", title=edition.title)
    elif not SHORTEST_CUT_MS <= slot.duration_ms <= edition.duration_ms:
        raise Invalid(
            N_("《%(title)s》不能排得比节目长，也不能短于 10 秒"), code="length", title=edition.title
        )


def _check_time(slot: Slot, edition: Playable, now: datetime) -> None:
    if slot.rrule is None and not slot.rdates and slot.starts_at + edition.length <= now:
        raise Invalid(N_("这个时间已经过去"), code="past")
    if slot.starts_at > now + timedelta(days=366):
        raise Invalid(N_("最多提前一年编排"), code="too_far")


def _check_rights(edition: Playable, slot: Slot) -> None:
    begin, until = edition.rights_from, edition.rights_until
    if (begin and slot.starts_at < begin) or (until and slot.starts_at >= until):
        raise Invalid(N_("《%(title)s》在这个时间没有播出授权"), code="rights", title=edition.title)


def _check_rereview(session: Session, edition: Playable, now: datetime) -> None:
    """What must be reviewed again is not placed anew; what is placed already stays on air."""
    if edition.edition in needs_rereview(session, [edition.edition], now):
        raise Conflict(N_("《%(title)s》需要重播重审，才能再次编排"), code="rereview", title=edition.title)


def _check_overlap(session: Session, slot: Slot, edition: Playable, instead_of: str, now: datetime) -> None:
    """Refuse what would certainly lose: the same region and level at the same time, neither an exception to the other."""
    begin = max(slot.starts_at, now - timedelta(days=1))
    end = begin + timedelta(days=HORIZON_DAYS)
    placed = _placed(slot, edition, begin, end)
    others = session.scalars(
        select(Slot).where(
            Slot.channel == slot.channel,
            Slot.region == slot.region,
            Slot.level == slot.level,
            Slot.removed_at.is_(None),
            Slot.id != (instead_of or slot.id),
        )
    ).all()
    others = [other for other in others if (other.rrule is None) == (slot.rrule is None)]
    released = playable(session, sorted({other.programme_id for other in others})) if others else {}
    for other in others:
        # A one-off over a series is an exception, not a conflict.
        theirs = released.get(other.programme_id)
        if theirs is None or set(other.excluded) != set(slot.excluded):
            continue
        for one in _placed(other, theirs, begin - timedelta(days=1), end):
            if any(
                not r.tolerable(mine, one) for mine in placed if one.start < mine.end and mine.start < one.end
            ):
                raise Conflict(
                    N_("%(at)s 已排《%(title)s》"), code="overlap", at=wall(one.start), title=theirs.title
                )


def _placed(slot: Slot, edition: Playable, begin: datetime, end: datetime) -> list[r.Placed]:
    rule, release, length = slot_rule(slot), as_release(edition, None), given_length(slot, edition)
    starts = occurrences(slot.starts_at, slot.rrule, begin, end, exdates=slot.exdates, rdates=slot.rdates)
    return [r.Placed(start, start + length, rule, release) for start in starts]


def _check_window(session: Session, slot: Slot, edition: Playable, now: datetime) -> None:
    """A city's or county's slot must stand in a window of its level, and come before the window's deadline."""
    at = _first_to_come(slot, now)
    begin, end = (from_ms(ms) for ms in day_bounds_ms(at.astimezone(SHANGHAI).date()))
    spans = [
        span
        for rule in window_rules(session)
        if rule.covers(slot.region) and rule.channel == slot.channel and rule.level == level_of(slot.region)
        for span in r.expand_window(rule, begin, end + timedelta(days=1))
    ]
    placed = r.Placed(at, at + given_length(slot, edition), slot_rule(slot), as_release(edition, None))
    window = r.window_for(slot.region, slot.channel, placed, spans)
    if window is None:
        open_here = sorted(
            f"{_clock(w.starts_at)}–{_clock(w.ends_at)}" for _, w in spans if w.starts_at < to_text(end)
        )
        raise Invalid(
            N_("不在地方窗口内；当天的窗口：%(windows)s"),
            code="outside_window",
            windows="、".join(open_here) or "—",
        )
    rule = next(rule for rule, span in spans if span is window)
    closes = datetime.fromisoformat(window.starts_at) - timedelta(hours=rule.deadline_hours)
    if rule.deadline_hours and now > closes and slot.rrule is None:
        raise Invalid(N_("这个窗口已于 %(at)s 截止编排"), code="deadline", at=wall(closes))


def _first_to_come(slot: Slot, now: datetime) -> datetime:
    if slot.rrule is None:
        return slot.starts_at
    begin = max(now - timedelta(days=1), slot.starts_at)
    coming = occurrences(slot.starts_at, slot.rrule, begin, begin + timedelta(days=366))
    return next(iter(coming), slot.starts_at)


def known_region(session: Session, region: str) -> None:
    if session.get(Region, region) is None:
        raise NotFound(N_("没有这个行政区划：%(region)s"), region=region)


def standing_region(session: Session, region: str) -> None:
    """Nothing new is placed where a region was merged into another. Raises NotFound, Conflict (merged)."""
    known_region(session, region)
    row = session.get(Region, region)
    if row is not None and row.successor is not None:
        raise Conflict(
            N_("%(place)s已并入 %(into)s，请编排到那里"),
            code="merged_region",
            place=row.name,
            into=row.successor,
        )


def known_channel(session: Session, channel: str) -> None:
    if session.get(Channel, channel) is None:
        raise NotFound(N_("没有这个频道：%(channel)s"), channel=channel)


def clean_rrule(rrule: str | None) -> str | None:
    """The rule in upper case without its name, or None. Raises Invalid."""
    text = (rrule or "").strip().upper().removeprefix("RRULE:").rstrip(";")
    if not text:
        return None
    try:
        check_rrule(text)
    except BadRecurrence as error:
        raise Invalid(str(error), code="rrule") from error
    return text


def airtime_level(caller: Caller, region: str) -> str:
    """In whose airtime this caller speaks in a region. Raises Invalid."""
    if is_provincial(caller):
        return r.PROVINCE
    level = level_of(region)
    if level not in (Level.CITY, Level.COUNTY):
        raise Invalid(N_("市县只能在本市或本县的地方窗口内编排"))
    return level


def is_provincial(caller: Caller) -> bool:
    return any(role in _PROVINCIAL for role, _ in caller.grants)


def wall(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%H:%M")


# --- airings ---------------------------------------------------------------------------------------------------------------
def _update_airings(session: Session, programmes: set[str], now: datetime) -> None:
    for edition in playable(session, sorted(programmes)).values():
        update_airing(session, edition, now)


def update_airing(session: Session, edition: Playable, now: datetime) -> None:
    """Tell the catalogue when and where an edition is shown next and was last."""
    begin, end = now - timedelta(days=366), now + timedelta(days=60)
    starts: list[datetime] = []
    regions: set[str] = set()
    slots = select(Slot).where(Slot.programme_id == edition.programme, Slot.removed_at.is_(None))
    for slot in session.scalars(slots):
        found = list(
            occurrences(slot.starts_at, slot.rrule, begin, end, exdates=slot.exdates, rdates=slot.rdates)
        )
        starts += found
        if found:
            regions.add(slot.region)
    record_airing(
        session,
        edition.edition,
        last_at=max((s for s in starts if s <= now), default=None),
        next_at=min((s for s in starts if s > now), default=None),
        regions=sorted(regions),
    )
