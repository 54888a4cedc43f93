"""From what a file is to what is made of it. Pure: no file is touched here.

The rules: never upscale; keep the picture's shape (pixel aspect, rotation, even sizes; an upright picture gets black
sides, because a television lies down); 25 frames a second; every rendition has the same frames, so a player can
change between them anywhere; sound is stereo at 48 kHz; what has no sound gets silence, what has no picture gets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from server.transcode.media import MediaProbe, VideoTrack
from server.transcode.profiles import FRAME_RATE, GOP_FRAMES, Profile

TELEVISION = Fraction(16, 9)
POSTER_SHARES = (Fraction(1, 10), Fraction(3, 10), Fraction(1, 2), Fraction(3, 4))
TILE_WIDTH, TILE_HEIGHT = 160, 90
SPRITE_COLUMNS = 10
SPRITE_MAX_TILES = 150
LEAST_SPLIT_S = 60
LEAST_PART_S, LONGEST_PART_S = 10, 120
_HDR_TRANSFERS = ("smpte2084", "arib-std-b67")


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class RenditionPlan:
    """One output: the frame, and the picture centred in it (equal unless padded)."""

    profile: Profile
    frame: Size
    picture: Size


@dataclass(frozen=True)
class SpritePlan:
    """The storyboard: one small picture every ``interval_frames``, in a grid."""

    interval_frames: int
    tiles: int
    columns: int
    rows: int
    tile: Size


@dataclass(frozen=True)
class Span:
    """Frames of the output grid, ``first`` included, ``last`` excluded. The whole programme is one span."""

    first: int
    last: int

    @property
    def frames(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before encoding. ``frames`` is exact: verification counts them."""

    frames: int
    renditions: tuple[RenditionPlan, ...]
    has_picture: bool
    has_sound: bool
    rotation: int
    deinterlace: bool
    hdr: bool
    source_matrix: str
    source_range: str
    poster_frames: tuple[int, ...]
    sprite: SpritePlan

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // FRAME_RATE

    @property
    def audio_bitrates(self) -> tuple[int, ...]:
        """Each distinct sound is encoded once."""
        return tuple(sorted({rendition.profile.audio_bitrate for rendition in self.renditions}))


def plan(probe: MediaProbe, profiles: Sequence[Profile], *, interlaced: bool = False) -> Plan:
    """The plan for an accepted file. ``interlaced`` is what was seen in the frames, not what a header says."""
    frames = max(round(probe.duration_ms * FRAME_RATE / 1000), FRAME_RATE)
    video = probe.video
    return Plan(
        frames=frames,
        renditions=_renditions(display_size(video), profiles) if video else _card_renditions(profiles),
        has_picture=video is not None,
        has_sound=probe.audio is not None,
        rotation=video.rotation if video else 0,
        deinterlace=interlaced,
        hdr=video is not None and video.color_transfer in _HDR_TRANSFERS,
        source_matrix=_matrix(video) if video else "bt709",
        source_range="full" if video and video.color_range == "pc" else "limited",
        poster_frames=tuple(min(int(frames * share), frames - 1) for share in POSTER_SHARES),
        sprite=_sprite(frames),
    )


def split(frames: int, workers: int) -> tuple[Span, ...]:
    """The spans that several workers encode side by side; one span where splitting would not pay.

    Cut at key frames of the output, 10 s to 2 min long, at least four for each worker so that all end together.
    """
    if workers < 2 or frames < LEAST_SPLIT_S * FRAME_RATE:
        return (Span(0, frames),)
    count = min(
        max(workers * 4, ceil(frames / (LONGEST_PART_S * FRAME_RATE))), frames // (LEAST_PART_S * FRAME_RATE)
    )
    length = ceil(frames / count / GOP_FRAMES) * GOP_FRAMES
    return tuple(Span(first, min(first + length, frames)) for first in range(0, frames, length))


def display_size(video: VideoTrack) -> Size:
    """The upright size in square pixels: pixel aspect by width, then quarter turns."""
    width = max(round(video.width * video.pixel_aspect), 1)
    if video.rotation % 180:
        return Size(video.height, width)
    return Size(width, video.height)


def _renditions(source: Size, profiles: Sequence[Profile]) -> tuple[RenditionPlan, ...]:
    """Smallest first. A profile that would only repeat a smaller one's frame is left out."""
    made: list[RenditionPlan] = []
    for profile in sorted(profiles, key=lambda one: one.height):
        picture = fit(source, Size(profile.width, profile.height))
        frame = television_frame(picture)
        if not any(earlier.frame == frame for earlier in made):
            made.append(RenditionPlan(profile, frame, picture))
    return tuple(made)


def _card_renditions(profiles: Sequence[Profile]) -> tuple[RenditionPlan, ...]:
    """Sound alone: its still picture is drawn at every profile's full size."""
    sizes = [
        (profile, Size(profile.width, profile.height))
        for profile in sorted(profiles, key=lambda one: one.height)
    ]
    return tuple(RenditionPlan(profile, size, size) for profile, size in sizes)


def fit(source: Size, box: Size) -> Size:
    """The largest even size of the source's shape inside the box and not above the source."""
    scale = min(Fraction(box.width, source.width), Fraction(box.height, source.height), Fraction(1))
    return Size(_even(source.width * scale), _even(source.height * scale))


def television_frame(picture: Size) -> Size:
    """The frame around a picture: an upright one is padded to 16:9, others stay as they are."""
    if picture.width >= picture.height:
        return picture
    return Size(_even(picture.height * TELEVISION), picture.height)


def _even(value: Fraction) -> int:
    """The nearest even number, at least 2."""
    return max(2 * round(value / 2), 2)


def _matrix(video: VideoTrack) -> str:
    """The colour matrix of the source; where it does not say, what televisions assume for its size."""
    if video.color_space in ("bt709", "smpte170m", "bt470bg", "bt2020nc", "smpte240m", "fcc"):
        return video.color_space
    return "bt709" if video.height >= 720 else "smpte170m"


def _sprite(frames: int) -> SpritePlan:
    interval = max(FRAME_RATE, ceil(frames / SPRITE_MAX_TILES))
    tiles = ceil(frames / interval)
    columns = min(SPRITE_COLUMNS, tiles)
    return SpritePlan(interval, tiles, columns, ceil(tiles / columns), Size(TILE_WIDTH, TILE_HEIGHT))
