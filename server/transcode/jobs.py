"""The worker's transcoding: takes uploads, runs jobs as durable workflows, takes over from workers that died.

Threads beside the durable queue's own: a heartbeat (1 s), and a round (1 s) that turns uploads into jobs, enqueues
waiting jobs, and resumes what dead workers left. A worker is dead when its process is gone (same machine, known at
once) or when it has been silent for LEASE_S by the database's clock. DBOS does not resume a dead executor's work by
itself; that is why.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server import clock
from server.catalog import renditions
from server.config import Config
from server.db import Database
from server.storage import open_store
from server.transcode import executors, queueing, tidy, work, workflow
from server.transcode.durable import Bench, Result
from server.transcode.errors import FfmpegMissing
from server.transcode.exchange import open_exchange
from server.transcode.executors import ExecutorView
from server.transcode.ffmpeg import find_binaries, why_not
from server.transcode.models import Executor
from server.transcode.parts import run_part
from server.transcode.profiles import PROFILES, Codec, Profile, chosen
from server.transcode.runner import describe_protections
from server.transcode.states import ExecutorState
from server.transcode.work import Turn

log = logging.getLogger(__name__)

APPLICATION_VERSION = "transcode-1"
"""Fixed: a new release goes on with the old one's workflows. Change it only when the steps change."""
HEARTBEAT_S = 1.0
ROUND_S = 1.0
LEASE_S = 6.0
QUEUE_POLL_S = 0.5
PARTS_POLL_S = 0.25
MANY_CORES = 4
"""From here on one part's encoders leave cores idle, and a worker does two at once. On fewer a second part would only
slow the first down, and at the end lie unfinished with one worker while another has nothing to do."""
STOP_PATIENCE_S = 3.0
TIDY_EVERY_S = 600.0
TIDY_AT_ONCE = 1000
KEEP_ENDED = timedelta(days=7)
PROFILES_SETTING = "YUANBO_PROFILES"


class WorkerStopping(BaseException):
    """Ends an execution without an outcome: the workflow stays pending and is resumed. Not an Exception, because
    DBOS records those as the workflow's failure.
    """


