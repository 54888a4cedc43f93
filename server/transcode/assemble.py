"""From encoded pictures and sounds to finished files: muxed, moved into shape, hashed, with their companions."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from protocol.pieces import PieceLayer, piece_layer
from server.transcode import encode, mp4, pictures
from server.transcode.encode import Clip, Scene
from server.transcode.ladder import Plan, RenditionPlan
from server.transcode.profiles import FRAME_RATE, Codec, Profile
from server.transcode.results import Assembled, Encoded, ProducedFile, ProducedRendition
from server.transcode.subtitles import timestamp

AT_ONCE = 2
PREVIEW_S = 30.0
PREVIEW_STARTS_AT = 0.2
"""Of the programme: past the titles."""


def step_assemble(main: Clip, encoded: Encoded) -> Assembled:
    """Mux, finish and hash every rendition; write its playlist; hash the companions."""
    scene, plan = main.scene, main.plan
    with ThreadPoolExecutor(AT_ONCE, "assemble") as pool:
        pairs = list(pool.map(partial(_assemble_one, scene, plan, encoded), plan.renditions))
    renditions, files = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    posters = pictures.best_first(encoded.posters)[: None if plan.has_picture else 1]
    files += [companion("poster", poster, order=order) for order, poster in enumerate(posters)]
    files += _storyboard(scene, plan, encoded.tiles)
    smallest = next(one for one in plan.renditions if one.profile.codec is Codec.H264)
    files.append(_preview(scene, plan, renditions[plan.renditions.index(smallest)]))
    files += [companion("subtitles", path, language=language) for language, path in encoded.subtitles.items()]
    return Assembled(tuple(renditions), tuple(files))


def _assemble_one(
    scene: Scene, plan: Plan, encoded: Encoded, rendition: RenditionPlan
) -> tuple[ProducedRendition, ProducedFile]:
    profile = rendition.profile
    muxed = encode.mux(
        scene, encoded.parts[profile.name], encoded.sounds[profile.audio_bitrate], profile.name
    )
    return finish(scene, plan, rendition, muxed)


def finish(
    scene: Scene, plan: Plan, rendition: RenditionPlan, muxed: Path
) -> tuple[ProducedRendition, ProducedFile]:
    """A hybrid MP4 in its final shape, hashed while it is written, with its playlist."""
    profile: Profile = rendition.profile
    finished = mp4.finish(muxed, scene.folder / f"{profile.name}.mp4")
    muxed.unlink()
    hashes = finished.hashes
    made = ProducedRendition(
        profile=profile.name,
        profile_version=profile.version,
        path=finished.path,
        sha256=hashes.sha256,
        length=hashes.length,
        pieces_root=hashes.root,
        layer_path=_write_layer(finished.path, hashes),
        width=rendition.frame.width,
        height=rendition.frame.height,
        bitrate=hashes.length * 8 * FRAME_RATE // plan.total,
        duration_ms=plan.duration_ms,
    )
    listing = scene.folder / f"{profile.name}.m3u8"
    listing.write_text(mp4.playlist(finished, hashes.sha256))
    return made, companion("playlist", listing, profile=profile.name)


def _storyboard(scene: Scene, plan: Plan, tiles: tuple[Path, ...]) -> list[ProducedFile]:
    sheet, track = scene.folder / "sprite.jpg", scene.folder / "storyboard.vtt"
    pictures.join_tiles(tiles, plan.sprite, sheet)
    sprite = companion("sprite", sheet)
    track.write_text(storyboard(plan, sprite.sha256))
    return [sprite, companion("storyboard", track)]


def storyboard(plan: Plan, sprite: str) -> str:
    """WebVTT that names, for each span of time, a tile of the sheet ``sprite`` (Media Fragments URI: ``#xywh``)."""
    grid, cues = plan.sprite, ["WEBVTT"]
    for number in range(grid.tiles):
        begin_ms = number * grid.interval_frames * 1000 // FRAME_RATE
        end_ms = min((number + 1) * grid.interval_frames, plan.total) * 1000 // FRAME_RATE
        left, top = number % grid.columns * grid.tile.width, number // grid.columns * grid.tile.height
        place = f"{sprite}#xywh={left},{top},{grid.tile.width},{grid.tile.height}"
        cues.append(f"{timestamp(begin_ms)} --> {timestamp(end_ms)}\n{place}")
    return "\n\n".join(cues) + "\n"


def _preview(scene: Scene, plan: Plan, smallest: ProducedRendition) -> ProducedFile:
    """Thirty seconds of the smallest rendition, copied: nothing is encoded again."""
    whole_s = plan.total / FRAME_RATE
    start_s = min(whole_s * PREVIEW_STARTS_AT, max(whole_s - PREVIEW_S, 0))
    return companion("preview", encode.cut_preview(scene, smallest.path, start_s, min(PREVIEW_S, whole_s)))


def companion(
    kind: str, path: Path, *, profile: str | None = None, order: int = 0, language: str | None = None
) -> ProducedFile:
    """A finished file beside the renditions, hashed."""
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
