"""One execution of a job: the steps of `produce.py` as durable steps, then store and hand over.

A step that has finished is not done again when another worker takes over: its result (JSON, files below the job's
folder) is kept by the durable workflow. Each execution writes into a folder of its own, ``run/transcode/<job>/<attempt>``,
so a worker that lost its lease and comes back disturbs nobody, and its effects are refused (``WHERE attempt = :mine``).
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy.exc import DBAPIError

from protocol.pieces import PieceHasher
from server import clock
from server.catalog.recipe import SHORTEST_MS
from server.storage import Store, media_key, pieces_key
from server.transcode import executors, produce, reviewcopy, work
from server.transcode.assemble import step_assemble
from server.transcode.codec import pack, unpack
from server.transcode.durable import (
    PROGRESS_EVERY_S,
    Bench,
    Durable,
    Kept,
    PartFailed,
    T,
    patiently,
)
from server.transcode.encode import Clip, Scene, can_seek
from server.transcode.errors import Cancelled, MediaRefused, OutputBroken, Reason, ToolFailed, ToolTimedOut
from server.transcode.files import WorkLost, bring
from server.transcode.ladder import Plan, Role, split
from server.transcode.media import MediaProbe
from server.transcode.parts import InParts, Piece
from server.transcode.probe import isolate
from server.transcode.results import (
    Assembled,
    Checked,
    Encoded,
    Prepared,
    ProducedFile,
    ProducedRendition,
    Progress,
)
from server.transcode.reviewcopy import ReviewCopy
from server.transcode.runner import JOURNAL
from server.transcode.states import Phase
from server.transcode.work import Source, Turn

log = logging.getLogger(__name__)

M = TypeVar("M", ProducedRendition, ProducedFile)


@dataclass(frozen=True)
class MaybeCopy:
    """The review copy, or none where it could not be made."""

    copy: ReviewCopy | None


class Execution:
    """One attempt at a job."""

    def __init__(self, bench: Bench, turn: Turn, durable: Durable) -> None:
        self.bench = bench
        self.turn = turn
        self.durable = durable
        self.job_folder = bench.folder(turn.job_id)
        self.folder = self.job_folder / str(turn.attempt)
        self._shown_at = 0.0

    def run(self) -> None:
        """This phase's steps, then the hand-over. Raises MediaRefused, Cancelled, WorkLost, or whatever failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.turn.phase is Phase.REVIEW:
            self._review()
        else:
            self._ladder()

    # --- the review copy ---
    def _review(self) -> None:
        prepared = self.step("inspect", Prepared, lambda: self._inspect(Role.MAIN))
        scene = self._scene(Role.MAIN, prepared.probe)
        made = self.step("review", MaybeCopy, lambda: self._make_copy(scene, prepared))
        copy = None
        if made.copy is not None:
            heard = made.copy.loudness
            prepared = replace(prepared, heard=True, loudness=heard)
            (rendition,) = self._bring_files((made.copy.rendition,))
            (playlist,) = self._bring_files((made.copy.playlist,))
            self.step("store", bool, lambda: self._put_all([rendition, playlist]))
            copy = (work.as_new_rendition(rendition), work.as_new_file(playlist))
        kept, duration_ms, now = pack(prepared, self.job_folder), prepared.probe.duration_ms, clock.now()

        def write() -> bool:
            with self.bench.database.write() as session:
                return work.finish_review(
                    session, self.turn, copy, prepared=kept, duration_ms=duration_ms, now=now
                )

        if not patiently(write):
            raise Cancelled

    def _make_copy(self, scene: Scene, prepared: Prepared) -> MaybeCopy:
        """The copy; without one where we are at fault: the ladder does not wait for it."""
        try:
            return MaybeCopy(reviewcopy.make(scene, prepared, self.show))
        except (OutputBroken, ToolFailed, ToolTimedOut) as error:
            log.warning("job %s: no review copy: %s", self.turn.job_id, error)
            return MaybeCopy(None)

    # --- the ladder ---
    def _ladder(self) -> None:
        prepared = {role: self._prepared(role) for role in self._roles()}
        plans = self.step("plan", dict[Role, Plan], lambda: self._plans(prepared))
        clips = [Clip(role, self._scene(role, prepared[role].probe), one) for role, one in plans.items()]
        main = produce.main_clip(clips)
        pieces = self.step("split", tuple[Piece, ...], lambda: self._pieces(clips))
        in_parts = InParts(self, clips, prepared) if len(pieces) > len(clips) else None
        if in_parts:
            encoded = in_parts.encode(pieces)
        else:
            encoded = self.step("encode", Encoded, lambda: produce.step_encode(clips, prepared, self.show))
        encoded = self._bring_encoded(encoded)
        assembled = self.step("assemble", Assembled, lambda: step_assemble(main, encoded))
        assembled = Assembled(self._bring_files(assembled.renditions), self._bring_files(assembled.files))
        if in_parts:
            checked = in_parts.check(assembled.renditions, encoded.complaints)
        else:
            checked = self.step(
                "check",
                Checked,
                lambda: produce.step_check(clips, assembled.renditions, complaints=encoded.complaints),
            )
        self.step("store", bool, lambda: self._put_all([*assembled.renditions, *assembled.files]))
        self._hand_over(main, encoded, assembled, checked)

    def _roles(self) -> list[Role]:
        """The clips of the programme. Raises MediaRefused when an intro or outro is not there (any more)."""
        recipe = self.turn.recipe
        for role, sha256 in ((Role.INTRO, recipe.intro), (Role.OUTRO, recipe.outro)):
            if sha256 and role not in self.turn.around:
                raise MediaRefused(Reason.RECIPE, self.turn.filename, f"{role.value} {sha256[:12]}")
        return [role for role in Role if role is Role.MAIN or role in self.turn.around]

    def source(self, role: Role) -> Source:
        """The source file of a clip."""
        turn = self.turn
        return turn.around.get(role) or Source(turn.path, turn.filename, turn.sha256, turn.prepared)

    def _place(self, role: Role) -> Path:
        return self.folder if role is Role.MAIN else self.folder / role.value

    def _prepared(self, role: Role) -> Prepared:
        """What is known of a source; found out where nobody did before."""
        if known := self.source(role).prepared:
            with contextlib.suppress(msgspec.ValidationError):  # an older version's
                return unpack(known, Prepared, self.job_folder)
        name = "inspect" if role is Role.MAIN else f"inspect-{role.value}"
        return self.step(name, Prepared, lambda: self._inspect(role))

    def _inspect(self, role: Role) -> Prepared:
        source = self.source(role)
        return produce.step_inspect(
            self.bench.exchange.source(source.path, source.sha256),
            self._place(role),
            name=source.filename,
            is_cancelled=self.is_cancelled,
        )

    def _scene(self, role: Role, probe: MediaProbe) -> Scene:
        source = self.source(role)
        isolate(self.bench.exchange.source(source.path, source.sha256), self._place(role))
        return Scene(self._place(role), probe, self.is_cancelled)

    def _plans(self, prepared: Mapping[Role, Prepared]) -> dict[Role, Plan]:
        recipe, duration_ms = self.turn.recipe, prepared[Role.MAIN].probe.duration_ms
        kept = tuple(recipe.kept(duration_ms))
        if not kept or sum(end - begin for begin, end in kept) < SHORTEST_MS:
            raise MediaRefused(Reason.RECIPE, self.turn.filename)
        return produce.step_plan(prepared, () if self.turn.is_whole else kept, self.bench.profiles)

    def _pieces(self, clips: Sequence[Clip]) -> tuple[Piece, ...]:
        def count() -> int:
            with self.bench.database.read() as session:
                return executors.count_alive(session)

        workers = patiently(count)
        found = []
        for clip in clips:
            splits = clip.role is Role.MAIN and clip.plan.has_picture and can_seek(clip.scene.probe)
            found += [Piece(clip.role, span) for span in split(clip.plan.frames, workers if splits else 1)]
        return tuple(found)

    # --- steps ---
    def step(self, name: str, kind: type[T], action: Callable[[], T]) -> T:
        """Run a step durably. A refusal is kept as a result: it is about the file, so it stays true."""

        def do() -> str:
            self.show(Progress(name, self._starts_at(name)), at_once=True)
            started = clock.now()
            try:
                kept = Kept(value=pack(action(), self.job_folder))
            except MediaRefused as refusal:
                kept = Kept(refused=refusal.reason_code, detail=refusal.detail)
            self._note(name, started, kept)
            return msgspec.json.encode(kept).decode()

        return self.open(self.durable.step(name, do), kind)

    def open(self, text: str, kind: type[T]) -> T:
        """What a step or part kept. Raises what it ended with."""
        kept = msgspec.json.decode(text, type=Kept)
        if kept.refused:
            raise MediaRefused(Reason(kept.refused), self.turn.filename, kept.detail)
        if kept.failed:
            raise PartFailed(kept.failed)
        return unpack(kept.value, kind, self.job_folder)

    @staticmethod
    def _starts_at(name: str) -> float:
        names = [*produce.STEPS, "store"]
        if name == "review":
            return produce.ENDS_AT_PERCENT["plan"]
        if name not in names:  # split, sound: between plan and encode
            name = "encode"
        return produce.ENDS_AT_PERCENT[names[names.index(name) - 1]] if name != names[0] else 0.0

    def _note(self, name: str, started: Any, kept: Kept) -> None:
        tools = self._read_journals()

        def write() -> None:
            with self.bench.database.write() as session:
                work.record_step(
                    session, self.turn, name, started, note=kept.refused, tools=tools, now=clock.now()
                )

        patiently(write)

    def _read_journals(self) -> str:
        """What tools have said since the last step ended; the journals begin anew."""
        texts = []
        for journal in sorted(self.folder.rglob(JOURNAL)):
            with contextlib.suppress(OSError):
                texts.append(journal.read_text("utf-8", "replace"))
                journal.unlink()
        return "".join(texts)

    def _bring_encoded(self, encoded: Encoded) -> Encoded:
        return replace(
            encoded,
            sounds={bitrate: self._bring(path) for bitrate, path in encoded.sounds.items()},
            parts={profile: tuple(map(self._bring, paths)) for profile, paths in encoded.parts.items()},
            posters=tuple(map(self._bring, encoded.posters)),
            tiles=tuple(map(self._bring, encoded.tiles)),
            subtitles={language: self._bring(path) for language, path in encoded.subtitles.items()},
        )

    def _bring_files(self, made: tuple[M, ...]) -> tuple[M, ...]:
        """Finished files of this or an earlier execution, in this one's folder."""
        return tuple(
            replace(one, path=self._bring(one.path), layer_path=self._bring(one.layer_path)) for one in made
        )

    def _bring(self, path: Path) -> Path:
        return bring(path, self.folder)

    # --- store and hand over ---
    def _put_all(self, made: Iterable[ProducedRendition | ProducedFile]) -> bool:
        for one in made:
            if self.is_cancelled():
                raise Cancelled
            store_verified(self.bench.store, one.path, one.sha256, one.length, one.pieces_root)
        return True

    def _hand_over(self, main: Clip, encoded: Encoded, assembled: Assembled, checked: Checked) -> None:
        plan = main.plan
        facts = {
            "source": msgspec.json.decode(pack(main.scene.probe, self.job_folder)),
            "loudness": msgspec.to_builtins(encoded.loudness),
            "loudness_after": msgspec.to_builtins(checked.loudness),
            "xpsnr_db": {one.profile: one.xpsnr_db for one in checked.renditions},
            "deinterlaced": plan.deinterlace,
            "hdr": plan.hdr,
            "complaints": encoded.complaints,
            "sprite": msgspec.to_builtins(plan.sprite),
        }

        def write() -> bool:
            with self.bench.database.write() as session:
                return work.finish(
                    session,
                    self.turn,
                    [work.as_new_rendition(one) for one in checked.renditions],
                    [work.as_new_file(one) for one in assembled.files],
                    duration_ms=plan.duration_ms,
                    probe=facts,
                    now=clock.now(),
                )

        if not patiently(write):
            raise Cancelled

    # --- being watched ---
    def is_cancelled(self) -> bool:
        """Polled every quarter of a second by whatever runs. A database that is away cancels nothing."""
        self.bench.is_stopping()
        try:
            with self.bench.database.read() as session:
                return not work.holds(session, self.turn)
        except DBAPIError:
            return False

    def show(self, progress: Progress, *, at_once: bool = False) -> None:
        """Write progress at most once a second; a database that is away is no reason to stop."""
        if not at_once and time.monotonic() - self._shown_at < PROGRESS_EVERY_S:
            return
        self._shown_at = time.monotonic()
        with contextlib.suppress(DBAPIError), self.bench.database.write() as session:
            work.record_progress(session, self.turn, progress, now=clock.now())


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


