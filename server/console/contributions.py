"""A contributor's own programmes with what became of them: review, air times, viewing. Composed of several rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, distinct, func, or_, select
from sqlalchemy.orm import Session, selectinload

from protocol.times import SHANGHAI
from server.catalog import service as catalog
from server.catalog import views
from server.catalog.models import Airing, Edition, EditionState, Programme
from server.identity.rules import Action, Caller, Role
from server.schedule.models import Channel, Slot
from server.stats.models import ReportEpoch, ViewingFact

VIEWED_WITHIN = timedelta(days=30)
PAGE = 30
IN_REVIEW = (EditionState.FIRST_REVIEW, EditionState.SECOND_REVIEW, EditionState.FINAL_REVIEW)


@dataclass(frozen=True)
class Viewing:
    """How a programme was watched in the last 30 days, where the caller may count; disputed reports left out."""

    minutes: int = 0
    sessions: int = 0
    stations: int = 0


@dataclass(frozen=True)
class Contribution:
    """One programme on its contributor's desk. ``reason`` is why it came back."""

    card: views.ProgrammeSummary
    reason: str
    by: str
    last_at: datetime | None
    next_at: datetime | None
    viewing: Viewing
    can_submit: bool


@dataclass(frozen=True)
class Desk:
    """``counts``: in_review, returned, draft, released, planned; ``viewing`` of everything of one's own."""

    items: list[Contribution]
    following: str | None
    counts: dict[str, int]
    viewing: Viewing


def desk(session: Session, caller: Caller, *, state: str | None, after: str | None, now: datetime) -> Desk:
    """One's own programmes, or one's department's, the newest first. Raises NotFound for an odd ``after``."""
    mine = _mine(caller)
    query = select(Programme).where(mine)
    if state:
        query = query.where(_newest_state(state))
    if after:
        query = query.where(Programme.id < catalog.known_id(after))
    rows = session.scalars(
        query.order_by(Programme.id.desc())
        .limit(PAGE + 1)
        .options(selectinload(Programme.editions).selectinload(Edition.asset))
    ).all()
    shown = rows[:PAGE]
    cards = views.summaries(session, shown)
    airings = _airings(session, shown)
    viewed = viewing_of(session, caller, [row.id for row in shown], now=now)
    reasons = _reasons(session, shown)
    items = [
        Contribution(
            card=card,
            reason=reasons.get(row.id, ("", ""))[0],
            by=reasons.get(row.id, ("", ""))[1],
            last_at=max((a.last_at for a in airings.get(row.id, ()) if a.last_at), default=None),
            next_at=min((a.next_at for a in airings.get(row.id, ()) if a.next_at), default=None),
            viewing=viewed.get(row.id, Viewing()),
            can_submit="submit" in catalog.moves_on_edition(caller, row.editions[-1]),
        )
        for row, card in zip(shown, cards, strict=True)
    ]
    all_ids = session.scalars(select(Programme.id).where(mine)).all()
    total = viewing_of(session, caller, all_ids, now=now)
    return Desk(
        items=items,
        following=rows[PAGE - 1].id if len(rows) > PAGE else None,
        counts=_counts(session, caller),
        viewing=Viewing(
            minutes=sum(one.minutes for one in total.values()),
            sessions=sum(one.sessions for one in total.values()),
            stations=max((one.stations for one in total.values()), default=0),
        ),
    )


def _mine(caller: Caller) -> ColumnElement[bool]:
    own = Programme.created_by == caller.id
    if caller.has_role(Role.PARTNER) and caller.department:
        return or_(own, Programme.department == caller.department)
    return own


def _newest_state(state: str) -> ColumnElement[bool]:
    newest = (
        select(Edition.programme_id, func.max(Edition.number).label("number"))
        .group_by(Edition.programme_id)
        .subquery()
    )
    wanted = IN_REVIEW if state == "in_review" else (state,)
    return Programme.id.in_(
        select(Edition.programme_id)
        .join(newest, and_(newest.c.programme_id == Edition.programme_id, newest.c.number == Edition.number))
        .where(Edition.state.in_(wanted))
    )


def _counts(session: Session, caller: Caller) -> dict[str, int]:
    found = {}
    for state in ("draft", "returned", "in_review", "released"):
        query = select(func.count()).select_from(Programme).where(_mine(caller), _newest_state(state))
        found[state] = session.scalar(query) or 0
    return found


def _airings(session: Session, rows: Sequence[Programme]) -> dict[str, list[Airing]]:
    found: dict[str, list[Airing]] = {}
    query = (
        select(Edition.programme_id, Airing)
        .join(Airing, Airing.edition_id == Edition.id)
        .where(Edition.programme_id.in_([row.id for row in rows]))
    )
    for programme_id, airing in session.execute(query):
        found.setdefault(programme_id, []).append(airing)
    return found


def _reasons(session: Session, rows: Sequence[Programme]) -> dict[str, tuple[str, str]]:
    """Why a programme came back, and from which stage, where it is returned now."""
    returned = {
        row.editions[-1].id: row.id for row in rows if row.editions[-1].state == EditionState.RETURNED
    }
    found = {}
    for decision in catalog.reviews_of(session, returned):
        if not decision.approved:
            found[returned[decision.edition_id]] = (decision.comment, decision.stage)
    return found


def viewing_of(
    session: Session, caller: Caller, programme_ids: Sequence[str], *, now: datetime
) -> dict[str, Viewing]:
    """How these programmes were watched lately, by id."""
    scopes = caller.scopes(Action.STATS_VIEW)
    if not scopes or not programme_ids:
        return {}
    first = (now - VIEWED_WITHIN).astimezone(SHANGHAI).date()
    disputed = ViewingFact.seq > func.coalesce(ReportEpoch.disputed_after, ViewingFact.seq)
    rows = session.execute(
        select(
            ViewingFact.programme,
            func.sum(case((disputed, 0), else_=ViewingFact.played_ms)),
            func.sum(case((disputed, 0), else_=1)),
            func.count(distinct(case((disputed, None), else_=ViewingFact.station_id))),
        )
        .join(
            ReportEpoch,
            and_(ReportEpoch.terminal_id == ViewingFact.terminal_id, ReportEpoch.epoch == ViewingFact.epoch),
        )
        .where(
            ViewingFact.programme.in_(list(programme_ids)),
            ViewingFact.day >= first,
            or_(*(ViewingFact.region.startswith(scope) for scope in scopes)),
        )
        .group_by(ViewingFact.programme)
    )
    return {row[0]: Viewing(int(row[1]) // 60_000, int(row[2]), int(row[3])) for row in rows}


@dataclass(frozen=True)
class Placed:
    """Where a programme stands in the schedule: a rule, in words for a list."""

    channel: str
    channel_en: str
    region: str
    starts_at: datetime
    repeats: bool
    required: bool


def placed(session: Session, programme_id: str) -> list[Placed]:
    """The rules that show a programme, the earliest first."""
    rows = session.execute(
        select(Slot, Channel)
        .join(Channel, Channel.id == Slot.channel)
        .where(Slot.programme_id == programme_id, Slot.removed_at.is_(None))
        .order_by(Slot.starts_at)
        .limit(50)
    )
    return [
        Placed(channel.name, channel.name_en, slot.region, slot.starts_at, bool(slot.rrule), slot.required)
        for slot, channel in rows
    ]
