"""What an uploaded file is, found out without trusting it.

The file is linked alone into an empty directory; ffprobe reads it with allow-lists for protocols, formats and
decoders; then every packet's time is looked at, because a header may claim anything. ffprobe exits 0 on some
refusals of its own, so its errors are read too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from server.transcode.containers import is_cut_off
from server.transcode.errors import MediaRefused, Reason, ToolFailed, ToolTimedOut
from server.transcode.ffmpeg import INPUT_NAME, MAX_PIXELS, MAX_STREAMS, find_binaries, probe_argv
from server.transcode.media import AudioTrack, Chapter, MediaProbe, SubtitleTrack, VideoTrack
from server.transcode.runner import IsCancelled, Limits, never, run

MAX_GAP_S = 10.0
MIN_DURATION_S = 1.0
MAX_DURATION_S = 12 * 3600.0
TRUNCATION_SLACK_S = 2.0
TRUNCATION_SHARE = 0.05
EXITS_WELL_BUT_REFUSED = (
    (r"exceeds specified max pixel count|Picture size .* is invalid", Reason.TOO_LARGE_PICTURE),
    (r"max_streams", Reason.TOO_MANY_STREAMS),
)
"""What ffprobe complains of while its exit status says that all is well."""
PROBE_LIMITS = Limits(deadline_s=60, cpu_s=60)
SCAN_LIMITS = Limits(deadline_s=900, cpu_s=900)


@dataclass
class Timeline:
    """What the packets of one stream cover, in seconds of the file's own time stamps."""

    packets: int = 0
    first: float | None = None
    last_end: float = 0.0
    largest_gap: float = 0.0
    _previous: float | None = field(default=None, repr=False)

    def add(self, pts: float | None, dts: float | None, duration: float) -> None:
        """Take one packet in file order. Gaps are counted on decoding times, which do not go back in a sane file."""
        self.packets += 1
        order = dts if dts is not None else pts
        if order is None:
            return
        shown = pts if pts is not None else order
        if self._previous is not None:
            self.largest_gap = max(self.largest_gap, abs(order - self._previous))
        self.largest_gap = max(self.largest_gap, duration)
        self._previous = order + (duration if duration <= 1.0 else 0.0)
        self.first = shown if self.first is None else min(self.first, shown)
        self.last_end = max(self.last_end, shown + duration)


def isolate(source: Path, directory: Path) -> Path:
    """The source alone in a new ``directory``, under the name ``input`` without an extension.

    A relative or absolute reference inside a hostile file then finds nothing beside it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    linked = directory / INPUT_NAME
    linked.unlink(missing_ok=True)
    try:
        os.link(source, linked)
    except (
        OSError
    ):  # another file system: the confinement names the target, so a symbolic link opens nothing else
        linked.symlink_to(source.resolve())
    return linked


def inspect(
    source: Path, directory: Path, *, name: str = "", is_cancelled: IsCancelled = never
) -> MediaProbe:
    """Find out what ``source`` is, using the (new or own) ``directory``; ``name`` is what people call it.

    Raises MediaRefused naming the file and the reason.
    """
    name = name or source.name
    size = source.stat().st_size
    if size == 0:
        raise MediaRefused(Reason.EMPTY, name)
    if is_cut_off(source):
        raise MediaRefused(Reason.TRUNCATED, name)
    linked = isolate(source, directory)
    description = _describe(linked, name, is_cancelled)
    timelines = _scan_packets(linked, name, is_cancelled)
    return judge(name, size, description, timelines)


def _ask(linked: Path, name: str, questions: Iterable[str], limits: Limits, **how: Any) -> tuple[str, str]:
    """ffprobe's answer and its complaints. Raises MediaRefused when it will not read the file."""
    argv = probe_argv(find_binaries(), *questions)
    try:
        done = run(argv, limits=limits, cwd=linked.parent, reads=[linked, linked.parent], **how)
    except ToolFailed as error:
        raise refusal_from_log(error.log, name) from error
    except ToolTimedOut as error:
        raise MediaRefused(Reason.TOO_EXPENSIVE, name) from error
    return done.stdout, done.log


def _describe(linked: Path, name: str, is_cancelled: IsCancelled) -> dict[str, Any]:
    questions = ("-show_format", "-show_streams", "-show_chapters", "-of", "json")
    answer, complaints = _ask(linked, name, questions, PROBE_LIMITS, is_cancelled=is_cancelled)
    description: dict[str, Any] = json.loads(answer or "{}")
    if "format" not in description:
        raise refusal_from_log(complaints, name)
    for pattern, reason in EXITS_WELL_BUT_REFUSED:
        if re.search(pattern, complaints):
            raise MediaRefused(reason, name)
    return description


