"""What goes round a submission: its snapshot, the stages' tasks with due times, urgency, and who is told.

``service.submit``, ``decide`` and ``withdraw`` call in here; the moves themselves are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from server.catalog import deadlines, describing, duty, policies, protection, review, watching
from server.catalog.models import (
    Airing,
    Countersignature,
    Edition,
    Proofreading,
    Rendition,
    Review,
    ReviewDetail,
    ReviewRound,
    ReviewTask,
    Stage,
    Watching,
)
from server.catalog.recipe import parse
from server.errors import Conflict, Forbidden, Invalid
from server.i18n import N_
from server.identity.messages import MessageKind, holders, post
from server.identity.rules import Action, Caller

PROOFREADINGS = 3
_WAITING: dict[Stage, str] = {
    Stage.FIRST: N_("待初审：%(title)s"),
    Stage.SECOND: N_("待复审：%(title)s"),
    Stage.FINAL: N_("待终审：%(title)s"),
}
_CALLED: dict[Stage, str] = {
    Stage.FIRST: N_("加急初审：%(title)s"),
    Stage.SECOND: N_("加急复审：%(title)s"),
    Stage.FINAL: N_("加急终审：%(title)s"),
}
CALL_TEXT = N_("请在 %(minutes)s 分钟内用手机办理（需要动态口令）。加急原因：%(reason)s")


# --- reading ----------------------------------------------------------------------------------------------------------
def newest_round(session: Session, edition_id: str) -> ReviewRound | None:
    """The submission that counts now."""
    return session.scalars(
        select(ReviewRound)
        .where(ReviewRound.edition_id == edition_id)
        .order_by(ReviewRound.number.desc())
        .limit(1)
    ).one_or_none()


def open_task(session: Session, edition_id: str) -> ReviewTask | None:
    """The stage that waits for a decision."""
    return session.scalars(
        select(ReviewTask).where(ReviewTask.edition_id == edition_id, ReviewTask.closed_at.is_(None))
    ).one_or_none()


def link_to(edition_id: str) -> str:
    return f"/review/{edition_id}"


def content_of(session: Session, edition: Edition) -> dict[str, Any]:
    """Everything reviewers decide on, as plain JSON: words, source, recipe, files sent in beside it."""
    words = msgspec.to_builtins(describing.describe(session, edition))
    files = words.pop("files", None) or msgspec.to_builtins(describing.bound_files(edition))
    asset = edition.asset
    return {
        "words": words,
        "source": {"filename": asset.filename, "sha256": asset.sha256, "size": asset.size},
        "recipe": dict(edition.recipe or {}),
        "files": files,
    }


def kept_spans(edition: Edition) -> list[watching.Span]:
    """What of the source the edition shows; empty while its length is not known."""
    length = edition.asset.duration_ms
    return parse(edition.recipe or {}).kept(length) if length else []


# --- moves ------------------------------------------------------------------------------------------------------------
def submitted(
    session: Session, caller: Caller, edition: Edition, *, urgent_reason: str = "", now: datetime
) -> None:
    """A round begins: keep what was handed in, open the first task, tell the reviewers."""
    last = session.scalar(select(func.max(ReviewRound.number)).where(ReviewRound.edition_id == edition.id))
    round_ = ReviewRound(
        edition_id=edition.id,
        number=(last or 0) + 1,
        submitted_by=caller.id,
        at=now,
        content=content_of(session, edition),
        is_urgent=bool(urgent_reason),
        urgent_reason=urgent_reason,
        urgent_by=caller.id if urgent_reason else None,
    )
    session.add(round_)
    session.flush()
    _open(session, edition, round_, Stage.FIRST, now)


def make_urgent(session: Session, caller: Caller, edition: Edition, reason: str, *, now: datetime) -> None:
    """Turn the round under way into an urgent one: whoever is on duty is called at once. Raises Conflict, Invalid."""
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= 200:
        raise Invalid(N_("请写明加急原因（200 字以内）"))
    round_, task = newest_round(session, edition.id), open_task(session, edition.id)
    if round_ is None or task is None:
        raise Conflict(N_("这个版本不在审核中"))
    if round_.is_urgent:
        raise Conflict(N_("已经是加急了"))
    round_.is_urgent, round_.urgent_reason, round_.urgent_by = True, reason, caller.id
    stage = Stage(task.stage)
    task.closed_at, task.closed_by = now, None
    session.flush()
    _open(session, edition, round_, stage, now)


def _open(session: Session, edition: Edition, round_: ReviewRound, stage: Stage, now: datetime) -> None:
    rules = policies.policy(session)
    barred = authors(session, edition) | reviewers(session, edition)
    called = (
        duty.on_duty(session, stage, barred=barred, now=now) if round_.is_urgent else duty.OnDuty(None, None)
    )
    session.add(
        ReviewTask(
            edition_id=edition.id,
            round=round_.number,
            stage=stage,
            opened_at=now,
            due_at=deadlines.due_at(rules, stage, now, urgent=round_.is_urgent),
            is_urgent=round_.is_urgent,
            called_id=called.first,
            deputy_id=called.deputy,
            deputy_called_at=None,
            reminded_at=None,
            overdue_told_at=None,
            closed_at=None,
            closed_by=None,
        )
    )
    everybody = set(holders(session, duty.STAGE_ACTIONS[stage], edition.programme.region)) - barred
    recipients = {called.first} if called.first else everybody
    post(
        session,
        recipients,
        kind=MessageKind.DUTY if round_.is_urgent else MessageKind.WAITING,
        title=(_CALLED if round_.is_urgent else _WAITING)[stage],
        text=CALL_TEXT if round_.is_urgent else "",
        params={
            "title": edition.programme.title,
            "minutes": rules.urgent_minutes,
            "reason": round_.urgent_reason,
        },
        link=link_to(edition.id),
        key=f"review:{edition.id}:{round_.number}:{stage.value}:{int(round_.is_urgent)}",
        now=now,
    )


def authors(session: Session, edition: Edition) -> set[str]:
    """The contributor and whoever handed the edition in."""
    submitters = session.scalars(
        select(ReviewRound.submitted_by).where(ReviewRound.edition_id == edition.id)
    ).all()
    return {edition.contributor_id, *submitters}


def reviewers(session: Session, edition: Edition) -> set[str]:
    """Everybody who held a stage of this edition."""
    return set(session.scalars(select(Review.reviewer_id).where(Review.edition_id == edition.id)))


# --- before a decision ------------------------------------------------------------------------------------------------
def require_ready(
    session: Session,
    caller: Caller,
    edition: Edition,
    stage: Stage,
    *,
    approve: bool,
    checks: Mapping[str, bool] | None,
    stepped_up: bool,
    now: datetime,
) -> None:
    """What a decision needs besides the person's right to it.

    Raises Forbidden (an urgent one without a second factor), Invalid (checklist), Conflict (proofreading, the second
    person in a protected period).
    """
    round_ = newest_round(session, edition.id)
    if round_ is not None and round_.is_urgent and not stepped_up:
        raise Forbidden(N_("加急审核须用动态口令确认"), code="second_factor_needed")
    if not approve:
        return
    rules = policies.policy(session)
    _require_checks(session, stage, checks, required=rules.checklist_required)
    if stage != Stage.FINAL:
        return
    if edition.recipe and not _is_cut(session, edition):
        raise Conflict(review.Bar.NOT_READY.value, code="not_ready")
    number = round_.number if round_ else 0
    if rules.proofreading_required and len(proofreadings(session, edition.id, number)) < PROOFREADINGS:
        raise Conflict(N_("三校尚未完成，不能终审通过"), code="proofreading_missing")
    if countersignature_needed(session, edition, now=now):
        given = countersignature(session, edition.id)
        if given is None:
            raise Conflict(
                N_("重要保障期内的临播改动，须先由另一位负责人会签"), code="countersignature_missing"
            )
        if given.person_id == caller.id:
            raise Forbidden(N_("会签和终审须是两个人"), code="same_person")


def _is_cut(session: Session, edition: Edition) -> bool:
    """Whether the ladder of this very cut is there."""
    of_cut = (Rendition.asset_id == edition.asset_id, Rendition.recipe_sha256 == edition.recipe_sha256)
    return bool(session.scalar(select(exists().where(*of_cut))))


def _require_checks(
    session: Session, stage: Stage, checks: Mapping[str, bool] | None, *, required: bool
) -> None:
    if checks is None and not required:
        return
    missing = policies.unanswered(policies.checklist(session, stage), checks or {})
    if missing:
        raise Invalid(
            N_("检查表还有未确认的项：%(item)s"), code="checklist", item="；".join(i.text for i in missing)
        )


def proofreadings(session: Session, edition_id: str, number: int) -> Sequence[Proofreading]:
    """The proofreadings of a round, in order."""
    return session.scalars(
        select(Proofreading)
        .where(Proofreading.edition_id == edition_id, Proofreading.round == number)
        .order_by(Proofreading.number)
    ).all()


def countersignature(session: Session, edition_id: str) -> Countersignature | None:
    """The second person's yes to the round under way."""
    round_ = newest_round(session, edition_id)
    if round_ is None:
        return None
    return session.scalars(
        select(Countersignature).where(
            Countersignature.edition_id == edition_id, Countersignature.round == round_.number
        )
    ).one_or_none()


