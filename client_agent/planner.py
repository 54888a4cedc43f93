"""What to fetch, and in which order (pure).

The schedule drives the download: earliest air time first, and of one release poster, playlist and subtitles before the
video. What is required never waits for what is not: an optional item goes before it only while everything required
still arrives by its air time. Pushes come after what airs, the library after everything.

First each release gets one adequate rendition: what is complete or begun will do, else the smallest that is adequate
for a television and arrives in time and fits; else the best smaller one that does; when none does, the smallest, so
that something plays. Where line and disk have time and room left, better ones follow (upgrades); never on a line with
a monthly cap, and never by evicting anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.documents import FileKind, Picture, ReleaseFile, ReleaseManifest, Rendition

ADEQUATE_HEIGHT = 576
"""Lines of a picture that a television across a room shows well."""
VIDEO = "video"
PICTURE = "picture"
SMALL_PICTURE = 256 * 1024
"""A logo is worth no waiting: pictures up to this length come before the programmes, larger ones after what airs."""
NOT_ON_A_SET = frozenset({FileKind.ATTACHMENT, FileKind.PREVIEW})
"""Companions that a station never shows."""
Manifests = Callable[[str], ReleaseManifest | None]


@dataclass(frozen=True)
class Airing:
    """A release and its first time on air in the time asked about (ms since 1970); ``filler``: it comes again soon."""

    release: str
    starts_ms: int
    ends_ms: int
    required: bool
    filler: bool
    urgent: bool = False
    """An emergency's: fetched at any hour, first of all."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch. ``air_ms`` is None for pushes and the library; ``what`` is "video", "picture" or a file kind.
    ``may_evict``: worth more than the shelf."""

    sha256: str
    length: int
    pieces_root: str
    release: str
    title: str
    what: str
    air_ms: int | None
    required: bool
    profile: str | None = None
    may_evict: bool = True
    urgent: bool = False


@dataclass(frozen=True)
class Plan:
    """``wanted`` in order; ``short_bytes``: what of it finds no room on the disk, whatever is evicted."""

    wanted: list[Wanted]
    short_bytes: int = 0


@dataclass(frozen=True)
class Holdings:
    """What is stored: names of complete files and of those begun; bytes that are free for media, and bytes that
    eviction could free for what airs or is pushed (never for the library, or it would push itself out in turns)."""

    complete: Collection[str]
    begun: Collection[str]
    free_bytes: int
    evictable_bytes: int = 0


@dataclass
class _Line:
    """How much is already asked of line and disk by what comes earlier. ``by(instant)``: bytes that can arrive."""

    now_ms: int
    by: Callable[[int], int]
    free: int
    evictable: int
    queued: int = 0
    short: int = 0
    asked: set[str] = field(default_factory=set)

    def arrives_by(self, length: int, deadline_ms: int | None) -> bool:
        return deadline_ms is None or self.queued + length <= self.by(deadline_ms)

    def fits(self, length: int, may_evict: bool) -> bool:
        return self.queued + length <= self.free + (self.evictable if may_evict else 0)

    def take(self, items: Sequence[Wanted]) -> list[Wanted]:
        """The ones not asked for yet, counted."""
        new = [item for item in items if item.sha256 not in self.asked]
        for item in new:
            self.asked.add(item.sha256)
            if not self.fits(item.length, item.may_evict):
                self.short += item.length
            self.queued += item.length
        return new


@dataclass(frozen=True)
class _Need:
    """One release and what it is needed for."""

    release: str
    manifest: ReleaseManifest
    air_ms: int | None
    required: bool = False
    may_evict: bool = True
    urgent: bool = False

    def wanted(self, file: ReleaseFile | Rendition, what: str) -> Wanted:
        return Wanted(
            file.sha256,
            file.length,
            file.pieces_root,
            self.release,
            self.manifest.title,
            what,
            self.air_ms,
            self.required,
            file.profile,
            self.may_evict,
            self.urgent,
        )


def plan(
    airings: Sequence[Airing],
    pushed: Sequence[str],
    library: Sequence[str],
    manifest: Manifests,
    holdings: Holdings,
    *,
    now_ms: int,
    by: Callable[[int], int],
    may_upgrade: bool = True,
    pictures: Sequence[Picture] = (),
) -> Plan:
    """Files to fetch, in order. Releases without a manifest are left out: they may not be played."""
    line = _Line(now_ms, by, holdings.free_bytes, holdings.evictable_bytes)
    airing = _in_order([a for a in airings if a.ends_ms > now_ms], manifest, line)
    later = [_Need(r, m, None) for r in pushed if (m := manifest(r)) is not None]
    wanted: list[Wanted] = []
    named = {picture.sha256: picture for picture in pictures}
    absent = [_picture(picture) for sha256, picture in named.items() if sha256 not in holdings.complete]
    wanted += line.take([picture for picture in absent if picture.length <= SMALL_PICTURE])
    for need in (*airing, *later):
        wanted += line.take(_files_of(need, holdings, line))
    wanted += line.take(absent)
    if may_upgrade:
        for need in sorted(airing, key=lambda n: not n.required):
            wanted += line.take(_upgrade(need, holdings, line))
    gone = {need.release for need in (*airing, *later)}
    for release in library:
        known = None if release in gone else manifest(release)
        if known is not None:
            wanted += line.take(_files_of(_Need(release, known, None, may_evict=False), holdings, line))
    return Plan(wanted, line.short)


def _picture(picture: Picture) -> Wanted:
    length, root = picture.length, picture.pieces_root
    return Wanted(picture.sha256, length, root, "", "", PICTURE, None, required=False, may_evict=False)


def _in_order(airings: Sequence[Airing], manifest: Manifests, line: _Line) -> list[_Need]:
    """By air time; what is on air now and cannot arrive before it ends, and what would make something required late,
    after everything else that airs."""
    ordered = sorted(airings, key=lambda a: (not a.urgent, a.starts_ms, not a.required, a.release))
    required = _Slack(ordered, manifest, line)
    first: list[_Need] = []
    postponed: list[_Need] = []
    for airing in ordered:
        known = manifest(airing.release)
        if known is None:
            continue
        need = _Need(airing.release, known, airing.starts_ms, airing.required, urgent=airing.urgent)
        waits = _is_too_late(airing, known, line)
        waits = waits or not (airing.required or required.spares(airing.starts_ms, _smallest(known)))
        (postponed if waits else first).append(need)
    return first + postponed


class _Slack:
    """How many bytes may come before required items without making one of them late. One that is late in any case
    lets nothing optional go before it."""

    def __init__(self, ordered: Sequence[Airing], manifest: Manifests, line: _Line) -> None:
        self._slack: list[tuple[int, int]] = []
        queued = 0
        for airing in sorted((a for a in ordered if a.required), key=lambda a: a.starts_ms):
            known = manifest(airing.release)
            if known is not None:
                queued += _smallest(known)
                self._slack.append((airing.starts_ms, line.by(max(airing.starts_ms, line.now_ms)) - queued))
        self._used = 0

    def spares(self, air_ms: int, length: int) -> bool:
        """Whether an optional item may go before everything required that airs after it; counted if so."""
        after = [slack for starts_ms, slack in self._slack if starts_ms > air_ms]
        if after and self._used + length > min(after):
            return False
        self._used += length
        return True


def _smallest(manifest: ReleaseManifest) -> int:
    return min((rendition.length for rendition in manifest.renditions), default=0)


def _is_too_late(airing: Airing, manifest: ReleaseManifest, line: _Line) -> bool:
    if airing.starts_ms > line.now_ms or airing.required or airing.filler:
        return False
    return not line.arrives_by(_smallest(manifest), airing.ends_ms)


def _files_of(need: _Need, holdings: Holdings, line: _Line) -> list[Wanted]:
    rendition = _rendition(need, holdings, line)
    profile = rendition.profile if rendition else None
    found = [
        need.wanted(file, file.kind)
        for file in sorted(need.manifest.files, key=lambda f: (_file_rank(f), f.order, f.sha256))
        if file.sha256 not in holdings.complete
        and file.profile in (None, profile)
        and file.kind not in NOT_ON_A_SET
    ]
    if rendition is not None and rendition.sha256 not in holdings.complete:
        found.append(need.wanted(rendition, VIDEO))
    return found


def _file_rank(file: ReleaseFile) -> int:
    first = (FileKind.PLAYLIST, FileKind.POSTER, FileKind.SUBTITLES)
    return first.index(file.kind) if file.kind in first else len(first)


def _best_first(renditions: Sequence[Rendition]) -> list[Rendition]:
    return sorted(renditions, key=lambda r: (-r.bitrate, r.sha256))


def _rendition(need: _Need, holdings: Holdings, line: _Line) -> Rendition | None:
    """The one rendition to have first; complete and begun ones before new ones."""
    best_first = _best_first(need.manifest.renditions)
    for held in (holdings.complete, holdings.begun):
        for rendition in best_first:
            if rendition.sha256 in held:
                return rendition
    deadline = None if need.air_ms is None or need.air_ms <= line.now_ms else need.air_ms
    for rendition in _by_adequacy(best_first):
        if line.arrives_by(rendition.length, deadline) and line.fits(rendition.length, need.may_evict):
            return rendition
    if not need.may_evict:
        return None  # the library waits until there is room
    return best_first[-1] if best_first else None


def _by_adequacy(best_first: Sequence[Rendition]) -> list[Rendition]:
    """The smallest that is adequate, then smaller ones, the best of them first."""
    adequate = [r for r in best_first if r.height >= ADEQUATE_HEIGHT]
    return [*adequate[-1:], *(r for r in best_first if r.height < ADEQUATE_HEIGHT)]


def _upgrade(need: _Need, holdings: Holdings, line: _Line) -> list[Wanted]:
    """A better rendition than the one that is there or comes first, if it still arrives by its air time."""
    best_first = _best_first(need.manifest.renditions)
    have = next((r for r in best_first if r.sha256 in holdings.complete or r.sha256 in line.asked), None)
    if have is None or need.air_ms is None or need.air_ms <= line.now_ms:
        return []
    for rendition in best_first:
        if rendition.bitrate <= have.bitrate:
            return []
        if line.arrives_by(rendition.length, need.air_ms) and line.fits(rendition.length, False):
            lists = [
                f
                for f in need.manifest.files
                if f.profile == rendition.profile and f.sha256 not in holdings.complete
            ]
            return [*(need.wanted(f, f.kind) for f in lists), need.wanted(rendition, VIDEO)]
    return []


def lacking(releases: Sequence[str], manifest: Manifests, stored: Mapping[str, int]) -> list[tuple[str, int]]:
    """(release, bytes) of those of which no rendition is stored whole or a page of the courseware is missing, in order.
    ``stored``: verified bytes of a file by its SHA-256, the file's length once it is complete. A release without a
    manifest lacks an unknown number: 0."""
    found: list[tuple[str, int]] = []
    for release in releases:
        known = manifest(release)
        best_first = _best_first(known.renditions) if known else []
        files: list[Rendition | ReleaseFile] = [*pages_of(known)] if known else []
        if not any(stored.get(r.sha256, -1) >= r.length for r in best_first):
            begun = [r for r in best_first if r.sha256 in stored]
            files += [*begun, *_by_adequacy(best_first), *best_first[-1:]][:1]
        lacks = sum(file.length - stored.get(file.sha256, 0) for file in files)
        if lacks or not best_first:
            found.append((release, lacks))
    return found


def pages_of(manifest: ReleaseManifest) -> list[ReleaseFile]:
    """The pages of a courseware, in their order."""
    return sorted((f for f in manifest.files if f.kind is FileKind.PAGE), key=lambda f: (f.order, f.sha256))


def protected(
    airings: Sequence[Airing],
    pushed: Sequence[str],
    manifest: Manifests,
    complete: Collection[str],
    wanted: Sequence[Wanted],
    *,
    now_ms: int,
) -> set[str]:
    """Files that must not be evicted: of what is still to air or pushed, the best rendition that is stored with all
    its companions; everything of what is on air now; and what is about to be fetched."""
    names = {item.sha256 for item in wanted}
    on_now = {a.release for a in airings if a.starts_ms <= now_ms and not a.filler}
    for release in (*(a.release for a in airings), *pushed):
        known = manifest(release)
        if known is None:
            continue
        names.update(file.sha256 for file in known.files)
        best_first = _best_first(known.renditions)
        held = [r.sha256 for r in best_first if r.sha256 in complete]
        names.update(held if release in on_now else held[:1])
        if not held:
            names.update(r.sha256 for r in best_first)
    return names
