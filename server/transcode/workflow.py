"""One execution of a job: the steps of `produce.py` as durable steps, then store and hand over.

A step that has finished is not done again when another worker takes over: its result (JSON, files below the job's
folder) is kept by the durable workflow. Each execution writes into a folder of its own, ``run/transcode/<job>/<attempt>``,
so a worker that lost its lease and comes back disturbs nobody, and its effects are refused (``WHERE attempt = :mine``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy.exc import DBAPIError

from protocol.pieces import PieceHasher
from server import clock
from server.db import Database
from server.storage import Store, media_key, pieces_key
from server.transcode import produce, service
from server.transcode.codec import pack, unpack
from server.transcode.encode import Scene
from server.transcode.errors import Cancelled, MediaRefused, OutputBroken, Reason, ToolFailed, TranscodeError
from server.transcode.ladder import Plan
from server.transcode.media import MediaProbe
from server.transcode.probe import isolate
from server.transcode.produce import Assembled, Checked, Encoded, ProducedFile, ProducedRendition, Progress
from server.transcode.profiles import DEFAULT_PROFILES, Profile
from server.transcode.service import Turn

log = logging.getLogger(__name__)

T = TypeVar("T")
PROGRESS_EVERY_S = 1.0
DATABASE_PATIENCE_S = 120.0

RunStep = Callable[[str, Callable[[], str]], str]
"""Runs a named step durably: its text is kept, and given back instead of running the step again."""


class WorkLost(TranscodeError):
    """Files of an earlier execution are not on this machine: the job begins anew."""


class _Kept(msgspec.Struct):
    """What a durable step keeps: its result, or why it refused the file."""

    value: str = ""
    refused: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Bench:
    """What an execution works with."""

    database: Database
    store: Store
    data: Path
    work: Path
    is_stopping: Callable[[], None]
    """Raises when the worker is stopping."""
    profiles: tuple[Profile, ...] = DEFAULT_PROFILES

    def folder(self, job_id: str) -> Path:
        return self.work / job_id


def patiently(action: Callable[[], T], *, patience_s: float = DATABASE_PATIENCE_S) -> T:
    """Do it again while the database is away (a restart), up to ``patience_s``."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return action()
        except DBAPIError as error:
            if time.monotonic() >= until:
                raise
            log.warning("the database is away, trying again: %s", str(error.orig).strip())
            time.sleep(0.5)


