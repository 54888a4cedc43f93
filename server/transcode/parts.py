"""Long jobs in parts: any worker encodes spans and checks renditions; the job's own worker joins them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from server.transcode import partrows, produce
from server.transcode.codec import pack, unpack
from server.transcode.durable import (
    PROGRESS_EVERY_S,
    Bench,
    Kept,
    PartFailed,
    Result,
    keep,
    patiently,
)
from server.transcode.encode import Clip, OnFrames, Pictures, Scene, no_frames
from server.transcode.errors import Cancelled, MediaRefused, Reason
from server.transcode.files import bring
from server.transcode.ladder import Plan, Role, Span
from server.transcode.loudness import Loudness
from server.transcode.media import MediaProbe
from server.transcode.probe import isolate
from server.transcode.results import Checked, Encoded, Prepared, ProducedRendition, Sound
from server.transcode.runner import POLL_S
from server.transcode.verify import check_decodes, compare_span

if TYPE_CHECKING:
    from server.transcode.workflow import Execution

log = logging.getLogger(__name__)

MAX_PART_ATTEMPTS = 3


@dataclass(frozen=True)
class Piece:
    """A span of one clip, encoded by one worker."""

    role: Role
    span: Span


@dataclass(frozen=True)
class PartOrder:
    """What a worker needs to know to do a part. ``kind``: encode, check (a rendition) or compare (a span)."""

    kind: str
    number: int
    source: str
    sha256: str
    probe: MediaProbe
    plan: Plan
    span: Span
    files: dict[str, Path]
    measure: bool = False


class InParts:
    """A long job's encoding and checking, spread over all workers."""

    def __init__(
        self, execution: Execution, clips: Sequence[Clip], prepared: Mapping[Role, Prepared]
    ) -> None:
        self._execution = execution
        self._clips = {clip.role: clip for clip in clips}
        self._prepared = prepared

    def encode(self, pieces: Sequence[Piece]) -> Encoded:
        """The pieces by whoever is free; meanwhile the sound here."""
        orders = [
            self._order("encode", number, self._clips[one.role], one.span)
            for number, one in enumerate(pieces)
        ]
        for role in self._clips:
            source = self._execution.source(role)
            self._execution.bench.exchange.offer_source(source.path, source.sha256)
        results = self._begin(orders)
        clips = list(self._clips.values())
        sound = self._execution.step("sound", Sound, lambda: produce.encode_sound(clips, self._prepared))
        watch = produce.watch_frames(self._main.plan, self._execution.show)
        made = [self._execution.open(text, Pictures) for text in self._wait(results, watch)]
        for pictures in made:
            self._execution.bench.exchange.fetch(_files(pictures))
        return produce.join_parts(made, sound)

    @property
    def _main(self) -> Clip:
        return self._clips[Role.MAIN]

    def check(self, renditions: Sequence[ProducedRendition], complaints: int) -> Checked:
        """Every rendition decoded, sampled spans compared; what takes longest is begun first."""
        files = {one.profile: one.path for one in renditions}
        self._execution.bench.exchange.offer(files.values())
        whole = Span(0, self._main.plan.frames)
        decodes = [
            self._order(
                "check", number, self._main, whole, {one.profile: one.path}, measure=one is renditions[-1]
            )
            for number, one in reversed(list(enumerate(renditions)))
        ]
        spans = [(clip, span) for clip in self._clips.values() for span in produce.compared_spans(clip)]
        compares = [
            self._order("compare", number, clip, span, files) for number, (clip, span) in enumerate(spans)
        ]
        texts = self._wait(self._begin([*decodes, *compares]), no_frames)
        loudness = [self._execution.open(text, Measured).loudness for text in texts[: len(decodes)]]
        values = [self._compared(text, complaints) for text in texts[len(decodes) :]]
        return Checked(produce.with_worst(renditions, values), loudness[0])

    def _compared(self, text: str, complaints: int) -> dict[str, float]:
        try:
            return self._execution.open(text, dict[str, float])
        except PartFailed as error:
            if complaints:
                raise MediaRefused(Reason.DAMAGED, self._main.scene.probe.name) from error
            raise

    def _order(
        self,
        kind: str,
        number: int,
        clip: Clip,
        span: Span,
        files: dict[str, Path] | None = None,
        *,
        measure: bool = False,
    ) -> PartOrder:
        source = self._execution.source(clip.role)
        return PartOrder(
            kind, number, source.path, source.sha256, clip.scene.probe, clip.plan, span, files or {}, measure
        )

    def _begin(self, orders: Sequence[PartOrder]) -> dict[str, Result]:
        execution = self._execution
        return {
            name: execution.durable.begin_part(execution.turn, name, pack(order, execution.job_folder))
            for order in orders
            for name in [f"{order.kind}-{order.number:05d}"]
        }

    def _wait(self, results: Mapping[str, Result], on_frames: OnFrames) -> list[str]:
        """The parts' texts, in order, once all have ended. Raises Cancelled."""
        execution = self._execution
        while True:
            if execution.is_cancelled():
                raise Cancelled
            with contextlib.suppress(DBAPIError), execution.bench.database.read() as session:
                parts = partrows.parts_of(session, execution.turn.job_id, execution.turn.round)
                on_frames(parts.frames_done, parts.fps)
                if parts.ended.issuperset(results):
                    return [result() for result in results.values()]
            time.sleep(POLL_S)


