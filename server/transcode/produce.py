"""The whole way from a source file to verified renditions, without any database: a list of named steps.

    inspect ─► plan ─► encode ─► assemble ─► check

Each step takes what the earlier ones returned; the durable workflow in `workflow.py` runs the same steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from protocol.pieces import PieceLayer, piece_layer
from server.transcode import encode, ladder, mp4, pictures, verify
from server.transcode.encode import OnFrames, Pictures, Scene
from server.transcode.errors import MediaRefused, OutputBroken, Reason
from server.transcode.ladder import Plan, Span
from server.transcode.loudness import Loudness
from server.transcode.media import MediaProbe
from server.transcode.probe import inspect
from server.transcode.profiles import DEFAULT_PROFILES, FRAME_RATE, Profile
from server.transcode.runner import IsCancelled, never

STEPS = ("inspect", "plan", "encode", "assemble", "check")
CHECKS_AT_ONCE = 2
ENDS_AT_PERCENT = {"inspect": 1.0, "plan": 2.0, "encode": 86.0, "assemble": 88.0, "check": 98.0}


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
    """A companion: poster (best first by ``order``), sprite, playlist (of ``profile``), subtitles (``language``)."""

    kind: str
    path: Path
    sha256: str
    length: int
    pieces_root: str
    layer_path: Path
    profile: str | None = None
    order: int = 0
    language: str | None = None


@dataclass(frozen=True)
class Sound:
    """The encoded sounds by bitrate, what was measured before, and the subtitles by language."""

    loudness: Loudness | None
    files: dict[int, Path]
    subtitles: dict[str, Path]


@dataclass(frozen=True)
class Encoded:
    """What the encoders wrote: sounds by bitrate, picture parts by profile in order, posters, storyboard tiles.

    ``complaints`` is how many lines decoders said about damage in the source.
    """

    loudness: Loudness | None
    sounds: dict[int, Path]
    parts: dict[str, tuple[Path, ...]]
    posters: tuple[Path, ...]
    tiles: tuple[Path, ...]
    complaints: int = 0
    subtitles: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembled:
    """Finished and hashed, not yet verified."""

    renditions: tuple[ProducedRendition, ...]
    files: tuple[ProducedFile, ...]


@dataclass(frozen=True)
class Checked:
    """Verified; ``loudness`` is that of the result."""

    renditions: tuple[ProducedRendition, ...]
    loudness: Loudness | None


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
    scene = Scene(work, step_inspect(source, work, name=name, is_cancelled=is_cancelled), is_cancelled)
    on_progress(done("inspect"))
    plan = step_plan(scene, profiles)
    on_progress(done("plan"))
    encoded = step_encode(scene, plan, on_progress)
    on_progress(done("encode"))
    assembled = step_assemble(scene, plan, encoded)
    on_progress(done("assemble"))
    checked = step_check(scene, plan, assembled.renditions, complaints=encoded.complaints)
    on_progress(Progress("check", 100.0))
    return Produced(
        scene.probe,
        plan,
        checked.renditions,
        assembled.files,
        plan.duration_ms,
        encoded.loudness,
        checked.loudness,
    )


def done(step: str) -> Progress:
    """The progress when a step has ended."""
    return Progress(step, ENDS_AT_PERCENT[step])


def step_inspect(source: Path, work: Path, *, name: str, is_cancelled: IsCancelled) -> MediaProbe:
    """Accept or refuse the file; afterwards it lies linked in ``work``."""
    return inspect(source, work, name=name, is_cancelled=is_cancelled)


def step_plan(scene: Scene, profiles: Sequence[Profile]) -> Plan:
    """Decide what is made."""
    return ladder.plan(scene.probe, profiles, interlaced=encode.looks_interlaced(scene))


def step_encode(scene: Scene, plan: Plan, on_progress: OnProgress) -> Encoded:
    """Encode all pictures, posters and the storyboard in one decode; beside it measure and encode the sound."""
    if not plan.has_picture:
        pictures.draw_sound_card(scene.folder / encode.CARD_NAME)
    with ThreadPoolExecutor(1, "sound") as beside:
        sound = beside.submit(encode_sound, scene, plan)
        whole = Span(0, plan.frames)
        made = encode.encode_pictures(scene, plan, whole, on_frames=watch_frames(plan, on_progress))
        sounds = sound.result()
    return join_parts([made], sounds)


def encode_sound(scene: Scene, plan: Plan) -> Sound:
    """Measure the sound, encode it once per bitrate, and take out the subtitles."""
    loudness = encode.measure_sound(scene, plan)
    return Sound(loudness, encode.encode_sound(scene, plan, loudness), encode.extract_subtitles(scene))


def watch_frames(plan: Plan, on_progress: OnProgress) -> OnFrames:
    """Progress of the encoding from the frames that are done."""
    from_percent, to_percent = ENDS_AT_PERCENT["plan"], ENDS_AT_PERCENT["encode"]

    def on_frames(frames: int, fps: float) -> None:
        share = min(frames / plan.frames, 1.0)
        eta_s = round((plan.frames - frames) / fps * 1.15) if fps > 0 else None
        on_progress(Progress("encode", from_percent + share * (to_percent - from_percent), fps, eta_s))

    return on_frames


def join_parts(made: Sequence[Pictures], sound: Sound) -> Encoded:
    """The parts of a programme, in order, with its sound."""
    return Encoded(
        loudness=sound.loudness,
        sounds=sound.files,
        subtitles=sound.subtitles,
        parts={profile: tuple(one.parts[profile] for one in made) for profile in made[0].parts},
        posters=tuple(poster for one in made for poster in one.posters),
        tiles=tuple(tile for one in made for tile in one.tiles),
        complaints=sum(one.complaints for one in made),
    )


def step_assemble(scene: Scene, plan: Plan, encoded: Encoded) -> Assembled:
    """Mux, finish and hash every rendition; write its playlist; hash the companions."""
    renditions, files = [], []
    for rendition in plan.renditions:
        profile = rendition.profile
        muxed = encode.mux(
            scene, encoded.parts[profile.name], encoded.sounds[profile.audio_bitrate], profile.name
        )
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
    posters = pictures.best_first(encoded.posters)[: None if plan.has_picture else 1]
    files += [_companion("poster", poster, order=order) for order, poster in enumerate(posters)]
    pictures.join_tiles(encoded.tiles, plan.sprite, scene.folder / "sprite.jpg")
    files.append(_companion("sprite", scene.folder / "sprite.jpg"))
    files += [
        _companion("subtitles", path, language=language) for language, path in encoded.subtitles.items()
    ]
    return Assembled(tuple(renditions), tuple(files))


def _companion(
    kind: str, path: Path, *, profile: str | None = None, order: int = 0, language: str | None = None
) -> ProducedFile:
    hashes = piece_layer(path)
    return ProducedFile(
        kind=kind,
        path=path,
        sha256=hashes.sha256,
        length=hashes.length,
        pieces_root=hashes.root,
        layer_path=_write_layer(path, hashes),
        profile=profile,
        order=order,
        language=language,
    )


def _write_layer(path: Path, hashes: PieceLayer) -> Path:
    layer_path = path.with_name(path.name + ".pieces")
    layer_path.write_bytes(hashes.layer)
    with layer_path.open("rb") as file:
        os.fsync(file.fileno())
    return layer_path


def step_check(
    scene: Scene, plan: Plan, renditions: tuple[ProducedRendition, ...], *, complaints: int = 0
) -> Checked:
    """Decode everything, compare with the source, measure the sound again.

    Raises OutputBroken; MediaRefused when the comparison fails because a damaged source decodes differently
    each time (``complaints`` says that its decoder noticed).
    """
    last = renditions[-1]
    with ThreadPoolExecutor(CHECKS_AT_ONCE, "check") as pool:
        measured = [
            pool.submit(verify.check_decodes, scene, plan, one.path, measure=one is last)
            for one in renditions
        ]
        values = _compare(scene, plan, renditions, complaints)
        loudness = [one.result() for one in measured][-1]
    return Checked(tuple(replace(one, xpsnr_db=values.get(one.profile)) for one in renditions), loudness)


def _compare(
    scene: Scene, plan: Plan, renditions: tuple[ProducedRendition, ...], complaints: int
) -> dict[str, float]:
    if not plan.has_picture:
        return {}
    try:
        values = verify.compare_with_source(scene, plan, {one.profile: one.path for one in renditions})
    except OutputBroken as error:
        if complaints or not verify.source_is_steady(scene, plan):
            raise MediaRefused(Reason.DAMAGED, scene.probe.name) from error
        raise
    return {profile: round(value, 2) for profile, value in values.items()}