def refusal_from_log(complaints: str, name: str) -> MediaRefused:
    """The refusal that stands behind ffprobe's error messages."""
    for pattern, reason in (
        *EXITS_WELL_BUT_REFUSED,
        (r"Cannot allocate memory", Reason.TOO_EXPENSIVE),
        (
            r"moov atom not found|End of file|EBML header parsing failed|[Tt]runcat|partial file",
            Reason.TRUNCATED,
        ),
        (r"[Cc]odec \(.*\) not on whitelist", Reason.CODEC),
    ):
        if found := re.search(pattern, complaints):
            detail = re.search(r"[Cc]odec \((\w+)\)", found[0])
            return MediaRefused(reason, name, detail[1] if detail else "")
    return MediaRefused(Reason.NOT_MEDIA, name)


def _scan_packets(linked: Path, name: str, is_cancelled: IsCancelled) -> dict[int, Timeline]:
    timelines: dict[int, Timeline] = {}

    def read(line: str) -> None:
        index, pts, dts, duration = ([*line.split(","), "", "", ""])[:4]
        if index.isdigit():
            timelines.setdefault(int(index), Timeline()).add(
                _seconds(pts), _seconds(dts), _seconds(duration) or 0.0
            )

    questions = ("-show_entries", "packet=stream_index,pts_time,dts_time,duration_time", "-of", "csv=p=0")
    _ask(linked, name, questions, SCAN_LIMITS, on_line=read, is_cancelled=is_cancelled)
    return timelines


def judge(
    name: str, size: int, description: Mapping[str, Any], timelines: Mapping[int, Timeline]
) -> MediaProbe:
    """Accept or refuse, from what ffprobe said and what the packets cover. Pure.

    Raises MediaRefused for: no usable stream, too large a picture, a gap over 10 s, a claimed duration over twice
    the covered time, a file that ends before its claimed duration, under 1 s, over 12 h.
    """
    streams = list(description.get("streams", ()))
    if len(streams) > MAX_STREAMS:
        raise MediaRefused(Reason.TOO_MANY_STREAMS, name, str(len(streams)))
    video = _choose([s for s in streams if _is_picture(s)], timelines)
    audio = _choose([s for s in streams if s.get("codec_type") == "audio" and s.get("codec_name")], timelines)
    if video is None and audio is None:
        raise MediaRefused(Reason.NO_STREAMS, name)
    if video is not None and int(video["width"]) * int(video["height"]) > MAX_PIXELS:
        raise MediaRefused(Reason.TOO_LARGE_PICTURE, name, f"{video['width']}×{video['height']}")
    used = {int(s["index"]): timelines[int(s["index"])] for s in (video, audio) if s is not None}
    origin = _origin(name, description, used.values())
    covered = max(line.last_end for line in used.values()) - origin
    _check_times(name, used.values(), covered, _claimed(description, (video, audio)))
    return MediaProbe(
        name=name,
        size=size,
        format=str(description["format"].get("format_name", "")),
        duration_ms=round(covered * 1000),
        video=_video_track(video, used, origin) if video is not None else None,
        audio=_audio_track(audio, used, origin) if audio is not None else None,
        subtitles=_subtitles(streams),
        chapters=_chapters(description),
        cover=next((int(s["index"]) for s in streams if _is_cover(s)), None),
    )


def _origin(name: str, description: Mapping[str, Any], used: Iterable[Timeline]) -> float:
    """The time stamp that ffmpeg makes zero. Raises MediaRefused when the packets begin far from it."""
    first = min(line.first or 0.0 for line in used)
    declared = _seconds(description["format"].get("start_time"))
    if declared is None:
        return first
    if abs(declared - first) > MAX_GAP_S:
        raise MediaRefused(Reason.TIME_GAP, name)
    return declared


def _check_times(name: str, used: Iterable[Timeline], covered: float, claimed: float) -> None:
    if max(line.largest_gap for line in used) > MAX_GAP_S:
        raise MediaRefused(Reason.TIME_GAP, name)
    if claimed > 2 * covered + MIN_DURATION_S:
        raise MediaRefused(Reason.FALSE_DURATION, name, f"{claimed:.0f} s / {covered:.0f} s")
    if claimed - covered > max(TRUNCATION_SLACK_S, TRUNCATION_SHARE * claimed):
        raise MediaRefused(Reason.TRUNCATED, name, f"{covered:.0f} s / {claimed:.0f} s")
    if covered < MIN_DURATION_S:
        raise MediaRefused(Reason.TOO_SHORT, name)
    if covered > MAX_DURATION_S:
        raise MediaRefused(Reason.TOO_LONG, name)


