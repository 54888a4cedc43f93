"""Real-life awkwardness, each as a correct ladder: interlaced, variable rate, subtitles, late sound, high range."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from server.transcode.encode import Scene, looks_interlaced
from server.transcode.ffmpeg import find_binaries
from server.transcode.probe import inspect
from server.transcode.produce import produce
from server.transcode.profiles import P360
from server.transcode.results import Produced
from tests.transcode.clips import ffmpeg

Make = Callable[..., Path]


def seconds_of_sound(path: Path) -> float:
    argv = [str(find_binaries().ffprobe), "-v", "error", "-select_streams", "a", "-show_entries", "stream=duration",
            "-of", "csv=p=0", str(path)]  # fmt: skip
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip().strip(","))


def only(result: Produced) -> Path:
    (rendition,) = result.renditions
    return rendition.path


def interlaced(media: Path, path: Path, *flags: str) -> Path:
    """Four seconds of PAL with moving pictures, woven from 50 fields a second or not."""
    ffmpeg("-ss", "22", "-i", media / "trailer_bbb.mp4", "-t", "4", "-vf",
           "minterpolate=fps=50:mi_mode=dup,scale=720:576" + (",interlace" if flags else ",fps=25"),
           "-c:v", "mpeg2video", "-b:v", "6M", *flags, "-c:a", "mp2", path)  # fmt: skip
    return path


def test_woven_fields_are_seen_whatever_the_header_says(media: Path, tmp_path: Path) -> None:
    woven = interlaced(media, tmp_path / "woven.mpg", "-flags", "+ilme+ildct")
    assert looks_interlaced(Scene(tmp_path / "a", inspect(woven, tmp_path / "a")))
    whole = interlaced(media, tmp_path / "whole.mpg")
    assert not looks_interlaced(Scene(tmp_path / "b", inspect(whole, tmp_path / "b")))


def test_a_variable_rate_becomes_25_frames_a_second(clip: Make, tmp_path: Path) -> None:
    source = clip("vfr.mp4", seconds=4, options=("-vf", "select='not(between(mod(n,40),5,30))'", "-fps_mode", "vfr",
                                                 "-c:v", "libx264", "-preset", "ultrafast"))  # fmt: skip
    result = produce(source, tmp_path / "work", profiles=[P360])
    assert result.probe.video is not None
    assert result.probe.video.packets < 50
    assert result.plan.frames == pytest.approx(100, abs=2)


def test_sound_that_begins_late_and_ends_early_is_as_long_as_the_picture(clip: Make, tmp_path: Path) -> None:
    clip("a.mp4", seconds=6)
    late = tmp_path / "late.mkv"
    ffmpeg("-i", tmp_path / "a.mp4", "-itsoffset", "2", "-t", "2", "-i", tmp_path / "a.mp4", "-map", "0:v", "-map",
           "1:a", "-c", "copy", late)  # fmt: skip
    result = produce(late, tmp_path / "work", profiles=[P360])
    assert result.duration_ms == pytest.approx(6000, abs=80)
    assert seconds_of_sound(only(result)) == pytest.approx(result.duration_ms / 1000, abs=0.03)


def test_sound_longer_than_the_picture_is_kept_over_its_last_frame(clip: Make, tmp_path: Path) -> None:
    clip("a.mp4", seconds=5)
    long = tmp_path / "long.mp4"
    ffmpeg("-t", "2", "-i", tmp_path / "a.mp4", "-i", tmp_path / "a.mp4", "-map", "0:v", "-map", "1:a", "-c:v",
           "libx264", "-preset", "ultrafast", "-c:a", "copy", long)  # fmt: skip
    result = produce(long, tmp_path / "work", profiles=[P360])
    assert result.duration_ms == pytest.approx(5000, abs=80)


def test_subtitles_and_chapters_inside_a_file_are_kept(clip: Make, tmp_path: Path) -> None:
    clip("a.mp4", seconds=3)
    (tmp_path / "zh.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\n浇好返青水\n")
    (tmp_path / "marks.txt").write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=第二节\n"
    )
    film = tmp_path / "film.mkv"
    ffmpeg("-i", tmp_path / "a.mp4", "-i", tmp_path / "zh.srt", "-i", tmp_path / "marks.txt", "-map", "0", "-map",
           "1", "-map_chapters", "2", "-c", "copy", "-c:s", "srt", "-metadata:s:s:0", "language=chi", film)  # fmt: skip
    result = produce(film, tmp_path / "work", profiles=[P360])
    (subtitles,) = [one for one in result.files if one.kind == "subtitles"]
    assert subtitles.language == "zh"
    assert "浇好返青水" in subtitles.path.read_text()
    assert [(one.start_ms, one.title) for one in result.probe.chapters] == [(1000, "第二节")]


def test_a_cover_does_not_make_a_song_a_film_but_is_its_picture(tmp_path: Path) -> None:
    cover, song = tmp_path / "cover.jpg", tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=c=red:size=300x300", "-frames:v", "1", cover)
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-i", cover, "-t", "3", "-map", "0:a", "-map", "1:v", "-c:v",
           "copy", "-c:a", "libmp3lame", "-disposition:v", "attached_pic", song)  # fmt: skip
    result = produce(song, tmp_path / "work", profiles=[P360])
    assert result.probe.video is None
    with Image.open(next(one.path for one in result.files if one.kind == "poster")) as poster:
        red, green, _ = poster.convert("RGB").getpixel((poster.width // 2, poster.height // 2))
        assert red > 200
        assert green < 60
        assert max(poster.convert("RGB").getpixel((4, 4))) < 30, "a square cover between black sides"


@pytest.mark.full
def test_high_dynamic_range_is_brought_into_that_of_a_television(clip: Make, tmp_path: Path) -> None:
    hdr = clip("hdr.mp4", seconds=1, sound=False, options=(
        "-vf", "format=yuv420p10le", "-c:v", "libx265", "-x265-params",
        "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", "-pix_fmt", "yuv420p10le",
    ))  # fmt: skip
    result = produce(hdr, tmp_path / "work", profiles=[P360])
    assert result.plan.hdr
    assert inspect(only(result), tmp_path / "again").video.color_transfer == "bt709"


def test_a_font_inside_a_file_is_left_there(clip: Make, tmp_path: Path) -> None:
    clip("a.mp4", seconds=2)
    (tmp_path / "font.ttf").write_bytes(b"not a font" * 100)
    film = tmp_path / "film.mkv"
    ffmpeg("-i", tmp_path / "a.mp4", "-attach", tmp_path / "font.ttf", "-metadata:s:t",
           "mimetype=application/x-truetype-font", "-c", "copy", film)  # fmt: skip
    result = produce(film, tmp_path / "work", profiles=[P360])
    assert {one.kind for one in result.files} == {"playlist", "poster", "sprite", "storyboard", "preview"}


def test_a_programme_of_many_minutes_gets_its_whole_storyboard(clip: Make, tmp_path: Path) -> None:
    result = produce(clip("long.mp4", seconds=200, size="160x90"), tmp_path / "work", profiles=[P360])
    sprite = result.plan.sprite
    assert sprite.tiles > 110
    tiles = sorted((tmp_path / "work").glob("tile-*.jpg"))
    assert len(tiles) == sprite.tiles


AWKWARD = {
    "woven.mpg": ("scale=720:576,setsar=64/45,interlace", ("-c:v", "mpeg2video", "-b:v", "6M", "-flags", "+ilme+ildct", "-c:a", "mp2")),
    "slow.avi": ("fps=10,scale=320:240", ("-c:v", "msmpeg4", "-an")),
    "hello.mpeg": ("scale=640:480,fps=30000/1001", ("-c:v", "mpeg2video", "-c:a", "mp2")),
    "phone.mov": ("scale=480:270,fps=30", ("-c:v", "libx264", "-preset", "ultrafast", "-video_track_timescale", "600", "-c:a", "aac")),
    "old.wmv": ("scale=320:180", ("-c:v", "wmv2", "-c:a", "wmav2")),
    "disc.vob": ("scale=352:288,fps=25", ("-c:v", "mpeg2video", "-c:a", "ac3", "-f", "vob")),
}  # fmt: skip
FRAMES = {"woven.mpg": (640, 360), "slow.avi": (320, 240), "hello.mpeg": (480, 360), "phone.mov": (480, 270),
          "old.wmv": (320, 180), "disc.vob": (352, 288)}  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_what_partners_send_becomes_a_ladder(media: Path, tmp_path: Path, name: str) -> None:
    filters, options = AWKWARD[name]
    ffmpeg("-ss", "24", "-i", media / "trailer_bbb.mp4", "-t", "2", "-vf", filters, *options, tmp_path / name)
    result = produce(tmp_path / name, tmp_path / "work", profiles=[P360])
    (rendition,) = result.renditions
    assert (rendition.width, rendition.height) == FRAMES[name]
    assert result.duration_ms == pytest.approx(2000, abs=150)
    assert result.probe.video is not None
    assert result.plan.has_sound == (name != "slow.avi")
    assert rendition.xpsnr_db is not None
    assert rendition.xpsnr_db > 22