def run_job(bench: Bench, job_id: str, workflow_id: str, executor_id: str, durable: Durable) -> str:
    """One execution of a job, to whatever end. Returns that end in a word, for the log.

    What ``bench.is_stopping`` raises passes through: the workflow stays pending and another worker resumes it.
    """

    def begin() -> Turn | None:
        with bench.database.write() as session:
            return work.begin(session, job_id, workflow_id, executor_id, now=clock.now())

    turn = patiently(begin)
    if turn is None:
        _clean_up(bench, job_id)
        return "over"
    log.info("job %s (%s): attempt %d", job_id, turn.filename, turn.attempt)
    try:
        Execution(bench, turn, durable).run()
    except MediaRefused as error:
        refusal = error
        end = _conclude(
            bench, lambda session: work.refuse(session, turn, refusal, now=clock.now()), "refused"
        )
        log.info("job %s: %s", job_id, refusal.message_en)
    except Cancelled:
        end = "cancelled"
    except WorkLost as error:
        log.warning("job %s: what a dead worker had made is not reachable, begins anew: %s", job_id, error)
        end = _conclude(bench, lambda session: work.again(session, turn, counts=False), "lost")
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
        if work.again(session, turn, counts=True):
            return True
        return work.fail(
            session, turn, type(error).__name__[:40],
            f"文件“{turn.filename}”转码失败，不是文件的问题，请联系管理员（{cause}）。",
            f"Transcoding “{turn.filename}” failed; the file is not at fault ({cause}).", now=clock.now(),
        )  # fmt: skip

    return _conclude(bench, write, "failed")


def _clean_up(bench: Bench, job_id: str) -> None:
    """Remove the job's folder once nothing runs or waits any more."""
    with contextlib.suppress(DBAPIError), bench.database.read() as session:
        state = work.state_of(session, job_id)
        if state is None or state not in work.ACTIVE:
            shutil.rmtree(bench.folder(job_id), ignore_errors=True)
