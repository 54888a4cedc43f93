"""The review desk: what waits for a reviewer, remarks at a time code, what was watched, proofreadings, countersigning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from server.catalog import review, rounds, service, watching
from server.catalog.models import (
    EMPTY_RECIPE_SHA256,
    Asset,
    AssetState,
    Countersignature,
    Edition,
    EditionState,
    Programme,
    Proofreading,
    Rendition,
    Review,
    ReviewComment,
    ReviewDetail,
    ReviewRound,
    ReviewTask,
    Stage,
    Watching,
)
from server.db import take_turn
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

REVIEW_PROFILE = "review"
"""The rendition that reviewers see: 360p of the whole source, minutes after the upload."""
MOST_COMMENTS = 500
MAX_COMMENT = 1_000
MAX_FOUND = 2_000
QUEUE = 200
LONGEST_PIECE_MS = 60_000


@dataclass(frozen=True)
class Waiting:
    """A task in a reviewer's queue."""

    task: ReviewTask
    edition: Edition
    programme: Programme
    bar: review.Bar | None
    is_mine: bool
    """Called by name: on duty, or the deputy whose turn it is."""

    def overdue(self, now: datetime) -> bool:
        return now >= self.task.due_at


def queue(
    session: Session, caller: Caller, *, stage: Stage | None = None, limit: int = QUEUE
) -> list[Waiting]:
    """What waits for the caller: urgent first, then by due time. With what he may not decide himself left out."""
    found: list[Waiting] = []
    for one in review.STAGES:
        action = service.REVIEW_ACTIONS[one]
        if (stage is None or stage == one) and caller.can(action):
            found += _queue_of(session, caller, one, caller.scopes(action), limit)
    return sorted(found, key=lambda item: (not item.task.is_urgent, item.task.due_at, item.task.id))[:limit]


def _queue_of(
    session: Session, caller: Caller, stage: Stage, scopes: Iterable[str], limit: int
) -> list[Waiting]:
    rows = session.execute(
        select(ReviewTask, Edition)
        .join(Edition, Edition.id == ReviewTask.edition_id)
        .join(Programme, Programme.id == Edition.programme_id)
        .where(
            ReviewTask.closed_at.is_(None),
            ReviewTask.stage == stage,
            Edition.state == review.STATE_OF_STAGE[stage],
            or_(*(Programme.region.startswith(scope) for scope in scopes)),
        )
        .order_by(ReviewTask.is_urgent.desc(), ReviewTask.due_at)
        .limit(limit)
        .options(selectinload(Edition.programme), selectinload(Edition.asset))
    ).all()
    bars = service.bars(session, caller, [edition for _, edition in rows], stage)
    return [
        Waiting(task, edition, edition.programme, bars[edition.id], _is_called(task, caller))
        for task, edition in rows
        if bars[edition.id] is None
    ]


def _is_called(task: ReviewTask, caller: Caller) -> bool:
    return caller.id in (task.called_id, task.deputy_id if task.deputy_called_at else None)


def review_copy(session: Session, edition: Edition) -> Rendition | None:
    """What the desk plays: the review copy of the whole source, else the smallest rendition of it, else of the cut."""
    rows = session.scalars(select(Rendition).where(Rendition.asset_id == edition.asset_id)).all()
    fitting = [r for r in rows if r.recipe_sha256 in (EMPTY_RECIPE_SHA256, edition.recipe_sha256)]
    return min(
        fitting,
        key=lambda r: (r.profile != REVIEW_PROFILE, r.recipe_sha256 != EMPTY_RECIPE_SHA256, r.length),
        default=None,
    )


def pieces(session: Session, caller: Caller, *, limit: int = 50) -> Sequence[Asset]:
    """Short source files that may serve as an intro or outro: one's own, and those of released programmes."""
    is_released = exists().where(Edition.asset_id == Asset.id, Edition.state == EditionState.RELEASED)
    return session.scalars(
        select(Asset)
        .where(
            Asset.state == AssetState.READY,
            Asset.duration_ms <= LONGEST_PIECE_MS,
            or_(Asset.uploaded_by == caller.id, is_released),
        )
        .order_by(Asset.id.desc())
        .limit(limit)
    ).all()


