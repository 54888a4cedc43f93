"""What the schedule tells the catalogue: when and where an edition is shown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from server.catalog.models import Airing


def record_airing(
    session: Session,
    edition_id: str,
    *,
    last_at: datetime | None,
    next_at: datetime | None,
    regions: list[str],
) -> None:
    """Replace what is known of an edition's showings."""
    airing = session.get(Airing, edition_id)
    if airing is None:
        airing = Airing(edition_id=edition_id)
        session.add(airing)
    airing.last_at, airing.next_at, airing.regions = last_at, next_at, regions
