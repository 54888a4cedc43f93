"""Real worker processes on both databases: killed, frozen, stopped, cancelled; every job ends exactly once."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from server import clock
from server.catalog import renditions
from server.catalog.models import Asset, AssetState, Rendition
from server.config import Config, S3Settings
from server.db import Database, new_id
from server.storage import open_store
from server.transcode import executors, service
from server.transcode.models import TranscodePart
from server.transcode.service import JobView
from server.transcode.states import JobState
from tests.conftest import make_tables
from tests.transcode.clips import ffmpeg
from tools.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]
FIRST = 2
"""The attempt that encodes the ladder first: the one before it made the review copy."""
FILES = 8
"""One playlist, four posters, the storyboard's sheet and track, the preview."""


class Platform:
    """A data folder with its database, and worker processes on it."""

    def __init__(self, data: Path, database_url: str, s3: S3Settings | None = None) -> None:
        jobs_url = (
            database_url if database_url.startswith("postgresql") else f"sqlite:///{data / 'jobs.sqlite'}"
        )
        self.config = Config(data=data, database_url=database_url, jobs_database_url=jobs_url, s3=s3)
        self.config.make_folders()
        self.database = Database(database_url)
        self.workers: list[subprocess.Popen[bytes]] = []

    def environment(self) -> dict[str, str]:
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "YUANBO_DATA": str(self.config.data),
            "YUANBO_DATABASE_URL": self.config.database_url,
            "YUANBO_JOBS_DATABASE_URL": self.config.jobs_database_url,
        }  # fmt: skip
        if s3 := self.config.s3:
            environment |= {
                "YUANBO_S3_ENDPOINT": s3.endpoint, "YUANBO_S3_BUCKET": s3.bucket, "YUANBO_S3_ACCESS_KEY": s3.access_key,
                "YUANBO_S3_SECRET_KEY": s3.secret_key, "YUANBO_S3_SECURE": "1" if s3.secure else "0",
            }  # fmt: skip
        return environment

    def start_worker(self) -> subprocess.Popen[bytes]:
        with (self.config.logs / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "server.worker"], env=self.environment(), cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.workers.append(worker)
        return worker

    def upload(self, source: Path) -> str:
        target = self.config.uploads / f"{new_id()}"
        shutil.copyfile(source, target)
        with self.database.write() as session:
            asset = Asset(
                filename=source.name, path=str(target.relative_to(self.config.data)), size=target.stat().st_size,
                sha256=hashlib.sha256(target.read_bytes()).hexdigest(), uploaded_by=new_id(), created_at=clock.now(),
            )  # fmt: skip
            session.add(asset)
            session.flush()
            return asset.id

    def job(self, asset_id: str) -> JobView | None:
        with self.database.read() as session:
            return service.job_view(session, asset_id)

    def wait(self, asset_id: str, until: Callable[[JobView], bool], *, seconds: float = 60) -> JobView:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.job(asset_id)
            if job is not None and until(job):
                return job
            time.sleep(0.1)
        log = (self.config.logs / "worker.log").read_text()[-4000:]
        raise AssertionError(f"waited {seconds} s for {asset_id}, now {self.job(asset_id)}\n{log}")

    def wait_for_end(self, asset_id: str, *, seconds: float = 90) -> JobView:
        return self.wait(asset_id, lambda job: not job.is_active, seconds=seconds)

    def wait_for_encoding(self, asset_id: str, *, attempt: int = FIRST) -> JobView:
        return self.wait(asset_id, lambda job: job.step == "encode" and job.attempt == attempt)

    def wait_until_tidy(self, *, seconds: float = 30) -> None:
        """Folders of ended jobs are swept after the job's end is recorded."""
        folder = self.config.run / "transcode"
        ends = time.monotonic() + seconds
        while list(folder.iterdir()):
            assert time.monotonic() < ends, f"left behind: {list(folder.iterdir())}"
            time.sleep(0.05)

    def wait_for_workers(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with self.database.read() as session:
                if executors.count_alive(session) == count:
                    return
            time.sleep(0.1)
        raise AssertionError("the workers did not start")

    def wait_for_parts(
        self, asset_id: str, until: Callable[[Sequence[TranscodePart]], bool]
    ) -> Sequence[TranscodePart]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = self.job(asset_id)
            with self.database.read() as session:
                parts = session.scalars(
                    select(TranscodePart).where(TranscodePart.job_id == (job.id if job else new_id()))
                ).all()
            if until([part for part in parts if part.ended]):
                return parts
            time.sleep(0.05)
        raise AssertionError(f"no such parts; now {self.job(asset_id)}")

    def recorded(self, asset_id: str) -> tuple[str, list[str], int]:
        with self.database.read() as session:
            state = session.get_one(Asset, asset_id).state
            profiles = [one.profile for one in renditions.renditions_of(session, asset_id)]
            return state, profiles, len(renditions.files_of(session, asset_id))

    def has_review_copy(self, asset_id: str) -> bool:
        with self.database.read() as session:
            return renditions.review_copy(session, asset_id) is not None

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait()
        self.database.close()


@pytest.fixture
def platform(tmp_path: Path, database_url: str) -> Iterator[Platform]:
    opened = Platform(tmp_path / "data", database_url)
    yield opened
    opened.close()


@pytest.fixture
def small_platform(tmp_path: Path, sqlite_url: str) -> Iterator[Platform]:
    """On SQLite alone: for what `test_service.py` holds on both databases and only the processes are new here."""
    opened = Platform(tmp_path / "data", sqlite_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with one small rendition that still takes a second or two to encode."""
    path = tmp_path_factory.mktemp("source") / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "mandelbrot=size=640x360:rate=25", "-f", "lavfi", "-i", "sine=frequency=440", "-t",
           "16", "-c:v", "libx264", "-preset", "ultrafast", path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film just long enough to be encoded in parts."""
    path = tmp_path_factory.mktemp("film") / "long.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=480x270:rate=25", "-f", "lavfi", "-i", "sine=frequency=440", "-t",
           "66", "-c:v", "libx264", "-preset", "ultrafast", path)  # fmt: skip
    return path


def media_tools_below(folder: Path) -> list[str]:
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    pids = [
        line.split()[0] for line in found.splitlines() if "ffmpeg-linux" in line or "ffprobe-linux" in line
    ]
    below = []
    for pid in pids:
        try:
            cwd = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            continue
        if cwd.is_relative_to(folder):
            below.append(pid)
    return below


def test_an_upload_becomes_renditions_in_the_store(platform: Platform, media: Path) -> None:
    asset = platform.upload(media / "carphone_pristine.mp4")
    refused = platform.upload(ROOT / "pyproject.toml")
    platform.start_worker()
    assert platform.wait_for_end(asset).state is JobState.DONE
    assert platform.recorded(asset) == (AssetState.READY, ["360p"], FILES)
    store = open_store(platform.config)
    with platform.database.read() as session:
        for one in session.scalars(select(Rendition)):
            stored = b"".join(store.chunks(f"m/{one.sha256}"))
            assert (hashlib.sha256(stored).hexdigest(), len(stored)) == (one.sha256, one.length)
            assert store.exists(f"p/{one.pieces_root}")
    job = platform.wait_for_end(refused)
    assert (job.state, job.error_code) == (JobState.REFUSED, "not_media")
    assert "pyproject.toml" in (job.error_text or "")
    assert "pyproject.toml" in (job.error_text_en or "")
    assert platform.recorded(refused)[0] == AssetState.REFUSED
    platform.wait_until_tidy()


def test_a_killed_workers_job_is_taken_over_within_ten_seconds_and_ends_once(
    platform: Platform, source: Path
) -> None:
    asset = platform.upload(source)
    first = platform.start_worker()
    platform.start_worker()
    running = platform.wait_for_encoding(asset)
    victim = next(worker for worker in platform.workers if f"-{worker.pid}-" in (running.executor_id or ""))
    victim.kill()
    victim.wait()
    killed = time.monotonic()
    taken = platform.wait(asset, lambda job: job.attempt == FIRST + 1, seconds=15)
    assert time.monotonic() - killed < 10
    assert taken.executor_id != running.executor_id
    done = platform.wait_for_end(asset)
    assert (done.state, done.attempt) == (JobState.DONE, FIRST + 1)
    assert platform.recorded(asset) == (AssetState.READY, ["360p"], FILES)
    assert platform.has_review_copy(asset)
    steps = [step["step"] for step in done.steps]
    assert steps.count("inspect") == steps.count("review") == steps.count("plan") == 1, (
        "a finished step is not done again"
    )
    assert first is not None


def test_a_frozen_workers_late_result_changes_nothing(platform: Platform, source: Path, media: Path) -> None:
    asset = platform.upload(source)
    frozen = platform.start_worker()
    platform.wait_for_encoding(asset)
    frozen.send_signal(signal.SIGSTOP)
    platform.start_worker()
    platform.wait(asset, lambda job: job.attempt == FIRST + 1, seconds=30)
    frozen.send_signal(signal.SIGCONT)
    done = platform.wait_for_end(asset)
    assert (done.state, done.attempt) == (JobState.DONE, FIRST + 1)
    assert platform.recorded(asset) == (AssetState.READY, ["360p"], FILES)
    another = platform.upload(media / "carphone_pristine.mp4")
    assert platform.wait_for_end(another).state is JobState.DONE


def test_a_worker_told_to_stop_is_gone_in_five_seconds_and_its_job_goes_on_later(
    small_platform: Platform, source: Path
) -> None:
    platform = small_platform
    asset = platform.upload(source)
    worker = platform.start_worker()
    platform.wait_for_encoding(asset)
    worker.terminate()
    told = time.monotonic()
    assert worker.wait(timeout=10) == 0
    assert time.monotonic() - told < 5
    assert media_tools_below(platform.config.data) == []
    platform.start_worker()
    done = platform.wait_for_end(asset)
    assert (done.state, done.attempt) == (JobState.DONE, FIRST + 1)


def test_cancelling_kills_the_media_tools_within_two_seconds(
    small_platform: Platform, media: Path, tmp_path: Path
) -> None:
    platform, slow = small_platform, tmp_path / "slow.mp4"
    ffmpeg("-ss", "15", "-i", media / "trailer_bbb.mp4", "-t", "25", "-c", "copy", slow)
    asset = platform.upload(slow)
    platform.start_worker()
    job = platform.wait_for_encoding(asset)
    deadline = time.monotonic() + 10
    while not media_tools_below(platform.config.data) and time.monotonic() < deadline:
        time.sleep(0.05)
    with platform.database.write() as session:
        service.cancel(session, somebody(), job.id, now=clock.now())
    cancelled = time.monotonic()
    while media_tools_below(platform.config.data) and time.monotonic() < cancelled + 5:
        time.sleep(0.05)
    assert time.monotonic() - cancelled < 2
    assert platform.wait_for_end(asset).state is JobState.CANCELLED
    assert platform.recorded(asset)[0] == AssetState.FAILED


def test_a_file_that_kills_its_worker_fails_after_three_attempts(
    small_platform: Platform, source: Path
) -> None:
    platform = small_platform
    asset = platform.upload(source)
    for attempt in (FIRST, FIRST + 1, FIRST + 2):
        worker = platform.start_worker()
        platform.wait(asset, lambda job, n=attempt: job.attempt == n and job.step == "encode")
        worker.kill()
        worker.wait()
    platform.start_worker()
    job = platform.wait_for_end(asset)
    assert (job.state, job.error_code) == (JobState.FAILED, "too_many_attempts")
    assert platform.recorded(asset)[0] == AssetState.FAILED


def test_a_long_programme_is_spread_over_all_workers_and_outlives_one_of_them(
    platform: Platform, film: Path
) -> None:
    platform.start_worker()
    platform.start_worker()
    platform.wait_for_workers(2)
    asset = platform.upload(film)
    parts = platform.wait_for_parts(asset, lambda ended: len(ended) >= 2)
    assert len({part.executor_id for part in parts}) == 2
    platform.workers[0].kill()
    platform.workers[0].wait()
    done = platform.wait_for_end(asset)
    assert done.state is JobState.DONE
    assert platform.recorded(asset) == (AssetState.READY, ["360p"], FILES)
    with platform.database.read() as session:
        assert set(session.scalars(select(Rendition.duration_ms))) == {66_000}


def test_a_crash_and_restart_of_the_database_loses_no_job_and_ends_none_twice(
    tmp_path: Path, source: Path, media: Path
) -> None:
    with closing(Cluster()) as cluster:
        make_tables(cluster.url(cluster.create("yuanbo")))
        with closing(Platform(tmp_path / "data", cluster.url("yuanbo"))) as platform:
            asset = platform.upload(source)
            platform.start_worker()
            platform.wait_for_encoding(asset)
            cluster._process.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown: it must recover
            cluster._process.wait()
            time.sleep(1.5)
            cluster._start()
            platform.database.engine.dispose()
            done = platform.wait_for_end(asset)
            assert (done.state, done.attempt) == (JobState.DONE, FIRST)
            assert platform.recorded(asset) == (AssetState.READY, ["360p"], FILES)
            another = platform.upload(media / "carphone_pristine.mp4")
            assert platform.wait_for_end(another).state is JobState.DONE


def test_two_machines_that_share_nothing_but_the_databases_and_s3_encode_one_film(
    tmp_path: Path, postgresql_url: str, s3_settings: S3Settings, film: Path
) -> None:
    with (
        closing(Platform(tmp_path / "one", postgresql_url, s3_settings)) as one,
        closing(Platform(tmp_path / "other", postgresql_url, s3_settings)) as other,
    ):
        other.start_worker()
        other.wait_for_workers(1)
        asset = one.upload(film)
        time.sleep(2)
        assert one.job(asset) is None, "nobody takes a file that he cannot reach"
        one.start_worker()
        parts = one.wait_for_parts(asset, lambda ended: len({part.executor_id for part in ended}) == 2)
        assert parts
        assert one.wait_for_end(asset).state is JobState.DONE
        assert one.recorded(asset) == (AssetState.READY, ["360p"], FILES)
        store = open_store(one.config)
        with one.database.read() as session:
            for rendition in renditions.renditions_of(session, asset):
                stored = b"".join(store.chunks(f"m/{rendition.sha256}"))
                assert hashlib.sha256(stored).hexdigest() == rendition.sha256


def test_finished_workflows_are_forgotten_and_their_jobs_are_not(
    tmp_path: Path, media: Path, sqlite_url: str
) -> None:
    with closing(Platform(tmp_path / "data", sqlite_url)) as platform:
        asset = platform.upload(media / "carphone_pristine.mp4")
        platform.start_worker()
        assert platform.wait_for_end(asset).state is JobState.DONE
        platform.workers[0].terminate()
        platform.workers[0].wait()
        script = (
            "from datetime import UTC, datetime, timedelta; from server.config import load; from server.transcode import jobs;"
            "jobs._launch_dbos(load(), 'tidy'); now = datetime.now(UTC);"
            "print(jobs.forget_workflows(now - timedelta(days=1)), jobs.forget_workflows(now + timedelta(days=1)),"
            " jobs.forget_workflows(now + timedelta(days=1))); jobs.DBOS.destroy()"
        )
        said = subprocess.run([sys.executable, "-c", script], env=platform.environment(), cwd=ROOT, check=True,
                              capture_output=True, text=True)  # fmt: skip
        assert said.stdout.split() == ["0", "2", "0"]


def somebody() -> object:
    from server.identity.rules import Caller, Role

    return Caller(id=new_id(), username="t", name="技术员", grants=((Role.TECHNICIAN, "13"),))
