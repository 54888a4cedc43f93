"""What is on, what is next, what may be chosen: answers from the verified documents in the database.

Everything read here was verified when it was stored and is hashed again when it is loaded. The merge rule itself is
``protocol.merge``; this module adds the play rule (the release manifest and the schedule name the same SHA-256, no
recall, region ours, inside validity) and keeps memory bounded: a day holds some 3,500 filler items.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from client_agent.database import Database
from client_agent.documents import (
    DocumentTable,
    Programme,
    library_entries,
    pictures,
    read_programme,
    study_days,
)
from client_agent.planner import Airing, pages_of
from client_agent.playrule import Refusal, is_emergency, is_in_force, rights_refusal
from client_agent.store import Store
from protocol import names
from protocol.batch import ClockState
from protocol.documents import (
    FileKind,
    LibraryEntry,
    Notice,
    Picture,
    Ref,
    ReleaseFile,
    ReleaseManifest,
    Rendition,
    SectionName,
    StudyDay,
    Topic,
)
from protocol.merge import ListedItem, Listing, Source, merge
from protocol.regions import within
from protocol.times import day_bounds_ms, day_of_ms, text_to_ms

CACHED_LISTINGS = 3
CACHED_MANIFESTS = 64
NEXT_ITEMS = 4
__all__ = ["Guide", "LibraryItem", "OnAir", "Playable", "ReadyItem", "Refusal"]


@dataclass(frozen=True)
class Playable:
    """What a player needs of a stored release: the best complete rendition and its companions that are complete."""

    release: str
    manifest: ReleaseManifest
    rendition: Rendition
    playlist: ReleaseFile | None
    poster: ReleaseFile | None
    subtitles: tuple[ReleaseFile, ...]
    lacks_pages: bool = False
    """A page of the courseware is not stored: its film plays all the same."""


@dataclass(frozen=True)
class LibraryItem:
    """A release that may be chosen at any time. ``stored``: it can be played now without the network."""

    release: str
    manifest: ReleaseManifest
    stored: bool


@dataclass(frozen=True)
class OnAir:
    """What a channel shows at an instant.

    ``item`` is what the listing says (None only when there is no schedule at all). ``play`` is what to put on the
    screen at ``offset_ms`` of its medium: the item itself, or, when ``refusal`` says why it cannot play, a stored
    filler that starts over until the item ends; None means slate. ``next_items`` start after ``item``.
    """

    channel: str | None
    item: ListedItem | None
    play: Playable | None
    offset_ms: int
    ends_ms: int
    refusal: Refusal | None
    next_items: tuple[ListedItem, ...]

    @property
    def manifest(self) -> ReleaseManifest | None:
        return self.play.manifest if self.play else None


@dataclass(frozen=True)
class ReadyItem:
    """Whether one item to come could be played from the store."""

    id: str
    channel: str
    starts_at: str
    title: str
    release: str
    ready: bool
    reason: Refusal | None


class _IndexedListing:
    """A listing with its starts beside it, so that "what is on" is a bisection and not 3,500 time texts."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.starts = array("q", (item.starts_ms for item in listing.items))

    def index_at(self, moment_ms: int) -> int | None:
        index = bisect_right(self.starts, moment_ms) - 1
        if index < 0 or moment_ms >= self.starts[index] + self.listing.items[index].duration_ms:
            return None
        return index


