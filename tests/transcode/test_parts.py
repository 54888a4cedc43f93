"""A programme encoded in parts is the one that a single pass gives."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.transcode import encode, mp4, sound
from server.transcode.encode import Scene
from server.transcode.ffmpeg import find_binaries
from server.transcode.ladder import Plan, Span, plan, split
from server.transcode.probe import inspect
from server.transcode.profiles import GOP_FRAMES, P360
from server.transcode.verify import check_decodes, compare_span, sampled_spans
from tests.transcode.clips import ffmpeg


def timestamps(path: Path, kind: str) -> list[int]:
    """All ``pts`` or ``dts`` of the picture, in order."""
    argv = [str(find_binaries().ffprobe), "-v", "error", "-select_streams", "v", "-show_entries",
            f"packet={kind}", "-of", "csv=p=0", str(path)]  # fmt: skip
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return sorted(int(word.strip(",")) for word in said.split())


def assemble(scene: Scene, decided: Plan, spans: tuple[Span, ...], name: str) -> Path:
    parts = [encode.encode_pictures(scene, decided, span, part=n) for n, span in enumerate(spans)]
    sounds = sound.encode_sound(scene, decided, None)
    files = [part.parts["360p"] for part in parts]
    muxed = encode.mux(scene, files, sounds[P360.audio_bitrate], name)
    return mp4.finish(muxed, scene.folder / f"{name}.mp4").path


@pytest.fixture(params=["film.mkv", "variable.mp4"])
def scene(request: pytest.FixtureRequest, media: Path, tmp_path: Path) -> Scene:
    """Twelve seconds at 24 frames a second, and with a variable rate."""
    source = tmp_path / request.param
    varied = ("-vf", "select='not(between(mod(n,48),7,30))'", "-fps_mode", "vfr")
    drop = varied if request.param == "variable.mp4" else ()
    ffmpeg("-ss", "20", "-i", media / "trailer_bbb.mp4", "-t", "12", *drop, "-c:v", "libx264", "-preset",
           "ultrafast", "-g", "70", "-c:a", "aac", source)  # fmt: skip
    work = tmp_path / "work"
    return Scene(work, inspect(source, work))


def test_parts_join_without_a_seam(scene: Scene) -> None:
    decided = plan(scene.probe, [P360])
    whole = assemble(scene, decided, (Span(0, decided.frames),), "whole")
    joined = assemble(scene, decided, (Span(0, 100), Span(100, 200), Span(200, decided.frames)), "joined")
    assert timestamps(joined, "pts") == timestamps(whole, "pts") == [512 * n for n in range(decided.frames)]
    assert timestamps(joined, "dts") == timestamps(whole, "dts")
    assert joined.stat().st_size < whole.stat().st_size * 1.1
    check_decodes(scene, decided, joined)
    assert likeness(scene, decided, joined) > likeness(scene, decided, whole) - 1


def likeness(scene: Scene, decided: Plan, file: Path) -> float:
    """The worst XPSNR of the sampled spans."""
    spans = sampled_spans(decided.frames)
    return min(compare_span(scene, decided, {"360p": file}, span)["360p"] for span in spans)


@given(st.integers(25, 12 * 3600 * 25), st.integers(1, 50))
def test_spans_cover_the_programme_once_and_begin_at_key_frames(frames: int, workers: int) -> None:
    spans = split(frames, workers)
    assert spans[0].first == 0
    assert spans[-1].last == frames
    assert all(before.last == after.first for before, after in itertools.pairwise(spans))
    assert all(span.first % GOP_FRAMES == 0 and span.frames > 0 for span in spans)


@pytest.mark.parametrize(
    ("seconds", "workers", "parts"), [(59, 4, 1), (600, 1, 1), (180, 2, 15), (10_800, 2, 106)]
)
def test_only_long_programmes_with_several_workers_are_split(seconds: int, workers: int, parts: int) -> None:
    spans = split(seconds * 25, workers)
    assert len(spans) == parts
    assert all(first.frames >= second.frames for first, second in itertools.pairwise(spans[:-1]))
