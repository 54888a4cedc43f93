"""JSON of transcoding: jobs with their progress, workers; cancel, retry, urgent."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from msgspec import Struct
from spectree import Response
from sqlalchemy.orm import Session

from protocol.times import Timestamp, to_text
from server import clock
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action
from server.transcode import executors, service
from server.transcode.service import JobView
from server.transcode.states import JobState
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("transcode_api", __name__)


class JobAnswer(Struct, kw_only=True):
    """``phase`` review (the copy for the review desk) or ladder; ``percent`` 0–100 of the phase; ``eta_s`` while pictures
    are encoded; the error in Chinese and in English.
    """

    id: str
    asset: str
    filename: str
    size: int
    state: str
    attempt: int
    priority: int
    level: str
    phase: str
    recipe_sha256: str
    step: str | None
    percent: float
    fps: float | None
    eta_s: int | None
    error_code: str | None
    error_text: str | None
    error_text_en: str | None
    executor: str | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class StepAnswer(Struct, kw_only=True):
    """One finished step of an attempt, for technicians: ``log`` is what the media tools were told and said."""

    step: str
    attempt: int
    started_at: str
    seconds: float
    note: str
    executor: str | None = None
    log: str = ""


class PartAnswer(Struct, kw_only=True):
    """A piece of a long job, on some worker."""

    name: str
    attempt: int
    ended: bool
    frames_done: int
    fps: float
    seconds: float
    executor: str | None


class JobDetail(JobAnswer, kw_only=True):
    steps: list[StepAnswer]
    parts: list[PartAnswer]


class PriorityRequest(Struct, kw_only=True):
    """``level``: urgent, normal or low."""

    level: str


class JobList(Struct, kw_only=True):
    items: list[JobAnswer]
    next: str | None = None


class JobQuery(Struct, kw_only=True):
    """``after`` is the ``next`` of the page before."""

    state: str | None = None
    asset: str | None = None
    after: int = 0
    limit: int = 50


class ExecutorAnswer(Struct, kw_only=True):
    """A worker: alive, stopped in good order, or declared dead after its silence."""

    id: str
    host: str
    pid: int
    state: str
    silent_s: float
    started_at: Timestamp


class ExecutorList(Struct, kw_only=True):
    items: list[ExecutorAnswer]
    next: str | None = None


def _values(job: JobView) -> dict[str, Any]:
    return {
        "id": job.id, "asset": job.asset_id, "filename": job.filename, "size": job.size, "state": job.state.value,
        "attempt": job.attempt, "priority": job.priority, "level": job.level.value, "phase": job.phase.value,
        "recipe_sha256": job.recipe_sha256, "step": job.step, "percent": job.percent, "fps": job.fps,
        "eta_s": job.eta_s, "error_code": job.error_code, "error_text": job.error_text,
        "error_text_en": job.error_text_en, "executor": job.executor_id, "created_at": to_text(job.created_at),
        "started_at": to_text(job.started_at) if job.started_at else None,
        "finished_at": to_text(job.finished_at) if job.finished_at else None,
    }  # fmt: skip


def _detail(session: Session, job: JobView) -> JobDetail:
    parts = [
        PartAnswer(
            name=part.name, attempt=part.attempt, ended=part.ended, frames_done=part.frames_done, fps=part.fps,
            seconds=part.seconds, executor=part.executor_id,
        )
        for part in service.parts_of_job(session, job)
    ]  # fmt: skip
    return JobDetail(**_values(job), steps=[StepAnswer(**step) for step in job.steps], parts=parts)


@blueprint.get("/api/v1/jobs")
@permit(Action.JOBS_VIEW)
@spec.validate(query=JobQuery, resp=Response(HTTP_200=JobList, HTTP_422=Problem), tags=["transcode"])
def list_jobs(query: JobQuery) -> JobList:
    """Jobs, the newest first; by state or of one asset."""
    if query.state is not None and query.state not in set(JobState):
        raise Invalid(N_("没有这种任务状态"))
    limit = max(1, min(query.limit, 200))
    with reading() as session:
        found = service.list_jobs(
            session,
            caller(),
            state=JobState(query.state) if query.state else None,
            asset_id=query.asset,
            limit=limit + 1,
            offset=max(query.after, 0),
        )
    following = str(query.after + limit) if len(found) > limit else None
    return JobList(items=[JobAnswer(**_values(job)) for job in found[:limit]], next=following)


@blueprint.get("/api/v1/jobs/<job_id>")
@permit(Action.JOBS_VIEW)
@spec.validate(resp=Response(HTTP_200=JobDetail, HTTP_404=Problem), tags=["transcode"])
def get_job(job_id: str) -> JobDetail:
    """One job with its steps."""
    with reading() as session:
        return _detail(session, service.get_job(session, caller(), job_id))


@blueprint.get("/api/v1/jobs/outdated")
@permit(Action.JOBS_MANAGE)
@spec.validate(resp=Response(HTTP_200=JobList, HTTP_403=Problem), tags=["transcode"])
def list_outdated() -> JobList:
    """Jobs whose renditions an older version of a profile made."""
    with reading() as session:
        found = service.outdated(session, caller())
    return JobList(items=[JobAnswer(**_values(job)) for job in found])


@blueprint.post("/api/v1/jobs/outdated")
@permit(Action.JOBS_MANAGE)
@spec.validate(resp=Response(HTTP_200=JobList, HTTP_403=Problem), tags=["transcode"])
def encode_outdated() -> JobList:
    """Encode those again, after everything else; each new ladder takes the old one's place whole."""
    with writing() as session:
        found = service.encode_outdated_anew(session, caller())
    return JobList(items=[JobAnswer(**_values(job)) for job in found])