def is_involved(caller: Caller, edition: Edition) -> bool:
    """Whether the caller reviews in this region or contributes to the programme."""
    region = edition.programme.region
    return caller.can(Action.CATALOG_REVIEW, region) or service.may_contribute(caller, edition.programme)


def get_for_desk(session: Session, caller: Caller, edition_id: str) -> Edition:
    """The edition, for its reviewers and contributors. Raises NotFound, Forbidden."""
    edition = service.get_edition(session, caller, edition_id)
    if not is_involved(caller, edition) and not caller.can(
        Action.REVIEW_COUNTERSIGN, edition.programme.region
    ):
        raise Forbidden(N_("您不参与这个节目的审核"))
    return edition


# --- remarks ----------------------------------------------------------------------------------------------------------
def comment(
    session: Session, caller: Caller, edition_id: str, *, text: str, at_ms: int | None, now: datetime
) -> ReviewComment:
    """Leave a remark, at a time code of the source or on the whole. Raises Forbidden, Invalid, Conflict (too many)."""
    edition = get_for_desk(session, caller, edition_id)
    text = service.clean_text(text, MAX_COMMENT)
    if not text:
        raise Invalid(N_("请写下意见"))
    length = edition.asset.duration_ms
    if at_ms is not None and (at_ms < 0 or (length is not None and at_ms > length)):
        raise Invalid(N_("时间点在节目之外"))
    count = select(func.count()).where(ReviewComment.edition_id == edition.id)
    if (session.scalar(count) or 0) >= MOST_COMMENTS:
        raise Conflict(N_("意见太多了，请先整理"))
    stage = review.STAGE_OF_STATE.get(EditionState(edition.state))
    row = ReviewComment(
        edition_id=edition.id,
        stage=stage.value if stage and caller.can(service.REVIEW_ACTIONS[stage]) else None,
        author_id=caller.id,
        at_ms=at_ms,
        text=text,
        created_at=now,
        resolved_at=None,
        resolved_by=None,
    )
    session.add(row)
    session.flush()
    return row


def comments(session: Session, edition_ids: Iterable[str]) -> Sequence[ReviewComment]:
    """Remarks on these editions by time code, those on the whole last."""
    return session.scalars(
        select(ReviewComment)
        .where(ReviewComment.edition_id.in_(list(edition_ids)))
        .order_by(ReviewComment.at_ms.is_(None), ReviewComment.at_ms, ReviewComment.id)
    ).all()


def resolve_comment(
    session: Session, caller: Caller, comment_id: str, *, resolved: bool, now: datetime
) -> ReviewComment:
    """Tick a remark off, or open it again. Raises NotFound, Forbidden."""
    row = session.get(ReviewComment, service.known_id(comment_id))
    if row is None:
        raise NotFound(N_("没有这条意见"))
    get_for_desk(session, caller, row.edition_id)
    row.resolved_at, row.resolved_by = (now, caller.id) if resolved else (None, None)
    return row


# --- watching ---------------------------------------------------------------------------------------------------------
def watched(
    session: Session, caller: Caller, edition_id: str, spans: Sequence[watching.Span], *, now: datetime
) -> float:
    """A player reports what it showed the caller, in ms of the source; the share of the cut watched so far.

    More than could be played since the last report is not believed. Nothing is counted while the length is unknown.
    """
    edition = get_for_desk(session, caller, edition_id)
    length = edition.asset.duration_ms
    if not length:
        return 0.0
    take_turn(session, f"watching:{edition.id}:{caller.id}")
    row = session.get(Watching, (edition.id, caller.id), populate_existing=True)
    if row is None:
        row = Watching(edition_id=edition.id, account_id=caller.id, spans=[], began_at=now, reported_at=now)
        session.add(row)
    elapsed_ms = int((now - row.reported_at).total_seconds() * 1000)
    known = [(int(begin), int(end)) for begin, end in row.spans]
    merged = watching.added(known, spans[: watching.MOST_SPANS], elapsed_ms=elapsed_ms, length_ms=length)
    row.spans, row.reported_at = [list(span) for span in merged], max(now, row.reported_at)
    session.flush()
    return watching.share(merged, rounds.kept_spans(edition))


def watched_by(session: Session, edition: Edition, account_id: str) -> tuple[float, list[watching.Span]]:
    """Share and spans that one person watched."""
    row = session.get(Watching, (edition.id, account_id))
    spans = [(int(begin), int(end)) for begin, end in row.spans] if row else []
    return watching.share(spans, rounds.kept_spans(edition)), spans


