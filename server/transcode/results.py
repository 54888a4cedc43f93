"""What the steps hand to each other: plain data. Paths lie below the job's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from server.transcode.ladder import Plan
from server.transcode.loudness import Loudness
from server.transcode.media import MediaProbe


@dataclass(frozen=True)
class Progress:
    """Where the work is: ``percent`` of everything, ``fps`` and ``eta_s`` while pictures are encoded."""

    step: str
    percent: float
    fps: float | None = None
    eta_s: int | None = None


@dataclass(frozen=True)
class ProducedRendition:
    """One verified MP4. ``layer_path`` holds its binary piece layer; ``bitrate`` is measured, bit/s."""

    profile: str
    profile_version: int
    path: Path
    sha256: str
    length: int
    pieces_root: str
    layer_path: Path
    width: int
    height: int
    bitrate: int
    duration_ms: int
    xpsnr_db: float | None = None


@dataclass(frozen=True)
class ProducedFile:
    """A companion: poster (best first by ``order``), sprite, playlist (of ``profile``), subtitles (``language``)."""

    kind: str
    path: Path
    sha256: str
    length: int
    pieces_root: str
    layer_path: Path
    profile: str | None = None
    order: int = 0
    language: str | None = None


@dataclass(frozen=True)
class Prepared:
    """What is found out of a source once, for its review copy and every cut of it. ``heard`` says that ``loudness`` was
    measured over the whole source (None there: nothing to hear).
    """

    probe: MediaProbe
    interlaced: bool
    heard: bool = False
    loudness: Loudness | None = None


@dataclass(frozen=True)
class Cut:
    """What of a source is shown: the stretches kept (none given: all), and what is shown before and after."""

    kept_ms: tuple[tuple[int, int], ...] = ()
    intro: Path | None = None
    outro: Path | None = None


@dataclass(frozen=True)
class Sound:
    """The encoded sounds by bitrate, what was measured before, and the subtitles by language."""

    loudness: Loudness | None
    files: dict[int, Path]
    subtitles: dict[str, Path]


@dataclass(frozen=True)
class Encoded:
    """What the encoders wrote: sounds by bitrate, picture parts by profile in order, posters, storyboard tiles.

    ``complaints`` is how many lines decoders said about damage in the source.
    """

    loudness: Loudness | None
    sounds: dict[int, Path]
    parts: dict[str, tuple[Path, ...]]
    posters: tuple[Path, ...]
    tiles: tuple[Path, ...]
    complaints: int = 0
    subtitles: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembled:
    """Finished and hashed, not yet verified."""

    renditions: tuple[ProducedRendition, ...]
    files: tuple[ProducedFile, ...]


@dataclass(frozen=True)
class Checked:
    """Verified; ``loudness`` is that of the result."""

    renditions: tuple[ProducedRendition, ...]
    loudness: Loudness | None


@dataclass(frozen=True)
class Produced:
    """Everything made of one source. ``loudness`` was measured before, ``loudness_after`` in the result."""

    probe: MediaProbe
    plan: Plan
    renditions: tuple[ProducedRendition, ...]
    files: tuple[ProducedFile, ...]
    duration_ms: int
    loudness: Loudness | None
    loudness_after: Loudness | None