@blueprint.post("/api/v1/jobs/<job_id>/priority")
@permit(Action.JOBS_MANAGE)
@spec.validate(
    resp=Response(HTTP_200=JobDetail, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["transcode"],
)
def set_priority(job_id: str, json: PriorityRequest) -> JobDetail:
    """Give a waiting job another place."""
    with writing() as session:
        return _detail(
            session, service.set_priority(session, caller(), job_id, service.level_named(json.level))
        )


@blueprint.post("/api/v1/jobs/<job_id>/cancel")
@permit(Action.JOBS_MANAGE)
@spec.validate(resp=Response(HTTP_200=JobDetail, HTTP_404=Problem, HTTP_409=Problem), tags=["transcode"])
def cancel_job(job_id: str) -> JobDetail:
    """Stop a job; its media tools are gone within two seconds."""
    with writing() as session:
        return _detail(session, service.cancel(session, caller(), job_id, now=clock.now()))


@blueprint.post("/api/v1/jobs/<job_id>/retry")
@permit(Action.JOBS_MANAGE)
@spec.validate(resp=Response(HTTP_200=JobDetail, HTTP_404=Problem, HTTP_409=Problem), tags=["transcode"])
def retry_job(job_id: str) -> JobDetail:
    """Begin a failed or cancelled job again."""
    with writing() as session:
        return _detail(session, service.retry(session, caller(), job_id))


@blueprint.post("/api/v1/jobs/<job_id>/urgent")
@permit(Action.JOBS_MANAGE)
@spec.validate(resp=Response(HTTP_200=JobDetail, HTTP_404=Problem, HTTP_409=Problem), tags=["transcode"])
def make_urgent(job_id: str) -> JobDetail:
    """Put a waiting job before all others."""
    with writing() as session:
        return _detail(session, service.make_urgent(session, caller(), job_id))


@blueprint.get("/api/v1/executors")
@permit(Action.JOBS_VIEW)
@spec.validate(resp=Response(HTTP_200=ExecutorList), tags=["transcode"])
def list_executors() -> ExecutorList:
    """The workers, and how long each has been silent."""
    with reading() as session:
        found = executors.executors(session)
    return ExecutorList(
        items=[
            ExecutorAnswer(
                id=one.id, host=one.host, pid=one.pid, state=one.state.value, silent_s=one.silent_s,
                started_at=to_text(one.started_at),
            )
            for one in found
        ]
    )  # fmt: skip
