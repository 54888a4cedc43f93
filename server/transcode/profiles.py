"""Rendition profiles as data. A change in any value gets a new version; old renditions keep theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

FRAME_RATE = 25
GOP_FRAMES = 50
"""A key frame every 2 s, at the same frames in every rendition."""
AUDIO_RATE = 48_000


class Codec(StrEnum):
    """How the picture is coded. Every box plays H.264; the others are for those who know theirs."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"


@dataclass(frozen=True)
class Profile:
    """One rung: a box that the picture fits into, and what the whole file may cost a second.

    ``bitrate`` is the cap of picture and sound together in bit/s; plain pictures take less. ``quality`` is the
    encoder's constant rate factor under that cap, ``preset`` its speed.
    """

    name: str
    version: int
    width: int
    height: int
    bitrate: int
    audio_bitrate: int
    quality: int = 22
    preset: str = "fast"
    codec: Codec = Codec.H264

    @property
    def video_bitrate(self) -> int:
        """What is left for the picture after the sound and 3 % for the container."""
        return (self.bitrate - self.audio_bitrate) * 97 // 100


P360 = Profile("360p", 1, 640, 360, 400_000, 64_000)
P576 = Profile("576p", 1, 1024, 576, 1_000_000, 96_000)
P720 = Profile("720p", 1, 1280, 720, 2_000_000, 128_000)
DEFAULT_PROFILES = (P360, P576, P720)
OPTIONAL_PROFILES = (
    Profile("720p-hevc", 1, 1280, 720, 1_400_000, 128_000, quality=25, preset="fast", codec=Codec.HEVC),
    Profile("720p-av1", 1, 1280, 720, 1_200_000, 128_000, quality=35, preset="8", codec=Codec.AV1),
)
"""Made only where an installation asks for them (YUANBO_PROFILES) and its ffmpeg can make and check them."""
REVIEW_PROFILE = Profile("review", 1, 640, 360, 600_000, 64_000, quality=26, preset="ultrafast")
"""The copy for the review desk: fast to make, never released."""
PROFILES = {profile.name: profile for profile in (*DEFAULT_PROFILES, *OPTIONAL_PROFILES)}


def chosen(names: Sequence[str]) -> tuple[Profile, ...]:
    """The profiles of these names; the default ladder for none. Raises KeyError with an unknown name."""
    return tuple(PROFILES[name] for name in names) or DEFAULT_PROFILES


def is_outdated(name: str, version: int) -> bool:
    """Whether a rendition was made by an older version of a profile that we still have."""
    profile = PROFILES.get(name)
    return profile is not None and version < profile.version
