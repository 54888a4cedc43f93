"""Publications that somebody asked for: a row each, carried out in the background, watched by polling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.errors import NotFound, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.publish.models import (
    OrderState,
    Publication,
    PublicationKind,
    PublicationOrder,
    PublicationState,
)

PROVINCE = "13"


def ask(
    session: Session, caller: Caller, *, back_to: int | None = None, key: str | None = None, now: datetime
) -> PublicationOrder:
    """Order a publication, or with ``back_to`` the schedule of an earlier one. Asking again under the same key, or
    while the same still waits to begin, gives the order that is there.

    Raises Forbidden, NotFound for a publication that never was.
    """
    caller.require(Action.PUBLISH_RUN, PROVINCE)
    if back_to is not None:
        known = session.get(Publication, back_to)
        if known is None or known.state != PublicationState.DONE:
            raise NotFound(N_("没有第 %(number)s 次发布"), number=back_to)
    kind = PublicationKind.ATTENDED if back_to is None else PublicationKind.ROLLBACK
    there = _there(session, caller, kind, back_to, key)
    if there is not None:
        return there
    order = PublicationOrder(
        kind=kind,
        back_to=back_to,
        key=_scoped(caller, key),
        asked_by=caller.id,
        asked_by_name=caller.name,
        asked_at=now,
    )
    session.add(order)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="publication.order",
        subject=f"order:{order.id}",
        detail={"kind": kind, "back_to": back_to},
        now=now,
    )
    return order


def _scoped(caller: Caller, key: str | None) -> str | None:
    """One person's key says nothing about another's."""
    return f"{caller.id}:{key}"[:80] if key else None


def _there(
    session: Session, caller: Caller, kind: PublicationKind, back_to: int | None, key: str | None
) -> PublicationOrder | None:
    if key is not None:
        query = select(PublicationOrder).where(PublicationOrder.key == _scoped(caller, key))
        return session.scalars(query).first()
    return session.scalars(
        select(PublicationOrder).where(
            PublicationOrder.state == OrderState.QUEUED,
            PublicationOrder.kind == kind,
            PublicationOrder.back_to.is_(None) if back_to is None else PublicationOrder.back_to == back_to,
            PublicationOrder.asked_by == caller.id,
        )
    ).first()


def get(session: Session, caller: Caller, order_id: str) -> PublicationOrder:
    """Raises Forbidden, NotFound."""
    caller.require(Action.PUBLISH_VIEW)
    found = session.get(PublicationOrder, order_id)
    if found is None:
        raise NotFound(N_("没有这次发布任务"))
    return found


def unfinished(session: Session) -> list[PublicationOrder]:
    """Orders that wait or are being carried out, the first asked for first."""
    return list(
        session.scalars(
            select(PublicationOrder)
            .where(PublicationOrder.state.in_((OrderState.QUEUED, OrderState.RUNNING)))
            .order_by(PublicationOrder.asked_at, PublicationOrder.id)
        )
    )


# --- the publisher's side: only under the publishing lease ---------------------------------------------------------------
def begin(session: Session, order_id: str, *, now: datetime) -> bool:
    """Take an order up, also one that a killed publisher left running; False when it is finished already."""
    claimed = session.execute(
        update(PublicationOrder)
        .where(
            PublicationOrder.id == order_id,
            PublicationOrder.state.in_((OrderState.QUEUED, OrderState.RUNNING)),
        )
        .values(state=OrderState.RUNNING, started_at=now)
    )
    return bool(getattr(claimed, "rowcount", 0))


def end(session: Session, order_id: str, answer: Mapping[str, Any], *, now: datetime) -> None:
    """The order is carried out."""
    order = session.get_one(PublicationOrder, order_id)
    order.state, order.ended_at, order.answer = OrderState.DONE, now, dict(answer)


def fail(session: Session, order_id: str, error: YuanboError, *, now: datetime) -> None:
    """It cannot be carried out; what was served stays served."""
    order = session.get_one(PublicationOrder, order_id)
    order.state, order.ended_at = OrderState.FAILED, now
    params = {key: str(value) for key, value in error.params.items()}
    order.error = {
        "status": error.status,
        "code": error.code,
        "title": error.title,
        "message": error.message,
        "params": params,
    }
