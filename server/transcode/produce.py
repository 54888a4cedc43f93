"""The whole way from a source file to verified renditions, without any database: a list of named steps.

    inspect ─► plan ─► sound ─► pictures ─► assemble ─► check

Each step takes what the earlier ones returned; the durable workflow in `jobs.py` runs the same steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protocol.pieces import PieceLayer, piece_layer
from server.transcode import encode, ladder, mp4, pictures, verify
from server.transcode.encode import Scene, Span
from server.transcode.ladder import Plan
from server.transcode.loudness import Loudness
from server.transcode.media import MediaProbe
from server.transcode.probe import inspect
from server.transcode.profiles import DEFAULT_PROFILES, FRAME_RATE, Profile
from server.transcode.runner import IsCancelled, never

STEPS = ("inspect", "plan", "sound", "pictures", "assemble", "check")
_ENDS_AT_PERCENT = {"inspect": 1, "plan": 2, "sound": 6, "pictures": 86, "assemble": 88, "check": 100}


@dataclass(frozen=True)
class Progress:
    """Where the work is: ``percent`` of everything, ``fps`` and ``eta_s`` while pictures are encoded."""

    step: str
    percent: float
    fps: float | None = None
    eta_s: int | None = None


OnProgress = Callable[[Progress], None]


def nobody_watches(_progress: Progress) -> None:
    """The ``on_progress`` of work that nobody watches."""


@dataclass(frozen=True)
class ProducedRendition:
    """One verified MP4. ``layer_path`` holds its binary piece layer; ``bitrate`` is measured, bit/s."""

    profile: str
    profile_version: int
    path: Path
    sha256: str
    length: int
    pieces_root: str
    layer_path: Path
    width: int
    height: int
    bitrate: int
    duration_ms: int
    xpsnr_db: float | None = None


@dataclass(frozen=True)
class ProducedFile:
    """A companion: poster (best first by ``order``), sprite, playlist (of ``profile``)."""

    kind: str
    path: Path
    sha256: str
    length: int
    pieces_root: str
    layer_path: Path
    profile: str | None = None
    order: int = 0


@dataclass(frozen=True)
class Produced:
    """Everything made of one source. ``loudness`` was measured before, ``loudness_after`` in the result."""

    probe: MediaProbe
    plan: Plan
    renditions: tuple[ProducedRendition, ...]
    files: tuple[ProducedFile, ...]
    duration_ms: int
    loudness: Loudness | None
    loudness_after: Loudness | None


def produce(
    source: Path,
    work: Path,
    *,
    name: str = "",
    profiles: Sequence[Profile] = DEFAULT_PROFILES,
    on_progress: OnProgress = nobody_watches,
    is_cancelled: IsCancelled = never,
) -> Produced:
    """Make and verify all renditions and companions of ``source`` inside the folder ``work``.

    Raises MediaRefused (the file), Cancelled, OutputBroken, ToolFailed or ToolTimedOut (us).
    """
    probe = step_inspect(source, work, name=name, is_cancelled=is_cancelled)
    on_progress(_done("inspect"))
    scene = Scene(work, probe, is_cancelled)
    plan = step_plan(scene, profiles)
    on_progress(_done("plan"))
    loudness, sounds = step_sound(scene, plan)
    on_progress(_done("sound"))
    parts = step_pictures(scene, plan, on_progress)
    on_progress(_done("pictures"))
    renditions, files = step_assemble(scene, plan, parts, sounds)
    on_progress(_done("assemble"))
    renditions, after = step_check(scene, plan, renditions)
    on_progress(_done("check"))
    return Produced(probe, plan, renditions, files, plan.duration_ms, loudness, after)


def _done(step: str) -> Progress:
    return Progress(step, float(_ENDS_AT_PERCENT[step]))


def step_inspect(source: Path, work: Path, *, name: str, is_cancelled: IsCancelled) -> MediaProbe:
    """Accept or refuse the file; afterwards it lies linked in ``work``."""
    return inspect(source, work, name=name, is_cancelled=is_cancelled)


def step_plan(scene: Scene, profiles: Sequence[Profile]) -> Plan:
    """Decide what is made."""
    return ladder.plan(scene.probe, profiles, interlaced=encode.looks_interlaced(scene))


def step_sound(scene: Scene, plan: Plan) -> tuple[Loudness | None, dict[int, Path]]:
    """Measure the sound, then encode it once per bitrate."""
    loudness = encode.measure_sound(scene, plan)
    return loudness, encode.encode_sound(scene, plan, loudness)


def step_pictures(scene: Scene, plan: Plan, on_progress: OnProgress) -> dict[str, list[Path]]:
    """Encode all pictures, posters and the storyboard in one decode. Returns the parts of each profile."""
    if not plan.has_picture:
        pictures.draw_sound_card(scene.folder / encode.CARD_NAME)
    from_percent, to_percent = _ENDS_AT_PERCENT["sound"], _ENDS_AT_PERCENT["pictures"]

    def on_frames(done: int, fps: float) -> None:
        share = min(done / plan.frames, 1.0)
        eta_s = round((plan.frames - done) / fps * 1.15) if fps > 0 else None
        on_progress(Progress("pictures", from_percent + share * (to_percent - from_percent), fps, eta_s))

    made = encode.encode_pictures(scene, plan, Span(0, plan.frames), on_frames=on_frames)
    return {profile: [path] for profile, path in made.items()}


def step_assemble(
    scene: Scene, plan: Plan, parts: dict[str, list[Path]], sounds: dict[int, Path]
) -> tuple[tuple[ProducedRendition, ...], tuple[ProducedFile, ...]]:
    """Mux, finish and hash every rendition; write its playlist; hash the companions."""
    renditions, files = [], []
    for rendition in plan.renditions:
        profile = rendition.profile
        muxed = encode.mux(scene, parts[profile.name], sounds[profile.audio_bitrate], profile.name)
        finished = mp4.finish(muxed, scene.folder / f"{profile.name}.mp4")
        muxed.unlink()
        hashes = finished.hashes
        renditions.append(
            ProducedRendition(
                profile=profile.name,
                profile_version=profile.version,
                path=finished.path,
                sha256=hashes.sha256,
                length=hashes.length,
                pieces_root=hashes.root,
                layer_path=_write_layer(finished.path, hashes),
                width=rendition.frame.width,
                height=rendition.frame.height,
                bitrate=hashes.length * 8 * FRAME_RATE // plan.frames,
                duration_ms=plan.duration_ms,
            )
        )
        listing = scene.folder / f"{profile.name}.m3u8"
        listing.write_text(mp4.playlist(finished, hashes.sha256))
        files.append(_companion("playlist", listing, profile=profile.name))
    posters = pictures.best_first(sorted(scene.folder.glob("poster-*.jpg")))[: 4 if plan.has_picture else 1]
    files += [_companion("poster", poster, order=order) for order, poster in enumerate(posters)]
    files.append(_companion("sprite", scene.folder / "sprite.jpg"))
    return tuple(renditions), tuple(files)


def _companion(kind: str, path: Path, *, profile: str | None = None, order: int = 0) -> ProducedFile:
    hashes = piece_layer(path)
    layer_path = _write_layer(path, hashes)
    return ProducedFile(kind, path, hashes.sha256, hashes.length, hashes.root, layer_path, profile, order)


def _write_layer(path: Path, hashes: PieceLayer) -> Path:
    layer_path = path.with_name(path.name + ".pieces")
    layer_path.write_bytes(hashes.layer)
    with layer_path.open("rb") as file:
        os.fsync(file.fileno())
    return layer_path


def step_check(
    scene: Scene, plan: Plan, renditions: tuple[ProducedRendition, ...]
) -> tuple[tuple[ProducedRendition, ...], Loudness | None]:
    """Decode everything, compare with the source, measure the sound again. Raises OutputBroken."""
    after: Loudness | None = None
    for number, rendition in enumerate(renditions):
        measured = verify.check_decodes(scene, plan, rendition.path, measure=number == len(renditions) - 1)
        after = measured or after
    if not plan.has_picture:
        return renditions, after
    values = verify.compare_with_source(scene, plan, {one.profile: one.path for one in renditions})
    return tuple(replace(one, xpsnr_db=round(values[one.profile], 2)) for one in renditions), after
