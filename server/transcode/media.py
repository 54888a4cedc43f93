"""What is known of an accepted source file: plain data, measured rather than believed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class VideoTrack:
    """The picture that is used. ``start_s``/``end_s`` are measured, on the file's own time line from 0."""

    index: int
    codec: str
    width: int
    height: int
    pixel_aspect: Fraction
    rotation: int
    frame_rate: Fraction | None
    field_order: str
    color_space: str
    color_transfer: str
    color_primaries: str
    color_range: str
    packets: int
    start_s: float
    end_s: float
    largest_gap_s: float = 0.0


@dataclass(frozen=True)
class AudioTrack:
    """The sound that is used."""

    index: int
    codec: str
    channels: int
    sample_rate: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class SubtitleTrack:
    """Subtitles inside the file, by number among its subtitle tracks."""

    index: int
    codec: str
    language: str


@dataclass(frozen=True)
class Chapter:
    """A named point in the programme."""

    start_ms: int
    title: str


@dataclass(frozen=True)
class MediaProbe:
    """An accepted file: what is in it and how long it really lasts."""

    name: str
    size: int
    format: str
    duration_ms: int
    video: VideoTrack | None
    audio: AudioTrack | None
    subtitles: tuple[SubtitleTrack, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    cover: int | None = None
    """The stream that holds a still picture of the whole, as music files have."""
