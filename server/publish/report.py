"""What stands against publishing a region's own edits: the errors of the conflict report that are its own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import Level
from server.publish.scope import Problem
from server.schedule.check import check
from server.schedule.conflicts import Severity
from server.schedule.models import Slot
from server.schedule.placing import HORIZON_DAYS


def own_errors(session: Session, regions: Collection[str], now: datetime) -> dict[str, list[Problem]]:
    """By region, what is wrong with what it placed itself. What the province did wrong holds no county back."""
    return {region: _errors(session, region, now) for region in regions}


def _errors(session: Session, region: str, now: datetime) -> list[Problem]:
    own = set(
        session.scalars(
            select(Slot.id).where(
                Slot.region == region, Slot.level != Level.PROVINCE, Slot.removed_at.is_(None)
            )
        )
    )
    report = check(session, region=region, days=HORIZON_DAYS, with_stations=False, now=now)
    return [
        Problem(found.code, found.message, dict(found.params))
        for found in report.findings
        if found.severity is Severity.ERROR and found.rule in own
    ]
