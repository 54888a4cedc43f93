"""Use cases of transcoding jobs for people: what there is, how far it is, cancel, retry, urgent. The worker's: `work.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.catalog import renditions as catalog
from server.catalog.models import EMPTY_RECIPE_SHA256, Asset, Rendition
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.transcode import queueing
from server.transcode.models import TranscodeJob, TranscodePart
from server.transcode.queueing import Priority, job_row, level_of, move, restart
from server.transcode.states import ACTIVE, JobState, Phase

PROVINCE = "13"


@dataclass(frozen=True)
class JobView:
    """A job as people and programs see it. ``error_text`` is Chinese, ``error_text_en`` English."""

    id: str
    asset_id: str
    filename: str
    size: int
    state: JobState
    attempt: int
    max_attempts: int
    priority: int
    phase: Phase
    recipe_sha256: str
    lane: str
    round: int
    step: str | None
    percent: float
    fps: float | None
    eta_s: int | None
    error_code: str | None
    error_text: str | None
    error_text_en: str | None
    executor_id: str | None
    steps: Sequence[dict[str, Any]]
    created_at: datetime
    started_at: datetime | None
    progress_at: datetime | None
    finished_at: datetime | None

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_cut(self) -> bool:
        """Whether it encodes a cut by a recipe, not the whole source."""
        return self.recipe_sha256 != EMPTY_RECIPE_SHA256

    @property
    def level(self) -> Priority:
        return level_of(self.priority)


# --- for people -------------------------------------------------------------------------------------------------------
def job_view(session: Session, asset_id: str, recipe_sha256: str = EMPTY_RECIPE_SHA256) -> JobView | None:
    """The job that encodes a cut; None before it was found by the worker."""
    row = session.scalar(
        select(TranscodeJob).where(
            TranscodeJob.asset_id == asset_id, TranscodeJob.recipe_sha256 == recipe_sha256
        )
    )
    return _view(row) if row else None


def get_job(session: Session, caller: Caller, job_id: str) -> JobView:
    """Raises NotFound, also for a job that the caller may not see."""
    return _view(_visible(session, caller, job_id))


def _sees_all(caller: Caller) -> bool:
    """The province's own people see every job; others those of the files that they uploaded."""
    return caller.can(Action.JOBS_MANAGE, PROVINCE)


def _visible(session: Session, caller: Caller, job_id: str) -> TranscodeJob:
    job = job_row(session, job_id)
    if not _sees_all(caller) and catalog.get_asset(session, job.asset_id).uploaded_by != caller.id:
        raise NotFound(N_("没有这个任务"))
    return job


