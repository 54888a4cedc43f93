"""One execution of a job as the worker sees it: begun, shown, ended.

Every effect of an execution is conditional on its attempt, so that a worker that lost its job changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from protocol.times import to_text
from server.catalog import recipe as recipes
from server.catalog import renditions as catalog
from server.catalog.models import EMPTY_RECIPE_SHA256, Edition
from server.catalog.recipe import Recipe
from server.catalog.renditions import NewFile, NewRendition
from server.i18n import N_
from server.identity import messages
from server.identity.messages import MessageKind
from server.transcode.errors import MediaRefused
from server.transcode.ladder import Role
from server.transcode.models import TranscodeJob
from server.transcode.queueing import job_row, lane_for, level_of, move, priority_for
from server.transcode.results import Progress
from server.transcode.states import ACTIVE, JobState, Phase

REVIEW_SHARE = 0.1
REFUSED_TITLE = N_("文件“%(name)s”被拒收")
FAILED_TITLE = N_("文件“%(name)s”转码失败")
MAX_LOG = 8_000


@dataclass(frozen=True)
class Source:
    """A source file: ``path`` is relative to the data folder; ``prepared`` is what was found out of it, if it was."""

    path: str
    filename: str
    sha256: str
    prepared: str | None = None


@dataclass(frozen=True)
class Turn:
    """One execution of a job: what the worker may do, as long as ``attempt`` is still the job's."""

    job_id: str
    asset_id: str
    attempt: int
    path: str
    filename: str
    sha256: str
    round: int = 1
    priority: int = 100
    phase: Phase = Phase.LADDER
    recipe: Recipe = field(default_factory=Recipe)
    recipe_sha256: str = EMPTY_RECIPE_SHA256
    prepared: str | None = None
    around: dict[Role, Source] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether it encodes the uncut source: its end is that of the source file too."""
        return self.recipe_sha256 == EMPTY_RECIPE_SHA256


# --- for the worker: one execution ------------------------------------------------------------------------------------
def begin(session: Session, job_id: str, workflow_id: str, executor_id: str, *, now: datetime) -> Turn | None:
    """Begin an execution: the attempt counts up and earlier executions lose every right.

    None when the job is over, was begun anew under another workflow, or has had its attempts: then it is failed.
    """
    job = session.get(TranscodeJob, job_id, populate_existing=True, with_for_update=True)
    if job is None or job.state not in ACTIVE or job.workflow_id not in (None, workflow_id):
        return None
    if job.attempt - job.interruptions >= job.max_attempts:
        _give_up(session, job, now=now)
        return None
    job.attempt += 1
    job.state, job.executor_id, job.workflow_id = JobState.RUNNING, executor_id, workflow_id
    job.started_at = job.started_at or now
    asset = catalog.get_asset(session, job.asset_id)
    session.flush()
    cut = recipes.parse(job.recipe)
    return Turn(
        job.id,
        job.asset_id,
        job.attempt,
        asset.path,
        job.filename,
        asset.encoded_sha256,
        round=job.round,
        priority=job.priority,
        phase=Phase(job.phase),
        recipe=cut,
        recipe_sha256=job.recipe_sha256,
        prepared=job.prepared or _prepared_of(session, job.asset_id),
        around=_around(session, cut),
    )


def _prepared_of(session: Session, asset_id: str) -> str | None:
    """What the job of the whole source found out."""
    return session.scalar(
        select(TranscodeJob.prepared).where(
            TranscodeJob.asset_id == asset_id, TranscodeJob.recipe_sha256 == EMPTY_RECIPE_SHA256
        )
    )


def _around(session: Session, cut: Recipe) -> dict[Role, Source]:
    """Intro and outro of a recipe; one that is not there is left out (the execution refuses)."""
    named = {Role.INTRO: cut.intro, Role.OUTRO: cut.outro}
    found = {role: catalog.asset_of(session, sha256) for role, sha256 in named.items() if sha256}
    return {
        role: Source(asset.path, asset.filename, asset.encoded_sha256, _prepared_of(session, asset.id))
        for role, asset in found.items()
        if asset is not None
    }


def _give_up(session: Session, job: TranscodeJob, *, now: datetime) -> None:
    text_zh = f"文件“{job.filename}”转码 {job.max_attempts} 次都没有完成，已停止重试。"
    text_en = (
        f"Transcoding “{job.filename}” did not finish in {job.max_attempts} attempts and is not tried again."
    )
    job.state, job.finished_at = JobState.FAILED, now
    job.error_code, job.error_text, job.error_text_en = "too_many_attempts", text_zh, text_en
    session.flush()
    _tell(session, job.id, FAILED_TITLE, now=now)
    if job.recipe_sha256 == EMPTY_RECIPE_SHA256:
        catalog.record_failed(session, job.asset_id, "too_many_attempts", text_zh, text_en)


def holds(session: Session, turn: Turn) -> bool:
    """Whether this execution is still the one that counts: not cancelled, not superseded."""
    row = session.execute(
        select(TranscodeJob.attempt, TranscodeJob.state).where(TranscodeJob.id == turn.job_id)
    ).one_or_none()
    return row is not None and row.attempt == turn.attempt and row.state == JobState.RUNNING


def state_of(session: Session, job_id: str) -> JobState | None:
    state = session.scalar(select(TranscodeJob.state).where(TranscodeJob.id == job_id))
    return JobState(state) if state else None


def record_progress(session: Session, turn: Turn, progress: Progress, *, now: datetime) -> bool:
    """Show how far this execution is. False when it no longer counts."""
    done = session.execute(
        update(TranscodeJob)
        .where(*_mine(turn))
        .values(
            step=progress.step, percent=round(progress.percent, 1), fps=progress.fps, eta_s=progress.eta_s,
            progress_at=now,
        )
    )  # fmt: skip
    if done.rowcount != 1:  # type: ignore[attr-defined]
        return False
    if turn.is_whole:
        catalog.record_progress(session, turn.asset_id, asset_percent(turn.phase, progress.percent))
    return True


def asset_percent(phase: Phase, percent: float) -> int:
    """How far a source file is in both phases together: the review copy is its first tenth."""
    if phase is Phase.REVIEW:
        return int(percent * REVIEW_SHARE)
    return int(100 * REVIEW_SHARE + percent * (1 - REVIEW_SHARE))


def record_step(
    session: Session,
    turn: Turn,
    name: str,
    started: datetime,
    *,
    note: str = "",
    tools: str = "",
    now: datetime,
) -> None:
    """Keep what a technician reads later: which step ran when, what became of it, and what its tools said."""
    job = session.get(TranscodeJob, turn.job_id, populate_existing=True)
    if job is None or job.attempt != turn.attempt:
        return
    entry = {
        "step": name, "attempt": turn.attempt, "started_at": to_text(started),
        "seconds": round((now - started).total_seconds(), 2), "note": note[-2000:],
        "executor": job.executor_id, "log": tools[-MAX_LOG:],
    }  # fmt: skip
    job.steps = [*job.steps, entry][-60:]


def finish(
    session: Session,
    turn: Turn,
    renditions: Sequence[NewRendition],
    files: Sequence[NewFile],
    *,
    duration_ms: int,
    probe: dict[str, Any],
    now: datetime,
) -> bool:
    """Hand the results to the catalogue, exactly once. False when this execution no longer counts."""
    if not move(
        session,
        turn.job_id,
        JobState.DONE,
        *_mine(turn),
        percent=100.0,
        step=None,
        fps=None,
        eta_s=None,
        finished_at=now,
    ):
        return False
    if turn.is_whole:
        catalog.record_ready(session, turn.asset_id, renditions, files, duration_ms, probe, now=now)
    else:
        catalog.record_cut(session, turn.asset_id, turn.recipe_sha256, renditions, files, now=now)
    return True


def finish_review(
    session: Session,
    turn: Turn,
    copy: tuple[NewRendition, NewFile] | None,
    *,
    prepared: str,
    duration_ms: int,
    now: datetime,
) -> bool:
    """Hand the review copy over (None: it could not be made) and let the job wait for its ladder.

    False when this execution no longer counts.
    """
    job = job_row(session, turn.job_id)
    waits = {
        "phase": Phase.LADDER,
        "lane": lane_for(job.size, duration_ms),
        "priority": priority_for(level_of(job.priority), job.size, duration_ms),
        "prepared": prepared,
        "interruptions": job.interruptions + 1,  # it was no failed attempt
    }
    if not move(session, turn.job_id, JobState.QUEUED, *_mine(turn), **_waiting(job), **waits):
        return False
    if copy is not None:
        catalog.record_review_copy(session, turn.asset_id, *copy, now=now)
    return True


def _waiting(job: TranscodeJob) -> dict[str, Any]:
    return {
        "round": job.round + 1,
        "workflow_id": None,
        "step": None,
        "percent": 0.0,
        "fps": None,
        "eta_s": None,
    }


def refuse(session: Session, turn: Turn, refusal: MediaRefused, *, now: datetime) -> bool:
    """The file is at fault. False when this execution no longer counts."""
    if not _end(
        session, turn, JobState.REFUSED, refusal.reason_code, refusal.message_zh, refusal.message_en, now=now
    ):
        return False
    if turn.is_whole:
        catalog.record_refused(
            session, turn.asset_id, refusal.reason_code, refusal.message_zh, refusal.message_en
        )
    return True


def fail(session: Session, turn: Turn, code: str, text_zh: str, text_en: str, *, now: datetime) -> bool:
    """We are at fault. False when this execution no longer counts."""
    if not _end(session, turn, JobState.FAILED, code, text_zh, text_en, now=now):
        return False
    if turn.is_whole:
        catalog.record_failed(session, turn.asset_id, code, text_zh, text_en)
    return True


def _end(
    session: Session, turn: Turn, to: JobState, code: str, text_zh: str, text_en: str, *, now: datetime
) -> bool:
    if not move(
        session, turn.job_id, to, *_mine(turn), error_code=code, error_text=text_zh, error_text_en=text_en,
        fps=None, eta_s=None, finished_at=now,
    ):  # fmt: skip
        return False
    _tell(session, turn.job_id, REFUSED_TITLE if to is JobState.REFUSED else FAILED_TITLE, now=now)
    return True


def _tell(session: Session, job_id: str, title: str, *, now: datetime) -> None:
    """Say it to whoever uploaded the file and to those whose edition it is; the job's page has the reason."""
    job = job_row(session, job_id)
    editions = select(Edition.contributor_id).where(
        Edition.asset_id == job.asset_id, Edition.recipe_sha256 == job.recipe_sha256
    )
    people = {catalog.get_asset(session, job.asset_id).uploaded_by, *session.scalars(editions)}
    messages.post(
        session, people, kind=MessageKind.RETURNED, title=title, params={"name": job.filename}, link=f"/jobs/{job.id}",
        key=f"transcode:{job.id}:{job.round}", now=now,
    )  # fmt: skip


