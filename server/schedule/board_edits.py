"""What the board does with many rules at once: copy days, keep and apply templates, take back the last step.

Each is one transaction. What cannot be placed is reported with its reason and leaves nothing behind; the rest stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import lineage
from protocol.times import SHANGHAI, day_bounds_ms, from_ms, to_text
from server.errors import Invalid, NotFound, YuanboError
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.schedule import history, placing, service, windows
from server.schedule.board_models import ScheduleTemplate
from server.schedule.board_views import NotPlaced, Placed, Undone
from server.schedule.models import RuleChange, Slot, WindowRule
from server.schedule.recurrence import occurrences

SayError = Callable[[YuanboError], str]
"""Puts a refusal into the reader's language: the edge knows which."""

MOST_ITEMS = 500
MOST_TEMPLATES = 100
UNDO_WITHIN = timedelta(days=1)
_STEPS_LOOKED_AT = 20


@dataclass(frozen=True)
class Wanted:
    """Something to place: when, and all that a slot says of it."""

    starts_at: datetime
    channel: str
    programme: str
    title: str
    required: bool
    kind: str
    duration_ms: int | None
    may_cut: bool
    tolerance_min: int


# --- copying ------------------------------------------------------------------------------------------------------------
def copy_days(
    session: Session,
    caller: Caller,
    *,
    region: str,
    day: date,
    to: date,
    days: int,
    channel: str | None = None,
    say: SayError,
    now: datetime,
) -> Placed:
    """Place what a region's own rules show on some days on other days too. Raises NotFound, Forbidden, Invalid."""
    caller.require(Action.SCHEDULE_EDIT, region)
    if abs((to - day).days) < days:
        raise Invalid(N_("复制到的日子与原来的日子重叠"), code="onto_itself")
    shift = to - day
    wanted = [_shifted(one, shift) for one in _standing(session, caller, region, day, days)]
    if channel:
        wanted = [one for one in wanted if one.channel == channel]
    return _place_all(session, caller, region, wanted, say=say, now=now)


def _shifted(one: Wanted, by: timedelta) -> Wanted:
    return replace(one, starts_at=one.starts_at + by)


def _standing(session: Session, caller: Caller, region: str, day: date, days: int) -> list[Wanted]:
    """What the region's own rules of the caller's level place in a span, one by one."""
    begin, end = from_ms(day_bounds_ms(day)[0]), from_ms(day_bounds_ms(day + timedelta(days=days - 1))[1])
    level = placing.airtime_level(caller, region)
    slots = session.scalars(
        select(Slot).where(Slot.region == region, Slot.level == level, Slot.removed_at.is_(None))
    ).all()
    titles = {p.programme: p.title for p in service.playable(session, _programmes(slots)).values()}
    found = [
        (slot.rrule is not None, _wanted(slot, start, titles.get(slot.programme_id, "")))
        for slot in slots
        for start in occurrences(
            slot.starts_at, slot.rrule, begin, end, exdates=slot.exdates, rdates=slot.rdates
        )
    ]
    # One-offs first: where one stands over a series, it is what people saw.
    ordered = sorted(found, key=lambda pair: (pair[0], pair[1].starts_at))
    if len(ordered) > MOST_ITEMS:
        raise Invalid(N_("一次最多复制 %(most)s 个节目"), most=MOST_ITEMS)
    return [one for _, one in ordered]


def _programmes(slots: Iterable[Slot]) -> list[str]:
    return sorted({slot.programme_id for slot in slots})


def _wanted(slot: Slot, start: datetime, title: str) -> Wanted:
    return Wanted(
        starts_at=start,
        channel=slot.channel,
        programme=slot.programme_id,
        title=title,
        required=slot.required,
        kind=slot.kind,
        duration_ms=slot.duration_ms,
        may_cut=slot.may_cut,
        tolerance_min=slot.tolerance_min,
    )


