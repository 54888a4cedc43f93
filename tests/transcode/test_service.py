"""The rules of jobs, in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from server.catalog import renditions
from server.catalog.models import Asset, AssetState, Edition, Programme, Section
from server.catalog.recipe import Recipe
from server.catalog.renditions import REVIEW_PROFILE, NewFile, NewRendition
from server.db import Database, new_id
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity.message_models import Message
from server.identity.models import Account
from server.identity.rules import Caller
from server.identity.rules import Role as Office
from server.transcode import executors, partrows, queueing, service, tidy, work
from server.transcode.errors import MediaRefused, Reason
from server.transcode.ladder import Role
from server.transcode.models import Executor, TranscodeJob
from server.transcode.profiles import PROFILES
from server.transcode.queueing import Priority
from server.transcode.results import Progress
from server.transcode.service import JobView
from server.transcode.states import MOVES, ExecutorState, JobState, Phase, may_move, sources
from server.transcode.work import Turn
from tests.stations.office import add_regions

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
TECHNICIAN = Caller(id=new_id(), username="t", name="技术员", grants=((Office.TECHNICIAN, "13"),))
PARTNER = Caller(id=new_id(), username="p", name="资源单位", grants=((Office.PARTNER, "13"),))
COUNTY = Caller(id=new_id(), username="c", name="县技术员", grants=((Office.TECHNICIAN, "130123"),))

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


# --- phases, cuts, priorities, new versions ---------------------------------------------------------------------------
def output(profile: str = "360p", version: int = 1, mark: str = "a") -> NewRendition:
    return NewRendition(profile, version, mark * 64, 10, mark * 64, 640, 360, 1000, 5000)


def reviewed(database: Database, asset: str) -> None:
    """The review copy is made."""
    turn = begun(database, asset)
    assert turn.phase is Phase.REVIEW
    copy = (
        output(REVIEW_PROFILE, mark="f"),
        NewFile("playlist", "e" * 64, 10, "e" * 64, profile=REVIEW_PROFILE),
    )
    with database.write() as session:
        assert work.finish_review(session, turn, copy, prepared="{}", duration_ms=5000, now=NOW)


def encoded(database: Database, asset: str, *made: NewRendition) -> None:
    turn = begun(database, asset)
    assert turn.phase is Phase.LADDER
    with database.write() as session:
        assert work.finish(session, turn, made, [], duration_ms=5000, probe={}, now=NOW)


def test_the_review_copy_is_there_before_the_ladder_and_stands_apart_from_it(
    database: Database, upload: Upload
) -> None:
    asset = upload()
    reviewed(database, asset)
    job = view(database, asset)
    assert (job.state, job.phase, job.percent) == (JobState.QUEUED, Phase.LADDER, 0.0)
    with database.read() as session:
        copy = renditions.review_copy(session, asset)
        assert copy is not None
        assert (copy.media.sha256, copy.playlist.sha256) == ("f" * 64, "e" * 64)
        assert renditions.renditions_of(session, asset) == []
        assert session.get_one(Asset, asset).state == AssetState.PROCESSING
    encoded(database, asset, output())
    with database.read() as session:
        assert [one.profile for one in renditions.renditions_of(session, asset)] == ["360p"]
        assert renditions.files_of(session, asset) == []
        assert renditions.review_copy(session, asset) is not None


def test_both_phases_are_one_progress_of_the_file(database: Database, upload: Upload) -> None:
    asset = upload()
    turn = begun(database, asset)
    seen = []
    for phase, percent in (
        (Phase.REVIEW, 50.0),
        (Phase.REVIEW, 100.0),
        (Phase.LADDER, 0.0),
        (Phase.LADDER, 100.0),
    ):
        seen.append(work.asset_percent(phase, percent))
    assert seen == [5, 10, 10, 100]
    with database.write() as session:
        assert work.record_progress(session, turn, Progress("review", 50.0), now=NOW)
        assert session.get_one(Asset, asset).progress == 5


@pytest.fixture
def programme(database: Database) -> str:
    add_regions(database)
    with database.write() as session:
        session.add(Section(slug="farm", name="农技", name_en="Farming", position=1))
        session.flush()
        made = Programme(
            title="冬小麦", section="farm", region="13", created_by=PARTNER.id, created_at=NOW, updated_at=NOW
        )
        session.add(made)
        session.flush()
        return made.id


def edition(database: Database, programme: str, asset: str, number: int, cut: Recipe) -> str:
    with database.write() as session:
        made = Edition(programme_id=programme, number=number, asset_id=asset, recipe=cut.plain(),
                       recipe_sha256=cut.sha256, contributor_id=PARTNER.id, created_at=NOW)  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def test_a_cut_that_editions_need_is_encoded_once_and_changes_nothing_of_its_source(
    database: Database, upload: Upload, programme: str
) -> None:
    asset = upload()
    cut = Recipe(in_ms=1000, out_ms=4000)
    edition(database, programme, asset, 1, cut)
    edition(database, programme, asset, 2, cut)
    with database.write() as session:
        assert queueing.take_cuts(session, now=NOW) == [], "its source is not accepted yet"
    reviewed(database, asset)
    encoded(database, asset, output())
    with database.write() as session:
        (job_id,) = queueing.take_cuts(session, now=NOW)
        assert queueing.take_cuts(session, now=NOW) == []
        session.execute(update(TranscodeJob).where(TranscodeJob.id == job_id).values(workflow_id="w"))
        turn = work.begin(session, job_id, "w", "w1", now=NOW)
        assert turn is not None
        assert (turn.recipe, turn.phase, turn.is_whole, turn.prepared) == (cut, Phase.LADDER, False, "{}")
        assert not work.fail(session, replace(turn, attempt=9), "x", "坏", "bad", now=NOW)
        assert work.finish(session, turn, [output(mark="b")], [], duration_ms=3000, probe={"x": 1}, now=NOW)
        row = session.get_one(Asset, asset)
        assert (row.state, row.duration_ms, row.probe) == (AssetState.READY, 5000, {})
        assert [one.sha256 for one in renditions.renditions_of(session, asset, cut.sha256)] == ["b" * 64]
        assert [one.sha256 for one in renditions.renditions_of(session, asset)] == ["a" * 64]


def test_a_recipe_names_its_intro_by_its_bytes(database: Database, upload: Upload, programme: str) -> None:
    asset, intro = upload(), upload("片头.mp4")
    with database.write() as session:
        session.get_one(Asset, intro).sha256 = "1" * 64
        session.get_one(Asset, asset).state = AssetState.READY
    edition(database, programme, asset, 1, Recipe(intro="1" * 64, outro="2" * 64))
    with database.write() as session:
        (job_id,) = queueing.take_cuts(session, now=NOW)
        turn = work.begin(session, job_id, "w", "w1", now=NOW)
    assert turn is not None
    assert {role: one.filename for role, one in turn.around.items()} == {Role.INTRO: "片头.mp4"}


def test_a_waiting_job_is_given_another_place_and_a_running_one_is_not(
    database: Database, upload: Upload
) -> None:
    asset = upload()
    with database.write() as session:
        queueing.take_uploads(session, now=NOW)
    job = view(database, asset)
    for level in (Priority.LOW, Priority.URGENT, Priority.NORMAL):
        with database.write() as session:
            assert service.set_priority(session, TECHNICIAN, job.id, level).level is level
    with database.write() as session, pytest.raises(Invalid):
        service.level_named("first")
    begun(database, asset)
    with database.write() as session, pytest.raises(Conflict):
        service.set_priority(session, TECHNICIAN, job.id, Priority.URGENT)


def test_an_entry_of_the_queue_is_void_once_the_job_has_another_place(
    database: Database, upload: Upload
) -> None:
    asset = upload()
    with database.write() as session:
        queueing.take_uploads(session, now=NOW)
        ((job_id, old, _, _),) = queueing.waiting_jobs(session)
    with database.write() as session:
        service.set_priority(session, TECHNICIAN, job_id, Priority.URGENT)
        queueing.note_enqueued(session, job_id, old)
        ((_, new, _, _),) = queueing.waiting_jobs(session)
        queueing.note_enqueued(session, job_id, new)
        assert work.begin(session, job_id, old, "w1", now=NOW) is None
        assert work.begin(session, job_id, new, "w1", now=NOW) is not None
    assert asset


def test_what_an_old_profile_made_is_encoded_again_last_and_replaced_whole(
    database: Database, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = upload()
    reviewed(database, asset)
    encoded(database, asset, output(mark="a"))
    with database.write() as session:
        assert service.encode_outdated_anew(session, TECHNICIAN) == []
    monkeypatch.setitem(PROFILES, "360p", replace(PROFILES["360p"], version=2))
    with database.write() as session:
        (again,) = service.encode_outdated_anew(session, TECHNICIAN)
        assert (again.state, again.level, again.phase) == (JobState.QUEUED, Priority.LOW, Phase.LADDER)
        assert [one.sha256 for one in renditions.renditions_of(session, asset)] == ["a" * 64], "still in use"
        assert session.get_one(Asset, asset).state == AssetState.READY
    with database.write() as session, pytest.raises(Forbidden):
        service.encode_outdated_anew(session, COUNTY)
    encoded(database, asset, output(version=2, mark="b"))
    with database.read() as session:
        assert [one.sha256 for one in renditions.renditions_of(session, asset)] == ["b" * 64]


def test_parts_and_workers_of_long_ago_are_forgotten_and_jobs_are_not(
    database: Database, upload: Upload
) -> None:
    asset = upload()
    turn = begun(database, asset)
    with database.write() as session:
        partrows.begin_part(session, turn.job_id, turn.round, "encode-00000", "w1")
        for name in ("gone", "here"):
            row = Executor(id=name, host="h", pid=1, process_started=1, started_at=NOW)
            executors.register_executor(session, row)
        executors.leave(session, "gone", ExecutorState.STOPPED)
    with database.write() as session:
        tidy.forget(session, NOW + timedelta(days=36500))
        assert partrows.parts_of(session, turn.job_id, turn.round).count == 1, "the job is still running"
        work.finish(session, turn, [], [], duration_ms=1, probe={}, now=NOW)
        tidy.forget(session, NOW - timedelta(days=1))
        assert partrows.parts_of(session, turn.job_id, turn.round).count == 1, "not long ago"
        tidy.forget(session, NOW + timedelta(days=36500))
        assert partrows.parts_of(session, turn.job_id, turn.round).count == 0
        assert [one.id for one in executors.executors(session)] == ["here"]
    assert view(database, asset).state is JobState.DONE


def test_whoever_uploaded_a_refused_file_is_told_where_the_reason_stands(
    database: Database, upload: Upload
) -> None:
    add_regions(database)
    with database.write() as session:
        account = Account(username="li", name="李", password_hash="x", created_at=NOW)
        session.add(account)
        session.flush()
        uploader = Caller(id=account.id, username="li", name="李", grants=())
    turn = begun(database, upload("坏.mp4", by=uploader))
    with database.write() as session:
        assert work.refuse(session, turn, MediaRefused(Reason.TRUNCATED, "坏.mp4"), now=NOW)
        (message,) = session.scalars(select(Message))
        assert (message.account_id, message.link) == (uploader.id, f"/jobs/{turn.job_id}")
        assert message.params == {"name": "坏.mp4"}
