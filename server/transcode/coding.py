"""How each codec is told what a profile wants: closed groups of GOP_FRAMES on the frame grid, a quality under a cap. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.transcode.profiles import GOP_FRAMES, Codec, Profile

ENCODERS = {Codec.H264: "libx264", Codec.HEVC: "libx265", Codec.AV1: "libsvtav1"}
DECODERS = {Codec.H264: ("h264",), Codec.HEVC: ("hevc",), Codec.AV1: ("libdav1d", "libaom-av1")}
"""What checks the result. ffmpeg's own ``av1`` needs graphics hardware."""


def options(profile: Profile) -> dict[str, Any]:
    """The encoder's options, without those that are the same for all."""
    return {"c:v": ENCODERS[profile.codec], **_CODING[profile.codec](profile)}


def _code_h264(profile: Profile) -> dict[str, Any]:
    return {
        "profile:v": "high",
        "maxrate": profile.video_bitrate,
        "bufsize": profile.video_bitrate * 3 // 2,
        "rc_init_occupancy": profile.video_bitrate * 3 // 4,
        "keyint_min": GOP_FRAMES,
        "sc_threshold": 0,
        "flags": "+cgop",
    }


def _code_hevc(profile: Profile) -> dict[str, Any]:
    settings = {
        "keyint": GOP_FRAMES,
        "min-keyint": GOP_FRAMES,
        "scenecut": 0,
        "open-gop": 0,
        "vbv-maxrate": profile.video_bitrate // 1000,
        "vbv-bufsize": profile.video_bitrate * 3 // 2000,
        "log-level": "error",
    }
    joined = ":".join(f"{key}={value}" for key, value in settings.items())
    return {"tag:v": "hvc1", "x265-params": joined}


def _code_av1(profile: Profile) -> dict[str, Any]:
    """SVT-AV1: closed groups (``irefresh-type=2``) without scene detection."""
    cap = profile.video_bitrate // 1000
    return {"svtav1-params": f"scd=0:irefresh-type=2:mbr={cap}"}


_CODING: dict[Codec, Callable[[Profile], dict[str, Any]]] = {
    Codec.H264: _code_h264,
    Codec.HEVC: _code_hevc,
    Codec.AV1: _code_av1,
}
