"""JSON of protected periods 重要保障期."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.catalog import protection
from server.identity.rules import Action
from server.web import Problem, caller, moment, permit, reading, spec, writing

blueprint = Blueprint("protection_api", __name__)


class PeriodView(Struct, kw_only=True):
    """A span [``starts_at``, ``ends_at``)."""

    id: str
    starts_at: Timestamp
    ends_at: Timestamp
    reason: str
    made_by: str
    made_at: Timestamp


class PeriodList(Struct, kw_only=True):
    """``current`` is the period in force now."""

    items: list[PeriodView]
    next: str | None = None
    current: str | None = None


class PeriodRequest(Struct, kw_only=True):
    starts_at: Timestamp
    ends_at: Timestamp
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


def period_view(period: protection.Period) -> PeriodView:
    return PeriodView(
        id=period.id,
        starts_at=to_text(period.starts_at),
        ends_at=to_text(period.ends_at),
        reason=period.reason,
        made_by=period.made_by_name,
        made_at=to_text(period.made_at),
    )


@blueprint.get("/api/v1/protected-periods")
@permit(Action.PROTECTION_VIEW)
@spec.validate(resp=Response(HTTP_200=PeriodList), tags=["review"])
def list_periods() -> Any:
    """All protected periods, the latest first."""
    with reading() as session:
        current = protection.period_at(session, clock.now())
        items = [period_view(period) for period in protection.list_periods(session)]
    return PeriodList(items=items, current=current.id if current else None)


@blueprint.post("/api/v1/protected-periods")
@permit(Action.PROTECTION_MANAGE)
@spec.validate(resp=Response(HTTP_201=PeriodView, HTTP_403=Problem, HTTP_422=Problem), tags=["review"])
def declare_period(json: PeriodRequest) -> Any:
    """Declare a protected period: late changes in it need two people, and nothing goes out unattended."""
    with writing() as session:
        period = protection.declare(
            session,
            caller(),
            starts_at=moment(json.starts_at),
            ends_at=moment(json.ends_at),
            reason=json.reason,
            now=clock.now(),
        )
    return period_view(period), 201


@blueprint.delete("/api/v1/protected-periods/<period_id>")
@permit(Action.PROTECTION_MANAGE)
@spec.validate(resp=Response(HTTP_200=PeriodView, HTTP_404=Problem, HTTP_409=Problem), tags=["review"])
def end_period(period_id: str) -> Any:
    """End a protected period now; one still to come never begins."""
    with writing() as session:
        return period_view(protection.end(session, caller(), period_id, now=clock.now()))
