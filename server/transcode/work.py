"""The worker's side of jobs: finding, beginning, ending them, and who is alive.

Every effect of an execution is conditional on its attempt, so that a worker that lost its job changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal_column, select, update
from sqlalchemy.orm import Session

from protocol.times import to_text
from server.catalog import renditions as catalog
from server.catalog.models import EMPTY_RECIPE_SHA256
from server.catalog.renditions import NewFile, NewRendition
from server.errors import NotFound
from server.i18n import N_
from server.transcode.errors import MediaRefused
from server.transcode.models import Executor, TranscodeJob, TranscodePart
from server.transcode.produce import Progress
from server.transcode.states import ACTIVE, ExecutorState, JobState, sources

LANE_SHORT, LANE_LONG = "transcode-short", "transcode-long"
LANES = (LANE_SHORT, LANE_LONG)
PARTS_QUEUE = "transcode-parts"
"""Pieces of long jobs, for every worker."""
LONG_BYTES = 300 * 1024 * 1024
"""Larger files wait in a lane of their own, so that a news item does not wait behind a three-hour lecture."""
PRIORITY_URGENT = 1
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Turn:
    """One execution of a job: what the worker may do, as long as ``attempt`` is still the job's."""

    job_id: str
    asset_id: str
    attempt: int
    path: str
    filename: str
    round: int = 1
    priority: int = 100


@dataclass(frozen=True)
class ExecutorView:
    """A worker process. ``silent_s`` is how long ago it was heard of."""

    id: str
    host: str
    pid: int
    process_started: int
    state: ExecutorState
    silent_s: float
    started_at: datetime