def _place_all(
    session: Session, caller: Caller, region: str, wanted: Sequence[Wanted], *, say: SayError, now: datetime
) -> Placed:
    result = Placed(placed=0, already=0, refused=[])
    standing = _standing_keys(session, caller, region, wanted)
    for one in wanted:
        if (one.starts_at, one.channel, one.programme) in standing:
            result.already += 1
            continue
        try:
            with session.begin_nested():
                placing.put_slot(
                    session,
                    caller,
                    region=region,
                    starts_at=one.starts_at,
                    programme_id=one.programme,
                    channel=one.channel,
                    required=one.required,
                    kind=one.kind,
                    duration_ms=one.duration_ms,
                    may_cut=one.may_cut,
                    tolerance_min=one.tolerance_min,
                    now=now,
                )
            result.placed += 1
        except YuanboError as error:
            result.refused.append(NotPlaced(title=one.title, at=to_text(one.starts_at), reason=say(error)))
    return result


def _standing_keys(
    session: Session, caller: Caller, region: str, wanted: Sequence[Wanted]
) -> set[tuple[datetime, str, str]]:
    if not wanted:
        return set()
    days = sorted({one.starts_at.astimezone(SHANGHAI).date() for one in wanted})
    standing = _standing(session, caller, region, days[0], (days[-1] - days[0]).days + 1)
    return {(one.starts_at, one.channel, one.programme) for one in standing}


# --- templates ------------------------------------------------------------------------------------------------------------
def keep_template(
    session: Session, caller: Caller, *, region: str, name: str, day: date, days: int, now: datetime
) -> ScheduleTemplate:
    """Keep what a region's own rules show on some days under a name. Raises Forbidden, Invalid (nothing there)."""
    caller.require(Action.SCHEDULE_EDIT, region)
    title = " ".join(name.split())
    if not title:
        raise Invalid(N_("模板要有名称"))
    if len(templates(session, caller, region)) >= MOST_TEMPLATES:
        raise Invalid(N_("模板最多 %(most)s 个，请先删掉不用的"), most=MOST_TEMPLATES)
    standing = _standing(session, caller, region, day, days)
    if not standing:
        raise Invalid(N_("这几天没有您编排的节目，没有可存的内容"), code="empty")
    template = ScheduleTemplate(
        region=region,
        name=title,
        days=days,
        items=[_kept(one, day) for one in standing],
        created_by_name=caller.name,
        created_at=now,
    )
    session.add(template)
    session.flush()
    return template


def _kept(one: Wanted, first: date) -> dict[str, object]:
    wall = one.starts_at.astimezone(SHANGHAI)
    return {
        "day": (wall.date() - first).days,
        "second": wall.hour * 3600 + wall.minute * 60 + wall.second,
        "channel": one.channel,
        "programme": one.programme,
        "title": one.title,
        "required": one.required,
        "kind": one.kind,
        "duration_ms": one.duration_ms,
        "may_cut": one.may_cut,
        "tolerance_min": one.tolerance_min,
    }


def templates(session: Session, caller: Caller, region: str) -> Sequence[ScheduleTemplate]:
    """The templates of a region and of those above it, by name. Raises Forbidden."""
    caller.require(Action.SCHEDULE_EDIT, region)
    return session.scalars(
        select(ScheduleTemplate)
        .where(ScheduleTemplate.region.in_(lineage(region)), ScheduleTemplate.removed_at.is_(None))
        .order_by(ScheduleTemplate.name, ScheduleTemplate.id)
    ).all()


def apply_template(
    session: Session,
    caller: Caller,
    template_id: str,
    *,
    region: str,
    day: date,
    say: SayError,
    now: datetime,
) -> Placed:
    """Place a template from a day on, in a region. Raises NotFound, Forbidden."""
    template = _template(session, template_id)
    if template.region not in lineage(region):
        raise NotFound(N_("没有这个模板"))
    caller.require(Action.SCHEDULE_EDIT, region)
    return _place_all(session, caller, region, list(_unkept(template, day)), say=say, now=now)


