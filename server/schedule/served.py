"""What stations are served now, as the listings read it: the documents that the newest timestamp names.

The files lie on the read plane under names that only ever mean one content, so what was read once is kept. They are
this installation's own; whether they are signed as they must be is checked by those who do not trust it, the terminals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from protocol import names
from protocol.documents import Emergency, Frame, LocalDocument, Recall, decode
from protocol.errors import MalformedDocument
from protocol.regions import city_of, lineage
from server.readplane import metadata_folder, target_path

_D = TypeVar("_D", Frame, LocalDocument, Emergency, Recall)


class _Meta(msgspec.Struct):
    version: int


class _File(msgspec.Struct):
    hashes: dict[str, str]


class _Signed(msgspec.Struct):
    version: int
    meta: dict[str, _Meta] = {}
    targets: dict[str, _File] = {}


class _Envelope(msgspec.Struct):
    signed: _Signed


@dataclass(frozen=True)
class Documents:
    """What one region's terminals read. ``frame`` is None where nothing speaks of the region."""

    frame: Frame | None
    local_documents: tuple[LocalDocument, ...]
    emergency: Emergency | None
    recalled: frozenset[str]


class ReadPlane:
    """The documents of one publication, found by name. Made anew for each request: it costs one small file."""

    def __init__(self, read: Path) -> None:
        self._read = read
        self._metadata = metadata_folder(read)
        self.publication = self._newest()

    def _newest(self) -> int | None:
        try:
            timestamp = _signed((self._metadata / "timestamp.json").read_bytes())
        except FileNotFoundError:
            return None
        named = timestamp.meta.get("snapshot.json")
        return named.version if named else None

    def documents(self, region: str) -> Documents:
        """The region's nearest frame and every ancestor's local document, as its terminals would take them."""
        frames = self._role(names.FRAME)
        nearest = next((code for code in lineage(region) if names.frame_target(code) in frames), None)
        frame = self._read_target(names.frame_target(nearest), frames, Frame) if nearest else None
        city = city_of(region)
        local = self._role(names.local_role(city)) if city else {}
        found = [
            self._read_target(names.local_target(code), local, LocalDocument)
            for code in lineage(region)
            if city_of(code) and names.local_target(code) in local
        ]
        return Documents(
            frame=frame,
            local_documents=tuple(document for document in found if document is not None),
            emergency=self._one(names.EMERGENCY, names.EMERGENCY_TARGET, Emergency),
            recalled=frozenset(r.release for r in recall.recalled)
            if (recall := self._one(names.RECALL, names.RECALL_TARGET, Recall))
            else frozenset(),
        )

    def _one(self, role: str, target: str, kind: type[_D]) -> _D | None:
        return self._read_target(target, self._role(role), kind)

    def _role(self, role: str) -> Mapping[str, str]:
        """{target: SHA-256} of a role of this publication; empty where it has none."""
        if self.publication is None:
            return {}
        snapshot = _role_file(self._metadata / f"{self.publication}.snapshot.json")
        named = snapshot.meta.get(f"{role}.json")
        if named is None:
            return {}
        found = _role_file(self._metadata / f"{named.version}.{role}.json")
        return {name: file.hashes["sha256"] for name, file in found.targets.items()}

    def _read_target(self, target: str, held: Mapping[str, str], kind: type[_D]) -> _D | None:
        sha256 = held.get(target)
        if sha256 is None:
            return None
        try:
            return _document(target_path(self._read, target, sha256), kind)
        except (FileNotFoundError, MalformedDocument):
            return None


def _signed(data: bytes) -> _Signed:
    return msgspec.json.decode(data, type=_Envelope).signed


@lru_cache(maxsize=64)
def _role_file(path: Path) -> _Signed:
    try:
        return _signed(path.read_bytes())
    except FileNotFoundError:
        return _Signed(version=0)


@lru_cache(maxsize=256)
def _document(path: Path, kind: type[_D]) -> _D:
    return decode(path.read_bytes(), kind)