def move(
    session: Session, job_id: str, to: JobState, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """A conditional change of state by the table of moves: whether the row was there to be moved."""
    done = session.execute(
        update(TranscodeJob)
        .where(TranscodeJob.id == job_id, TranscodeJob.state.in_(sources(to)), *conditions)
        .values(state=to, **values)
        .execution_options(synchronize_session="fetch")
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def job_row(session: Session, job_id: str) -> TranscodeJob:
    """The job's row, read anew. Raises NotFound."""
    job = session.get(TranscodeJob, job_id, populate_existing=True)
    if job is None:
        raise NotFound(N_("没有这个任务"))
    return job


# --- for the worker: finding work -------------------------------------------------------------------------------------
def take_uploads(session: Session, *, now: datetime) -> list[str]:
    """Make a job for every uploaded file that has none; returns the new jobs' ids."""
    made = []
    for asset in catalog.claim_uploaded(session):
        existing = _job_of(session, asset.id)
        if existing is not None:  # the catalogue let a failed file wait again
            restart(session, existing)
            continue
        job = TranscodeJob(
            asset_id=asset.id, filename=asset.filename, size=asset.size, lane=_lane(asset.size),
            priority=priority_for(asset.size), created_at=now,
        )  # fmt: skip
        session.add(job)
        session.flush()
        made.append(job.id)
    return made


def _job_of(session: Session, asset_id: str) -> TranscodeJob | None:
    return session.scalar(
        select(TranscodeJob).where(
            TranscodeJob.asset_id == asset_id, TranscodeJob.recipe_sha256 == EMPTY_RECIPE_SHA256
        )
    )


def restart(session: Session, job: TranscodeJob) -> bool:
    """A new round of a failed or cancelled job, with all its attempts. False when it is neither."""
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        return False
    return move(
        session,
        job.id,
        JobState.QUEUED,
        round=job.round + 1,
        workflow_id=None,
        interruptions=TranscodeJob.attempt,
        percent=0.0,
        step=None,
        error_code=None,
        error_text=None,
        error_text_en=None,
        finished_at=None,
    )


def _lane(size: int) -> str:
    return LANE_LONG if size >= LONG_BYTES else LANE_SHORT


def priority_for(size: int) -> int:
    """Small files first: 100 and one for each megabyte; lower numbers run first."""
    return 100 + size // _MEGABYTE


def name_workflow(job_id: str, round_: int) -> str:
    """The workflow that runs a round of a job: the same for everybody who enqueues it."""
    return f"transcode-{job_id}-{round_}"


def waiting_jobs(session: Session, limit: int = 50) -> list[tuple[str, str, str, int]]:
    """Jobs that no workflow was enqueued for: (job, workflow, lane, priority)."""
    rows = session.scalars(
        select(TranscodeJob)
        .where(TranscodeJob.state == JobState.QUEUED, TranscodeJob.workflow_id.is_(None))
        .order_by(TranscodeJob.priority, TranscodeJob.id)
        .limit(limit)
    )
    return [(row.id, name_workflow(row.id, row.round), row.lane, row.priority) for row in rows]


def note_enqueued(session: Session, job_id: str, workflow_id: str) -> None:
    """The workflow is in the queue. Noted after the fact: enqueueing the same name again is harmless."""
    session.execute(
        update(TranscodeJob)
        .where(TranscodeJob.id == job_id, TranscodeJob.state == JobState.QUEUED)
        .values(workflow_id=workflow_id)
    )


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
    return Turn(
        job.id, job.asset_id, job.attempt, asset.path, job.filename, round=job.round, priority=job.priority
    )


def _give_up(session: Session, job: TranscodeJob, *, now: datetime) -> None:
    text_zh = f"文件“{job.filename}”转码 {job.max_attempts} 次都没有完成，已停止重试。"
    text_en = (
        f"Transcoding “{job.filename}” did not finish in {job.max_attempts} attempts and is not tried again."
    )
    job.state, job.finished_at = JobState.FAILED, now
    job.error_code, job.error_text, job.error_text_en = "too_many_attempts", text_zh, text_en
    session.flush()
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
    catalog.record_progress(session, turn.asset_id, int(progress.percent))
    return True


def record_step(
    session: Session, turn: Turn, name: str, started: datetime, *, note: str = "", now: datetime
) -> None:
    """Keep what a technician reads later: which step ran when, and what it said."""
    job = session.get(TranscodeJob, turn.job_id, populate_existing=True)
    if job is None or job.attempt != turn.attempt:
        return
    entry = {
        "step": name, "attempt": turn.attempt, "started_at": to_text(started),
        "seconds": round((now - started).total_seconds(), 2), "note": note[-2000:],
    }  # fmt: skip
    job.steps = [*job.steps, entry][-200:]


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
    catalog.record_ready(session, turn.asset_id, renditions, files, duration_ms, probe, now=now)
    return True


def refuse(session: Session, turn: Turn, refusal: MediaRefused, *, now: datetime) -> bool:
    """The file is at fault. False when this execution no longer counts."""
    if not _end(
        session, turn, JobState.REFUSED, refusal.reason_code, refusal.message_zh, refusal.message_en, now=now
    ):
        return False
    catalog.record_refused(
        session, turn.asset_id, refusal.reason_code, refusal.message_zh, refusal.message_en
    )
    return True


def fail(session: Session, turn: Turn, code: str, text_zh: str, text_en: str, *, now: datetime) -> bool:
    """We are at fault. False when this execution no longer counts."""
    if not _end(session, turn, JobState.FAILED, code, text_zh, text_en, now=now):
        return False
    catalog.record_failed(session, turn.asset_id, code, text_zh, text_en)
    return True


def _end(
    session: Session, turn: Turn, to: JobState, code: str, text_zh: str, text_en: str, *, now: datetime
) -> bool:
    return move(
        session, turn.job_id, to, *_mine(turn), error_code=code, error_text=text_zh, error_text_en=text_en,
        fps=None, eta_s=None, finished_at=now,
    )  # fmt: skip


def again(session: Session, turn: Turn, *, counts: bool) -> bool:
    """Let a failed execution be followed by another from the start. False when it no longer counts or, where the
    attempt ``counts``, none is left.
    """
    job = job_row(session, turn.job_id)
    if counts and job.attempt - job.interruptions >= job.max_attempts:
        return False
    uncounted = 0 if counts else 1
    return move(
        session, turn.job_id, JobState.QUEUED, *_mine(turn), round=job.round + 1, workflow_id=None, step=None,
        percent=0.0, fps=None, eta_s=None, interruptions=job.interruptions + uncounted,
    )  # fmt: skip


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


# --- for the worker: pieces of a job ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class PartTurn:
    """One execution of a part of a job."""

    job_id: str
    round: int
    name: str
    attempt: int


@dataclass(frozen=True)
class PartsView:
    """How far the parts of a round are: those that ended, frames encoded, frames a second of all together."""

    ended: frozenset[str]
    frames_done: int
    fps: float


def begin_part(session: Session, job_id: str, round_: int, name: str, executor_id: str) -> PartTurn | None:
    """Begin an execution of a part; earlier ones lose every right. None when the job's round is over."""
    job = session.get(TranscodeJob, job_id, populate_existing=True)
    if job is None or job.state != JobState.RUNNING or job.round != round_:
        return None
    part = session.get(TranscodePart, (job_id, round_, name), populate_existing=True, with_for_update=True)
    if part is None:
        part = TranscodePart(job_id=job_id, round=round_, name=name, attempt=0)
        session.add(part)
    part.attempt += 1
    part.ended, part.frames_done, part.fps, part.executor_id = False, 0, 0.0, executor_id
    session.flush()
    return PartTurn(job_id, round_, name, part.attempt)


def holds_part(session: Session, turn: PartTurn) -> bool:
    """Whether this execution of a part still counts."""
    row = session.execute(
        select(TranscodePart.attempt, TranscodeJob.state, TranscodeJob.round)
        .join(TranscodeJob, TranscodeJob.id == TranscodePart.job_id)
        .where(*_this_part(turn))
    ).one_or_none()
    return row is not None and (row.attempt, row.state, row.round) == (
        turn.attempt,
        JobState.RUNNING,
        turn.round,
    )


def record_part(session: Session, turn: PartTurn, **values: Any) -> None:
    """Progress of a part, or that it ``ended``."""
    session.execute(
        update(TranscodePart).where(*_this_part(turn), TranscodePart.attempt == turn.attempt).values(**values)
    )


def parts_of(session: Session, job_id: str, round_: int) -> PartsView:
    """All parts of a round together."""
    rows = session.scalars(
        select(TranscodePart).where(TranscodePart.job_id == job_id, TranscodePart.round == round_)
    ).all()
    return PartsView(
        frozenset(row.name for row in rows if row.ended),
        sum(row.frames_done for row in rows),
        sum(row.fps for row in rows if not row.ended),
    )


def _this_part(turn: PartTurn) -> tuple[ColumnElement[bool], ...]:
    return (
        TranscodePart.job_id == turn.job_id,
        TranscodePart.round == turn.round,
        TranscodePart.name == turn.name,
    )


# --- for the worker: who is alive -------------------------------------------------------------------------------------
def _clock_ms(session: Session) -> ColumnElement[int]:
    """The database's own clock in milliseconds."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
    return cast(literal_column("(julianday('now') - 2440587.5) * 86400000.0"), BigInteger)


def register_executor(session: Session, executor: Executor) -> None:
    """A worker has started."""
    executor.seen_ms = session.scalar(select(_clock_ms(session))) or 0
    session.add(executor)


def heartbeat(session: Session, executor_id: str) -> bool:
    """Say that we are alive. False when another worker has declared us dead meanwhile."""
    done = session.execute(
        update(Executor)
        .where(Executor.id == executor_id, Executor.state == ExecutorState.ALIVE)
        .values(seen_ms=_clock_ms(session))
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def leave(session: Session, executor_id: str, state: ExecutorState) -> bool:
    """A worker stops, or is declared dead by another. False when it was not alive any more."""
    done = session.execute(
        update(Executor)
        .where(Executor.id == executor_id, Executor.state == ExecutorState.ALIVE)
        .values(state=state)
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def revive(session: Session, executor_id: str) -> None:
    """A worker that was declared dead has noticed, dropped its work, and takes part again."""
    session.execute(
        update(Executor)
        .where(Executor.id == executor_id)
        .values(state=ExecutorState.ALIVE, seen_ms=_clock_ms(session))
    )


def executors(session: Session) -> list[ExecutorView]:
    """All workers ever seen, with how long each has been silent."""
    now_ms = session.scalar(select(_clock_ms(session))) or 0
    return [
        ExecutorView(
            row.id, row.host, row.pid, row.process_started, ExecutorState(row.state),
            max(now_ms - row.seen_ms, 0) / 1000, row.started_at,
        )
        for row in session.scalars(select(Executor).order_by(Executor.started_at.desc()).limit(200))
    ]  # fmt: skip


def count_alive(session: Session) -> int:
    """How many workers take part now."""
    return session.scalar(select(func.count()).where(Executor.state == ExecutorState.ALIVE)) or 0


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
        profile=produced.profile, order=produced.order,
    )  # fmt: skip
