"""From what a file is to what is made of it. Pure: no file is touched here.

The rules: never upscale; keep the picture's shape (pixel aspect, rotation, even sizes; an upright picture gets black
sides, because a television lies down); 25 frames a second; every rendition has the same frames, so a player can
change between them anywhere; sound is stereo at 48 kHz; what has no sound gets silence, what has no picture gets one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
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
LEAST_PART_S, LONGEST_PART_S, LEAST_LAST_S = 6, 120, 2
SHARES_LEFT = 3
"""A part takes one in this many of a worker's share of what is left."""
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
    """Everything that is decided before a clip is encoded. All frame numbers are those of the 25 fps grid and exact:
    verification counts them.

    ``frames`` is how many the clip has after the cut; ``kept`` are the stretches of its source that remain, in order;
    ``offset`` is where it begins in the programme of ``total`` frames.
    """

    frames: int
    total: int
    offset: int
    source_frames: int
    kept: tuple[Span, ...]
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
        """Of the whole programme."""
        return self.total * 1000 // FRAME_RATE

    @property
    def audio_bitrates(self) -> tuple[int, ...]:
        """Each distinct sound is encoded once."""
        return tuple(sorted({rendition.profile.audio_bitrate for rendition in self.renditions}))


def plan(
    probe: MediaProbe,
    profiles: Sequence[Profile],
    *,
    interlaced: bool = False,
    kept_ms: Sequence[tuple[int, int]] = (),
) -> Plan:
    """The plan for an accepted file. ``interlaced`` is what was seen in the frames, not what a header says;
    ``kept_ms`` are the stretches that a recipe leaves (none given: all).
    """
    source_frames = max(round(probe.duration_ms * FRAME_RATE / 1000), FRAME_RATE)
    kept = on_grid(kept_ms, source_frames) or (Span(0, source_frames),)
    frames = sum(span.frames for span in kept)
    video = probe.video
    return Plan(
        frames=frames,
        total=frames,
        offset=0,
        source_frames=source_frames,
        kept=kept,
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


class Role(StrEnum):
    """A clip's place in the programme."""

    INTRO = "intro"
    MAIN = "main"
    OUTRO = "outro"


def compose(plans: Mapping[Role, Plan]) -> dict[Role, Plan]:
    """The clips of one programme in the order in which they are shown, each knowing its place.

    Intro and outro take the frame sizes of the main clip; they give no posters.
    """
    main, ordered = plans[Role.MAIN], [(role, plans[role]) for role in Role if role in plans]
    total = sum(one.frames for _, one in ordered)
    placed, offset = {}, 0
    for role, one in ordered:
        inside = (
            one if role is Role.MAIN else replace(one, renditions=_inside_of(main, one), poster_frames=())
        )
        placed[role] = replace(inside, offset=offset, total=total, sprite=_sprite(total))
        offset += one.frames
    return placed


def _inside_of(main: Plan, clip: Plan) -> tuple[RenditionPlan, ...]:
    """A clip's own picture, as large as it goes into each frame of the main clip."""
    largest = clip.renditions[-1].picture
    return tuple(
        RenditionPlan(one.profile, one.frame, fit(largest, one.frame, enlarge=True))
        for one in main.renditions
    )


def on_grid(kept_ms: Sequence[tuple[int, int]], frames: int) -> tuple[Span, ...]:
    """Stretches in milliseconds as whole frames (the nearest ones), none empty, none beyond the end."""
    edges = [(min(to_frame(begin), frames), min(to_frame(end), frames)) for begin, end in kept_ms]
    return tuple(Span(first, last) for first, last in edges if last > first)


def to_frame(instant_ms: int) -> int:
    """The frame nearest to an instant; halves go up."""
    return (instant_ms * FRAME_RATE * 2 + 1000) // 2000


def source_spans(plan: Plan, span: Span) -> tuple[Span, ...]:
    """Which frames of the source a span of the clip shows, in order."""
    found, begins = [], 0
    for kept in plan.kept:
        first, last = max(span.first, begins), min(span.last, begins + kept.frames)
        if last > first:
            found.append(Span(kept.first + first - begins, kept.first + last - begins))
        begins += kept.frames
    return tuple(found)


def split(frames: int, workers: int) -> tuple[Span, ...]:
    """The spans that several workers encode side by side; one span where splitting would not pay.

    Cut at key frames of the output. Each takes a share of what is left, so that the last ones are short and all
    workers end together: never over 2 min, never under 6 s (guided self-scheduling, Polychronopoulos and Kuck 1987).
    """
    if workers < 2 or frames < LEAST_SPLIT_S * FRAME_RATE:
        return (Span(0, frames),)
    spans, first = [], 0
    while first < frames:
        left = frames - first
        wanted = left // (workers * SHARES_LEFT)
        length = min(max(wanted, LEAST_PART_S * FRAME_RATE), LONGEST_PART_S * FRAME_RATE)
        length = ceil(length / GOP_FRAMES) * GOP_FRAMES
        last = frames if left < length + LEAST_LAST_S * FRAME_RATE else first + length
        spans.append(Span(first, last))
        first = last
    return tuple(spans)


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
        if not any(earlier.frame == frame and earlier.profile.codec == profile.codec for earlier in made):
            made.append(RenditionPlan(profile, frame, picture))
    return tuple(made)


def _card_renditions(profiles: Sequence[Profile]) -> tuple[RenditionPlan, ...]:
    """Sound alone: its still picture is drawn at every profile's full size."""
    sizes = [
        (profile, Size(profile.width, profile.height))
        for profile in sorted(profiles, key=lambda one: one.height)
    ]
    return tuple(RenditionPlan(profile, size, size) for profile, size in sizes)


def fit(source: Size, box: Size, *, enlarge: bool = False) -> Size:
    """The largest even size of the source's shape inside the box and, unless we may ``enlarge``, not above the source."""
    scale = min(Fraction(box.width, source.width), Fraction(box.height, source.height))
    scale = scale if enlarge else min(scale, Fraction(1))
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
