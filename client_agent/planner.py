"""What to fetch, and in which order (pure).

The schedule drives the download: earliest air time first, at equal times required before optional, and of one
release poster, playlist and subtitles before the video. One adequate rendition a release: what is already complete
will do, what is begun is finished; else the best that arrives before its air time at the measured speed and fits;
when none does, the smallest, so that something plays. The library comes after everything that airs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from protocol.documents import FileKind, ReleaseFile, ReleaseManifest, Rendition

ASSUMED_BPS = 2_000_000
"""Speed of a line that was never measured, in bit/s."""
VIDEO = "video"


@dataclass(frozen=True)
class Airing:
    """A release and its first time on air in the time asked about (ms since 1970); ``filler``: it comes again soon."""

    release: str
    starts_ms: int
    ends_ms: int
    required: bool
    filler: bool


@dataclass(frozen=True)
class Wanted:
    """A file to fetch. ``air_ms`` is None for the library; ``what`` is "video" or a file kind."""

    sha256: str
    length: int
    pieces_root: str
    release: str
    title: str
    what: str
    air_ms: int | None
    required: bool
    profile: str | None = None


@dataclass(frozen=True)
class Holdings:
    """What is stored: names of complete files and of those begun; bytes that are free for media, and bytes that
    eviction could free for what airs (never for the library, or it would push itself out in turns)."""

    complete: Collection[str]
    begun: Collection[str]
    free_bytes: int
    evictable_bytes: int = 0


@dataclass
class _Line:
    """How much is already asked of line and disk by what airs earlier."""

    now_ms: int
    bps: int
    free: int
    evictable: int
    queued: int = 0

    def arrives_by(self, length: int, deadline_ms: int | None) -> bool:
        if deadline_ms is None:
            return True
        return (self.queued + length) * 8000 / self.bps <= deadline_ms - self.now_ms

    def fits(self, length: int, may_evict: bool) -> bool:
        return self.queued + length <= self.free + (self.evictable if may_evict else 0)


def plan(
    airings: Sequence[Airing],
    library: Sequence[str],
    manifest: Callable[[str], ReleaseManifest | None],
    holdings: Holdings,
    *,
    now_ms: int,
    line_bps: int,
) -> list[Wanted]:
    """Files to fetch, in order. Releases without a manifest are left out: they may not be played."""
    line = _Line(now_ms, line_bps or ASSUMED_BPS, holdings.free_bytes, holdings.evictable_bytes)
    wanted: list[Wanted] = []
    asked: set[str] = set()
    for release, air_ms, required in _in_order(airings, library, manifest, line):
        known = manifest(release)
        if known is None:
            continue
        for item in _files_of(known, release, air_ms, required, holdings, line):
            if item.sha256 not in asked:
                asked.add(item.sha256)
                line.queued += item.length
                wanted.append(item)
    return wanted


def _in_order(
    airings: Sequence[Airing],
    library: Sequence[str],
    manifest: Callable[[str], ReleaseManifest | None],
    line: _Line,
) -> list[tuple[str, int | None, bool]]:
    """(release, air time, required): by air time, then the library. What is on air now and cannot arrive before it
    ends must not delay what comes tonight."""
    ordered = sorted(
        (a for a in airings if a.ends_ms > line.now_ms),
        key=lambda a: (_is_too_late(a, manifest(a.release), line), a.starts_ms, not a.required, a.release),
    )
    airing = {a.release for a in ordered}
    later: list[tuple[str, int | None, bool]] = [(r, None, False) for r in library if r not in airing]
    return [*((a.release, a.starts_ms, a.required) for a in ordered), *later]


def _is_too_late(airing: Airing, manifest: ReleaseManifest | None, line: _Line) -> bool:
    if airing.starts_ms > line.now_ms or airing.required or airing.filler or manifest is None:
        return False
    smallest = min((rendition.length for rendition in manifest.renditions), default=0)
    return not line.arrives_by(smallest, airing.ends_ms)


def _files_of(
    manifest: ReleaseManifest,
    release: str,
    air_ms: int | None,
    required: bool,
    holdings: Holdings,
    line: _Line,
) -> list[Wanted]:
    rendition = _rendition(manifest.renditions, air_ms, holdings, line)
    profile = rendition.profile if rendition else None
    found = [
        Wanted(
            f.sha256, f.length, f.pieces_root, release, manifest.title, f.kind, air_ms, required, f.profile
        )
        for f in sorted(manifest.files, key=lambda f: (_file_rank(f), f.order, f.sha256))
        if f.sha256 not in holdings.complete and f.profile in (None, profile)
    ]
    if rendition is not None and rendition.sha256 not in holdings.complete:
        r = rendition
        found.append(
            Wanted(
                r.sha256, r.length, r.pieces_root, release, manifest.title, VIDEO, air_ms, required, r.profile
            )
        )
    return found


def _file_rank(file: ReleaseFile) -> int:
    first = (FileKind.PLAYLIST, FileKind.POSTER, FileKind.SUBTITLES)
    return first.index(file.kind) if file.kind in first else len(first)


def _rendition(
    renditions: Sequence[Rendition], air_ms: int | None, holdings: Holdings, line: _Line
) -> Rendition | None:
    """The one rendition to have; complete and begun ones before new ones, the best first."""
    best_first = sorted(renditions, key=lambda r: (-r.bitrate, r.sha256))
    for held in (holdings.complete, holdings.begun):
        for rendition in best_first:
            if rendition.sha256 in held:
                return rendition
    deadline = None if air_ms is None or air_ms <= line.now_ms else air_ms
    for rendition in best_first:
        if line.arrives_by(rendition.length, deadline) and line.fits(rendition.length, air_ms is not None):
            return rendition
    if air_ms is None:
        return None  # the library waits until there is room
    return best_first[-1] if best_first else None


def protected(
    airings: Sequence[Airing], manifest: Callable[[str], ReleaseManifest | None], wanted: Sequence[Wanted]
) -> set[str]:
    """Files that must not be evicted: everything of what is still to air, and what is about to be fetched."""
    names = {item.sha256 for item in wanted}
    for airing in airings:
        known = manifest(airing.release)
        if known is not None:
            names.update(rendition.sha256 for rendition in known.renditions)
            names.update(file.sha256 for file in known.files)
    return names