def countersignature_needed(session: Session, edition: Edition, *, now: datetime) -> bool:
    """Whether the final approval would be a late change in a protected period."""
    period = protection.period_at(session, now)
    if period is None:
        return False
    round_ = newest_round(session, edition.id)
    airs = session.scalar(
        select(func.count())
        .select_from(Airing)
        .join(Edition, Edition.id == Airing.edition_id)
        .where(
            Edition.programme_id == edition.programme_id,
            Airing.next_at.is_not(None),
            Airing.next_at < period.ends_at,
        )
    )
    return review.needs_countersignature(
        protected=True, urgent=bool(round_ and round_.is_urgent), airs_in_period=bool(airs)
    )


@dataclass(frozen=True)
class Evidence:
    """What stands behind a decision, for the audit link and the detail row."""

    checklist_version: int | None
    answers: list[dict[str, Any]]
    watched: list[watching.Span]
    share: float

    def plain(self) -> dict[str, Any]:
        noes = [answer["id"] for answer in self.answers if not answer["yes"]]
        checklist = (
            {"checklist": self.checklist_version, "no": noes} if self.checklist_version is not None else {}
        )
        return {"watched_per_mille": round(self.share * 1000), **checklist}


def evidence(
    session: Session, caller: Caller, edition: Edition, stage: Stage, checks: Mapping[str, bool] | None
) -> Evidence:
    """What the caller watched and answered."""
    seen = session.get(Watching, (edition.id, caller.id))
    spans = [(int(begin), int(end)) for begin, end in seen.spans] if seen else []
    questions = policies.checklist(session, stage) if checks is not None else None
    return Evidence(
        checklist_version=questions.version if questions else None,
        answers=policies.answered(questions, checks or {}) if questions else [],
        watched=spans,
        share=watching.share(spans, kept_spans(edition)),
    )