def _claimed(description: Mapping[str, Any], used: Iterable[Mapping[str, Any] | None]) -> float:
    """The longest duration that the headers claim for the file or a stream we use."""
    claims = [_seconds(description["format"].get("duration"))]
    claims += [_seconds(stream.get("duration")) for stream in used if stream is not None]
    return max((claim for claim in claims if claim is not None), default=0.0)


def _is_picture(stream: Mapping[str, Any]) -> bool:
    """A moving picture, not a cover."""
    return stream.get("codec_type") == "video" and bool(stream.get("width")) and not _is_cover(stream)


def _is_cover(stream: Mapping[str, Any]) -> bool:
    marks = stream.get("disposition", {})
    small_enough = int(stream.get("width") or 0) * int(stream.get("height") or 0) <= MAX_PIXELS
    return bool(marks.get("attached_pic") or marks.get("still_image")) and small_enough


def _choose(streams: list[Any], timelines: Mapping[int, Timeline]) -> Any | None:
    """The stream a player would take: marked as default, then the larger picture or more channels, then the first."""

    def rank(stream: Mapping[str, Any]) -> tuple[int, int, int]:
        area = int(stream.get("width") or 0) * int(stream.get("height") or 0)
        return (
            int(stream.get("disposition", {}).get("default", 0)),
            area or int(stream.get("channels") or 0),
            -int(stream["index"]),
        )

    with_packets = [s for s in streams if (line := timelines.get(int(s["index"]))) and line.first is not None]
    return max(with_packets, key=rank, default=None)


def _video_track(stream: Mapping[str, Any], used: Mapping[int, Timeline], origin: float) -> VideoTrack:
    line = used[int(stream["index"])]
    return VideoTrack(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "")),
        width=int(stream["width"]),
        height=int(stream["height"]),
        pixel_aspect=_aspect(str(stream.get("sample_aspect_ratio", ""))),
        rotation=_rotation(stream),
        frame_rate=_rate(str(stream.get("avg_frame_rate", ""))),
        field_order=str(stream.get("field_order", "unknown")),
        color_space=str(stream.get("color_space", "unknown")),
        color_transfer=str(stream.get("color_transfer", "unknown")),
        color_primaries=str(stream.get("color_primaries", "unknown")),
        color_range=str(stream.get("color_range", "unknown")),
        packets=line.packets,
        start_s=max((line.first or 0.0) - origin, 0.0),
        end_s=line.last_end - origin,
        largest_gap_s=round(line.largest_gap, 3),
    )


def _audio_track(stream: Mapping[str, Any], used: Mapping[int, Timeline], origin: float) -> AudioTrack:
    line = used[int(stream["index"])]
    return AudioTrack(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "")),
        channels=int(stream.get("channels") or 0),
        sample_rate=int(stream.get("sample_rate") or 0),
        start_s=max((line.first or 0.0) - origin, 0.0),
        end_s=line.last_end - origin,
    )


def _subtitles(streams: Iterable[Mapping[str, Any]]) -> tuple[SubtitleTrack, ...]:
    return tuple(
        SubtitleTrack(
            int(s["index"]), str(s.get("codec_name", "")), str(s.get("tags", {}).get("language", ""))
        )
        for s in streams
        if s.get("codec_type") == "subtitle"
    )


def _chapters(description: Mapping[str, Any]) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            round((_seconds(c.get("start_time")) or 0.0) * 1000),
            str(c.get("tags", {}).get("title", ""))[:200],
        )
        for c in description.get("chapters", ())[:200]
    )


def _seconds(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def _aspect(text: str) -> Fraction:
    """A pixel aspect such as ``16:15``; square when unknown or absurd."""
    left, _, right = text.partition(":")
    if left.isdigit() and right.isdigit() and int(left) and int(right):
        aspect = Fraction(int(left), int(right))
        if Fraction(1, 4) <= aspect <= 4:
            return aspect
    return Fraction(1)


def _rate(text: str) -> Fraction | None:
    left, _, right = text.partition("/")
    if left.isdigit() and right.isdigit() and int(left) and int(right):
        return Fraction(int(left), int(right))
    return None


def _rotation(stream: Mapping[str, Any]) -> int:
    """Clockwise quarter turns to show the picture upright, in degrees: 0, 90, 180, 270."""
    for data in stream.get("side_data_list", ()):
        if "rotation" in data:
            return -round(float(data["rotation"]) / 90) * 90 % 360
    return 0