def again(session: Session, turn: Turn, *, counts: bool) -> bool:
    """Let a failed execution be followed by another from the start. False when it no longer counts or, where the
    attempt ``counts``, none is left.
    """
    job = job_row(session, turn.job_id)
    if counts and job.attempt - job.interruptions >= job.max_attempts:
        return False
    uncounted = 0 if counts else 1
    anew = {**_waiting(job), "interruptions": job.interruptions + uncounted}
    return move(session, turn.job_id, JobState.QUEUED, *_mine(turn), **anew)


def note_interruptions(session: Session, executor_id: str) -> None:
    """A worker stops in good order: what it was running is no failed attempt."""
    session.execute(
        update(TranscodeJob)
        .where(TranscodeJob.executor_id == executor_id, TranscodeJob.state == JobState.RUNNING)
        .values(interruptions=TranscodeJob.interruptions + 1)
    )


def _mine(turn: Turn) -> tuple[ColumnElement[bool], ...]:
    return (
        TranscodeJob.id == turn.job_id,
        TranscodeJob.attempt == turn.attempt,
        TranscodeJob.state == JobState.RUNNING,
    )


def as_new_rendition(produced: Any) -> NewRendition:
    """A produced rendition as the catalogue records it."""
    return NewRendition(
        profile=produced.profile, profile_version=produced.profile_version, sha256=produced.sha256,
        length=produced.length, pieces_root=produced.pieces_root, width=produced.width, height=produced.height,
        bitrate=produced.bitrate, duration_ms=produced.duration_ms,
    )  # fmt: skip


def as_new_file(produced: Any) -> NewFile:
    """A produced companion as the catalogue records it."""
    return NewFile(
        kind=produced.kind, sha256=produced.sha256, length=produced.length, pieces_root=produced.pieces_root,
        profile=produced.profile, order=produced.order, language=produced.language,
    )  # fmt: skip
