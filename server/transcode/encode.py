"""Builds and runs the encodings of a plan: one decode for all pictures, one for the sound, then the muxing.

Every function works inside a folder of its own: the hostile file is ``input`` there, outputs lie beside it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.transcode import coding
from server.transcode.errors import MediaRefused, OutputBroken, Reason, ToolFailed, ToolTimedOut
from server.transcode.ffmpeg import (
    compile_graph,
    find_binaries,
    hostile_input,
    output,
    own_input,
)
from server.transcode.ladder import Plan, RenditionPlan, Role, Span, source_spans
from server.transcode.media import MediaProbe, VideoTrack
from server.transcode.profiles import FRAME_RATE, GOP_FRAMES
from server.transcode.runner import GIB, Finished, IsCancelled, Limits, never, run

CARD_NAME = "card.jpg"
CARD_SIZE = (1280, 720)
COVER_LIMITS = Limits(deadline_s=30, cpu_s=30)
TRACK_TIMESCALE = FRAME_RATE * 512
LEAD_S = 1.0
"""Seeking lands this and the source's longest gap early and drops what is too early, so that the first frame kept has
seen its neighbours and is the one that a decode from the start would show."""
MISSING_FRAMES_ALLOWED_SHARE = 0.02
SEEKABLE_FORMATS = ("mov", "matroska")
IDET_FRAMES = 250
LEAST_INTERLACED_HEIGHT = 400
"""No system with fewer lines was ever interlaced; tiny noisy pictures only look like it."""
NEVER_INTERLACED = frozenset(["wmv1", "wmv2", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "vp8", "vp9", "mjpeg"])

OnFrames = Callable[[int, float], None]
"""Told how many frames are done and how many a second."""


def no_frames(_done: int, _fps: float) -> None:
    """The ``on_frames`` of work that nobody watches."""


@dataclass(frozen=True)
class Scene:
    """Where the work happens: ``folder`` holds the linked ``input``; ``probe`` says what it is."""

    folder: Path
    probe: MediaProbe
    is_cancelled: IsCancelled = never


@dataclass(frozen=True)
class Clip:
    """One source of a programme, with what is made of it. Its hostile file lies alone in its scene's folder."""

    role: Role
    scene: Scene
    plan: Plan


def limits_for(duration_s: float, *, slowest: float) -> Limits:
    """Limits for work that may take ``slowest`` times real time on this machine."""
    deadline_s = 120 + duration_s * slowest
    return Limits(
        deadline_s=deadline_s,
        cpu_s=int(deadline_s * (os.cpu_count() or 1)),
        address_space=2 * GIB + GIB * max((os.cpu_count() or 1) - 4, 0) // 4,
        file_size=GIB + int(duration_s * 1_000_000),
    )


def run_graph(
    scene: Scene,
    outputs: Sequence[Any],
    limits: Limits,
    *,
    on_frames: OnFrames = no_frames,
    log_level: str = "error",
    of_source: bool = True,
) -> tuple[Finished, int]:
    """Run a graph in the scene's folder; returns what it said and how many frames it counted.

    Raises MediaRefused when ``of_source`` and the tool gives up on the file, else ToolFailed.
    """
    counted = _Progress(on_frames)
    argv = compile_graph(find_binaries(), outputs, log_level=log_level)
    linked = scene.folder / "input"
    try:
        done = run(
            argv, limits=limits, cwd=scene.folder, reads=[linked, scene.folder], writes=[scene.folder],
            on_line=counted.read, is_cancelled=scene.is_cancelled,
        )  # fmt: skip
    except ToolFailed as error:
        if of_source:
            raise _refusal(error, scene.probe.name) from error
        raise
    except ToolTimedOut as error:
        if of_source:
            raise MediaRefused(Reason.TOO_EXPENSIVE, scene.probe.name) from error
        raise
    return done, counted.frames


def _refusal(error: ToolFailed, name: str) -> Exception:
    """A failing encoder is the file's fault only where the tool says so; no space and the like are ours."""
    if re.search(
        r"No space left|File too large|Input/output error|Permission denied|Unknown encoder", error.log
    ):
        return error
    if re.search(r"Cannot allocate memory", error.log) or error.returncode in (-9, -24, 137, 152):
        return MediaRefused(Reason.TOO_EXPENSIVE, name)
    if re.search(r"max pixel count", error.log):
        return MediaRefused(Reason.TOO_LARGE_PICTURE, name)
    if re.search(
        r"Invalid data found|to decoder|while decoding|[Cc]orrupt|received no packets|Cannot determine",
        error.log,
    ):
        return MediaRefused(Reason.DAMAGED, name)
    return error