# --- after a decision -------------------------------------------------------------------------------------------------
def decided(
    session: Session, caller: Caller, edition: Edition, decision: Review, behind: Evidence, *, now: datetime
) -> None:
    """Close the task, keep what stood behind the decision, open the next stage or tell the contributor."""
    task = open_task(session, edition.id)
    session.add(
        ReviewDetail(
            review_id=decision.id,
            checklist_version=behind.checklist_version,
            answers=behind.answers,
            watched_share=behind.share,
            watched=[list(span) for span in behind.watched],
            waited_s=int((now - task.opened_at).total_seconds()) if task else None,
        )
    )
    if task is not None:
        task.closed_at, task.closed_by = now, caller.id
    session.flush()
    round_ = newest_round(session, edition.id)
    following = review.STAGE_OF_STATE.get(review.EditionState(edition.state))
    if round_ is not None and following is not None:
        _open(session, edition, round_, following, now)
    elif round_ is not None:
        _tell_contributor(session, edition, round_, decision, now)


def _tell_contributor(
    session: Session, edition: Edition, round_: ReviewRound, decision: Review, now: datetime
) -> None:
    post(
        session,
        {edition.contributor_id, round_.submitted_by},
        kind=MessageKind.RELEASED if decision.approved else MessageKind.RETURNED,
        title=N_("三审通过：%(title)s") if decision.approved else N_("退回修改：%(title)s"),
        text="" if decision.approved else "%(comment)s",
        params={"title": edition.programme.title, "comment": decision.comment},
        link=link_to(edition.id) if not decision.approved else f"/programmes/{edition.programme_id}",
        key=f"decided:{decision.id}",
        now=now,
    )


def withdrawn(session: Session, caller: Caller, edition: Edition, reason: str, *, now: datetime) -> None:
    """Close what waits; tell the contributor, and the schedule's editors what stands empty now."""
    task = open_task(session, edition.id)
    if task is not None:
        task.closed_at, task.closed_by = now, caller.id
    params = {"title": edition.programme.title, "reason": reason}
    post(
        session,
        {edition.contributor_id} - {caller.id},
        kind=MessageKind.WITHDRAWN,
        title=N_("已撤下：%(title)s"),
        text="%(reason)s",
        params=params,
        link=f"/programmes/{edition.programme_id}",
        key=f"withdrawn:{edition.id}",
        now=now,
    )
    airing = session.get(Airing, edition.id)
    if airing is None or airing.next_at is None or airing.next_at <= now:
        return
    editors: set[str] = set()
    for region in airing.regions or [edition.programme.region]:
        editors.update(holders(session, Action.SCHEDULE_EDIT, region))
    post(
        session,
        editors - {caller.id},
        kind=MessageKind.SCHEDULE,
        title=N_("撤下的节目留下空档：%(title)s"),
        text=N_("已编排的播出不再有节目，请补排。撤下原因：%(reason)s"),
        params=params,
        link=f"/withdrawn/{edition.id}",
        key=f"withdrawn-gap:{edition.id}",
        now=now,
    )
