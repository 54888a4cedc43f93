"""The copy for the review desk: 360p, quick, the whole source as it is; in the catalogue before the ladder is begun.

One command decodes once, writes the copy, and measures the loudness that the ladder needs later. The copy is never
released, so it is counted, but neither decoded again nor compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.transcode import encode, ladder, pictures, verify
from server.transcode.assemble import finish
from server.transcode.encode import HYBRID, Scene
from server.transcode.errors import MediaRefused, Reason
from server.transcode.ffmpeg import output
from server.transcode.ladder import Plan
from server.transcode.loudness import Loudness, read_summary
from server.transcode.produce import OnProgress
from server.transcode.profiles import FRAME_RATE, REVIEW_PROFILE
from server.transcode.results import Prepared, ProducedFile, ProducedRendition, Progress
from server.transcode.sound import even_sound, source_sound


@dataclass(frozen=True)
class ReviewCopy:
    """The copy, its playlist, and what was heard on the way."""

    rendition: ProducedRendition
    playlist: ProducedFile
    loudness: Loudness | None


def make(scene: Scene, prepared: Prepared, on_progress: OnProgress) -> ReviewCopy:
    """Make the review copy of a source. Raises MediaRefused when it gives fewer frames than its packets promised."""
    plan = ladder.plan(prepared.probe, [REVIEW_PROFILE], interlaced=prepared.interlaced)
    (rendition,) = plan.renditions
    if not plan.has_picture:
        pictures.make_card(scene)
    seconds = f"{plan.frames / FRAME_RATE:.3f}"
    picture = encode.sized(encode.whole_picture(scene, plan), plan, rendition)
    muxed = scene.folder / "review.muxed"
    options = {
        **encode.picture_options(rendition, plan.frames),
        **HYBRID,
        "c:a": "aac",
        "b:a": REVIEW_PROFILE.audio_bitrate,
    }
    heard, measured = _sounds(scene, plan)
    outputs = [output([picture, heard], muxed.name, options)]
    if measured is not None:
        outputs.append(output([measured], "-", {"f": "null", "t": seconds}))

    def on_frames(frames: int, fps: float) -> None:
        eta_s = round((plan.frames - frames) / fps) if fps > 0 else None
        on_progress(Progress("review", 2 + min(frames / plan.frames, 1) * 96, fps, eta_s))

    limits = encode.limits_for(plan.frames / FRAME_RATE, slowest=15)
    done, frames = encode.run_graph(scene, outputs, limits, on_frames=on_frames, log_level="info")
    if frames < plan.frames:
        raise MediaRefused(Reason.DAMAGED, scene.probe.name, f"{frames} / {plan.frames}")
    made, playlist = finish(scene, plan, rendition, muxed)
    verify.check_duration(scene, plan, made.path)
    return ReviewCopy(made, playlist, read_summary(done.log) if scene.probe.audio is not None else None)


def _sounds(scene: Scene, plan: Plan) -> tuple[Any, Any | None]:
    """The source's sound as it is, as long as the picture, and a branch that measures it."""
    if scene.probe.audio is None:
        return even_sound(scene, plan, None), None
    branches = source_sound(scene.probe.audio, plan).filter_multi_output("asplit", 2)
    seconds = f"{plan.frames / FRAME_RATE:.3f}"
    heard = branches[0].filter("apad", whole_dur=seconds).filter("atrim", end=seconds)
    return heard, branches[1].filter("ebur128", peak="true", framelog="quiet")