class Execution:
    """One attempt at a job."""

    def __init__(self, bench: Bench, turn: Turn, run_step: RunStep) -> None:
        self.bench = bench
        self.turn = turn
        self._run_step = run_step
        self._job_folder = bench.folder(turn.job_id)
        self.folder = self._job_folder / str(turn.attempt)
        self._shown_at = 0.0

    def run(self) -> None:
        """All steps, then the hand-over. Raises MediaRefused, Cancelled, WorkLost, or whatever failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        source = self.bench.data / self.turn.path
        probe = self._step("inspect", MediaProbe, lambda: self._inspect(source))
        scene = Scene(self.folder, probe, self._is_cancelled)
        isolate(source, self.folder)
        plan = self._step("plan", Plan, lambda: produce.step_plan(scene, self.bench.profiles))
        encoded = self._step("encode", Encoded, lambda: produce.step_encode(scene, plan, self._show))
        encoded = self._bring_encoded(encoded)
        assembled = self._step("assemble", Assembled, lambda: produce.step_assemble(scene, plan, encoded))
        assembled = self._bring_assembled(assembled)
        checked = self._step(
            "check",
            Checked,
            lambda: produce.step_check(scene, plan, assembled.renditions, complaints=encoded.complaints),
        )
        self._step("store", bool, lambda: self._put_all(assembled))
        self._hand_over(probe, plan, encoded, assembled, checked)

    def _inspect(self, source: Path) -> MediaProbe:
        return produce.step_inspect(
            source, self.folder, name=self.turn.filename, is_cancelled=self._is_cancelled
        )

    # --- steps ---
    def _step(self, name: str, kind: type[T], action: Callable[[], T]) -> T:
        """Run a step durably. A refusal is kept as a result: it is about the file, so it stays true."""

        def work() -> str:
            self._show(Progress(name, self._starts_at(name)), at_once=True)
            started = clock.now()
            try:
                kept = _Kept(value=pack(action(), self._job_folder))
            except MediaRefused as refusal:
                kept = _Kept(refused=refusal.reason_code, detail=refusal.detail)
            self._note(name, started, kept)
            return msgspec.json.encode(kept).decode()

        kept = msgspec.json.decode(self._run_step(name, work), type=_Kept)
        if kept.refused:
            raise MediaRefused(Reason(kept.refused), self.turn.filename, kept.detail)
        return unpack(kept.value, kind, self._job_folder)

    @staticmethod
    def _starts_at(name: str) -> float:
        names = [*produce.STEPS, "store"]
        return produce.ENDS_AT_PERCENT[names[names.index(name) - 1]] if name != names[0] else 0.0

    def _note(self, name: str, started: Any, kept: _Kept) -> None:
        def write() -> None:
            with self.bench.database.write() as session:
                service.record_step(session, self.turn, name, started, note=kept.refused, now=clock.now())

        patiently(write)

    def _bring_encoded(self, encoded: Encoded) -> Encoded:
        return replace(
            encoded,
            sounds={bitrate: self._bring(path) for bitrate, path in encoded.sounds.items()},
            parts={profile: tuple(map(self._bring, paths)) for profile, paths in encoded.parts.items()},
            posters=tuple(map(self._bring, encoded.posters)),
            tiles=tuple(map(self._bring, encoded.tiles)),
        )

    def _bring_assembled(self, assembled: Assembled) -> Assembled:
        def here(items: Iterable[Any]) -> tuple[Any, ...]:
            return tuple(
                replace(one, path=self._bring(one.path), layer_path=self._bring(one.layer_path))
                for one in items
            )

        return Assembled(here(assembled.renditions), here(assembled.files))

    def _bring(self, path: Path) -> Path:
        """A file of an earlier execution, linked into our folder. Raises WorkLost."""
        if path.parent == self.folder:
            return path
        here = self.folder / path.name
        with contextlib.suppress(FileExistsError):
            try:
                os.link(path, here)
            except FileNotFoundError as error:
                raise WorkLost from error
        return here

    # --- store and hand over ---
    def _put_all(self, assembled: Assembled) -> bool:
        everything: list[ProducedRendition | ProducedFile] = [*assembled.renditions, *assembled.files]
        for one in everything:
            if self._is_cancelled():
                raise Cancelled
            store_verified(self.bench.store, one.path, one.sha256, one.length, one.pieces_root)
        return True

    def _hand_over(
        self, probe: MediaProbe, plan: Plan, encoded: Encoded, assembled: Assembled, checked: Checked
    ) -> None:
        facts = {
            "source": msgspec.json.decode(pack(probe, self._job_folder)),
            "loudness": msgspec.to_builtins(encoded.loudness),
            "loudness_after": msgspec.to_builtins(checked.loudness),
            "xpsnr_db": {one.profile: one.xpsnr_db for one in checked.renditions},
            "deinterlaced": plan.deinterlace,
            "complaints": encoded.complaints,
            "sprite": msgspec.to_builtins(plan.sprite),
        }

        def write() -> bool:
            with self.bench.database.write() as session:
                return service.finish(
                    session,
                    self.turn,
                    [service.as_new_rendition(one) for one in checked.renditions],
                    [service.as_new_file(one) for one in assembled.files],
                    duration_ms=plan.duration_ms,
                    probe=facts,
                    now=clock.now(),
                )

        if not patiently(write):
            raise Cancelled

    # --- being watched ---
    def _is_cancelled(self) -> bool:
        """Polled every quarter of a second by whatever runs. A database that is away cancels nothing."""
        self.bench.is_stopping()
        try:
            with self.bench.database.read() as session:
                return not service.holds(session, self.turn)
        except DBAPIError:
            return False

    def _show(self, progress: Progress, *, at_once: bool = False) -> None:
        """Write progress at most once a second; a database that is away is no reason to stop."""
        if not at_once and time.monotonic() - self._shown_at < PROGRESS_EVERY_S:
            return
        self._shown_at = time.monotonic()
        with contextlib.suppress(DBAPIError), self.bench.database.write() as session:
            service.record_progress(session, self.turn, progress, now=clock.now())


def store_verified(store: Store, path: Path, sha256: str, length: int, root: str) -> None:
    """Put a file and its piece layer into the store and read both back: object first, row after verification.

    Raises OutputBroken when what comes back is not what was put.
    """
    store.put(media_key(sha256), path)
    hasher = PieceHasher()
    for chunk in store.chunks(media_key(sha256)):
        hasher.update(chunk)
    layer = hasher.finish()
    if (layer.sha256, layer.length, layer.root) != (sha256, length, root):
        store.delete(media_key(sha256))
        raise OutputBroken(f"the store gave back something else than {sha256}")
    store.put_bytes(pieces_key(root), layer.layer)
    if b"".join(store.chunks(pieces_key(root))) != layer.layer:
        store.delete(pieces_key(root))
        raise OutputBroken(f"the store gave back another piece layer than {root}")


def run_job(bench: Bench, job_id: str, workflow_id: str, executor_id: str, run_step: RunStep) -> str:
    """One execution of a job, to whatever end. Returns that end in a word, for the log.

    What ``bench.is_stopping`` raises passes through: the workflow stays pending and another worker resumes it.
    """

    def begin() -> Turn | None:
        with bench.database.write() as session:
            return service.begin(session, job_id, workflow_id, executor_id, now=clock.now())

    turn = patiently(begin)
    if turn is None:
        _clean_up(bench, job_id)
        return "over"
    log.info("job %s (%s): attempt %d", job_id, turn.filename, turn.attempt)
    try:
        Execution(bench, turn, run_step).run()
    except MediaRefused as error:
        refusal = error
        end = _conclude(
            bench, lambda session: service.refuse(session, turn, refusal, now=clock.now()), "refused"
        )
        log.info("job %s: %s", job_id, refusal.message_en)
    except Cancelled:
        end = "cancelled"
    except WorkLost:
        end = _conclude(bench, lambda session: service.again(session, turn, counts=False), "again")
    except (
        Exception
    ) as error:  # the job runner's broad catch: whatever failed is written down and tried again
        log.exception("job %s: attempt %d failed", job_id, turn.attempt)
        end = _fail(bench, turn, error)
    else:
        end = "done"
    _clean_up(bench, job_id)
    log.info("job %s: %s", job_id, end)
    return end


def _conclude(bench: Bench, action: Callable[[Any], bool], end: str) -> str:
    def write() -> bool:
        with bench.database.write() as session:
            return action(session)

    return end if patiently(write) else "superseded"


def _fail(bench: Bench, turn: Turn, error: Exception) -> str:
    """Try again while attempts are left; then say that it is our fault."""
    cause = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    if isinstance(error, ToolFailed):
        cause = f"{cause} … {error.log[-500:]}"

    def write(session: Any) -> bool:
        if service.again(session, turn, counts=True):
            return True
        return service.fail(
            session, turn, type(error).__name__[:40],
            f"文件“{turn.filename}”转码失败，不是文件的问题，请联系管理员（{cause}）。",
            f"Transcoding “{turn.filename}” failed; the file is not at fault ({cause}).", now=clock.now(),
        )  # fmt: skip

    return _conclude(bench, write, "failed")


def _clean_up(bench: Bench, job_id: str) -> None:
    """Remove the job's folder once nothing runs or waits any more."""
    with contextlib.suppress(DBAPIError), bench.database.read() as session:
        state = service.state_of(session, job_id)
        if state is None or state not in service.ACTIVE:
            shutil.rmtree(bench.folder(job_id), ignore_errors=True)
