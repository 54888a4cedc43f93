"""What a withdrawn edition leaves empty: the starts still to come whose programme has nothing else to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from server.catalog import service as catalog
from server.catalog.models import Airing, Edition, EditionState, Programme
from server.identity.rules import Caller
from server.regions import service as regions
from server.schedule.models import Slot
from server.schedule.recurrence import occurrences

AHEAD = timedelta(days=60)
MOST = 500


@dataclass(frozen=True)
class Gap:
    """A placed start without a programme."""

    at: datetime
    slot: str
    channel: str
    region: str
    region_name: str
    required: bool
    placed_by: str


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawn edition that was to be shown again, with where it was shown until now."""

    edition: Edition
    programme: Programme
    last_at: datetime | None
    regions: list[str]


def gaps(session: Session, edition: Edition, *, now: datetime) -> list[Gap]:
    """Starts of the next 60 days that this edition leaves empty, in order; none where another edition is released."""
    released = session.scalar(
        select(Edition.id).where(
            Edition.programme_id == edition.programme_id, Edition.state == EditionState.RELEASED
        )
    )
    if released is not None or edition.state != EditionState.WITHDRAWN:
        return []
    slots = session.scalars(
        select(Slot).where(Slot.programme_id == edition.programme_id, Slot.removed_at.is_(None))
    ).all()
    names = regions.names(session, {slot.region for slot in slots})
    found = [
        Gap(
            at,
            slot.id,
            slot.channel,
            slot.region,
            names.get(slot.region, slot.region),
            slot.required,
            slot.created_by_name,
        )
        for slot in slots
        for at in occurrences(
            slot.starts_at, slot.rrule, now, now + AHEAD, exdates=slot.exdates, rdates=slot.rdates
        )
    ]
    return sorted(found, key=lambda gap: (gap.at, gap.region))[:MOST]


def listing(session: Session, caller: Caller, *, limit: int = 100) -> Sequence[Withdrawn]:
    """Withdrawn editions the caller may see that the schedule knew, newest first."""
    rows = session.execute(
        select(Edition, Airing)
        .join(Edition.programme)
        .join(Airing, Airing.edition_id == Edition.id)
        .where(Edition.state == EditionState.WITHDRAWN, catalog.visible_to(caller))
        .order_by(Edition.id.desc())
        .limit(limit)
        .options(selectinload(Edition.programme))
    )
    return [Withdrawn(row, row.programme, airing.last_at, list(airing.regions)) for row, airing in rows]