class _Progress:
    """Reads ffmpeg's ``-progress`` lines."""

    def __init__(self, on_frames: OnFrames) -> None:
        self.frames = 0
        self._fps = 0.0
        self._on_frames = on_frames

    def read(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame":
            self.frames = int(value) if value.isdigit() else self.frames
        elif key == "fps":
            self._fps = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else 0.0
        elif key == "progress":
            self._on_frames(self.frames, self._fps)


# --- the picture ---------------------------------------------------------------------------------------------------
def looks_interlaced(scene: Scene) -> bool:
    """Whether the frames themselves are interlaced, by looking at up to 250 of them: headers lie both ways."""
    video = scene.probe.video
    if video is None or video.height < LEAST_INTERLACED_HEIGHT or video.codec in NEVER_INTERLACED:
        return False
    start_s = max(video.end_s / 3 - 1, 0) if can_seek(scene.probe) else 0.0
    stream = _source(start_s)[str(video.index)].filter("idet")
    null = output([stream], "-", {"f": "null", "frames:v": IDET_FRAMES})
    done, _ = run_graph(scene, [null], limits_for(IDET_FRAMES / FRAME_RATE, slowest=10), log_level="info")
    return judge_idet(done.log)


def judge_idet(log: str) -> bool:
    """Interlaced when clearly more frames with motion show two fields than one. Pure."""
    found = re.findall(r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)", log)
    if not found:
        return False
    tff, bff, progressive = (int(number) for number in found[-1])
    return max(tff, bff) > progressive and max(tff, bff) >= 10


@dataclass(frozen=True)
class Pictures:
    """What one encoding of a span wrote: the picture-only MP4 of each profile, posters and storyboard tiles by frame.

    ``complaints`` is how many lines the decoder said about damage.
    """

    parts: dict[str, Path]
    posters: tuple[Path, ...]
    tiles: tuple[Path, ...]
    complaints: int


def encode_pictures(
    scene: Scene, plan: Plan, span: Span, *, part: int = 0, on_frames: OnFrames = no_frames
) -> Pictures:
    """Encode a span of every rendition in one decode, and with it the span's posters and storyboard tiles.

    Raises MediaRefused when the source gives fewer frames than its packets promised.
    """
    base = _base_picture(scene, plan, span)
    stills = _stills(plan, span)
    branches = split(base, len(plan.renditions) + len(stills))
    outputs, made = [], {}
    for rendition, branch in zip(plan.renditions, branches, strict=False):
        name = f"picture-{rendition.profile.name}-{part:05d}.mp4"
        made[rendition.profile.name] = scene.folder / name
        outputs.append(
            output([sized(branch, plan, rendition)], name, picture_options(rendition, span.frames))
        )
    for still, branch in zip(stills, branches[len(plan.renditions) :], strict=True):
        outputs.append(still.output(branch, plan, part))
    limits = limits_for(plan.source_frames / FRAME_RATE, slowest=30)
    done, frames = run_graph(scene, outputs, limits, on_frames=on_frames)
    if frames < span.frames:
        raise MediaRefused(Reason.DAMAGED, scene.probe.name, f"{frames} / {span.frames}")
    return Pictures(
        made,
        tuple(sorted(scene.folder.glob(f"poster-{part:05d}-*.jpg"))),
        tuple(sorted(scene.folder.glob(f"tile-{part:05d}-*.jpg"))),
        len(done.log.splitlines()),
    )


def take_cover(scene: Scene) -> bool:
    """The cover inside a sound file as the card; False where it has none that can be read."""
    if scene.probe.cover is None:
        return False
    width, height = CARD_SIZE
    still = hostile_input()[str(scene.probe.cover)]
    still = still.filter("scale", width, height, force_original_aspect_ratio="decrease")
    still = still.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2").filter("setsar", 1)
    options = {"f": "image2", "update": 1, "frames:v": 1, "q:v": 2, "map_metadata": -1}
    try:
        run_graph(scene, [output([still.filter("format", "yuvj420p")], CARD_NAME, options)], COVER_LIMITS)
    except (MediaRefused, ToolFailed):
        return False
    return (scene.folder / CARD_NAME).exists()


def whole_picture(scene: Scene, plan: Plan) -> Any:
    """All frames of a clip, upright, progressive, on the 25 fps grid, at source size."""
    return _base_picture(scene, plan, Span(0, plan.frames))


def split(stream: Any, count: int) -> list[Any]:
    """The same stream ``count`` times."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output("split", count)
    return [node[number] for number in range(count)]


def can_seek(probe: MediaProbe) -> bool:
    """Whether the format leads to a time exactly: others are read from their start."""
    return any(name in probe.format for name in SEEKABLE_FORMATS)


def _source(start_s: float = 0.0) -> Any:
    return hostile_input(ss=f"{start_s:.3f}") if start_s > 0 else hostile_input()


def _base_picture(scene: Scene, plan: Plan, span: Span) -> Any:
    """The span's frames, upright, progressive, on the 25 fps grid, at source size."""
    if scene.probe.video is None:
        card = own_input(CARD_NAME, f="image2", framerate=FRAME_RATE)
        return card["v:0"].filter("loop", loop=-1, size=1).filter("trim", end_frame=span.frames)
    return source_frames(scene.probe, scene.probe.video, plan, span)


def source_frames(probe: MediaProbe, video: VideoTrack, plan: Plan, span: Span, *, seek: bool = True) -> Any:
    """A span of the source on the output grid: the same frames whether reached by seeking or from the start.

    (In a damaged file they may differ: without ``seek`` they are those of a decode from the start.)
    """
    spans = source_spans(plan, span)
    first, last = spans[0].first, spans[-1].last
    lead = math.ceil((LEAD_S + video.largest_gap_s) * FRAME_RATE)
    skipped = first - lead if seek and can_seek(probe) and first > lead else 0
    stream = _source(skipped / FRAME_RATE)[str(video.index)]
    if plan.deinterlace:
        stream = stream.filter("bwdif", mode="send_frame", parity="auto", deint="all")
    if plan.rotation in (90, 270):
        stream = stream.filter("transpose", "clock" if plan.rotation == 90 else "cclock")
    elif plan.rotation == 180:
        stream = stream.filter("hflip").filter("vflip")
    stream = stream.filter("fps", fps=FRAME_RATE, start_time=0)
    missing_s = max(plan.source_frames / FRAME_RATE - video.end_s, 0) + 0.2
    stream = stream.filter("tpad", stop_mode="clone", stop_duration=f"{missing_s:.3f}")
    stream = stream.filter("trim", start_frame=first - skipped, end_frame=last - skipped)
    if len(spans) > 1:
        stream = stream.filter("select", choose([Span(one.first - first, one.last - first) for one in spans]))
        stream = stream.filter("setpts", f"N/({FRAME_RATE}*TB)")
    else:
        stream = stream.filter("setpts", "PTS-STARTPTS")
    return _standard_range(stream, plan) if plan.hdr else stream


def choose(spans: Sequence[Span]) -> str:
    """Which frames, as an expression over ``n``: a balanced tree, because ffmpeg takes at most 100 nested terms."""
    if len(spans) == 1:
        return f"between(n,{spans[0].first},{spans[0].last - 1})"
    middle = len(spans) // 2
    return f"if(lt(n,{spans[middle].first}),{choose(spans[:middle])},{choose(spans[middle:])})"


def _standard_range(stream: Any, plan: Plan) -> Any:
    """High dynamic range brought into that of a television, once for all renditions: it is slow."""
    colours = {
        "in_color_matrix": _SCALE_MATRIX[plan.source_matrix],
        "out_color_matrix": "bt709",
        "out_range": "limited",
        "out_primaries": "bt709",
        "out_transfer": "bt709",
        "intent": "perceptual",
    }
    return stream.filter("scale", **colours).filter("format", "yuv420p")


def sized(stream: Any, plan: Plan, rendition: RenditionPlan) -> Any:
    """One rendition's frame out of the base picture: scaled, padded, in the colours of television."""
    stream = _scaled(stream, plan, rendition.picture.width, rendition.picture.height)
    if rendition.frame != rendition.picture:
        stream = stream.filter("pad", rendition.frame.width, rendition.frame.height, "(ow-iw)/2", "(oh-ih)/2")
    return stream.filter("setsar", 1).filter("format", "yuv420p")


def _scaled(stream: Any, plan: Plan, width: int, height: int, *, for_jpeg: bool = False) -> Any:
    colours: dict[str, Any] = {
        "in_color_matrix": "bt709" if plan.hdr else _SCALE_MATRIX[plan.source_matrix],
        "in_range": "limited" if plan.hdr else plan.source_range,
        "out_color_matrix": "bt601" if for_jpeg else "bt709",
        "out_range": "full" if for_jpeg else "limited",
    }
    return stream.filter("scale", width, height, flags="bicubic", **colours)


_SCALE_MATRIX = {
    "bt709": "bt709",
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "bt2020nc": "bt2020",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
}


def picture_options(rendition: RenditionPlan, frames: int) -> dict[str, Any]:
    """How a rendition's picture is coded: exactly so many frames."""
    return {
        **coding.options(rendition.profile),
        "preset": rendition.profile.preset,
        "crf": rendition.profile.quality,
        "g": GOP_FRAMES,
        "colorspace": "bt709",
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "color_range": "tv",
        "frames:v": frames,
        "t": f"{frames / FRAME_RATE:.3f}",
        "video_track_timescale": TRACK_TIMESCALE,
        "map_metadata": -1,
        "map_chapters": -1,
    }


@dataclass(frozen=True)
class _Still:
    """Single frames written as JPEG: those of the whole programme that fall into a span."""

    name: str
    frames: tuple[int, ...]
    wanted: str
    """Which frames, as an expression over the span's frame number ``n``; ffmpeg takes at most 100 nested terms."""
    width: int
    height: int
    quality: int

    def output(self, stream: Any, plan: Plan, part: int) -> Any:
        chosen = _scaled(stream.filter("select", self.wanted), plan, self.width, self.height, for_jpeg=True)
        chosen = chosen.filter("setsar", 1).filter("format", "yuvj420p")
        options = {
            "f": "image2",
            "q:v": self.quality,
            "fps_mode": "passthrough",
            "frames:v": len(self.frames),
        }
        return output([chosen], f"{self.name}-{part:05d}-%03d.jpg", {**options, "map_metadata": -1})


def _stills(plan: Plan, span: Span) -> list[_Still]:
    """The kinds of stills that have frames in the span."""
    largest, tile = plan.renditions[-1].picture, plan.sprite.tile
    shrink = min(tile.width / largest.width, tile.height / largest.height)
    tile_width, tile_height = (
        max(2 * round(side * shrink / 2), 2) for side in (largest.width, largest.height)
    )
    interval = plan.sprite.interval_frames
    posters = _inside(plan.poster_frames, span)
    some = "+".join(f"eq(n,{frame - span.first})" for frame in posters)
    begins = plan.offset + span.first
    every = f"not(mod(n+{begins},{interval}))"
    kinds = [
        _Still("poster", posters, some, largest.width, largest.height, 4),
        _Still(
            "tile",
            _inside(range(0, plan.total, interval), Span(begins, begins + span.frames)),
            every,
            tile_width,
            tile_height,
            2,
        ),
    ]
    return [kind for kind in kinds if kind.frames]


def _inside(frames: Iterable[int], span: Span) -> tuple[int, ...]:
    return tuple(sorted({frame for frame in frames if span.first <= frame < span.last}))


# --- together ------------------------------------------------------------------------------------------------------
HYBRID = {
    "f": "mp4",
    "movflags": "+hybrid_fragmented+frag_keyframe+delay_moov+default_base_moof",
    "write_tmcd": 0,
    "frag_interleave": 12,
    "video_track_timescale": TRACK_TIMESCALE,
    "map_metadata": -1,
    "map_chapters": -1,
}
"""One MP4 for plain playback and for HLS byte ranges, before `mp4.py` has finished it."""


def mux(scene: Scene, parts: Sequence[Path], sound: Path, name: str) -> Path:
    """Picture parts in order and the sound, copied into one hybrid MP4 (`mp4.py` finishes it)."""
    if len(parts) == 1:
        picture = own_input(parts[0].name)
    else:
        listing = scene.folder / f"{name}.txt"
        listing.write_text("".join(f"file {part.name}\n" for part in parts))
        picture = own_input(listing.name, f="concat", safe=1)
    muxed = scene.folder / f"{name}.muxed"
    joined = output([picture["v:0"], own_input(sound.name)["a:0"]], muxed.name, {"c": "copy", **HYBRID})
    run_graph(scene, [joined], Limits(deadline_s=600, cpu_s=600, file_size=64 * GIB), of_source=False)
    if not muxed.exists():
        raise OutputBroken("the muxer wrote nothing")
    return muxed


def cut_preview(scene: Scene, rendition: Path, start_s: float, seconds: float) -> Path:
    """A stretch of a finished rendition, copied: it begins at the key frame before ``start_s``."""
    path = scene.folder / "preview.mp4"
    source = own_input(rendition.name, ss=f"{start_s:.3f}")
    options = {
        "c": "copy",
        "t": f"{seconds:.3f}",
        "movflags": "+faststart",
        "map_metadata": -1,
        "map_chapters": -1,
    }
    cut = output([source["v:0"], source["a:0"]], path.name, options)
    run_graph(scene, [cut], Limits(deadline_s=120, cpu_s=120), of_source=False)
    return path
