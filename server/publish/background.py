"""The publisher in the background: carries out what people asked for, and finds by itself what may go out.

One step at a time, each under the publishing lease: so any number of workers may run it, and one that is killed at
any step leaves its order to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.times import SHANGHAI
from server.catalog.models import Edition, EditionState, ProtectedPeriod
from server.config import Config
from server.db import Database
from server.errors import YuanboError
from server.lease import LeaseLost, LeaseTaken
from server.publish import orders, service
from server.publish.models import (
    PublicationKind,
    PublicationOrder,
    RecalledRelease,
    WaitingChange,
)
from server.publish.publisher import PublicationResult
from server.publish.report import own_errors
from server.schedule.history import change_number
from server.schedule.models import EmergencyRule
from server.stations import commanding, line_settings
from server.storage import Store

log = logging.getLogger(__name__)

Mark = tuple[Any, ...]
_NOT_OURS = 10
"""So many of a mark's parts change by other people's doing alone."""


def change_mark(session: Session, now: datetime) -> Mark:
    """Differs from an earlier one when something may have changed that goes out by itself; cheap to ask for."""
    return (
        now.astimezone(SHANGHAI).date(),  # a new day brings new days into reach
        session.scalar(select(func.count(EmergencyRule.id)).where(EmergencyRule.ends_at <= now)),
        change_number(session),
        session.scalar(select(func.count(Edition.id)).where(Edition.state == EditionState.RELEASED)),
        session.scalar(select(func.count(RecalledRelease.edition_id))),
        *commanding.change_mark(session),
        *line_settings.change_mark(session),
        *session.execute(select(func.count(WaitingChange.id), func.max(WaitingChange.decided_at))).one(),
        *session.execute(select(func.count(ProtectedPeriod.id), func.max(ProtectedPeriod.ends_at))).one(),
        session.scalar(select(func.max(service.Publication.number))),
    )


class Publishing:
    """What one worker does about publications. ``clock`` gives the time of each step."""

    def __init__(
        self, database: Database, config: Config, store: Store, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._config, self._store = database, config, store
        self._clock = clock
        self._mark: Mark | None = None

    def step(self) -> bool:
        """Carry out the oldest order, or else what may go out by itself; whether anything was done.

        Somebody else who publishes at this moment is no fault: the next step looks again.
        """
        try:
            return self._order() or self._changes()
        except (LeaseTaken, LeaseLost):
            return False

    def _order(self) -> bool:
        with self._database.read() as session:
            waiting = orders.unfinished(session)
        if not waiting:
            return False
        order = waiting[0]
        now = self._clock()
        try:
            result = self._carry_out(order, now)
        except (LeaseTaken, LeaseLost):
            raise
        except YuanboError as error:
            log.warning("order %s: %s", order.id, error)
            with self._database.write() as session:
                orders.fail(session, order.id, error, now=self._clock())
            return True
        except Exception as error:
            log.exception("order %s", order.id)
            with self._database.write() as session:
                orders.fail(session, order.id, YuanboError(), now=self._clock())
            raise BackgroundFault from error
        with self._database.write() as session:
            orders.end(session, order.id, result.as_json(), now=self._clock())
        return True

    def _carry_out(self, order: PublicationOrder, now: datetime) -> PublicationResult:
        def begun() -> None:
            with self._database.write() as session:
                if not orders.begin(session, order.id, now=now):
                    raise LeaseTaken  # another worker was quicker, and has finished by now

        if order.kind == PublicationKind.ROLLBACK and order.back_to is not None:
            return service.roll_back(
                self._database, self._config, self._store, to=order.back_to, now=now, by=order.asked_by_name,
                begun=begun,
            )  # fmt: skip
        return service.publish(
            self._database, self._config, self._store, now=now, by=order.asked_by_name, begun=begun
        )

    def _changes(self) -> bool:
        now = self._clock()
        with self._database.read() as session:
            mark = change_mark(session, now)
        if mark == self._mark:
            return False
        result = service.publish_changes(
            self._database, self._config, self._store, now=now, report=own_errors
        )
        with self._database.read() as session:
            # Our own traces in queue and publications are no news; what others did meanwhile changes the rest.
            after = change_mark(session, now)
        # A frame that went out may open what local documents waited for: look once more.
        self._mark = after if _but_ours(after) == _but_ours(mark) and not result.changed else None
        return result.changed


def _but_ours(mark: Mark) -> Mark:
    return mark[:_NOT_OURS]


class BackgroundFault(Exception):
    """A step failed in a way that nobody foresaw; it was logged."""
