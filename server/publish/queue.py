"""Changes that wait for a second person: finding them, listing, approving, returning. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.regions import Level
from protocol.times import from_text, to_text
from server.catalog import protection
from server.catalog.models import Edition, EditionState, Programme
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit, messages
from server.identity.rules import Action, Caller
from server.publish.authors import authors_of_rules
from server.publish.changes import DocumentChange, Line
from server.publish.evidence import APPROVED, RETURNED
from server.publish.models import (
    ChangeState,
    Publication,
    PublicationKind,
    PublicationState,
    WaitingChange,
)
from server.publish.publisher import Proposal
from server.publish.scope import Problem
from server.publish.unattended import PROTECTED, may_publish_unattended
from server.publish.unattended import RETURNED as RETURNED_REASON
from server.schedule.approval import submitted_spans
from server.schedule.models import Slot
from server.stations.queries import inside

OPEN = (ChangeState.WAITING, ChangeState.APPROVED, ChangeState.RETURNED)
SHOWN = 200
NEAR = timedelta(days=15)
"""Beyond what documents reach."""
LONGEST_COMMENT = 500


# --- deciding what goes out --------------------------------------------------------------------------------------------
def consider(
    session: Session,
    proposals: Sequence[Proposal],
    *,
    report: Mapping[str, Sequence[Problem]],
    now: datetime,
) -> dict[str, Sequence[Problem]]:
    """For each proposal that may not go out by itself, why; such ones are put into the queue, or found there.

    ``report`` holds what the conflict report says, by region. An approved change goes out. Rows of changes that are
    no more, because they were edited further or undone, are superseded.
    """
    rolled_back = is_rolled_back(session)
    held: dict[str, Sequence[Problem]] = {}
    for proposal in proposals:
        change = proposal.change
        reasons = may_publish_unattended(
            change,
            proposal.document,
            proposal.frame,
            report=[*report.get(change.region, ()), *_submitted(session, change)],
            protected=_periods(session, now, proposal),
            now=to_text(now),
            is_rolled_back=rolled_back,
        )
        if reasons and (waits := _waits(session, change, reasons, now)):
            held[change.target] = waits
    _supersede(session, {p.change.target: p.change.fingerprint for p in proposals})
    return held


def consider_attended(
    session: Session, proposals: Sequence[Proposal], *, now: datetime
) -> dict[str, Sequence[Problem]]:
    """The same where somebody publishes: only what was returned stays, and in a protected period what nobody approved."""
    held: dict[str, Sequence[Problem]] = {}
    for proposal in proposals:
        change = proposal.change
        protected = [
            problem
            for problem in may_publish_unattended(
                change,
                proposal.document,
                proposal.frame,
                protected=_periods(session, now, proposal),
                now=to_text(now),
            )
            if problem is PROTECTED
        ]
        if protected and (waits := _waits(session, change, protected, now)):
            held[change.target] = waits
        elif (row := _open_row(session, change)) and row.state == ChangeState.RETURNED:
            held[change.target] = [RETURNED_REASON]
    _supersede(session, {p.change.target: p.change.fingerprint for p in proposals})
    return held


def matters(session: Session, now: datetime) -> bool:
    """Whether a publication by somebody has anything to ask the queue: open rows, or a protected period near."""
    if session.scalar(select(WaitingChange.id).where(WaitingChange.state.in_(OPEN)).limit(1)) is not None:
        return True
    return bool(protection.periods_between(session, now, now + NEAR))


def _submitted(session: Session, change: DocumentChange) -> list[Problem]:
    """A week that lies before its approver is not published piece by piece."""
    moments = [moment for line in change.lines for moment in (line.at, line.to) if moment]
    for begin, end in submitted_spans(session, change.region):
        if any(to_text(begin) <= moment < to_text(end) for moment in moments):
            return [Problem("week_submitted", N_("这一周的编排正在等待批准"))]
    return []


def _periods(session: Session, now: datetime, proposal: Proposal) -> list[tuple[str, str]]:
    found = protection.periods_between(session, now, from_text(proposal.document.valid_until))
    return [(to_text(period.starts_at), to_text(period.ends_at)) for period in found]


def is_rolled_back(session: Session) -> bool:
    """Whether an earlier schedule was put back and nobody has published the present one since."""
    kind = session.scalar(
        select(Publication.kind)
        .where(
            Publication.state == PublicationState.DONE,
            Publication.kind.in_((PublicationKind.ATTENDED, PublicationKind.ROLLBACK)),
        )
        .order_by(Publication.number.desc())
        .limit(1)
    )
    return kind == PublicationKind.ROLLBACK


def _waits(
    session: Session, change: DocumentChange, reasons: Sequence[Problem], now: datetime
) -> Sequence[Problem]:
    """Why the change waits; nothing where it was approved."""
    row = _open_row(session, change)
    if row is None:
        put(session, change, reasons, now=now)
        return reasons
    if row.state == ChangeState.APPROVED:
        return ()
    row.reasons = [as_json(reason) for reason in reasons]
    return [RETURNED_REASON] if row.state == ChangeState.RETURNED else reasons


def _open_row(session: Session, change: DocumentChange) -> WaitingChange | None:
    return session.scalars(
        select(WaitingChange).where(
            WaitingChange.target == change.target,
            WaitingChange.fingerprint == change.fingerprint,
            WaitingChange.state.in_(OPEN),
        )
    ).first()


def put(
    session: Session, change: DocumentChange, reasons: Iterable[Problem], *, now: datetime
) -> WaitingChange:
    """A new row, and a message to those who may approve it."""
    authors = authors_of_rules(session, rules_of(change.lines))
    row = WaitingChange(
        target=change.target,
        region=change.region,
        fingerprint=change.fingerprint,
        reasons=[as_json(reason) for reason in reasons],
        lines=[msgspec.to_builtins(line) for line in change.lines],
        authors=authors,
        found_at=now,
    )
    session.add(row)
    session.flush()
    approvers = set(messages.holders(session, Action.PUBLISH_APPROVE, change.region)) - set(authors)
    messages.post(
        session,
        approvers,
        kind=messages.MessageKind.PUBLICATION,
        title=N_("%(region)s 有 %(count)s 处编排改动等待批准"),
        params={"region": change.region, "count": len(change.lines)},
        link="/publications/queue",
        key=f"waiting:{row.id}",
        now=now,
    )
    return row


def refused(session: Session, change: DocumentChange, reasons: Iterable[Problem], *, now: datetime) -> None:
    """A signer would not sign what seemed clean: it waits with the signer's reasons."""
    row = _open_row(session, change)
    if row is None:
        put(session, change, reasons, now=now)
    else:
        row.reasons = [as_json(reason) for reason in reasons]
        row.state = ChangeState.WAITING


