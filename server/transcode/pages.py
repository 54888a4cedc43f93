"""Pages of transcoding: the queue, a job, the workers. Progress comes by polling fragments."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from protocol.times import to_text
from server import clock
from server.identity.rules import Action
from server.transcode import executors, service
from server.transcode.states import ExecutorState, JobState
from server.web import caller, page_blueprint, permit, reading, writing

blueprint = page_blueprint("transcode", __name__)


PAGE = 50


@blueprint.get("/jobs")
@permit(Action.JOBS_VIEW)
def jobs() -> str:
    """The queue: what runs where, how long it takes, what went wrong."""
    queue = _queue()
    with reading() as session:
        storage = service.storage_by_profile(session)
        outdated = service.outdated(session, caller()) if queue["may_manage_all"] else []
    return render_template("transcode/jobs.html", storage=storage, outdated=outdated, **queue)


@blueprint.get("/jobs/fragment")
@permit(Action.JOBS_VIEW)
def jobs_fragment() -> str:
    """The queue's table alone, polled while something is active."""
    return render_template("transcode/_jobs.html", **_queue())


def _queue() -> dict[str, object]:
    state = request.args.get("state", "")
    chosen = JobState(state) if state in set(JobState) else None
    after = max(request.args.get("after", 0, type=int), 0)
    with reading() as session:
        found = service.list_jobs(session, caller(), state=chosen, limit=PAGE + 1, offset=after)
        workers = [
            {"id": one.id, "name": worker_name(one.id), "state": one.state.value, "silent_s": one.silent_s,
             "started_at": to_text(one.started_at)}
            for one in executors.executors(session)
            if one.state is ExecutorState.ALIVE
            or (one.state is ExecutorState.DEAD and one.silent_s < SHOW_DEAD_S)
        ]  # fmt: skip
        running = service.running_by_executor(session)
        waiting = service.count_waiting(session)
    return {
        "jobs": found[:PAGE],
        "next_after": after + PAGE if len(found) > PAGE else None,
        "after": after,
        "page": PAGE,
        "state": state,
        "states": [one.value for one in JobState],
        "workers": workers,
        "alive": [one for one in workers if one["state"] == "alive"],
        "doing": running,
        "waiting": waiting,
        "worker_name": worker_name,
        "is_busy": any(job.is_active for job in found),
        "may_manage": caller().can(Action.JOBS_MANAGE),
        "may_manage_all": caller().can(Action.JOBS_MANAGE, service.PROVINCE),
    }


SHOW_DEAD_S = 24 * 3600.0


def worker_name(executor_id: str | None) -> str:
    """A worker by machine and process, without the random end of its id."""
    return (executor_id or "").rpartition("-")[0]


@blueprint.get("/jobs/<job_id>")
@permit(Action.JOBS_VIEW)
def job(job_id: str) -> str:
    """One job with its steps, its parts and what the tools said."""
    return render_template("transcode/job.html", **_one(job_id))


@blueprint.get("/jobs/<job_id>/fragment")
@permit(Action.JOBS_VIEW)
def job_fragment(job_id: str) -> Response:
    """Where it is now, polled while the job is active; the page is loaded anew once it is over."""
    found = _one(job_id)
    response = make_response(render_template("transcode/_job.html", **found))
    if not found["is_active"]:
        response.headers["HX-Refresh"] = "true"
    return response


def _one(job_id: str) -> dict[str, Any]:
    with reading() as session:
        found = service.get_job(session, caller(), job_id)
        parts = service.parts_of_job(session, found)
    return {
        "job": found,
        "is_active": found.is_active,
        "parts": parts,
        "worker_name": worker_name,
        "created_at": to_text(found.created_at),
        "finished_at": to_text(found.finished_at) if found.finished_at else None,
        "may_manage": caller().can(Action.JOBS_MANAGE),
    }


@blueprint.post("/jobs/outdated")
@permit(Action.JOBS_MANAGE)
def encode_outdated() -> Response:
    with writing() as session:
        service.encode_outdated_anew(session, caller())
    return redirect(url_for("transcode.jobs"))


@blueprint.post("/jobs/<job_id>/priority")
@permit(Action.JOBS_MANAGE)
def priority(job_id: str) -> Response:
    with writing() as session:
        service.set_priority(session, caller(), job_id, service.level_named(request.form.get("level", "")))
    return redirect(url_for("transcode.jobs"))


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
