"""The verified documents of a terminal: their table, and what they say taken together."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from client_agent.database import Database
from protocol import names
from protocol.documents import (
    Commands,
    Emergency,
    Frame,
    LibraryEntry,
    LocalDocument,
    Network,
    Picture,
    Recall,
    ReleaseManifest,
    StudyDay,
    Succession,
    decode,
)
from protocol.errors import MalformedDocument
from protocol.regions import lineage, within

log = logging.getLogger(__name__)
_D = TypeVar("_D", Frame, LocalDocument, Emergency, Network, Recall, ReleaseManifest, Commands)


class DocumentTable:
    """Documents by target, as bytes. Only what was verified goes in; the caller wraps changes in transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = False

    @property
    def version(self) -> str:
        """Changes whenever a document does."""
        return self._database.setting("documents_version", "0")

    def read(self, target: str, kind: type[_D]) -> _D | None:
        """A document, its bytes hashed again; None when absent or no longer what was verified."""
        found = self._database.row("SELECT sha256, bytes FROM documents WHERE target = ?", (target,))
        if found is None:
            return None
        sha256, data = found
        if hashlib.sha256(data).hexdigest() != sha256:
            log.error(
                "%s: stored bytes are not those that were verified; left out until fetched again", target
            )
            self._database.set_setting("timestamp_done", "")  # so that the next look verifies anew
            return None
        try:
            return decode(data, kind)
        except MalformedDocument as error:
            log.warning("%s: %s", target, error)
            return None

    def sha256_of(self, target: str) -> str | None:
        found = self._database.row("SELECT sha256 FROM documents WHERE target = ?", (target,))
        return found[0] if found else None

    def bytes_of(self, target: str, sha256: str) -> bytes | None:
        """The bytes held for a target, if they really have this hash."""
        row = self._database.row(
            "SELECT bytes FROM documents WHERE target = ? AND sha256 = ?", (target, sha256)
        )
        return row[0] if row and hashlib.sha256(row[0]).hexdigest() == sha256 else None

    def keep(self, target: str, sha256: str, data: bytes) -> None:
        """Put a verified document in the place of what was there."""
        if self.bytes_of(target, sha256) is None:
            self._changed = True
            self._database.execute(
                "INSERT OR REPLACE INTO documents (target, sha256, bytes) VALUES (?, ?, ?)",
                (target, sha256, data),
            )

    def forget(self, target: str) -> None:
        """Verified metadata no longer has it."""
        if self._database.execute("DELETE FROM documents WHERE target = ?", (target,)):
            self._changed = True

    def forget_manifests_except(self, wanted: set[str]) -> None:
        """Release manifests that no document names any more go."""
        for (target,) in self._database.rows("SELECT target FROM documents WHERE target LIKE 'release/%'"):
            if target not in wanted:
                self.forget(target)

    def touch(self) -> None:
        """Something beside the documents changed that readers must see: recalls."""
        self._changed = True

    def raise_version(self) -> bool:
        """Within the transaction that changed something: give the state a new version. Whether it did."""
        changed, self._changed = self._changed, False
        if changed:
            self._database.set_setting("documents_version", str(int(self.version) + 1))
        return changed


@dataclass(frozen=True)
class Programme:
    """What the documents of one version say together, for one terminal."""

    version: str
    region: str
    """The region whose programme is shown: the enrolled one or its signed successor."""
    frame: Frame | None
    locals: tuple[LocalDocument, ...]
    emergency: Emergency | None
    recalled: frozenset[str]
    scheduled: dict[str, str]
    """Release → edition, of everything that any document names."""


def read_programme(database: Database, enrolled_region: str) -> Programme:
    """The nearest ancestor's frame, every ancestor's local document, emergencies and recalls, as they stand now."""
    table = DocumentTable(database)
    version = table.version
    network = table.read(names.NETWORK_TARGET, Network)
    region = effective_region(enrolled_region, network.successions if network else [])
    frames = (table.read(names.frame_target(code), Frame) for code in lineage(region))
    frame = next((found for found in frames if found is not None), None)
    local = [table.read(names.local_target(code), LocalDocument) for code in lineage(region)[:-1]]
    present = tuple(document for document in local if document is not None)
    emergency = table.read(names.EMERGENCY_TARGET, Emergency)
    recalled = frozenset(row[0] for row in database.rows("SELECT release FROM recalls"))
    scheduled = dict(named_releases(frame, present, emergency))
    return Programme(version, region, frame, present, emergency, recalled, scheduled)


def effective_region(region: str, successions: Sequence[Succession]) -> str:
    """The region whose programme a terminal takes: its own, or the one its merged region went into."""
    for _ in range(8):  # successions of successions, and no endless loop
        into = next(
            (s.into for s in successions if within(region, s.merged) and not within(s.into, s.merged)), None
        )
        if into is None:
            return region
        region = into
    return region


def named_releases(
    frame: Frame | None, local: Sequence[LocalDocument], emergency: Emergency | None
) -> Iterator[tuple[str, str]]:
    """(release, edition) of everything that documents name: items, fills, fillers, library, topics, study days,
    emergencies."""
    for channel in frame.channels if frame else []:
        yield from ((item.release, item.edition) for item in channel.items)
        yield from ((ref.release, ref.edition) for window in channel.windows for ref in window.fill)
        yield from ((ref.release, ref.edition) for ref in channel.fillers)
    for document in local:
        yield from ((item.release, item.edition) for line in document.channels for item in line.items)
    for shelf in _shelves(frame, local):
        yield from ((entry.release, entry.edition) for entry in shelf.library)
        refs = [ref for topic in shelf.topics for ref in topic.programmes]
        refs += [ref for day in shelf.study or () for ref in day.programmes]
        yield from ((ref.release, ref.edition) for ref in refs)
    for interruption in emergency.items if emergency else []:
        if interruption.ref is not None:
            yield interruption.ref.release, interruption.ref.edition


def study_days(frame: Frame | None, local: Sequence[LocalDocument]) -> list[StudyDay]:
    """The study days that hold here: those of the nearest level that sets any. ``local``: nearest first."""
    for document in local:
        if document.study is not None:
            return document.study
    return frame.study if frame else []


def library_entries(frame: Frame | None, local: Sequence[LocalDocument]) -> Iterator[LibraryEntry]:
    """The shelf and the pushes of every level, the province's first; a release once, pushed if anybody pushes it."""
    found: dict[str, LibraryEntry] = {}
    for document in _shelves(frame, list(reversed(local))):
        for entry in document.library:
            if entry.release not in found or (entry.pushed and not found[entry.release].pushed):
                found[entry.release] = entry
    yield from found.values()


def pictures(frame: Frame | None, local: Sequence[LocalDocument]) -> Iterator[Picture]:
    """The logos of the channels and the posters of topics, each once."""
    found = [channel.logo for channel in frame.channels] if frame else []
    found += [topic.poster for shelf in _shelves(frame, local) for topic in shelf.topics]
    yield from {picture.sha256: picture for picture in found if picture is not None}.values()


def _shelves(frame: Frame | None, local: Sequence[LocalDocument]) -> list[Frame | LocalDocument]:
    return [*([frame] if frame else []), *local]
