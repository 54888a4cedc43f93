"""What durable, verified transcoding costs over one bare ffmpeg command, and what a second worker brings.

The source is the trailer looped to three minutes (YUANBO_BENCH_SECONDS sets another length). Ours is measured from
the upload's row to the finished row: inspected, encoded, muxed, hashed, decoded again, compared with the source and
read back from the store, by a real worker process on SQLite. The review copy, which is made before the ladder and which
the hand-written command does not make, is taken out: the seconds of its step, as the job's own record says. Loudness is
measured in the decode that makes the copy, so what measuring it alone takes is added again (``loudness_s``). For the
speed-up each worker is held to one core. One pass per rendition is only reported, so it is measured on a third of the length and scaled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import processes
from server import clock
from server.catalog.models import Asset
from server.config import Config
from server.db import Database, new_id
from server.migrate import upgrade
from server.transcode import executors, service
from server.transcode.ffmpeg import find_binaries
from server.transcode.profiles import AUDIO_RATE, DEFAULT_PROFILES, FRAME_RATE, GOP_FRAMES, Profile
from server.transcode.service import JobView
from server.transcode.states import JobState

BASELINE = "one hand-written ffmpeg command that decodes once and writes the same renditions, unmeasured and unverified"
LIMITS = {"wall_ratio_to_one_pass": 1.30, "peak_rss_mb_python": 120.0, "recovery_s": 10.0}
FLOORS = {"chunk_speedup_2_workers": 1.8}

SECONDS = int(os.environ.get("YUANBO_BENCH_SECONDS", "180"))
TRAILER = processes.ROOT / "tests" / "media" / "trailer_bbb.mp4"
PATIENCE_S = 3600.0
SCALED = 3


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-") as name:
        folder = Path(name)
        source = looped(folder)
        one_pass_s = timed(lambda: ffmpeg(one_pass(source, folder), folder))
        per_rendition_s = SCALED * sum(
            timed(partial(ffmpeg, line, folder)) for line in pass_per_rendition(source, folder)
        )
        loudness_s = timed(lambda: ffmpeg(loudness_alone(source), folder))
        with platform(folder / "one") as one:
            one.start()
            ours_s = one.seconds_for(source) + loudness_s
            steps = {f"step_{name}_s": seconds for name, seconds in one.steps.items()}
            peak_mb = peak_rss_mb(one.workers[0].pid)
            one.start()
            recovery_s = one.recovery(source)
        cores = sorted(os.sched_getaffinity(0))
        with platform(folder / "slow") as slow:
            slow.start(cores[:1])
            alone_s = slow.seconds_for(source)
        with platform(folder / "fast") as fast:
            fast.start(cores[:1])
            fast.start(cores[1:2])
            together_s = fast.seconds_for(source)
    return {
        "wall_ratio_to_one_pass": ours_s / one_pass_s,
        "wall_ratio_to_pass_per_rendition": ours_s / per_rendition_s,
        "chunk_speedup_2_workers": alone_s / together_s,
        "peak_rss_mb_python": peak_mb,
        "recovery_s": recovery_s,
        "wall_s": ours_s,
        "loudness_s": loudness_s,
        "alone_s": alone_s,
        "together_s": together_s,
        "baseline_one_pass_s": one_pass_s,
        "baseline_pass_per_rendition_s": per_rendition_s,
        **steps,
        **{f"two_workers_{name}_s": seconds for name, seconds in fast.steps.items()},
    }


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


# --- the hand-written commands ----------------------------------------------------------------------------------------
def ffmpeg(words: Sequence[str], folder: Path) -> None:
    subprocess.run(
        [str(find_binaries().ffmpeg), "-nostdin", "-v", "error", "-y", *words],
        cwd=folder, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def looped(folder: Path) -> Path:
    """The trailer again and again, copied."""
    path = folder / "looped.mp4"
    ffmpeg(["-stream_loop", "-1", "-i", str(TRAILER), "-t", str(SECONDS), "-c", "copy", str(path)], folder)
    return path


def encoder(profile: Profile) -> list[str]:
    """The words that encode one rendition, as anybody would write them."""
    rate = profile.video_bitrate
    return [
        "-c:v", "libx264", "-preset", profile.preset, "-crf", str(profile.quality), "-maxrate", str(rate),
        "-bufsize", str(rate * 3 // 2), "-g", str(GOP_FRAMES), "-keyint_min", str(GOP_FRAMES), "-sc_threshold", "0",
        "-flags", "+cgop", "-c:a", "aac", "-b:a", str(profile.audio_bitrate), "-ar", str(AUDIO_RATE), "-ac", "2",
        "-movflags", "+faststart", f"one-pass-{profile.name}.mp4",
    ]  # fmt: skip


def one_pass(source: Path, _folder: Path) -> list[str]:
    count = len(DEFAULT_PROFILES)
    labels = "".join(f"[s{n}]" for n in range(count))
    chains = [f"[0:v]fps={FRAME_RATE},split={count}{labels}"]
    chains += [
        f"[s{n}]scale={profile.width}:{profile.height},format=yuv420p[v{n}]"
        for n, profile in enumerate(DEFAULT_PROFILES)
    ]
    words = ["-i", str(source), "-filter_complex", ";".join(chains)]
    for n, profile in enumerate(DEFAULT_PROFILES):
        words += ["-map", f"[v{n}]", "-map", "0:a", *encoder(profile)]
    return words


def loudness_alone(source: Path) -> list[str]:
    return ["-i", str(source), "-map", "0:a", "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]


def pass_per_rendition(source: Path, _folder: Path) -> list[list[str]]:
    return [
        [
            "-t",
            str(SECONDS / SCALED),
            "-i",
            str(source),
            "-vf",
            f"fps={FRAME_RATE},scale={one.width}:{one.height},format=yuv420p",
            *encoder(one),
        ]
        for one in DEFAULT_PROFILES
    ]


# --- ours -------------------------------------------------------------------------------------------------------------
class Platform:
    """A data folder with a database, and worker processes on it."""

    def __init__(self, data: Path) -> None:
        self.config = Config(
            data=data,
            database_url=f"sqlite:///{data / 'yuanbo.sqlite'}",
            jobs_database_url=f"sqlite:///{data / 'jobs.sqlite'}",
        )
        self.config.make_folders()
        upgrade(self.config.database_url)
        self.database = Database(self.config.database_url)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.steps: dict[str, float] = {}

    def start(self, cores: Sequence[int] = ()) -> None:
        """A worker, on these cores only; returns when it takes part."""
        env = processes.environment(YUANBO_DATA=str(self.config.data))
        command = [sys.executable, "-m", "server.worker"]
        if cores:
            command = ["taskset", "-c", ",".join(map(str, cores)), *command]
        self.workers.append(processes.start(command, env, self.config.logs / "worker.log"))
        processes.wait_for(lambda: self._alive() == len(self.workers), "the worker")

    def _alive(self) -> int:
        with self.database.read() as session:
            return executors.count_alive(session)

    def upload(self, source: Path) -> str:
        target = self.config.uploads / new_id()
        shutil.copyfile(source, target)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        path = str(target.relative_to(self.config.data))
        with self.database.write() as session:
            asset = Asset(
                filename=source.name, path=path, size=target.stat().st_size, sha256=digest, uploaded_by=new_id(),
                created_at=clock.now(),
            )  # fmt: skip
            session.add(asset)
            session.flush()
            return asset.id

    def wait(self, asset: str, until: Callable[[JobView], bool]) -> JobView:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with self.database.read() as session:
                job = service.job_view(session, asset)
            if job is not None and until(job):
                return job
            time.sleep(0.1)
        raise processes.Unmeasurable("the job did not get there")

    def seconds_for(self, source: Path) -> float:
        """From queued to verified in the store."""
        asset = self.upload(source)
        started = time.monotonic()
        job = self.wait(asset, lambda one: not one.is_active)
        took_s = time.monotonic() - started
        if job.state is not JobState.DONE:
            raise processes.Unmeasurable(f"the job ended as {job.state}: {job.error_text_en}")
        self.steps = {step["step"]: step["seconds"] for step in job.steps}
        return took_s - self.steps["review"]

    def recovery(self, source: Path) -> float:
        """From kill -9 of the worker that encodes to the next attempt on the other one."""
        asset = self.upload(source)
        job = self.wait(asset, lambda one: one.step == "encode")
        victim = next(worker for worker in self.workers if f"-{worker.pid}-" in str(job.executor_id))
        victim.send_signal(signal.SIGKILL)
        started = time.monotonic()
        self.wait(asset, lambda one: one.attempt > job.attempt)
        return time.monotonic() - started

    def close(self) -> None:
        for worker in self.workers:
            processes.stop(worker)
        self.database.close()


@contextmanager
def platform(data: Path) -> Iterator[Platform]:
    opened = Platform(data)
    try:
        yield opened
    finally:
        opened.close()


def peak_rss_mb(pid: int) -> float:
    """The most memory that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