class Worker:
    """One worker process's part in transcoding."""

    def __init__(self, config: Config) -> None:
        self.executor_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._config = config
        self._database = Database(config.database_url)
        self._stopping = threading.Event()
        self._look = threading.Event()
        self._idle = threading.Condition()
        self._running = 0
        self._threads: list[threading.Thread] = []
        self.store = open_store(config)
        self._tidied_at = 0.0
        self._bench = Bench(
            database=self._database,
            store=self.store,
            data=config.data,
            work=config.run / "transcode",
            is_stopping=self._raise_when_stopping,
            profiles=_wanted_profiles(),
            exchange=open_exchange(config, self.store),
        )

    def start(self) -> None:
        """Take part. Raises FfmpegMissing where nothing can be encoded."""
        binaries = find_binaries()
        log.info("ffmpeg %s from %s: %s", binaries.version, binaries.source, binaries.ffmpeg)
        log.info("%s", describe_protections())
        log.info("profiles: %s", ", ".join(profile.name for profile in self._bench.profiles))
        self._bench.work.mkdir(parents=True, exist_ok=True)
        self._register()
        _launch_dbos(self._config, self.executor_id)
        for name, every_s, action in (
            ("heartbeat", HEARTBEAT_S, self._beat),
            ("round", ROUND_S, self._make_round),
        ):
            pause = self._look if action == self._make_round else self._stopping
            thread = threading.Thread(
                target=self._repeat, args=(pause, every_s, action), name=name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop within five seconds: kill what runs, leave it to the next worker."""
        self._stopping.set()
        self._look.set()
        with contextlib.suppress(DBAPIError), self._database.write() as session:
            work.note_interruptions(session, self.executor_id)
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=STOP_PATIENCE_S)
        with contextlib.suppress(DBAPIError), self._database.write() as session:
            executors.leave(session, self.executor_id, ExecutorState.STOPPED)
        DBOS.destroy(workflow_completion_timeout_sec=0)
        for thread in self._threads:
            thread.join(timeout=1)
        self._database.close()

    def execute(self, job_id: str, workflow_id: str) -> str:
        """Run one job; called by the durable workflow in one of its threads."""
        try:
            with self._counted():
                return workflow.run_job(
                    self._bench, job_id, workflow_id, self.executor_id, DbosDurable(workflow_id)
                )
        finally:
            self._look.set()  # its ladder may be waiting now

    def execute_part(self, job_id: str, round_: int, name: str, order: str) -> str:
        """Do one part of a job, likewise."""
        with self._counted():
            return run_part(self._bench, job_id, round_, name, order, self.executor_id)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _raise_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise WorkerStopping

    def _register(self) -> None:
        with self._database.write() as session:
            executors.register_executor(
                session,
                Executor(
                    id=self.executor_id, host=this_host(), pid=os.getpid(),
                    process_started=process_start(os.getpid()) or 0, started_at=clock.now(),
                ),
            )  # fmt: skip

    def _repeat(self, pause: threading.Event, every_s: float, action: Callable[[], None]) -> None:
        """Until we stop: every so often, or at once when ``pause`` is set."""
        while True:
            pause.wait(every_s)
            if self._stopping.is_set():
                return
            pause.clear()
            try:
                action()
            except DBAPIError as error:
                log.warning("the database is away: %s", str(error.orig).strip())
            except Exception:  # this loop's outermost tick: it must go on
                if not self._stopping.is_set():
                    log.exception("a round of the worker failed")

    def _beat(self) -> None:
        with self._database.write() as session:
            if not executors.heartbeat(session, self.executor_id):
                log.warning("declared dead by another worker; what it took over is lost to us")
                executors.revive(session, self.executor_id)

    def _make_round(self) -> None:
        with self._database.read() as session:
            uploads = renditions.waiting_assets(session, limit=10)
        reachable = [one.id for one in uploads if self._bench.exchange.offer_source(one.path, one.sha256)]
        with self._database.write() as session:
            queueing.take_uploads(session, now=clock.now(), only=reachable)
            queueing.take_cuts(session, now=clock.now())
            self._declare_dead(session)
        with self._database.read() as session:
            waiting = queueing.waiting_jobs(session)
        for job_id, workflow_id, lane, priority in waiting:
            with SetWorkflowID(workflow_id), SetEnqueueOptions(priority=priority):
                DBOS.enqueue_workflow(lane, transcode, job_id)
            with self._database.write() as session:
                queueing.note_enqueued(session, job_id, workflow_id)
        self._resume_abandoned()
        if time.monotonic() - self._tidied_at > TIDY_EVERY_S:
            self._tidied_at = time.monotonic()
            self._tidy()

    def _tidy(self) -> None:
        """Forget what ended long ago: finished workflows with their steps, parts, workers, fetched sources."""
        before = clock.now() - KEEP_ENDED
        with self._database.write() as session:
            tidy.forget(session, before)
        forget_workflows(before)
        self._bench.exchange.forget(before)

    def _declare_dead(self, session: Session) -> None:
        for one in executors.executors(session):
            if one.state is ExecutorState.ALIVE and one.id != self.executor_id and is_dead(one):
                log.warning("worker %s is gone (silent for %.1f s)", one.id, one.silent_s)
                executors.leave(session, one.id, ExecutorState.DEAD)

    def _resume_abandoned(self) -> None:
        """Put back into their queue the workflows whose worker is not alive."""
        pending = DBOS.list_workflows(
            status="PENDING", name=[WORKFLOW_NAME, PART_NAME], load_input=False, load_output=False
        )
        if not pending:
            return
        with self._database.read() as session:
            alive = {one.id for one in executors.executors(session) if one.state is ExecutorState.ALIVE}
        for one in pending:
            if one.executor_id not in alive:
                log.info("taking over %s from %s", one.workflow_id, one.executor_id)
                DBOS.resume_workflow(one.workflow_id, queue_name=one.queue_name or queueing.LANE_SHORT)


def forget_workflows(before: datetime) -> int:
    """Delete finished workflows that ended before; returns how many. Their outcomes are the jobs' rows."""
    ended = DBOS.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
        completed_before=before.isoformat(), limit=TIDY_AT_ONCE, load_input=False, load_output=False,
    )  # fmt: skip
    if ended:
        DBOS.delete_workflows([one.workflow_id for one in ended])
    return len(ended)


