"""Text subtitles inside a source: taken out as WebVTT by a bounded run, moved along with the cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from server.transcode.encode import Scene, run_graph
from server.transcode.errors import MediaRefused, ToolFailed
from server.transcode.ffmpeg import hostile_subtitles, output
from server.transcode.runner import Limits

TEXT_SUBTITLES = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text"})
MAX_SUBTITLES = 8
MAX_SUBTITLE_BYTES = 4 * 1024 * 1024
LANGUAGES = {"chi": "zh", "zho": "zh", "eng": "en", "und": "zh", "": "zh"}
"""Containers write ISO 639-2, pages want BCP 47; unmarked is Chinese."""

Moved = Callable[[int, int], Sequence[tuple[int, int]]]
"""Where a stretch of the source (milliseconds) is shown after the cut."""
_TIMES = re.compile(r"^((?:\d+:)?\d\d:\d\d\.\d{3}) --> ((?:\d+:)?\d\d:\d\d\.\d{3})(.*)$", re.MULTILINE)


def extract_subtitles(scene: Scene) -> dict[str, Path]:
    """Text subtitles inside the source as WebVTT, by language; pictures of text are left. A broken track is left too."""
    made: dict[str, Path] = {}
    for track in scene.probe.subtitles[:MAX_SUBTITLES]:
        language = LANGUAGES.get(track.language, track.language[:3] or "zh")
        if track.codec not in TEXT_SUBTITLES or language in made:
            continue
        path = scene.folder / f"subtitles-{track.index}.vtt"
        limits = Limits(deadline_s=120, cpu_s=120, file_size=MAX_SUBTITLE_BYTES)
        options = {"f": "webvtt", "map_metadata": -1}
        try:
            run_graph(scene, [output([hostile_subtitles(track.index)], path.name, options)], limits)
        except (MediaRefused, ToolFailed):
            path.unlink(missing_ok=True)
            continue
        if "-->" in path.read_text("utf-8", "replace"):
            made[language] = path
    return made


def retime(vtt: str, moved: Moved) -> str:
    """WebVTT after a cut. Pure. A cue that was cut away goes; a style stays."""
    head, *blocks = re.split(r"\n{2,}", vtt.replace("\r\n", "\n").strip())
    kept = [head]
    for block in blocks:
        found = _TIMES.search(block)
        if not found:  # styles and notes
            kept.append(block)
            continue
        for begin, end in moved(_milliseconds(found[1]), _milliseconds(found[2])):
            times = f"{timestamp(begin)} --> {timestamp(end)}{found[3]}"
            kept.append(block[: found.start()] + times + block[found.end() :])
    return "\n\n".join(kept) + "\n"


def timestamp(instant_ms: int) -> str:
    """An instant as WebVTT writes it."""
    seconds, milliseconds = divmod(instant_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"


def _milliseconds(text: str) -> int:
    *rest, seconds = text.split(":")
    whole = 0
    for part in rest:
        whole = whole * 60 + int(part)
    return whole * 60_000 + round(float(seconds) * 1000)