def _unkept(template: ScheduleTemplate, first: date) -> Iterator[Wanted]:
    for item in template.items:
        midnight = datetime.combine(first + timedelta(days=item["day"]), time(), SHANGHAI)
        yield Wanted(
            starts_at=midnight + timedelta(seconds=item["second"]),
            channel=item["channel"],
            programme=item["programme"],
            title=item["title"],
            required=item["required"],
            kind=item["kind"],
            duration_ms=item["duration_ms"],
            may_cut=item["may_cut"],
            tolerance_min=item["tolerance_min"],
        )


def remove_template(session: Session, caller: Caller, template_id: str, *, now: datetime) -> None:
    """Raises NotFound, Forbidden."""
    template = _template(session, template_id)
    caller.require(Action.SCHEDULE_EDIT, template.region)
    template.removed_at = now
    session.flush()


def _template(session: Session, template_id: str) -> ScheduleTemplate:
    template = session.get(ScheduleTemplate, template_id)
    if template is None or template.removed_at is not None:
        raise NotFound(N_("没有这个模板"))
    return template


# --- taking back ------------------------------------------------------------------------------------------------------------
def undo_last(session: Session, caller: Caller, *, region: str, now: datetime) -> Undone:
    """Take back the caller's last step in a region and below: all changes of one transaction, the newest first.

    A step that somebody has built on since is left as it is, and the step before it is tried. Raises NotFound when
    nothing is left to take back, and whatever placing things as they were raises (their place may be taken by now).
    """
    caller.require(Action.SCHEDULE_EDIT)
    skipped = 0
    for step in _steps(session, caller, region, now):
        try:
            with session.begin_nested():
                for change in step:
                    _set_back(session, caller, change, now=now)
        except _ChangedSince:
            skipped += 1
            continue
        return Undone(undone=len(step), skipped=skipped)
    raise NotFound(N_("没有可以撤销的修改"), code="nothing_to_undo")


def next_undo(session: Session, caller: Caller, *, region: str, now: datetime) -> Sequence[RuleChange]:
    """What :func:`undo_last` would look at first; empty when nothing is left."""
    return next(iter(_steps(session, caller, region, now)), [])


def _steps(session: Session, caller: Caller, region: str, now: datetime) -> Iterator[list[RuleChange]]:
    """The caller's own steps, newest first; a step is what one transaction changed, so it has one time."""
    found = session.scalars(
        select(RuleChange)
        .where(
            RuleChange.actor_id == caller.id,
            RuleChange.kind.in_(("slot", "window")),
            RuleChange.deed != "undone",
            RuleChange.undone_by.is_(None),
            RuleChange.at >= now - UNDO_WITHIN,
            RuleChange.region.startswith(region, autoescape=True),
        )
        .order_by(RuleChange.seq.desc())
        .limit(MOST_ITEMS * 2)
    )
    step: list[RuleChange] = []
    steps = 0
    for change in found:
        if step and change.at != step[-1].at:
            yield step
            steps += 1
            if steps == _STEPS_LOOKED_AT:
                return
            step = []
        step.append(change)
    if step:
        yield step


class _ChangedSince(Exception):
    """The rule no longer says what the change made of it: somebody has built on it."""


def _set_back(session: Session, caller: Caller, change: RuleChange, *, now: datetime) -> None:
    """Give the rule of one change the state before it. Raises _ChangedSince, and as placing does."""
    rule: Slot | WindowRule
    if change.kind == "slot":
        rule = history.locked(session, Slot, change.rule_id)
    else:
        rule = history.locked(session, WindowRule, change.rule_id)
    if _content(history.as_json(rule)) != _content(change.after or {}):
        raise _ChangedSince(change.rule_id)
    state = change.before or {"removed_at": to_text(now)}
    if isinstance(rule, Slot):
        placing.set_back(session, caller, rule, state, now=now)
    else:
        windows.set_back(session, caller, rule, state, now=now)
    change.undone_by = history.changes(session, rule_id=change.rule_id, limit=1)[0].seq
    session.flush()


def _content(state: Mapping[str, object]) -> dict[str, object]:
    return {k: v for k, v in state.items() if k not in ("version", "changed_at", "changed_by_name")}
