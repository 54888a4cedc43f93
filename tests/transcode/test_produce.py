from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.pieces import piece_layer, read_layer
from server.transcode import reviewcopy
from server.transcode.encode import Scene
from server.transcode.errors import Cancelled, MediaRefused, Reason
from server.transcode.probe import inspect
from server.transcode.produce import produce, step_inspect
from server.transcode.profiles import DEFAULT_PROFILES, P360
from server.transcode.results import Produced, Progress
from server.transcode.runner import never

Make = Callable[..., Path]


def test_a_clip_becomes_the_whole_ladder_with_its_companions(made: Produced) -> None:
    assert [(one.profile, one.width, one.height, one.duration_ms) for one in made.renditions] == [
        ("360p", 640, 360, 5320), ("576p", 1024, 576, 5320), ("720p", 1280, 720, 5320),
    ]  # fmt: skip
    kinds = [one.kind for one in made.files]
    assert kinds.count("playlist") == 3
    assert kinds.count("poster") == 4
    assert kinds.count("sprite") == kinds.count("storyboard") == kinds.count("preview") == 1


def test_the_storyboard_names_a_tile_of_the_sheet_for_every_span_of_time(made: Produced) -> None:
    by_kind = {one.kind: one for one in made.files}
    cues = by_kind["storyboard"].path.read_text().split("\n\n")
    assert cues[0] == "WEBVTT"
    sheet = by_kind["sprite"].sha256
    assert cues[1] == f"00:00:00.000 --> 00:00:01.000\n{sheet}#xywh=0,0,160,90"
    assert cues[-1] == f"00:00:05.000 --> 00:00:05.320\n{sheet}#xywh=800,0,160,90\n"


def test_the_preview_is_half_a_minute_from_behind_the_titles(media: Path, tmp_path: Path, clip: Make) -> None:
    result = produce(clip("a.mp4", seconds=50, size="160x90"), tmp_path / "work", profiles=[P360])
    preview = next(one.path for one in result.files if one.kind == "preview")
    assert inspect(preview, tmp_path / "again").duration_ms == pytest.approx(30_000, abs=300)


def test_the_review_copy_is_the_whole_source_and_tells_how_loud_it_is(
    media: Path, tmp_path: Path, made: Produced
) -> None:
    prepared = step_inspect(media / "bigbuckbunny.mp4", tmp_path, name="片.mp4", is_cancelled=never)
    seen: list[Progress] = []
    copy = reviewcopy.make(Scene(tmp_path, prepared.probe), prepared, seen.append)
    assert (copy.rendition.profile, copy.rendition.height, copy.rendition.duration_ms) == (
        "review",
        360,
        5320,
    )
    assert copy.rendition.sha256 in copy.playlist.path.read_text()
    assert copy.loudness == made.loudness
    assert seen[-1].step == "review"


def test_hashes_and_pieces_are_those_of_the_files(made: Produced) -> None:
    for one in (*made.renditions, *made.files):
        assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.sha256
        assert piece_layer(one.path).root == one.pieces_root
        assert read_layer(one.layer_path.read_bytes(), root=one.pieces_root, length=one.length)


def test_no_rendition_costs_clearly_more_than_its_profile(made: Produced) -> None:
    caps = {profile.name: profile.bitrate for profile in DEFAULT_PROFILES}
    for one in made.renditions:
        assert one.bitrate <= caps[one.profile] * 1.1


def test_pictures_resemble_the_source_and_more_bits_resemble_it_more(made: Produced) -> None:
    values = [one.xpsnr_db for one in made.renditions]
    assert values == sorted(values)
    assert values[0] > 25


def test_the_sound_is_brought_to_minus_24_lufs_below_minus_2_dbtp(made: Produced) -> None:
    assert made.loudness.integrated == pytest.approx(-34, abs=1)
    assert made.loudness_after.integrated == pytest.approx(-24, abs=0.5)
    assert made.loudness_after.true_peak <= -2


def test_the_playlist_names_the_media_by_its_hash_and_covers_it(made: Produced) -> None:
    sizes = {one.profile: (one.sha256, one.length) for one in made.renditions}
    for listing in (one for one in made.files if one.kind == "playlist"):
        text = listing.path.read_text()
        sha256, length = sizes[listing.profile]
        assert set(re.findall(r"^[0-9a-f]{64}$", text, re.MULTILINE)) == {sha256}
        spans = [(int(b), int(a)) for a, b in re.findall(r"BYTERANGE:?=?\"?(\d+)@(\d+)", text)]
        assert all(start + size <= length for start, size in spans)
        assert all(first[0] + first[1] == second[0] for first, second in itertools.pairwise(spans))
        assert sum(map(float, re.findall(r"#EXTINF:([\d.]+)", text))) == pytest.approx(5.32, abs=0.001)


def test_a_silent_clip_gets_a_silent_track(media: Path, tmp_path: Path) -> None:
    result = produce(media / "carphone_pristine.mp4", tmp_path / "work")
    assert [(one.profile, one.width, one.height) for one in result.renditions] == [("360p", 192, 144)]
    assert result.loudness is None


def test_sound_alone_gets_a_picture(media: Path, tmp_path: Path) -> None:
    result = produce(media / "zh.wav", tmp_path / "work", profiles=[P360])
    assert [(one.width, one.height, one.duration_ms) for one in result.renditions] == [(640, 360, 8520)]
    assert result.loudness_after.integrated == pytest.approx(-24, abs=0.5)


def test_a_turned_picture_stands_upright_between_black_sides(media: Path, tmp_path: Path) -> None:
    result = produce(media / "rot90.mp4", tmp_path / "work", profiles=[P360])
    assert [(one.width, one.height) for one in result.renditions] == [(640, 360)]
    assert result.plan.renditions[0].picture.width < result.plan.renditions[0].picture.height


def test_loud_peaks_are_held_below_the_limit(clip: Make, tmp_path: Path) -> None:
    source = clip("peaks.mp4", seconds=4, options=(
        "-af", "volume='if(lt(mod(t,1),0.02),8,0.02)':eval=frame", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le",
        "-f", "mov",
    ))  # fmt: skip
    result = produce(source, tmp_path / "work", profiles=[P360])
    assert result.loudness_after.true_peak <= -2


def test_progress_only_rises_and_ends_at_100(clip: Make, tmp_path: Path) -> None:
    seen: list[Progress] = []
    produce(clip("a.mp4"), tmp_path / "work", profiles=[P360], on_progress=seen.append)
    percents = [one.percent for one in seen]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert {one.step for one in seen} == {"inspect", "plan", "encode", "assemble", "check"}


def test_a_cancelled_production_stops(clip: Make, tmp_path: Path) -> None:
    source = clip("a.mp4", seconds=20, size="640x360")
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        produce(
            source, tmp_path / "work", on_progress=seen.append,
            is_cancelled=lambda: bool(seen) and seen[-1].step in ("plan", "encode"),
        )  # fmt: skip
    assert seen[-1].percent < 100


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("empty.mp4", b"", Reason.EMPTY), ("说明.txt", "不是视频".encode() * 100, Reason.NOT_MEDIA)],
)
def test_what_is_no_media_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, reason: Reason
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaRefused) as refused:
        produce(tmp_path / name, tmp_path / "work")
    assert refused.value.reason is reason
    assert name in refused.value.message_zh
    assert name in refused.value.message_en