def as_json(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "params": dict(problem.params)}


def rules_of(lines: Iterable[Line]) -> list[str]:
    """Ids of the rules that changes come from."""
    return sorted({line.rule.partition(":")[2] for line in lines if ":" in line.rule})


def _supersede(session: Session, present: Mapping[str, str]) -> None:
    """Rows whose change is no more."""
    for row in session.scalars(select(WaitingChange).where(WaitingChange.state.in_(OPEN))):
        if present.get(row.target) != row.fingerprint:
            row.state = ChangeState.SUPERSEDED


def note_published(session: Session, changes: Iterable[DocumentChange], number: int) -> None:
    """What waited and has gone out."""
    gone_out = {(change.target, change.fingerprint) for change in changes}
    for row in session.scalars(select(WaitingChange).where(WaitingChange.state.in_(OPEN))):
        if (row.target, row.fingerprint) in gone_out:
            row.state, row.number = ChangeState.PUBLISHED, number


# --- what people do with the queue -----------------------------------------------------------------------------------------
def waiting(
    session: Session, caller: Caller, *, states: Collection[ChangeState] = (ChangeState.WAITING,)
) -> Sequence[WaitingChange]:
    """Changes in the caller's regions, the longest waiting first. Raises Forbidden."""
    caller.require(Action.PUBLISH_VIEW)
    return session.scalars(
        select(WaitingChange)
        .where(
            WaitingChange.state.in_(states),
            inside(WaitingChange.region, caller.scopes(Action.PUBLISH_VIEW)),
        )
        .order_by(WaitingChange.found_at, WaitingChange.id)
        .limit(SHOWN)
    ).all()


def get(session: Session, caller: Caller, change_id: str) -> WaitingChange:
    """Raises NotFound, also for one elsewhere."""
    row = session.get(WaitingChange, change_id)
    if row is None or not caller.can(Action.PUBLISH_VIEW, row.region):
        raise NotFound(N_("没有这项改动"))
    return row


def may_decide(caller: Caller, row: WaitingChange) -> bool:
    """Whether the caller may approve or return: allowed there, and not his own change."""
    return caller.can(Action.PUBLISH_APPROVE, row.region) and caller.id not in row.authors


