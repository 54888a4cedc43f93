"""Checks what we made before anybody may have it: decoded to the last frame, compared with the source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.transcode.encode import (
    Scene,
    limits_for,
    run_graph,
    sized,
    source_frames,
    split,
)
from server.transcode.errors import OutputBroken, ToolFailed
from server.transcode.ffmpeg import find_binaries, hostile_input, join, output, own_input
from server.transcode.ladder import Plan, Span
from server.transcode.loudness import Loudness, read_summary
from server.transcode.profiles import FRAME_RATE
from server.transcode.runner import Limits, run

SAMPLED_SHARE = 0.1
SAMPLED_SPANS = 3
MIN_SPAN_FRAMES = 25
WRONG_PICTURE_DB = 15.0
"""Below this luma XPSNR the pictures are not the source's. Honest encodings of noise lie above."""
DURATION_SLACK_S = 0.05


@dataclass(frozen=True)
class Checked:
    """One rendition that passed: luma XPSNR in dB on sampled spans (None without a picture to compare)."""

    frames: int
    xpsnr_db: float | None


def check_decodes(scene: Scene, plan: Plan, file: Path, *, measure: bool = False) -> Loudness | None:
    """Decode the whole file: no error, the planned number of frames, the planned duration.

    Returns its loudness when ``measure``. Raises OutputBroken.
    """
    source = own_input(file.name)
    sound = source["a:0"]
    if measure:
        sound = sound.filter("ebur128", peak="true", framelog="quiet")
    null = output([source["v:0"], sound], "-", {"f": "null", "xerror": None, "fps_mode": "passthrough"})
    limits = limits_for(plan.total / FRAME_RATE, slowest=5)
    try:
        done, frames = run_graph(
            scene, [null], limits, log_level="info" if measure else "error", of_source=False
        )
    except ToolFailed as error:
        raise OutputBroken(f"{file.name} does not decode: {error.log[-300:]}") from error
    if not measure and done.log.strip():
        raise OutputBroken(f"{file.name} does not decode cleanly: {done.log[-300:]}")
    if frames != plan.total:
        raise OutputBroken(f"{file.name} has {frames} frames, not {plan.total}")
    check_duration(scene, plan, file)
    return read_summary(done.log) if measure else None


def check_duration(scene: Scene, plan: Plan, file: Path) -> None:
    """Raises OutputBroken when a player would show another length."""
    argv = [
        str(find_binaries().ffprobe),
        "-v",
        "error",
        "-show_entries",
        "format=duration",
        "-of",
        "json",
        file.name,
    ]
    done = run(argv, limits=Limits(deadline_s=30, cpu_s=30), cwd=scene.folder, reads=[scene.folder])
    seconds = float(json.loads(done.stdout)["format"]["duration"])
    if abs(seconds - plan.total / FRAME_RATE) > DURATION_SLACK_S:
        raise OutputBroken(f"{file.name} lasts {seconds} s, not {plan.total / FRAME_RATE} s")


def sampled_spans(frames: int) -> list[Span]:
    """About a tenth of the frames, in spans spread over the programme (the first and last second included)."""
    length = min(max(round(frames * SAMPLED_SHARE / SAMPLED_SPANS), MIN_SPAN_FRAMES), frames)
    if frames <= length * SAMPLED_SPANS:
        return [Span(0, frames)]
    step = (frames - length) / (SAMPLED_SPANS - 1)
    return [
        Span(first, first + length) for first in (round(step * number) for number in range(SAMPLED_SPANS))
    ]


def compare_span(scene: Scene, plan: Plan, files: Mapping[str, Path], span: Span) -> dict[str, float]:
    """Luma XPSNR of each profile on one span. Raises OutputBroken when the pictures are not the source's."""
    try:
        return _compare(scene, plan, files, span, seek=True)
    except OutputBroken:  # a damaged index leads astray; the encoder read from the start
        return _compare(scene, plan, files, span, seek=False)


def _compare(
    scene: Scene, plan: Plan, files: Mapping[str, Path], span: Span, *, seek: bool
) -> dict[str, float]:
    values = _measure(scene, plan, files, span, seek=seek)
    for profile, value in values.items():
        if value < WRONG_PICTURE_DB:
            raise OutputBroken(f"{profile} does not show the source's pictures (XPSNR {value:.1f} dB)")
    return values


def source_is_steady(scene: Scene, plan: Plan) -> bool:
    """Whether two decodes of the source show the same pictures: of a damaged one, decoders invent different ones."""
    video = scene.probe.video
    assert video is not None
    seen = []
    for number in (1, 2):
        hashes = scene.folder / f"steady-{number}.md5"
        pictures = hostile_input()[str(video.index)]
        limits = limits_for(plan.source_frames / FRAME_RATE, slowest=10)
        options = {"f": "md5", "t": f"{plan.source_frames / FRAME_RATE:.3f}", "fps_mode": "passthrough"}
        run_graph(scene, [output([pictures], hashes.name, options)], limits)
        seen.append(hashes.read_text())
    return seen[0] == seen[1]


def _measure(
    scene: Scene, plan: Plan, files: Mapping[str, Path], span: Span, *, seek: bool
) -> dict[str, float]:
    video = scene.probe.video
    assert video is not None
    base = source_frames(scene.probe, video, plan, span, seek=seek)
    branches = split(base, len(plan.renditions))
    outputs, logs = [], {}
    for rendition, branch in zip(plan.renditions, branches, strict=False):
        profile = rendition.profile.name
        logs[profile] = scene.folder / f"xpsnr-{profile}.log"
        first = plan.offset + span.first
        skipped = max(first - FRAME_RATE, 0)
        made = own_input(files[profile].name, ss=f"{skipped / FRAME_RATE:.3f}")["v:0"]
        made = made.filter("trim", start_frame=first - skipped, end_frame=first - skipped + span.frames)
        made = made.filter("setpts", "PTS-STARTPTS")
        compared = join([made, sized(branch, plan, rendition)], "xpsnr", stats_file=logs[profile].name)
        outputs.append(output([compared], "-", {"f": "null", "frames:v": span.frames}))
    run_graph(scene, outputs, limits_for(plan.source_frames / FRAME_RATE, slowest=10), of_source=False)
    return {profile: read_xpsnr(path.read_text(), span.frames) for profile, path in logs.items()}


def read_xpsnr(log: str, frames: int) -> float:
    """The average luma value of an xpsnr log. Raises OutputBroken when it compared another number of frames."""
    values = re.findall(r"^n:\s*\d+\s+XPSNR y:\s*(inf|[\d.]+)", log, re.MULTILINE)
    if len(values) != frames:
        raise OutputBroken(f"compared {len(values)} frames, not {frames}")
    return sum(min(float(value), 100.0) for value in values) / len(values)
