"""Files that lie, point elsewhere, are cut off or damaged: each ends as a correct ladder or as a clear refusal."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from server.transcode.containers import declared_size
from server.transcode.errors import MediaRefused, Reason
from server.transcode.probe import Timeline, inspect
from server.transcode.produce import produce
from server.transcode.profiles import P360
from server.transcode.runner import Limits, run
from tests.transcode.clips import ffmpeg

Make = Callable[..., Path]
CONTAINERS = {
    "mp4": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    "faststart.mp4": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart"),
    "mov": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    "mkv": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    "webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "flv": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    "ts": ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    "mpg": ("-c:v", "mpeg2video", "-c:a", "mp2", "-f", "vob"),
    "mp3": ("-vn", "-c:a", "libmp3lame"),
    "ogg": ("-vn", "-c:a", "libopus"),
    "flac": ("-vn", "-c:a", "flac"),
    "wav": ("-vn", "-c:a", "pcm_s16le"),
    "aac": ("-vn", "-c:a", "aac", "-f", "adts"),
}
SHORTER_NOT_BROKEN = {"ts", "mpg", "ogg", "aac"}
"""Formats for broadcasting and streaming: without an end of their own, so half of one is a whole shorter one."""


def refusal(path: Path, work: Path) -> MediaRefused:
    with pytest.raises(MediaRefused) as refused:
        produce(path, work, profiles=[P360])
    assert path.name in refused.value.message_zh
    assert path.name in refused.value.message_en
    return refused.value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A sound file of each container, 6 s."""
    folder = tmp_path_factory.mktemp("whole")

    def make(container: str) -> Path:
        path = folder / f"film.{container}"
        if not path.exists():
            picture = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25")
            sound = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")
            ffmpeg(*picture, *sound, "-t", "6", *CONTAINERS[container], path)
        return path

    return make


# --- files that point elsewhere ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n"),
        (
            "url.m3u8",
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        ),
        ("passwd.m3u8", "#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{other}'\n"),
        ("local.ffconcat", "ffconcat version 1.0\nfile /etc/passwd\n"),
        ("url.ffconcat", "ffconcat version 1.0\nfile http://127.0.0.1:9/a.mp4\n"),
        ("call.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        (
            "dash.mpd",
            '<?xml version="1.0"?><MPD type="static"><Period><BaseURL>{other}</BaseURL></Period></MPD>',
        ),
        ("note.srt", "1\n00:00:00,000 --> 00:00:10,000\n你好\n"),
    ],
)
@pytest.mark.parametrize("disguise", ["", ".mp4"])
def test_a_file_that_names_others_is_no_media(
    tmp_path: Path, media: Path, name: str, text: str, disguise: str
) -> None:
    path = tmp_path / (name + disguise)
    path.write_text(text.format(other=media / "bigbuckbunny.mp4"))
    assert refusal(path, tmp_path / "work").reason is Reason.NOT_MEDIA


def test_a_neighbouring_upload_cannot_be_opened_even_by_the_tool_itself(tmp_path: Path, media: Path) -> None:
    from server.transcode.errors import ToolFailed
    from server.transcode.ffmpeg import find_binaries

    (tmp_path / "uploads").mkdir()
    (tmp_path / "work").mkdir()
    other = tmp_path / "uploads" / "other.mp4"
    other.write_bytes((media / "carphone_pristine.mp4").read_bytes())
    argv = [str(find_binaries().ffprobe), "-v", "error", str(other)]
    limits = Limits(deadline_s=20, cpu_s=20)
    with pytest.raises(ToolFailed, match="Permission denied"):
        run(argv, limits=limits, cwd=tmp_path / "work", reads=[tmp_path / "work"])


# --- files that lie about time and size -------------------------------------------------------------------------------
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_two_frames_ten_hours_apart_are_refused_at_once(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"gap.{container}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", "2", "-vf",
           "setpts='if(eq(N,0),0,36000/TB)'", "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", path)  # fmt: skip
    assert refusal(path, tmp_path / "work").reason is Reason.TIME_GAP


