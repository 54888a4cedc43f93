"""Finding work: jobs for uploads and for cuts, which lane and place in it, what waits.

A short item never waits behind a three-hour one: they have lanes of their own, and within a lane the shorter goes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from server.catalog import renditions as catalog
from server.catalog.models import EMPTY_RECIPE_SHA256, Asset, AssetState, Edition, EditionState, Rendition
from server.errors import NotFound
from server.i18n import N_
from server.transcode.models import TranscodeJob
from server.transcode.profiles import PROFILES
from server.transcode.states import JobState, Phase, sources

LANE_REVIEW, LANE_SHORT, LANE_LONG = "transcode-review", "transcode-short", "transcode-long"
LANES = (LANE_REVIEW, LANE_SHORT, LANE_LONG)
PARTS_QUEUE = "transcode-parts"
"""Pieces of long jobs, for every worker."""
LONG_BYTES = 300 * 1024 * 1024
"""Where the length is not known yet, larger files count as long."""
LONG_MS = 30 * 60 * 1000
_MEGABYTE = 1024 * 1024
_MINUTE_MS = 60_000


class Priority(StrEnum):
    """Where a job stands among those that wait."""

    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


FIRST_NORMAL, FIRST_LOW = 100, 1_000_000
PRIORITY_URGENT = 1
_FIRST = {Priority.URGENT: PRIORITY_URGENT, Priority.NORMAL: FIRST_NORMAL, Priority.LOW: FIRST_LOW}


def level_of(priority: int) -> Priority:
    """The level of a number; lower numbers run first."""
    return next(level for level in reversed(Priority) if priority >= _FIRST[level])


def priority_for(level: Priority, size: int, duration_ms: int | None) -> int:
    """The place in the queue: urgent before all, then the shorter first (before the length is known, the smaller)."""
    if level is Priority.URGENT:
        return PRIORITY_URGENT
    behind = size // _MEGABYTE if duration_ms is None else duration_ms // _MINUTE_MS
    return _FIRST[level] + min(behind, FIRST_LOW - FIRST_NORMAL - 1)


def lane_for(size: int, duration_ms: int | None) -> str:
    """The lane of a ladder."""
    is_long = size >= LONG_BYTES if duration_ms is None else duration_ms >= LONG_MS
    return LANE_LONG if is_long else LANE_SHORT


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


# --- for the worker ---------------------------------------------------------------------------------------------------
def take_uploads(session: Session, *, now: datetime, only: Collection[str] | None = None) -> list[str]:
    """Make a job for every uploaded file (``only``: among these) that has none; returns the new jobs' ids."""
    made = []
    for asset in catalog.claim_uploaded(session, only=only):
        existing = _job_of(session, asset.id)
        if existing is not None:  # the catalogue let a failed file wait again
            restart(session, existing)
            continue
        job = TranscodeJob(
            asset_id=asset.id, filename=asset.filename, size=asset.size, phase=Phase.REVIEW, lane=LANE_REVIEW,
            priority=priority_for(Priority.NORMAL, asset.size, None), created_at=now,
        )  # fmt: skip
        session.add(job)
        session.flush()
        made.append(job.id)
    return made


def take_cuts(session: Session, *, now: datetime, limit: int = 20) -> list[str]:
    """Make a job for every cut that an edition needs and nobody has begun, once its source was accepted."""
    has_job = exists().where(
        TranscodeJob.asset_id == Edition.asset_id, TranscodeJob.recipe_sha256 == Edition.recipe_sha256
    )
    wanted = session.execute(
        select(Edition, Asset)
        .join(Asset, Asset.id == Edition.asset_id)
        .where(
            Edition.recipe_sha256 != EMPTY_RECIPE_SHA256,
            Edition.state != EditionState.WITHDRAWN,
            Asset.state == AssetState.READY,
            ~has_job,
        )
        .order_by(Edition.id)
        .limit(limit)
    ).all()
    made: dict[tuple[str, str], TranscodeJob] = {}
    for edition, asset in wanted:
        made.setdefault(
            (asset.id, edition.recipe_sha256),
            TranscodeJob(
                asset_id=asset.id, filename=asset.filename, size=asset.size, recipe=edition.recipe,
                recipe_sha256=edition.recipe_sha256, phase=Phase.LADDER,
                lane=lane_for(asset.size, asset.duration_ms),
                priority=priority_for(Priority.NORMAL, asset.size, asset.duration_ms), created_at=now,
            ),
        )  # fmt: skip
    session.add_all(made.values())
    session.flush()
    return [job.id for job in made.values()]


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
    return move(session, job.id, JobState.QUEUED, **_anew(job))


def _anew(job: TranscodeJob) -> dict[str, Any]:
    return {
        "round": job.round + 1,
        "workflow_id": None,
        "interruptions": TranscodeJob.attempt,
        "percent": 0.0,
        "step": None,
        "error_code": None,
        "error_text": None,
        "error_text_en": None,
        "finished_at": None,
    }


def outdated_jobs(session: Session) -> Sequence[TranscodeJob]:
    """Jobs that are done and made a rendition by an older version of a profile that we still have."""
    older = [
        (Rendition.profile == profile.name) & (Rendition.profile_version < profile.version)
        for profile in PROFILES.values()
    ]
    of_job = (
        Rendition.asset_id == TranscodeJob.asset_id,
        Rendition.recipe_sha256 == TranscodeJob.recipe_sha256,
    )
    clause = older[0]
    for one in older[1:]:
        clause = clause | one
    return session.scalars(
        select(TranscodeJob)
        .where(TranscodeJob.state == JobState.DONE, exists().where(*of_job, clause))
        .order_by(TranscodeJob.id)
    ).all()


def encode_anew(session: Session, job: TranscodeJob) -> bool:
    """Let a job that is done make its renditions again, after everything else; the old ones stay until then."""
    duration_ms = session.scalar(select(Asset.duration_ms).where(Asset.id == job.asset_id))
    values = {
        **_anew(job),
        "phase": Phase.LADDER,
        "lane": lane_for(job.size, duration_ms),
        "priority": priority_for(Priority.LOW, job.size, duration_ms),
    }
    return move(session, job.id, JobState.QUEUED, TranscodeJob.state == JobState.DONE, **values)


def set_priority(session: Session, job: TranscodeJob, level: Priority) -> bool:
    """Another place for a job that waits. False when it does not. (It is enqueued again; its old entry is void.)"""
    duration_ms = session.scalar(select(Asset.duration_ms).where(Asset.id == job.asset_id))
    priority = priority_for(level, job.size, duration_ms)
    return move(
        session,
        job.id,
        JobState.QUEUED,
        TranscodeJob.state == JobState.QUEUED,
        priority=priority,
        workflow_id=None,
        round=job.round + 1,
    )


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
    """The workflow is in the queue. Noted after the fact: enqueueing the same name again is harmless.

    Not noted when the job was given another place meanwhile: that entry is void.
    """
    session.execute(
        update(TranscodeJob)
        .where(
            TranscodeJob.id == job_id,
            TranscodeJob.state == JobState.QUEUED,
            TranscodeJob.round == int(workflow_id.rpartition("-")[2]),
        )
        .values(workflow_id=workflow_id)
    )