def list_jobs(
    session: Session,
    caller: Caller,
    *,
    state: JobState | None = None,
    asset_id: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[JobView]:
    """Jobs that the caller may see, the newest first."""
    query = select(TranscodeJob).order_by(TranscodeJob.id.desc()).limit(limit).offset(offset)
    if not _sees_all(caller):
        query = query.join(Asset, Asset.id == TranscodeJob.asset_id).where(Asset.uploaded_by == caller.id)
    if state is not None:
        query = query.where(TranscodeJob.state == state)
    if asset_id is not None:
        query = query.where(TranscodeJob.asset_id == asset_id)
    return [_view(row) for row in session.scalars(query)]


@dataclass(frozen=True)
class ProfileStorage:
    """What all renditions of one profile and version take."""

    profile: str
    version: int
    count: int
    bytes: int


def storage_by_profile(session: Session) -> list[ProfileStorage]:
    """Storage used by renditions; a file that two editions share counts once."""
    once = (
        select(Rendition.profile, Rendition.profile_version, Rendition.sha256, Rendition.length)
        .distinct()
        .subquery()
    )
    rows = session.execute(
        select(once.c.profile, once.c.profile_version, func.count(), func.sum(once.c.length))
        .group_by(once.c.profile, once.c.profile_version)
        .order_by(once.c.profile, once.c.profile_version)
    )
    return [ProfileStorage(profile, version, count, int(total)) for profile, version, count, total in rows]


def cancel(session: Session, caller: Caller, job_id: str, *, now: datetime) -> JobView:
    """Stop a job: a running one ends within two seconds. Raises NotFound; Conflict when it is over."""
    caller.require(Action.JOBS_MANAGE)
    job = _visible(session, caller, job_id)
    if not move(session, job_id, JobState.CANCELLED, finished_at=now, eta_s=None, fps=None):
        raise Conflict(N_("任务已经结束"))
    if job.recipe_sha256 == EMPTY_RECIPE_SHA256:
        catalog.record_failed(
            session, job.asset_id, "cancelled", "转码已取消。", "The transcoding was cancelled."
        )
    return _view(job_row(session, job_id))


def retry(session: Session, caller: Caller, job_id: str) -> JobView:
    """Begin a failed or cancelled job again. Raises NotFound; Conflict otherwise."""
    caller.require(Action.JOBS_MANAGE)
    job = _visible(session, caller, job_id)
    if not restart(session, job):
        raise Conflict(N_("只能重试失败或已取消的任务"))
    if job.recipe_sha256 == EMPTY_RECIPE_SHA256 and catalog.retry_failed(session, job.asset_id):
        catalog.claim(session, job.asset_id)
    return _view(job_row(session, job_id))


def level_named(name: str) -> Priority:
    """Raises Invalid."""
    if name not in set(Priority):
        raise Invalid(N_("优先级只能是 urgent、normal 或 low"))
    return Priority(name)


def set_priority(session: Session, caller: Caller, job_id: str, level: Priority) -> JobView:
    """Give a waiting job another place. Raises NotFound; Conflict when it no longer waits."""
    caller.require(Action.JOBS_MANAGE)
    job = _visible(session, caller, job_id)
    if not queueing.set_priority(session, job, level):
        raise Conflict(N_("任务已经开始或结束"))
    return _view(job_row(session, job_id))


def make_urgent(session: Session, caller: Caller, job_id: str) -> JobView:
    """Put a waiting job before all others. Raises NotFound; Conflict when it no longer waits."""
    return set_priority(session, caller, job_id, Priority.URGENT)


def outdated(session: Session, caller: Caller) -> list[JobView]:
    """Jobs whose renditions an older version of a profile made."""
    caller.require(Action.JOBS_MANAGE, PROVINCE)
    return [_view(row) for row in queueing.outdated_jobs(session)]


def encode_outdated_anew(session: Session, caller: Caller) -> list[JobView]:
    """Let all of them be encoded again, after everything else; each takes the old one's place in one transaction."""
    caller.require(Action.JOBS_MANAGE, PROVINCE)
    rows = queueing.outdated_jobs(session)
    return [_view(job_row(session, row.id)) for row in rows if queueing.encode_anew(session, row)]


def running_by_executor(session: Session) -> dict[str, list[str]]:
    """The names of the files that each worker is busy with, its own jobs and parts of others'."""
    busy: dict[str, list[str]] = {}
    own = select(TranscodeJob.executor_id, TranscodeJob.filename).where(
        TranscodeJob.state == JobState.RUNNING
    )
    parts = (
        select(TranscodePart.executor_id, TranscodeJob.filename)
        .join(TranscodeJob, TranscodeJob.id == TranscodePart.job_id)
        .where(
            TranscodeJob.state == JobState.RUNNING,
            TranscodePart.round == TranscodeJob.round,
            TranscodePart.ended.is_(False),
        )
    )
    for executor_id, filename in [*session.execute(own), *session.execute(parts)]:
        names = busy.setdefault(executor_id or "", [])
        if filename not in names:
            names.append(filename)
    return busy


def count_waiting(session: Session) -> int:
    """How many jobs wait, whoever's they are."""
    return session.scalar(select(func.count()).where(TranscodeJob.state == JobState.QUEUED)) or 0


@dataclass(frozen=True)
class PartView:
    """A piece of a job that runs on some worker."""

    name: str
    attempt: int
    ended: bool
    frames_done: int
    fps: float
    seconds: float
    executor_id: str | None


def parts_of_job(session: Session, job: JobView) -> list[PartView]:
    """The pieces of a job's present round, in order."""
    rows = session.scalars(
        select(TranscodePart)
        .where(TranscodePart.job_id == job.id, TranscodePart.round == job.round)
        .order_by(TranscodePart.name)
    )
    names = list(PartView.__dataclass_fields__)
    return [PartView(**{name: getattr(row, name) for name in names}) for row in rows]


def _view(row: TranscodeJob) -> JobView:
    names = set(JobView.__dataclass_fields__) - {"state", "phase"}
    values = {name: getattr(row, name) for name in names}
    return JobView(state=JobState(row.state), phase=Phase(row.phase), **values)
