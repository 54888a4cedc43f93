"""Versions of rules: who changed what when, two people changing one rule, and taking a change back.

Every change of a rule goes through :func:`record`. Whoever changes a rule says which version he saw; if somebody was
quicker, :class:`Stale` carries both sides, so that neither loses work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Date, func, select
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from protocol.times import from_text, to_text
from server.db import Base, UtcDateTime, next_number
from server.errors import Conflict, NotFound
from server.i18n import N_
from server.identity.rules import Caller
from server.schedule.models import (
    AirtimeRight,
    EmergencyRule,
    NoticeRule,
    PushRule,
    RuleChange,
    Slot,
    StudyEvening,
    StudyRule,
    WindowRule,
)

KINDS: dict[str, type[Base]] = {
    "slot": Slot,
    "window": WindowRule,
    "study": StudyRule,
    "evening": StudyEvening,
    "notice": NoticeRule,
    "push": PushRule,
    "emergency": EmergencyRule,
    "airtime": AirtimeRight,
}
KIND_OF = {model: kind for kind, model in KINDS.items()}
SEQUENCE = "rule_changes"
MOST_LISTED = 200

Rule = Slot | WindowRule | StudyRule | StudyEvening | NoticeRule | PushRule | EmergencyRule | AirtimeRight
_R = TypeVar(
    "_R", Slot, WindowRule, StudyRule, StudyEvening, NoticeRule, PushRule, EmergencyRule, AirtimeRight
)


class Stale(Conflict):
    """Somebody else changed the rule since it was read. The answer holds ``mine``, what was asked for, and ``theirs``,
    the rule as it is now."""

    code = "stale"
    title = N_("别人刚刚改过")

    def __init__(self, rule: Rule, mine: Mapping[str, Any]) -> None:
        super().__init__(
            N_("%(name)s刚刚改过这条编排，请看一看再决定"), name=rule.changed_by_name or rule.created_by_name
        )
        self.extra = {"mine": jsonable(mine), "theirs": as_json(rule)}


class StaleChannel(Conflict):
    """Somebody else changed a channel's settings meanwhile."""

    code = "stale"
    title = N_("别人刚刚改过")

    def __init__(self, version: int) -> None:
        super().__init__(N_("频道设置刚刚有人改过，请刷新后再改"))
        self.extra = {"theirs": {"version": version}}


def as_json(rule: Rule) -> dict[str, Any]:
    """Every column of a rule, as JSON holds it."""
    return jsonable({column.key: getattr(rule, column.key) for column in type(rule).__table__.columns})


def jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _json_value(value) for key, value in values.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    return value.isoformat() if isinstance(value, date) else value


def locked(session: Session, model: type[_R], rule_id: str) -> _R:
    """The rule as it is now, held against other changes until the transaction ends. Raises NotFound."""
    found = session.get(model, rule_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(N_("没有这条编排"))
    return found


def current(
    session: Session, model: type[_R], rule_id: str, version: int | None, mine: Mapping[str, Any]
) -> _R:
    """The same, still in force and at the version that the caller saw (None: whatever it is). Raises NotFound, Stale."""
    found = locked(session, model, rule_id)
    if version is not None and found.version != version:
        raise Stale(found, mine)
    if found.removed_at is not None:
        raise NotFound(N_("这条编排已经移除"))
    return found


def apply(
    session: Session, caller: Caller, rule: Rule, values: Mapping[str, Any], *, deed: str, now: datetime
) -> None:
    """Change a rule's columns, raise its version and note it."""
    before = as_json(rule)
    for name, value in values.items():
        setattr(rule, name, value)
    rule.version += 1
    rule.changed_at, rule.changed_by_name = now, caller.name
    session.flush()
    note(session, caller, rule, deed=deed, before=before, now=now)


def added(session: Session, caller: Caller, rule: Rule, *, now: datetime) -> None:
    """Note a new rule."""
    rule.changed_at, rule.changed_by_name = now, caller.name
    session.add(rule)
    session.flush()
    note(session, caller, rule, deed="put", before=None, now=now)


def note(
    session: Session, caller: Caller, rule: Rule, *, deed: str, before: dict[str, Any] | None, now: datetime
) -> None:
    after = as_json(rule)
    session.add(
        RuleChange(
            seq=next_number(session, SEQUENCE),
            at=now,
            actor_id=caller.id,
            actor_name=caller.name,
            kind=KIND_OF[type(rule)],
            rule_id=rule.id,
            deed=deed,
            region=after.get("region") or next(iter(after.get("regions") or []), "13"),
            channel=after.get("channel") or "",
            version=rule.version,
            before=before,
            after=after,
        )
    )
    session.flush()


# --- looking back -------------------------------------------------------------------------------------------------------
def change_number(session: Session) -> int:
    """The number of the newest change of any rule; 0 where there is none. Cheap: pages ask it every few seconds."""
    return session.scalar(select(func.max(RuleChange.seq))) or 0


def changes(
    session: Session,
    *,
    since: int = 0,
    before: int | None = None,
    region: str | None = None,
    rule_id: str | None = None,
    actor_id: str | None = None,
    limit: int = 50,
) -> Sequence[RuleChange]:
    """Changes, newest first: of a region's subtree, of one rule or by one person."""
    query = select(RuleChange).where(RuleChange.seq > since).order_by(RuleChange.seq.desc())
    if before is not None:
        query = query.where(RuleChange.seq < before)
    if region:
        query = query.where(RuleChange.region.startswith(region, autoescape=True))
    if rule_id:
        query = query.where(RuleChange.rule_id == rule_id)
    if actor_id:
        query = query.where(RuleChange.actor_id == actor_id)
    return session.scalars(query.limit(min(limit, MOST_LISTED))).all()


def restored_values(model: type[Base], state: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a kept state, without identity and version, as the table holds them."""
    values: dict[str, Any] = {}
    for column in model.__table__.columns:
        name = column.key
        if name in state and name not in ("id", "version", "changed_at", "changed_by_name"):
            values[name] = _column_value(column.type, state[name])
    return values


def _column_value(kind: TypeEngine[Any], value: Any) -> Any:
    if isinstance(value, str):
        if isinstance(kind, UtcDateTime):
            return from_text(value)
        if isinstance(kind, Date):
            return date.fromisoformat(value)
    return value
