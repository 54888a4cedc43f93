"""Rendition profiles as data. A change in any value gets a new version; old renditions keep theirs."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_RATE = 25
GOP_FRAMES = 50
"""A key frame every 2 s, at the same frames in every rendition."""
AUDIO_RATE = 48_000


@dataclass(frozen=True)
class Profile:
    """One rung: a box that the picture fits into, and what the whole file may cost a second.

    ``bitrate`` is the cap of picture and sound together in bit/s; plain pictures take less. ``quality`` is x264's
    constant rate factor under that cap.
    """

    name: str
    version: int
    width: int
    height: int
    bitrate: int
    audio_bitrate: int
    quality: int = 22
    preset: str = "fast"

    @property
    def video_bitrate(self) -> int:
        """What is left for the picture after the sound and 3 % for the container."""
        return (self.bitrate - self.audio_bitrate) * 97 // 100


P360 = Profile("360p", 1, 640, 360, 400_000, 64_000)
P576 = Profile("576p", 1, 1024, 576, 1_000_000, 96_000)
P720 = Profile("720p", 1, 1280, 720, 2_000_000, 128_000)
DEFAULT_PROFILES = (P360, P576, P720)
PROFILES = {profile.name: profile for profile in DEFAULT_PROFILES}