def details_of(session: Session, reviews: Iterable[Review]) -> dict[str, ReviewDetail]:
    """What stood behind decisions, by the decision's id."""
    ids = [row.id for row in reviews]
    rows = session.scalars(select(ReviewDetail).where(ReviewDetail.review_id.in_(ids)))
    return {row.review_id: row for row in rows}


# --- proofreading -----------------------------------------------------------------------------------------------------
def proofread(
    session: Session, caller: Caller, edition_id: str, *, found: str, now: datetime
) -> Proofreading:
    """The next of the three proofreadings of the round under way; empty ``found``: nothing wrong.

    Raises Forbidden (role, author, somebody who did another one of this round), Conflict (not in review, three done).
    """
    edition = get_for_desk(session, caller, edition_id)
    caller.require(Action.REVIEW_PROOFREAD, edition.programme.region)
    round_ = rounds.newest_round(session, edition.id)
    if round_ is None or EditionState(edition.state) not in review.STAGE_OF_STATE:
        raise Conflict(N_("这个版本不在审核中"))
    if caller.id in (edition.contributor_id, round_.submitted_by):
        raise Forbidden(N_("提交人不能校对自己的节目"))
    take_turn(session, f"proofreading:{edition.id}")
    done = rounds.proofreadings(session, edition.id, round_.number)
    if len(done) >= rounds.PROOFREADINGS:
        raise Conflict(N_("三校已经完成"))
    if any(row.person_id == caller.id for row in done):
        raise Forbidden(N_("同一人不能担任两校"))
    row = Proofreading(
        edition_id=edition.id,
        round=round_.number,
        number=len(done) + 1,
        person_id=caller.id,
        at=now,
        found=service.clean_text(found, MAX_FOUND),
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="review.proofread",
        subject=service.subject_of(edition),
        detail={"number": row.number, "found": row.found},
        now=now,
    )
    return row


# --- protected periods ------------------------------------------------------------------------------------------------
def countersign(
    session: Session, caller: Caller, edition_id: str, *, comment: str = "", now: datetime
) -> Countersignature:
    """The second person's yes to a late change in a protected period, before the final approval.

    Raises Forbidden (role, author), Conflict (not needed, given already).
    """
    edition = get_for_desk(session, caller, edition_id)
    caller.require(Action.REVIEW_COUNTERSIGN, edition.programme.region)
    round_ = rounds.newest_round(session, edition.id)
    under_way = EditionState(edition.state) in review.STAGE_OF_STATE
    if round_ is None or not under_way or not rounds.countersignature_needed(session, edition, now=now):
        raise Conflict(N_("这个版本现在不需要会签"))
    if caller.id in (edition.contributor_id, round_.submitted_by):
        raise Forbidden(N_("提交人不能会签自己的节目"))
    take_turn(session, f"countersign:{edition.id}")
    if rounds.countersignature(session, edition.id) is not None:
        raise Conflict(N_("已经会签"))
    row = Countersignature(
        edition_id=edition.id,
        round=round_.number,
        person_id=caller.id,
        at=now,
        comment=service.clean_text(comment, MAX_COMMENT),
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="review.countersign",
        subject=service.subject_of(edition),
        detail={"comment": row.comment},
        now=now,
    )
    return row


def rounds_of(session: Session, edition: Edition) -> Sequence[ReviewRound]:
    """All submissions of an edition, oldest first."""
    return session.scalars(
        select(ReviewRound).where(ReviewRound.edition_id == edition.id).order_by(ReviewRound.number)
    ).all()


def compared_with(session: Session, edition: Edition) -> ReviewRound | None:
    """What the submission under way is compared with: the round before it, else what was last handed in of the newest
    released edition before this one."""
    own = rounds_of(session, edition)
    if len(own) > 1:
        return own[-2]
    return session.scalars(
        select(ReviewRound)
        .join(Edition, Edition.id == ReviewRound.edition_id)
        .where(Edition.programme_id == edition.programme_id, Edition.number < edition.number)
        .order_by(
            (Edition.state == EditionState.RELEASED).desc(), Edition.number.desc(), ReviewRound.number.desc()
        )
        .limit(1)
    ).one_or_none()