def approve(
    session: Session, caller: Caller, change_id: str, *, comment: str = "", now: datetime
) -> WaitingChange:
    """Let a change out; it is published within a minute. Raises NotFound, Forbidden (one's own), Conflict, Invalid."""
    return _decide(session, caller, change_id, ChangeState.APPROVED, APPROVED, comment, now)


def give_back(
    session: Session, caller: Caller, change_id: str, *, comment: str, now: datetime
) -> WaitingChange:
    """Return a change to who made it; it stays unpublished until it is edited. Raises as :func:`approve`."""
    if not comment.strip():
        raise Invalid(N_("退回时请写明理由"))
    return _decide(session, caller, change_id, ChangeState.RETURNED, RETURNED, comment, now)


def _decide(
    session: Session,
    caller: Caller,
    change_id: str,
    state: ChangeState,
    action: str,
    comment: str,
    now: datetime,
) -> WaitingChange:
    row = session.get(WaitingChange, change_id, with_for_update=True, populate_existing=True)
    if row is None or not caller.can(Action.PUBLISH_VIEW, row.region):
        raise NotFound(N_("没有这项改动"))
    caller.require(Action.PUBLISH_APPROVE, row.region)
    if caller.id in row.authors:
        raise Forbidden(N_("不能批准自己的改动，请另一个人来看"))
    if len(comment) > LONGEST_COMMENT:
        raise Invalid(N_("意见最多 %(most)s 个字"), most=LONGEST_COMMENT)
    if row.state == state:
        return row
    if row.state != ChangeState.WAITING:
        raise Conflict(N_("这项改动已经处理过，或又被改动了，请刷新"), code="decided")
    row.state, row.comment = state, comment.strip()
    row.decided_at, row.decided_by, row.decided_by_name = now, caller.id, caller.name
    session.flush()
    if state is ChangeState.RETURNED:
        messages.post(
            session,
            row.authors,
            kind=messages.MessageKind.RETURNED,
            title=N_("您的编排改动被退回：%(comment)s"),
            params={"comment": row.comment},
            link="/publications/queue?state=returned",
            key=f"returned:{row.id}",
            now=now,
        )
    audit.append(
        session,
        actor=caller,
        action=action,
        subject=f"document:{row.target}",
        detail={"fingerprint": row.fingerprint, "authors": row.authors, "comment": row.comment},
        now=now,
    )
    return row


# --- for people ---------------------------------------------------------------------------------------------------------------
def titles(session: Session, editions: Iterable[str]) -> dict[str, str]:
    """Titles by edition."""
    wanted = sorted(set(editions) - {""})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), 500):
        rows = session.execute(
            select(Edition.id, Programme.title)
            .join(Programme, Programme.id == Edition.programme_id)
            .where(Edition.id.in_(wanted[start : start + 500]))
        )
        found.update((edition, title) for edition, title in rows)
    return found


@dataclass(frozen=True)
class Unadmitted:
    """A city's or county's slot whose programme is reviewed but not in the signed catalogue yet."""

    region: str
    title: str
    starts_at: datetime


def not_admitted(session: Session, caller: Caller, *, now: datetime) -> list[Unadmitted]:
    """Local slots that go out by themselves once somebody publishes the catalogue with their programmes in it."""
    newest = (
        select(Edition.programme_id, func.max(Edition.number).label("number"))
        .where(Edition.state == EditionState.RELEASED)
        .group_by(Edition.programme_id)
        .subquery()
    )
    rows = session.execute(
        select(Slot.region, Programme.title, Slot.starts_at)
        .join(Programme, Programme.id == Slot.programme_id)
        .join(newest, newest.c.programme_id == Slot.programme_id)
        .join(Edition, (Edition.programme_id == newest.c.programme_id) & (Edition.number == newest.c.number))
        .where(
            Slot.removed_at.is_(None),
            Slot.level != Level.PROVINCE,
            Slot.rrule.is_not(None) | (Slot.starts_at >= now),
            Edition.admitted_in.is_(None),
            inside(Slot.region, caller.scopes(Action.PUBLISH_VIEW)),
        )
        .order_by(Slot.starts_at)
        .limit(SHOWN)
    )
    return [Unadmitted(*row) for row in rows]


def lines_of(row: WaitingChange) -> list[Line]:
    return msgspec.convert(row.lines, list[Line])
