"""Pages of transcoding: the queue, a job, the workers. Progress comes by polling fragments."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from protocol.times import to_text
from server import clock
from server.identity.rules import Action
from server.transcode import executors, service
from server.transcode.states import ExecutorState, JobState
from server.web import caller, page_blueprint, permit, reading, writing

blueprint = page_blueprint("transcode", __name__)


@blueprint.get("/jobs")
@permit(Action.JOBS_VIEW)
def jobs() -> str:
    """The queue: what runs where, how long it takes, what went wrong."""
    queue = _queue()
    with reading() as session:
        storage = service.storage_by_profile(session)
    return render_template("transcode/jobs.html", storage=storage, **queue)


@blueprint.get("/jobs/fragment")
@permit(Action.JOBS_VIEW)
def jobs_fragment() -> str:
    """The queue's table alone, polled while something is active."""
    return render_template("transcode/_jobs.html", **_queue())


def _queue() -> dict[str, object]:
    with reading() as session:
        found = service.list_jobs(session, caller(), limit=100)
        workers = [
            {"id": one.id, "started_at": to_text(one.started_at)}
            for one in executors.executors(session)
            if one.state is ExecutorState.ALIVE
        ]
    return {
        "jobs": found,
        "workers": workers,
        "doing": {job.executor_id: job.filename for job in found if job.state is JobState.RUNNING},
        "is_busy": any(job.is_active for job in found),
        "may_manage": caller().can(Action.JOBS_MANAGE),
    }


@blueprint.get("/jobs/<job_id>")
@permit(Action.JOBS_VIEW)
def job(job_id: str) -> str:
    """One job with its steps."""
    with reading() as session:
        found = service.get_job(session, caller(), job_id)
    return render_template("transcode/job.html", job=found, may_manage=caller().can(Action.JOBS_MANAGE))


@blueprint.post("/jobs/<job_id>/cancel")
@permit(Action.JOBS_MANAGE)
def cancel(job_id: str) -> Response:
    with writing() as session:
        service.cancel(session, caller(), job_id, now=clock.now())
    return redirect(url_for("transcode.jobs"))


@blueprint.post("/jobs/<job_id>/retry")
@permit(Action.JOBS_MANAGE)
def retry(job_id: str) -> Response:
    with writing() as session:
        service.retry(session, caller(), job_id)
    return redirect(url_for("transcode.jobs"))


@blueprint.post("/jobs/<job_id>/urgent")
@permit(Action.JOBS_MANAGE)
def urgent(job_id: str) -> Response:
    with writing() as session:
        service.make_urgent(session, caller(), job_id)
    return redirect(url_for("transcode.jobs"))