def test_thirty_frames_that_claim_ten_hours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "claim.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", "30", "-c:v", "libx264", "-preset",
           "ultrafast", path)  # fmt: skip
    data = bytearray(path.read_bytes())
    place = data.find(b"\x44\x89\x88")  # Segment Information: Duration, 8 bytes
    struct.pack_into(">d", data, place + 3, 36_000_000.0)
    path.write_bytes(data)
    assert refusal(path, tmp_path / "work").reason is Reason.FALSE_DURATION


def test_a_last_frame_that_lasts_ten_hours_is_a_gap() -> None:
    line = Timeline()
    line.add(0.0, 0.0, 0.04)
    line.add(0.04, 0.04, 36_000.0)
    assert line.largest_gap > 10


def test_a_picture_of_16000_by_16000_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.avi"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=red:size=16000x16000:rate=1", "-frames:v", "1", "-c:v", "mjpeg", path
    )
    assert refusal(path, tmp_path / "work").reason is Reason.TOO_LARGE_PICTURE


def test_forty_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    maps = [word for _ in range(40) for word in ("-map", "0:a")]
    ffmpeg(
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-t", "2", *maps, "-c:a", "pcm_u8", path
    )
    assert refusal(path, tmp_path / "work").reason is Reason.TOO_MANY_STREAMS


def test_half_a_second_is_too_short(clip: Make, tmp_path: Path) -> None:
    assert refusal(clip("blink.mp4", seconds=0.5), tmp_path / "work").reason is Reason.TOO_SHORT


# --- files that are cut off -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_file_cut_off_in_the_middle_is_refused_or_is_a_shorter_one(
    whole: Callable[[str], Path], tmp_path: Path, container: str
) -> None:
    data = whole(container).read_bytes()
    path = tmp_path / f"cut.{container}"
    path.write_bytes(data[: len(data) * 6 // 10])
    if container in SHORTER_NOT_BROKEN:
        assert 2500 < inspect(path, tmp_path / "work").duration_ms < 5000
    else:
        assert refusal(path, tmp_path / "work").reason is Reason.TRUNCATED


@pytest.mark.parametrize("container", CONTAINERS)
def test_five_hundred_bytes_of_a_file_are_refused(
    whole: Callable[[str], Path], tmp_path: Path, container: str
) -> None:
    path = tmp_path / f"head.{container}"
    path.write_bytes(whole(container).read_bytes()[:500])
    refusal(path, tmp_path / "work")


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm", "avi", "wmv", "flv", "ts", "mpg"])
def test_whole_files_of_every_container_are_accepted(
    whole: Callable[[str], Path], tmp_path: Path, container: str
) -> None:
    probe = inspect(whole(container), tmp_path / "work")
    assert probe.video is not None
    assert probe.audio is not None
    assert 5900 <= probe.duration_ms <= 6150


def test_a_streamed_wav_declares_no_size() -> None:
    assert declared_size(b"RIFF\xff\xff\xff\xffWAVE") is None
    assert declared_size(b"RIFF\x10\x00\x00\x00WAVE") == 24


# --- files that are damaged -------------------------------------------------------------------------------------------
def damaged(data: bytes, luck: random.Random) -> bytes:
    """Random bytes in random places: anywhere, or in the first two kilobytes."""
    spoilt = bytearray(data)
    reach = min(len(spoilt), 2048) if luck.random() < 0.3 else len(spoilt)
    for _ in range(luck.choice([1, 4, 16, 64, 256])):
        spoilt[luck.randrange(reach)] = luck.randrange(256)
    return bytes(spoilt)


def spoil_and_produce(whole: Callable[[str], Path], media: Path, tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    sources = [whole(one) for one in CONTAINERS] + [media / "zh.wav", media / "carphone_pristine.mp4"]
    source = luck.choice(sources)
    path = tmp_path / source.name
    path.write_bytes(damaged(source.read_bytes(), luck))
    with contextlib.suppress(MediaRefused):
        result = produce(path, tmp_path / "work", profiles=[P360])
        assert result.renditions[0].duration_ms <= 13_000


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_ends_as_a_ladder_or_a_refusal(
    whole: Callable[[str], Path], media: Path, tmp_path: Path, seed: int
) -> None:
    spoil_and_produce(whole, media, tmp_path, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12, 300))
def test_every_damaged_file_ends_as_a_ladder_or_a_refusal(
    whole: Callable[[str], Path], media: Path, tmp_path: Path, seed: int
) -> None:
    spoil_and_produce(whole, media, tmp_path, seed)
