"""A programme cut by a recipe: the frames, the sound and the subtitles that the recipe names, and no others."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.transcode import produce as steps
from server.transcode.encode import Clip, Scene
from server.transcode.ffmpeg import find_binaries
from server.transcode.ladder import Role, Span, source_spans
from server.transcode.produce import produce
from server.transcode.profiles import P360
from server.transcode.results import Cut, Prepared, Produced
from server.transcode.subtitles import retime
from tests.transcode.clips import ffmpeg

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def staircase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds whose every frame has its own grey and whose every fourth of a second has its own loudness."""
    path = tmp_path_factory.mktemp("staircase") / "stairs.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=c=black:size=320x180:rate=25,format=gray,geq=lum='20+2*N'", "-f", "lavfi", "-i",
           "sine=frequency=440:sample_rate=48000", "-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "8",
           "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", path)  # fmt: skip
    return path


def lumas(path: Path) -> list[int]:
    """The mean luma of each frame."""
    argv = [str(find_binaries().ffmpeg), "-v", "error", "-i", str(path), "-vf", "extractplanes=y,scale=1:1", "-f",
            "rawvideo", "-"]  # fmt: skip
    return list(subprocess.run(argv, capture_output=True, check=True).stdout)


def frames_of(source: Path, path: Path) -> list[int]:
    """The source's frame number that each frame shows."""
    stairs = lumas(source)
    return [min(range(len(stairs)), key=lambda n: abs(stairs[n] - value)) for value in lumas(path)]


def near(found: list[int], wanted: list[int]) -> bool:
    return len(found) == len(wanted) and all(abs(a - b) <= 1 for a, b in zip(found, wanted, strict=True))


def only(result: Produced) -> Path:
    (rendition,) = result.renditions
    return rendition.path


KEPT_MS = ((400, 1400), (1800, 2000), (3000, 3800))
KEPT_FRAMES = [*range(10, 35), *range(45, 50), *range(75, 95)]


def test_exactly_the_kept_frames_are_shown(staircase: Path, tmp_path: Path) -> None:
    result = produce(staircase, tmp_path / "work", profiles=[P360], cut=Cut(KEPT_MS))
    assert near(frames_of(staircase, only(result)), KEPT_FRAMES)
    assert result.duration_ms == len(KEPT_FRAMES) * 40
    assert result.renditions[0].xpsnr_db is not None


def test_a_cut_is_the_same_in_parts(staircase: Path, tmp_path: Path) -> None:
    prepared = steps.step_inspect(staircase, tmp_path / "work", name="x", is_cancelled=lambda: False)
    plans = steps.step_plan({Role.MAIN: prepared}, KEPT_MS, [P360])
    clip = Clip(Role.MAIN, Scene(tmp_path / "work", prepared.probe), plans[Role.MAIN])
    shown: list[int] = []
    for number, span in enumerate((Span(0, 20), Span(20, 28), Span(28, 50))):
        made = steps.encode_clip(clip, span, part=number, into=clip.scene.folder)
        shown += frames_of(staircase, made.parts["360p"])
    assert near(shown, KEPT_FRAMES)


def test_intro_and_outro_stand_before_and_after_whatever_their_shape(
    staircase: Path, media: Path, clip: Make, tmp_path: Path
) -> None:
    intro = clip("intro.mp4", seconds=1.2, size="180x320", rate=30)
    result = produce(
        staircase, tmp_path / "work", profiles=[P360],
        cut=Cut(KEPT_MS, intro=intro, outro=media / "carphone_pristine.mp4"),
    )  # fmt: skip
    outro_frames = result.plan.total - 30 - len(KEPT_FRAMES)
    assert result.plan.offset == 30
    assert outro_frames == 100
    assert near(frames_of(staircase, only(result))[30 : 30 + len(KEPT_FRAMES)], KEPT_FRAMES)
    assert (result.renditions[0].width, result.renditions[0].height) == (320, 180)
    tiles = next(one for one in result.files if one.kind == "storyboard").path.read_text()
    assert len(re.findall("#xywh=", tiles)) == result.plan.sprite.tiles
    assert result.loudness_after is not None
    assert result.loudness_after.integrated == pytest.approx(-24, abs=0.7)


def test_a_hundred_removed_stretches_are_one_expression(clip: Make, tmp_path: Path) -> None:
    kept = tuple((at, at + 40) for at in range(0, 8_080, 80))
    result = produce(
        clip("a.mp4", seconds=8.2, size="160x90"), tmp_path / "work", profiles=[P360], cut=Cut(kept)
    )
    assert result.plan.total == len(kept) == 101


def test_spans_of_the_cut_lead_to_spans_of_the_source() -> None:
    prepared = Prepared(produce_probe(), interlaced=False)
    plan = steps.step_plan({Role.MAIN: prepared}, KEPT_MS, [P360])[Role.MAIN]
    assert source_spans(plan, Span(0, plan.frames)) == (Span(10, 35), Span(45, 50), Span(75, 95))
    assert source_spans(plan, Span(24, 31)) == (Span(34, 35), Span(45, 50), Span(75, 76))


def produce_probe():  # type: ignore[no-untyped-def]
    from server.transcode.media import AudioTrack, MediaProbe

    return MediaProbe("x", 1, "mov", 4000, None, AudioTrack(0, "aac", 2, 48_000, 0.0, 4.0))


def test_subtitles_move_with_the_cut() -> None:
    vtt = "WEBVTT\n\n00:01.000 --> 00:03.000 line:90%\n浇好返青水\n\n00:00:05.000 --> 00:00:06.000\n追肥\n\nNOTE 记\n"
    moved = retime(vtt, lambda begin, end: [(begin - 500, end - 500)] if end < 5_000 else [])
    assert moved == "WEBVTT\n\n00:00:00.500 --> 00:00:02.500 line:90%\n浇好返青水\n\nNOTE 记\n"