class Guide:
    """Answers about programmes for one terminal. Safe from any thread."""

    def __init__(
        self, database: Database, store: Store, region: str, now: Callable[[], tuple[int, ClockState]]
    ) -> None:
        self._database = database
        self._table = DocumentTable(database)
        self._store = store
        self._region = region
        self._now = now
        self._lock = threading.RLock()
        self._documents: Programme | None = None
        self._listings: OrderedDict[tuple[str, str, date], _IndexedListing] = OrderedDict()
        self._manifests: OrderedDict[str, ReleaseManifest | None] = OrderedDict()
        self._numbers: tuple[str, dict[int, str]] = ("", {})

    # --- documents ------------------------------------------------------------------------------------------------
    @property
    def version(self) -> str:
        """Changes whenever a verified document changes: an ETag for pages."""
        return self._table.version

    def _current(self) -> Programme:
        version = self.version
        with self._lock:
            if self._documents is None or self._documents.version != version:
                self._documents = read_programme(self._database, self._region)
                self._listings.clear()
                self._manifests.clear()
            return self._documents

    def programme(self) -> Programme:
        """What the verified documents say together, as they stand now."""
        return self._current()

    @property
    def region(self) -> str:
        """The region whose programme is shown: the enrolled one, or its signed successor."""
        return self._current().region

    def channels(self) -> list[tuple[str, str]]:
        """(id, name) of the channels, in the frame's order."""
        frame = self._current().frame
        return [(channel.id, channel.name) for channel in frame.channels] if frame else []

    def next_card_ms(self, channel: str | None = None) -> int:
        """How long before an item its card is shown over what stands before it; 0: never."""
        frame = self._current().frame
        lines = frame.channels if frame else []
        return next((line.next_card_ms for line in lines if channel in (None, line.id)), 0)

    def logo(self, channel: str | None = None) -> Picture | None:
        """台标 of a channel (default: the first), where it is stored."""
        frame = self._current().frame
        lines = frame.channels if frame else []
        return self.stored_picture(next((line.logo for line in lines if channel in (None, line.id)), None))

    def stored_picture(self, picture: Picture | None) -> Picture | None:
        """The picture, if its file is complete."""
        return picture if picture is not None and self._store.is_complete(picture.sha256) else None

    def picture(self, sha256: str) -> Picture | None:
        """A picture that a current document names, by its file's SHA-256."""
        documents = self._current()
        known = pictures(documents.frame, documents.locals)
        return next((picture for picture in known if picture.sha256 == sha256), None)

    def notices(self, now_ms: int) -> list[Notice]:
        """Tickers to show now, the frame's first; each only in its own region and from who may speak there."""
        documents = self._current()
        found: list[Notice] = []
        for document in ([documents.frame] if documents.frame else []) + list(documents.locals):
            for notice in document.notices:
                mine = within(documents.region, notice.region) and within(notice.region, document.region)
                if mine and text_to_ms(notice.starts_at) <= now_ms < text_to_ms(notice.until):
                    found.append(notice)
        return found

    def named(self) -> list[str]:
        """Every release that a current document names."""
        return list(self._current().scheduled)

    def numbered(self, number: int) -> str | None:
        """The release with this number (1–9999) among everything the documents name, or None."""
        version = self.version
        if self._numbers[0] != version:
            known = ((release, self.manifest(release)) for release in self.named())
            self._numbers = (version, {m.number: release for release, m in known if m and m.number})
        return self._numbers[1].get(number)

    def manifest(self, release: str) -> ReleaseManifest | None:
        """The admitted manifest whose SHA-256 is ``release``, if a current document names it; or None."""
        documents = self._current()
        with self._lock:
            if release in self._manifests:
                self._manifests.move_to_end(release)
                return self._manifests[release]
        manifest = self._load_manifest(documents, release)
        with self._lock:
            self._manifests[release] = manifest
            while len(self._manifests) > CACHED_MANIFESTS:
                self._manifests.popitem(last=False)
        return manifest

    def _load_manifest(self, documents: Programme, release: str) -> ReleaseManifest | None:
        edition = documents.scheduled.get(release)
        if edition is None or self._table.sha256_of(names.release_target(edition)) != release:
            return None
        return self._table.read(names.release_target(edition), ReleaseManifest)

    # --- listings -------------------------------------------------------------------------------------------------
    def listing(self, day: date, channel: str | None = None) -> Listing:
        """What a channel (default: the first) shows on a day in Asia/Shanghai; slate where nothing is known."""
        return self._indexed(day, channel).listing

    def _indexed(self, day: date, channel: str | None) -> _IndexedListing:
        documents = self._current()
        channel = channel or self._first_channel() or ""
        key = (documents.version, channel, day)
        with self._lock:
            known = self._listings.get(key)
            if known is not None:
                self._listings.move_to_end(key)
                return known
            made = _IndexedListing(_merged(documents, channel, day))
            self._listings[key] = made
            while len(self._listings) > CACHED_LISTINGS:
                self._listings.popitem(last=False)
            return made

    def _first_channel(self) -> str | None:
        frame = self._current().frame
        return frame.channels[0].id if frame and frame.channels else None

    def upcoming(self, now_ms: int, horizon_ms: int, channel: str) -> Iterator[ListedItem]:
        """Items on air between now and the horizon, in order; one that runs past midnight comes once."""
        day, last = day_of_ms(now_ms), day_of_ms(now_ms + horizon_ms)
        seen_until = now_ms
        while day <= last:
            for item in _merged(self._current(), channel, day).items:
                starts = item.starts_ms
                if starts + item.duration_ms <= seen_until or starts >= now_ms + horizon_ms:
                    continue
                seen_until = starts + item.duration_ms
                yield item
            day += timedelta(days=1)

    def airings(self, now_ms: int, horizon_ms: int) -> list[Airing]:
        """Each release to come on any channel, once, with its first air time; earliest first."""
        first: dict[str, Airing] = {}
        for channel, _ in self.channels():
            for item in self.upcoming(now_ms, horizon_ms, channel):
                if item.release is None:
                    continue
                starts, known = item.starts_ms, first.get(item.release)
                if known is None or starts < known.starts_ms:
                    required = item.required or (known is not None and known.required)
                    filler = item.source is Source.FILLER
                    first[item.release] = Airing(
                        item.release, starts, starts + item.duration_ms, required, filler
                    )
        return sorted(first.values(), key=lambda airing: (airing.starts_ms, airing.release))

    # --- the play rule ----------------------------------------------------------------------------------------------
    def play_allowed(self, release: str, now_ms: int) -> Refusal | None:
        """None when the release may be played now; otherwise why not. Says nothing about what is stored."""
        documents = self._current()
        if release in documents.recalled:
            return Refusal.RECALLED
        if release not in documents.scheduled:
            return Refusal.NO_SCHEDULE
        scheduled = is_in_force(documents.frame, now_ms)
        if not scheduled and not is_emergency(documents.emergency, release, now_ms):
            return Refusal.EXPIRED
        manifest = self.manifest(release)
        if manifest is None:
            return Refusal.NOT_ADMITTED
        return rights_refusal(manifest.rights, documents.region, now_ms)

    def playable(self, release: str) -> Playable | None:
        """The best complete rendition of a release and its complete companions, or None. Not yet the play rule."""
        manifest = self.manifest(release)
        return self._playable(release, manifest) if manifest else None

    def _playable(self, release: str, manifest: ReleaseManifest) -> Playable | None:
        complete = self._store.is_complete
        best = max(
            (r for r in manifest.renditions if complete(r.sha256)),
            key=lambda r: (r.bitrate, r.sha256),
            default=None,
        )
        if best is None:
            return None
        files = [file for file in manifest.files if complete(file.sha256)]
        playlists = [f for f in files if f.kind is FileKind.PLAYLIST and f.profile in (None, best.profile)]
        posters = [f for f in files if f.kind is FileKind.POSTER]
        subtitles = tuple(f for f in files if f.kind is FileKind.SUBTITLES)
        lacks_pages = any(not complete(page.sha256) for page in pages_of(manifest))
        return Playable(
            release,
            manifest,
            best,
            next(iter(playlists), None),
            next(iter(posters), None),
            subtitles,
            lacks_pages,
        )

    def on_air(self, now_ms: int | None = None, channel: str | None = None) -> OnAir:
        """What a channel (default: the first) shows at an instant (default: now)."""
        clock_ms, state = self._now()
        now_ms = clock_ms if now_ms is None else now_ms
        channel = channel or self._first_channel()
        if channel is None and self._current().emergency is None:
            return OnAir(None, None, None, 0, now_ms + 60_000, Refusal.NO_SCHEDULE, ())
        indexed = self._indexed(day_of_ms(now_ms), channel)
        index = indexed.index_at(now_ms)
        if index is None:  # a listing has no gaps
            return OnAir(channel, None, None, 0, now_ms + 60_000, Refusal.NO_SCHEDULE, ())
        item = indexed.listing.items[index]
        starts, ends = item.starts_ms, item.ends_ms
        following = self._following(now_ms, channel, index)
        if state is ClockState.UNCERTAIN:
            return OnAir(channel, item, None, 0, ends, Refusal.CLOCK, following)
        refusal, play = self._play_item(item, now_ms)
        if play is not None or item.release is None:
            return OnAir(
                channel, item, play, item.media_offset_ms + now_ms - starts, ends, refusal, following
            )
        play, offset, ends = self._filler(item, channel or "", now_ms)
        return OnAir(channel, item, play, offset, ends, refusal, following)

    def _following(self, now_ms: int, channel: str | None, index: int) -> tuple[ListedItem, ...]:
        """The items after one of the day, over midnight if need be."""
        today = day_of_ms(now_ms)
        following = self._indexed(today, channel).listing.items[index + 1 : index + 1 + NEXT_ITEMS]
        if len(following) < NEXT_ITEMS:
            _, midnight_ms = day_bounds_ms(today)
            tomorrow = self._indexed(today + timedelta(days=1), channel)
            first = bisect_left(tomorrow.starts, midnight_ms)
            following = following + tomorrow.listing.items[first : first + NEXT_ITEMS - len(following)]
        return tuple(following)

    def _play_item(self, item: ListedItem, now_ms: int) -> tuple[Refusal | None, Playable | None]:
        if item.release is None:
            return None, None
        refusal = self.play_allowed(item.release, now_ms)
        play = None if refusal else self.playable(item.release)
        return (refusal or (None if play else Refusal.NOT_STORED)), play

    def _filler(self, item: ListedItem, channel: str, now_ms: int) -> tuple[Playable | None, int, int]:
        """(what, offset, until) to show instead of an item that cannot play: the channel's stored fillers, in their
        order from the item's start, over and over."""
        ready = []
        for ref in self._fillers(channel):
            play = None if self.play_allowed(ref.release, now_ms) else self.playable(ref.release)
            if play is not None:
                ready.append((ref.duration_ms, play))
        if not ready:
            return None, 0, item.ends_ms
        into = (now_ms - item.starts_ms) % sum(duration for duration, _ in ready)
        for duration, play in ready:
            if into < duration:
                return play, into, min(item.ends_ms, now_ms - into + duration)
            into -= duration
        raise AssertionError("unreachable: the remainder is below the sum")

    def _fillers(self, channel: str) -> list[Ref]:
        frame = self._current().frame
        return [
            ref for line in (frame.channels if frame else []) if line.id == channel for ref in line.fillers
        ]

    # --- library and readiness ------------------------------------------------------------------------------------------
    def sections(self) -> list[SectionName]:
        """The shelves, in the order they are shown; empty where the frame names none."""
        frame = self._current().frame
        return list(frame.sections) if frame else []

    def topics(self, now_ms: int) -> list[Topic]:
        """专题 that run now, the frame's first, then those of the levels between, the widest first."""
        documents = self._current()
        said = ([documents.frame] if documents.frame else []) + list(reversed(documents.locals))
        return [
            topic
            for document in said
            for topic in document.topics
            if text_to_ms(topic.starts_at) <= now_ms < text_to_ms(topic.until)
        ]

    def study_days(self) -> list[StudyDay]:
        """学习日 of the nearest ancestor that sets any (one that sets an empty list wants none), in order."""
        documents = self._current()
        days = study_days(documents.frame, documents.locals)
        return sorted(days, key=lambda day: (day.starts_at, day.id))

    def entries(self) -> list[LibraryEntry]:
        """The library's entries, the frame's first, then pushes of the levels between; each release once."""
        documents = self._current()
        return list(library_entries(documents.frame, documents.locals))

    def library(self, section: str | None = None) -> list[LibraryItem]:
        """Releases that may be chosen now, in the frame's order; of one section if asked."""
        now_ms, _ = self._now()
        found = []
        for entry in self.entries():
            if section not in (None, entry.section) or self.play_allowed(entry.release, now_ms):
                continue
            manifest = self.manifest(entry.release)
            if manifest is not None:
                stored = self._playable(entry.release, manifest) is not None
                found.append(LibraryItem(entry.release, manifest, stored))
        return found

    def library_releases(self) -> list[str]:
        """All releases of the library, in the frame's order, whether they may be played now or not."""
        return [entry.release for entry in self.entries()]

    def readiness(self, now_ms: int, horizon_ms: int) -> list[ReadyItem]:
        """Placed items (not fillers) from now to the horizon: could each be played from the store, with all its pages?"""
        found = []
        for channel, _ in self.channels():
            for item in self.upcoming(now_ms, horizon_ms, channel):
                if item.release is None or item.source is Source.FILLER:
                    continue
                starts = max(now_ms, item.starts_ms)
                refusal, play = self._play_item(item, starts)
                ready = play is not None and not play.lacks_pages
                refusal = refusal or (None if ready else Refusal.NOT_STORED)
                manifest = self.manifest(item.release)
                title = manifest.title if manifest else ""
                found.append(ReadyItem(item.id, channel, item.starts_at, title, item.release, ready, refusal))
        return found


def _merged(documents: Programme, channel: str, day: date) -> Listing:
    return merge(
        region=documents.region,
        channel=channel,
        day=day,
        frame=documents.frame,
        local_documents=documents.locals,
        emergency=documents.emergency,
        recalled=documents.recalled,
    )
