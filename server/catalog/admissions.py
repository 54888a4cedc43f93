"""What publish tells the catalogue: which publication first signed an edition."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import update
from sqlalchemy.orm import Session

from server.catalog.models import Edition


def mark_admitted(session: Session, edition_ids: Iterable[str], number: int) -> None:
    """Note the publication that first admitted these editions; an earlier note stays."""
    for edition_id in edition_ids:
        session.execute(
            update(Edition)
            .where(Edition.id == edition_id, Edition.admitted_in.is_(None))
            .values(admitted_in=number)
        )