def _wanted_profiles() -> tuple[Profile, ...]:
    """What YUANBO_PROFILES names (default: the ladder), without what this machine's ffmpeg cannot make.

    Raises FfmpegMissing on an unknown name, or where nothing is left.
    """
    try:
        wanted = chosen(os.environ.get(PROFILES_SETTING, "").replace(",", " ").split())
    except KeyError as error:
        raise FfmpegMissing(
            f"{PROFILES_SETTING} names {error}, which is none of {', '.join(PROFILES)}"
        ) from error
    made = []
    for profile in wanted:
        if reason := why_not(profile.codec):
            log.error("profile %s is left out: %s", profile.name, reason)
        else:
            made.append(profile)
    if not any(profile.codec is Codec.H264 for profile in made):
        raise FfmpegMissing(f"{PROFILES_SETTING} must name at least one H.264 profile, which every box plays")
    return tuple(made)


def this_host() -> str:
    """This machine since its last start, and the process table we see: containers on one machine differ."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"[:120]
    except OSError:
        return socket.gethostname()[:120]


def process_start(pid: int) -> int | None:
    """When a process of this machine started, in clock ticks since boot; None when there is none or it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def is_dead(executor: ExecutorView) -> bool:
    """Silent beyond the lease, or a process of this machine that is no more."""
    if executor.silent_s > LEASE_S:
        return True
    return executor.host == this_host() and process_start(executor.pid) != executor.process_started


def _launch_dbos(config: Config, executor_id: str) -> None:
    url = config.jobs_database_url
    if url.startswith("sqlite:///"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    settings: DBOSConfig = {
        "name": "yuanbo",
        "system_database_url": url,
        "executor_id": executor_id,
        "application_version": APPLICATION_VERSION,
        "log_level": "WARNING",
        "serializer": DBOSPortableJSONSerializer(),
    }
    DBOS(config=settings)
    queues = [*queueing.LANES, queueing.PARTS_QUEUE]
    DBOS.listen_queues(queues)
    DBOS.launch()
    for queue in queues:
        is_parts = queue == queueing.PARTS_QUEUE
        DBOS.register_queue(
            queue,
            worker_concurrency=_parts_at_once() if is_parts else 1,
            polling_interval_sec=PARTS_POLL_S if is_parts else QUEUE_POLL_S,
        )


def _parts_at_once() -> int:
    return 2 if len(os.sched_getaffinity(0)) >= MANY_CORES else 1


WORKFLOW_NAME, PART_NAME = "transcode", "transcode-part"


@DBOS.workflow(name=WORKFLOW_NAME)
def transcode(job_id: str) -> str:
    """The durable workflow of one round of a job. Its outcome is the job's row, not what it returns."""
    if _worker is None or DBOS.workflow_id is None:
        raise RuntimeError("transcoding was not started in this process")
    return _worker.execute(job_id, DBOS.workflow_id)


@DBOS.workflow(name=PART_NAME)
def transcode_part(job_id: str, round_: int, name: str, order: str) -> str:
    """A part of a long job, on whichever worker is free."""
    if _worker is None:
        raise RuntimeError("transcoding was not started in this process")
    return _worker.execute_part(job_id, round_, name, order)


class DbosDurable:
    """Steps and parts of one workflow, kept by DBOS."""

    def __init__(self, workflow_id: str) -> None:
        self._workflow_id = workflow_id

    def step(self, name: str, action: Callable[[], str]) -> str:
        return DBOS.run_step({"name": name}, action)

    def begin_part(self, turn: Turn, name: str, order: str) -> Result:
        with SetWorkflowID(f"{self._workflow_id}-{name}"), SetEnqueueOptions(priority=turn.priority):
            handle = DBOS.enqueue_workflow(
                queueing.PARTS_QUEUE, transcode_part, turn.job_id, turn.round, name, order
            )
        return lambda: handle.get_result(polling_interval_sec=QUEUE_POLL_S)


_worker: Worker | None = None


def start(config: Config) -> None:
    """Begin to transcode in this process."""
    global _worker  # noqa: PLW0603 -- DBOS is one per process, and so is its worker
    _worker = Worker(config)
    _worker.start()


def stop() -> None:
    """End within five seconds; media tools are killed, their jobs are resumed by the next worker."""
    global _worker  # noqa: PLW0603
    if _worker is not None:
        _worker.stop()
        _worker = None
