"""重播重审: which released editions need a re-review, who gave it, and what it means for the schedule.

The schedule asks :func:`needs_rereview` before it places an edition again; what is placed already stays on air.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from server.catalog import policies, protection, rounds, service, termlists
from server.catalog.models import Airing, Edition, EditionState, Programme, ReReview, Stage, TermScan
from server.catalog.rereview import (
    Reason,
    Signature,
    Standing,
    may_sign,
    missing_stages,
    stages_needed,
    why_rereview,
)
from server.errors import Conflict, Forbidden, Invalid
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

_CHUNK = 500


def needs_rereview(session: Session, edition_ids: Iterable[str], now: datetime) -> dict[str, list[Reason]]:
    """Those of these released editions that may not be scheduled again before a re-review, with the reasons."""
    wanted = sorted(set(edition_ids))
    days = policies.policy(session).rereview_days
    found: dict[str, list[Reason]] = {}
    for start in range(0, len(wanted), _CHUNK):
        for edition_id, standing in _standings(session, wanted[start : start + _CHUNK]).items():
            if reasons := why_rereview(standing, days=days, now=now):
                found[edition_id] = reasons
    return found


def _standings(session: Session, edition_ids: Sequence[str]) -> dict[str, Standing]:
    done = (
        select(ReReview.edition_id, func.max(ReReview.at).label("at"))
        .where(ReReview.completes)
        .group_by(ReReview.edition_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Edition.id,
            Edition.released_at,
            Airing.last_at,
            done.c.at,
            TermScan.checked_version,
            TermScan.newest_hit,
        )
        .outerjoin(Airing, Airing.edition_id == Edition.id)
        .outerjoin(done, done.c.edition_id == Edition.id)
        .outerjoin(TermScan, TermScan.edition_id == Edition.id)
        .where(Edition.id.in_(edition_ids), Edition.state == EditionState.RELEASED)
    )
    return {
        row.id: Standing(
            released_at=row.released_at,
            last_aired_at=row.last_at,
            re_reviewed_at=row.at,
            checked_terms=row.checked_version if row.checked_version is not None else 0,
            newest_hit=row.newest_hit,
        )
        for row in rows
        if row.released_at is not None
    }


@dataclass(frozen=True)
class Due:
    """A released edition that waits for a re-review."""

    edition: Edition
    programme: Programme
    reasons: list[Reason]
    missing: list[Stage]


def due(session: Session, caller: Caller, *, now: datetime, limit: int = 200) -> list[Due]:
    """What waits for a re-review in the caller's regions, what is placed again soonest first."""
    scopes = {scope for action in _ACTIONS.values() for scope in caller.scopes(action)}
    if not scopes:
        return []
    oldest = now - timedelta(days=policies.policy(session).rereview_days)
    rows = session.scalars(
        select(Edition)
        .join(Programme, Programme.id == Edition.programme_id)
        .outerjoin(Airing, Airing.edition_id == Edition.id)
        .outerjoin(TermScan, TermScan.edition_id == Edition.id)
        .where(
            Edition.state == EditionState.RELEASED,
            or_(*(Programme.region.startswith(scope) for scope in scopes)),
            or_(
                Edition.released_at <= oldest,
                TermScan.newest_hit > func.coalesce(TermScan.checked_version, 0),
            ),
        )
        .order_by(Airing.next_at.is_(None), Airing.next_at, Edition.id)
        .limit(limit * 3)
        .options(selectinload(Edition.programme), selectinload(Edition.asset))
    ).all()
    needed = needs_rereview(session, [row.id for row in rows], now)
    protected = protection.period_at(session, now) is not None
    return [
        Due(
            row,
            row.programme,
            needed[row.id],
            missing_stages(
                stages_needed(needed[row.id], protected=protected), signatures(session, row, now=now)
            ),
        )
        for row in rows
        if row.id in needed
    ][:limit]


_ACTIONS: dict[Stage, Action] = {Stage.SECOND: Action.REVIEW_SECOND, Stage.FINAL: Action.REVIEW_FINAL}


def signatures(session: Session, edition: Edition, *, now: datetime) -> list[Signature]:
    """Approvals of the re-review under way: those since the last one that completed, at most 30 days old."""
    rows = session.scalars(
        select(ReReview)
        .where(ReReview.edition_id == edition.id, ReReview.at > now - timedelta(days=30))
        .order_by(ReReview.at, ReReview.id)
    ).all()
    given: list[Signature] = []
    for row in rows:
        given = [] if row.completes else [*given, Signature(Stage(row.stage), row.person_id)]
    return given


def approve(
    session: Session, caller: Caller, edition_id: str, stage: Stage, *, comment: str = "", now: datetime
) -> ReReview:
    """One approval of a re-review; with the last one needed the edition may be scheduled again.

    Raises Forbidden (role, author, gave one already), Conflict (none is due, this stage is not missing).
    """
    edition = service.get_edition(session, caller, edition_id)
    if stage not in _ACTIONS:
        raise Invalid(N_("重播重审由复审员和终审员办理"))
    caller.require(_ACTIONS[stage], edition.programme.region)
    session.refresh(edition, with_for_update=True)
    reasons = needs_rereview(session, [edition.id], now).get(edition.id, [])
    needed = stages_needed(reasons, protected=protection.period_at(session, now) is not None)
    given = signatures(session, edition, now=now)
    if stage not in missing_stages(needed, given):
        raise Conflict(N_("这个版本现在不需要您这一审的重播重审"))
    if not may_sign(caller.id, authors=rounds.authors(session, edition), given=given):
        raise Forbidden(N_("提交人不能重审自己的节目，同一人也不能重审两次"))
    completes = missing_stages(needed, [*given, Signature(stage, caller.id)]) == []
    comment = service.clean_text(comment, service.MAX_COMMENT)
    if completes:
        termlists.approved(session, edition)
    link = audit.append(
        session,
        actor=caller,
        action=f"rereview.{stage.value}",
        subject=service.subject_of(edition),
        detail={"reasons": list(reasons), "comment": comment, "completes": completes},
        now=now,
    )
    row = ReReview(
        edition_id=edition.id,
        stage=stage,
        person_id=caller.id,
        at=now,
        comment=comment,
        reasons=[str(reason) for reason in reasons],
        completes=completes,
        audit_seq=link.seq,
    )
    session.add(row)
    session.flush()
    return row


def refuse(session: Session, caller: Caller, edition_id: str, *, reason: str, now: datetime) -> Edition:
    """The re-review says no: the edition is withdrawn, with the reason. Raises Forbidden, Conflict, Invalid."""
    edition = service.get_edition(session, caller, edition_id)
    if not any(caller.can(action, edition.programme.region) for action in _ACTIONS.values()):
        raise Forbidden(N_("重播重审由复审员和终审员办理"))
    if not needs_rereview(session, [edition.id], now):
        raise Conflict(N_("这个版本现在不需要重播重审"))
    if not reason.strip():
        raise Invalid(N_("请写明不再播出的原因"))
    return service.take_out(session, caller, edition, reason=reason, now=now)
