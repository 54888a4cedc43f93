"""The repository on the read plane: what is served now, and how the next state takes its place.

Everything a new state needs is written first, under names nobody asks for yet; the last step renames
``timestamp.json``. Until then every terminal sees the old publication, whole. The step looks again at what is
served and gives way if somebody else published in between, so that no publisher, however late it wakes up, can put
an older state over a newer one.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp

from protocol import names
from protocol.times import from_text
from server.publish.trust_roles import RoleFile, TargetInfo
from server.readplane import (
    metadata_folder,
    newest_root,
    target_path,
    write_many,
    write_whole,
)

TIMESTAMP_FILE = "timestamp.json"


class RepositoryDamaged(Exception):
    """What lies on the read plane is not what was signed."""


class Overtaken(Exception):
    """Somebody else published since this publication was begun."""


class _File(msgspec.Struct):
    length: int
    hashes: dict[str, str]


class _Signed(msgspec.Struct):
    version: int
    expires: str
    targets: dict[str, _File] = {}


class _Envelope(msgspec.Struct):
    signed: _Signed


_decoder = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True)
class Content:
    """What a served role says, and until when."""

    version: int
    expires: datetime
    targets: Mapping[str, TargetInfo]


@dataclass(frozen=True)
class Past:
    """The roles of an earlier publication, as its snapshot names them."""

    number: int
    meta: Mapping[str, MetaFile]


@dataclass(frozen=True)
class Served:
    """The state terminals see: the timestamp's exact bytes and the snapshot they name."""

    timestamp_bytes: bytes
    timestamp_version: int
    issued: datetime
    snapshot: RoleFile
    snapshot_expires: datetime
    meta: Mapping[str, MetaFile]

    @property
    def publication(self) -> int:
        """The number of the publication: a snapshot's version is its publication's number."""
        return self.snapshot.version


class Repository:
    """The files under ``r/`` of one installation."""

    def __init__(self, read: Path) -> None:
        self._read = read
        self._metadata = metadata_folder(read)

    # --- reading -----------------------------------------------------------------------------------------------
    def root(self) -> tuple[int, datetime, bytes] | None:
        """Version, expiry and bytes of the newest root, or None before there is one."""
        try:
            data = newest_root(self._read)
        except FileNotFoundError:
            return None
        found = _decoder.decode(data).signed
        return found.version, _moment(found.expires), data

    def served(self) -> Served | None:
        """What is served now, or None before the first publication. Raises RepositoryDamaged."""
        path = self._metadata / TIMESTAMP_FILE
        if not path.exists():
            return None
        try:
            return self._served(path.read_bytes())
        except (OSError, RepositoryError, ValueError, KeyError) as error:
            raise RepositoryDamaged(f"the served publication cannot be read: {error}") from error

    def _served(self, timestamp_bytes: bytes) -> Served:
        newest = self.root()
        if newest is None:
            raise RepositoryDamaged("a timestamp without a root")
        root = Metadata[Root].from_bytes(newest[2]).signed
        timestamp = Metadata[Timestamp].from_bytes(timestamp_bytes)
        root.verify_delegate(Timestamp.type, timestamp.signed_bytes, timestamp.signatures)
        named = timestamp.signed.snapshot_meta
        data = (self._metadata / f"{named.version}.snapshot.json").read_bytes()
        named.verify_length_and_hashes(data)
        snapshot = Metadata[Snapshot].from_bytes(data)
        root.verify_delegate(Snapshot.type, snapshot.signed_bytes, snapshot.signatures)
        return Served(
            timestamp_bytes=timestamp_bytes,
            timestamp_version=timestamp.signed.version,
            issued=from_text(timestamp.signed.unrecognized_fields[names.TIMESTAMP_ISSUED_FIELD]),
            snapshot=RoleFile(Snapshot.type, snapshot.signed.version, data),
            snapshot_expires=snapshot.signed.expires,
            meta={name.removesuffix(".json"): found for name, found in snapshot.signed.meta.items()},
        )

    def past(self, number: int) -> Past:
        """A publication that was served once, or is now. Raises RepositoryDamaged, FileNotFoundError."""
        data = (self._metadata / f"{number}.{Snapshot.type}.json").read_bytes()
        newest = self.root()
        try:
            snapshot = Metadata[Snapshot].from_bytes(data)
            root = Metadata[Root].from_bytes(newest[2] if newest else b"").signed
            root.verify_delegate(Snapshot.type, snapshot.signed_bytes, snapshot.signatures)
        except (RepositoryError, ValueError) as error:
            raise RepositoryDamaged(f"publication {number}: {error}") from error
        return Past(
            number, {name.removesuffix(".json"): found for name, found in snapshot.signed.meta.items()}
        )

    def role_bytes(self, served: Served | Past, role: str) -> bytes | None:
        """A served role's exact bytes, or None where the snapshot lacks it. Raises RepositoryDamaged."""
        named = served.meta.get(role)
        if named is None:
            return None
        try:
            data = (self._metadata / f"{named.version}.{role}.json").read_bytes()
            named.verify_length_and_hashes(data)
        except (OSError, RepositoryError) as error:
            raise RepositoryDamaged(f"role {role}: {error}") from error
        return data

    def role(self, served: Served | Past, role: str) -> Content | None:
        """What a served role says. Raises RepositoryDamaged."""
        data = self.role_bytes(served, role)
        return None if data is None else read_role(data)

    def target(self, name: str, info: TargetInfo) -> bytes | None:
        """A target's bytes if they lie on the read plane unharmed."""
        try:
            data = target_path(self._read, name, info.sha256).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == info.sha256 else None

    def has_target(self, name: str, info: TargetInfo) -> bool:
        """Whether a file of that name and length lies there; its bytes are not read."""
        try:
            return target_path(self._read, name, info.sha256).stat().st_size == info.length
        except FileNotFoundError:
            return False

    # --- writing -----------------------------------------------------------------------------------------------
    def put_root(self, file: RoleFile) -> None:
        """Publish a root. Terminals take it on their next poll; all roots stay."""
        write_whole(self._metadata / file.name, file.data)

    def put_targets(self, documents: Mapping[str, bytes]) -> int:
        """Write documents under their hashes; how many bytes were written. What already lies there whole stays."""

        def missing() -> Iterator[tuple[Path, bytes]]:
            for name, data in documents.items():
                info = TargetInfo(len(data), hashlib.sha256(data).hexdigest())
                if self.target(name, info) is None:
                    yield target_path(self._read, name, info.sha256), data

        return write_many(missing())

    def put_roles(self, files: Mapping[str, RoleFile]) -> int:
        """Write signed roles under their versions; how many bytes were written."""
        return write_many((self._metadata / file.name, file.data) for file in files.values())

    def serve(self, timestamp: RoleFile, *, instead_of: Served | None) -> None:
        """The one step that terminals notice. Raises Overtaken when something else is served by now."""
        with self._only_one():
            path = self._metadata / TIMESTAMP_FILE
            present = path.read_bytes() if path.exists() else None
            if present != (instead_of.timestamp_bytes if instead_of else None):
                raise Overtaken("another publication was faster")
            write_whole(path, timestamp.data)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """A lock of the file system itself: it holds even for a process that was stopped and forgotten."""
        self._metadata.mkdir(parents=True, exist_ok=True)
        with (self._read / ".serve.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read_role(data: bytes) -> Content:
    """A role's content from bytes that were checked already."""
    found = _decoder.decode(data).signed
    targets = {name: TargetInfo(file.length, file.hashes["sha256"]) for name, file in found.targets.items()}
    return Content(found.version, _moment(found.expires), targets)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