@dataclass(frozen=True)
class Measured:
    """The loudness of a checked rendition, where it was asked for."""

    loudness: Loudness | None


def run_part(bench: Bench, job_id: str, round_: int, name: str, order: str, executor_id: str) -> str:
    """Do a part of a job. Returns what is kept of it, also when it was refused or failed."""

    def begin() -> partrows.PartTurn | None:
        with bench.database.write() as session:
            return partrows.begin_part(session, job_id, round_, name, executor_id)

    turn, started = patiently(begin), time.monotonic()
    if turn is None:
        return keep(Kept(failed="over"))
    if turn.attempt > MAX_PART_ATTEMPTS:
        kept = Kept(failed=f"{name} did not finish in {MAX_PART_ATTEMPTS} attempts")
    else:
        kept = _do_part(bench, turn, order)

    seconds = round(time.monotonic() - started, 1)

    def note_end() -> None:
        with bench.database.write() as session:
            partrows.record_part(session, turn, ended=True, seconds=seconds)

    patiently(note_end)
    return keep(kept)


def _do_part(bench: Bench, turn: partrows.PartTurn, text: str) -> Kept:
    job_folder = bench.folder(turn.job_id)
    folder = job_folder / f"{turn.name}-{turn.round}-{turn.attempt}"
    try:
        order = unpack(text, PartOrder, job_folder)
        folder.mkdir(parents=True, exist_ok=True)
        isolate(bench.exchange.source(order.source, order.sha256), folder)
        return Kept(value=pack(_part(bench, turn, order, folder), job_folder))
    except MediaRefused as refusal:
        return Kept(refused=refusal.reason_code, detail=refusal.detail)
    except Exception as error:  # a part's broad catch: its job decides what follows
        log.exception("job %s: part %s failed", turn.job_id, turn.name)
        return Kept(failed=f"{turn.name}: {error}"[:1000])


def _part(bench: Bench, turn: partrows.PartTurn, order: PartOrder, folder: Path) -> object:
    shown_at = 0.0

    def is_cancelled() -> bool:
        bench.is_stopping()
        try:
            with bench.database.read() as session:
                return not partrows.holds_part(session, turn)
        except DBAPIError:
            return False

    def on_frames(frames: int, fps: float) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at < PROGRESS_EVERY_S and frames < order.span.frames:
            return
        shown_at = time.monotonic()
        with contextlib.suppress(DBAPIError), bench.database.write() as session:
            partrows.record_part(session, turn, frames_done=frames, fps=fps)

    scene = Scene(folder, order.probe, is_cancelled)
    bench.exchange.fetch(order.files.values())
    if order.kind == "encode":
        clip = Clip(Role.MAIN, scene, order.plan)
        made = produce.encode_clip(clip, order.span, part=order.number, on_frames=on_frames, into=folder)
        bench.exchange.offer(_files(made))
        return made
    files = {profile: bring(path, folder) for profile, path in order.files.items()}
    if order.kind == "compare":
        return compare_span(scene, order.plan, files, order.span)
    (file,) = files.values()
    return Measured(check_decodes(scene, order.plan, file, measure=order.measure))


def _files(made: Pictures) -> list[Path]:
    return [*made.parts.values(), *made.posters, *made.tiles]
