"""The rules of jobs, in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from server.catalog.models import Asset, AssetState
from server.db import Database, new_id
from server.errors import Conflict, Forbidden, NotFound
from server.identity.rules import Caller, Role
from server.transcode import executors, partrows, queueing, service, work
from server.transcode.errors import MediaRefused, Reason
from server.transcode.models import Executor
from server.transcode.queueing import Priority
from server.transcode.results import Progress
from server.transcode.service import JobView
from server.transcode.states import MOVES, ExecutorState, JobState, may_move, sources
from server.transcode.work import Turn

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
TECHNICIAN = Caller(id=new_id(), username="t", name="技术员", grants=((Role.TECHNICIAN, "13"),))
PARTNER = Caller(id=new_id(), username="p", name="资源单位", grants=((Role.PARTNER, "13"),))
COUNTY = Caller(id=new_id(), username="c", name="县技术员", grants=((Role.TECHNICIAN, "130123"),))

Upload = Callable[..., str]


@pytest.fixture
def upload(database: Database) -> Upload:
    def make(name: str = "片.mp4", size: int = 1000, by: Caller = PARTNER) -> str:
        with database.write() as session:
            asset = Asset(filename=name, path=f"uploads/{name}", size=size, sha256="0" * 64, uploaded_by=by.id,
                          created_at=NOW)  # fmt: skip
            session.add(asset)
            session.flush()
            return asset.id

    return make


def view(database: Database, asset: str) -> JobView:
    with database.read() as session:
        found = service.job_view(session, asset)
    assert found is not None
    return found


def begin(database: Database, asset: str, executor: str = "w1") -> Turn | None:
    with database.write() as session:
        queueing.take_uploads(session, now=NOW)
    job = view(database, asset)
    with database.write() as session:
        for job_id, workflow_id, _, _ in queueing.waiting_jobs(session):
            queueing.note_enqueued(session, job_id, workflow_id)
    with database.write() as session:
        round_ = int(workflow_of(session, job.id).rpartition("-")[2])
        return work.begin(session, job.id, queueing.name_workflow(job.id, round_), executor, now=NOW)


def workflow_of(session: object, job_id: str) -> str:
    from server.transcode.models import TranscodeJob

    return session.get_one(TranscodeJob, job_id).workflow_id


def begun(database: Database, asset: str) -> Turn:
    turn = begin(database, asset)
    assert turn is not None
    return turn


def test_every_upload_gets_one_job(database: Database, upload: Upload) -> None:
    asset = upload()
    with database.write() as session:
        assert len(queueing.take_uploads(session, now=NOW)) == 1
        assert queueing.take_uploads(session, now=NOW) == []
    assert view(database, asset).state is JobState.QUEUED


def test_small_files_come_first_and_long_ones_have_their_own_lane(database: Database, upload: Upload) -> None:
    upload("lecture.mp4", size=3_000_000_000)
    upload("news.mp4", size=20_000_000)
    with database.write() as session:
        queueing.take_uploads(session, now=NOW)
        waiting = queueing.waiting_jobs(session)
    assert [lane for _, _, lane, _ in waiting] == [queueing.LANE_REVIEW] * 2
    assert waiting[0][3] < waiting[1][3]
    assert [queueing.lane_for(size, None) for size in (20_000_000, 3_000_000_000)] == [
        queueing.LANE_SHORT, queueing.LANE_LONG,
    ]  # fmt: skip
    hours_3, minutes_3 = 3 * 3_600_000, 3 * 60_000
    assert queueing.lane_for(20_000_000, hours_3) == queueing.LANE_LONG
    orders = [
        queueing.priority_for(level, 5_000_000_000, length)
        for level in (Priority.URGENT, Priority.NORMAL, Priority.LOW)
        for length in (minutes_3, hours_3)
    ]
    assert orders == sorted(orders)
    assert [queueing.level_of(order) for order in orders[::2]] == list(Priority)


def test_an_earlier_execution_has_no_effect_once_another_began(database: Database, upload: Upload) -> None:
    asset = upload()
    late, current = begun(database, asset), begun(database, asset)
    with database.write() as session:
        assert not work.holds(session, late)
        assert not work.record_progress(session, late, Progress("encode", 50.0), now=NOW)
        assert not work.finish(session, late, [], [], duration_ms=1, probe={}, now=NOW)
        assert not work.refuse(session, late, MediaRefused(Reason.DAMAGED, "片.mp4"), now=NOW)
        assert not work.fail(session, late, "x", "坏", "bad", now=NOW)
        assert work.holds(session, current)
        assert work.finish(session, current, [], [], duration_ms=1, probe={}, now=NOW)
    assert view(database, asset).state is JobState.DONE


def test_after_three_attempts_a_job_is_failed(database: Database, upload: Upload) -> None:
    asset = upload("毒.mp4")
    for _ in range(3):
        begun(database, asset)
    assert begin(database, asset) is None
    job = view(database, asset)
    assert (job.state, job.error_code) == (JobState.FAILED, "too_many_attempts")
    assert "毒.mp4" in str(job.error_text)
    assert "毒.mp4" in str(job.error_text_en)


def test_a_worker_that_stops_in_good_order_costs_no_attempt(database: Database, upload: Upload) -> None:
    asset = upload()
    for _ in range(5):
        begun(database, asset)
        with database.write() as session:
            work.note_interruptions(session, "w1")
    assert view(database, asset).state is JobState.RUNNING


def test_a_cancelled_job_can_be_retried_and_the_cancelled_execution_stays_powerless(
    database: Database, upload: Upload
) -> None:
    asset = upload()
    old = begun(database, asset)
    with database.write() as session:
        service.cancel(session, TECHNICIAN, old.job_id, now=NOW)
    with database.write() as session:
        assert session.get_one(Asset, asset).state == AssetState.FAILED
        service.retry(session, TECHNICIAN, old.job_id)
    new = begun(database, asset)
    assert new.attempt > old.attempt
    with database.write() as session:
        assert not work.holds(session, old)
        assert work.finish(session, new, [], [], duration_ms=1, probe={}, now=NOW)
        assert session.get_one(Asset, asset).state == AssetState.READY


def test_a_job_that_is_over_can_be_neither_cancelled_nor_retried(database: Database, upload: Upload) -> None:
    asset = upload()
    turn = begun(database, asset)
    with database.write() as session:
        work.finish(session, turn, [], [], duration_ms=1, probe={}, now=NOW)
    for move in (service.retry, service.make_urgent):
        with database.write() as session, pytest.raises(Conflict):
            move(session, TECHNICIAN, turn.job_id)
    with database.write() as session, pytest.raises(Conflict):
        service.cancel(session, TECHNICIAN, turn.job_id, now=NOW)


def test_others_see_the_jobs_of_their_own_files_only(database: Database, upload: Upload) -> None:
    asset = upload(by=PARTNER)
    turn = begun(database, asset)
    with database.read() as session:
        assert len(service.list_jobs(session, PARTNER)) == 1
        assert len(service.list_jobs(session, TECHNICIAN)) == 1
        assert service.list_jobs(session, COUNTY) == []
        with pytest.raises(NotFound):
            service.get_job(session, COUNTY, turn.job_id)
    with database.write() as session, pytest.raises(Forbidden):
        service.cancel(session, PARTNER, turn.job_id, now=NOW)
    with database.write() as session, pytest.raises(NotFound):
        service.cancel(session, COUNTY, turn.job_id, now=NOW)


def test_a_worker_is_as_silent_as_the_databases_clock_says(database: Database) -> None:
    with database.write() as session:
        started = NOW - timedelta(days=400)  # the worker's own clock does not matter
        executors.register_executor(
            session, Executor(id="w1", host="h", pid=1, process_started=1, started_at=started)
        )
    with database.read() as session:
        (seen,) = executors.executors(session)
        assert seen.silent_s < 5
    with database.write() as session:
        assert executors.heartbeat(session, "w1")
        assert executors.leave(session, "w1", ExecutorState.DEAD)
        assert not executors.heartbeat(session, "w1")
        executors.revive(session, "w1")
        assert executors.heartbeat(session, "w1")


def test_a_part_belongs_to_its_last_execution(database: Database, upload: Upload) -> None:
    turn = begun(database, upload())
    with database.write() as session:
        first = partrows.begin_part(session, turn.job_id, turn.round, "encode-00000", "w1")
        second = partrows.begin_part(session, turn.job_id, turn.round, "encode-00000", "w2")
        assert first is not None
        assert second is not None
        partrows.record_part(session, first, ended=True)
        assert partrows.parts_of(session, turn.job_id, turn.round).ended == frozenset()
        assert not partrows.holds_part(session, first)
        assert partrows.holds_part(session, second)
        assert partrows.begin_part(session, turn.job_id, turn.round + 1, "encode-00000", "w1") is None


def test_the_table_of_moves_has_no_way_out_of_refused_and_only_a_new_encoding_out_of_done() -> None:
    assert set(MOVES) == set(JobState)
    assert MOVES[JobState.DONE] == {JobState.QUEUED}
    assert not MOVES[JobState.REFUSED]
    assert may_move(JobState.FAILED, JobState.QUEUED)
    assert set(sources(JobState.CANCELLED)) == {JobState.QUEUED, JobState.RUNNING}
