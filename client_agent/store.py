"""The content-addressed store: no byte leaves it that was not checked, piece by piece, as it was read.

A file lies at ``media/m/<sha256>`` (path = URL), its piece layer at ``media/p/<root>``; which pieces are there
stands in the database. Writing a piece: hash in memory → pwrite → fdatasync → bit, in this order: the bit before
the data shows a wrong piece after a power cut. When the last piece is in, the whole file is hashed once from disk.

    (nothing) ── begin ──► partial ── last piece ──► complete
                             ▲  │                       │
                             └──┴── a piece is corrupt ◄┘        any ── remove ──► (nothing)
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from client_agent.config import KEEP_FREE_SHARE, AgentPaths
from client_agent.database import Database
from client_agent.durable import BINARY, pwrite_all, reserve, sync_data, write_durably
from client_agent.errors import NoSpace, NotStored, PieceCorrupt, PieceMissing, StorageFailed
from protocol.errors import BadPieces
from protocol.pieces import PIECE_LENGTH, is_piece, piece_span, read_layer

log = logging.getLogger(__name__)
CACHED_PIECES = 3
"""Verified pieces kept in memory (MiB): a player asks for parts of the same piece many times."""
CACHED_LAYERS = 8


@dataclass(frozen=True)
class FileName:
    """What a release manifest says of a file."""

    sha256: str
    length: int
    pieces_root: str


@dataclass(frozen=True)
class StoredFile:
    """A row of the store. ``bits`` holds one byte a piece (0 or 1)."""

    sha256: str
    length: int
    pieces_root: str
    bits: bytes
    complete: bool
    bad: str

    @property
    def missing(self) -> list[int]:
        return [index for index, bit in enumerate(self.bits) if not bit]


class Store:
    """Media of one data folder. Safe from any thread."""

    def __init__(
        self,
        paths: AgentPaths,
        database: Database,
        now_ms: Callable[[], int],
        disk_usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._paths = paths
        self._database = database
        self._now_ms = now_ms
        self._disk_usage = disk_usage
        self._lock = threading.RLock()
        self._pieces: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._layers: OrderedDict[str, list[bytes]] = OrderedDict()
        self.on_corrupt: Callable[[str, int], None] | None = None
        """Called with (sha256, piece) when a stored piece proved wrong; must not raise."""

    # --- questions ------------------------------------------------------------------------------------------------
    def row(self, sha256: str) -> StoredFile | None:
        """What is known of a file, or None."""
        found = self._database.row(
            "SELECT sha256, length, pieces_root, bits, complete, bad FROM files WHERE sha256 = ?", (sha256,)
        )
        if found is None:
            return None
        name, length, root, bits, complete, bad = found
        return StoredFile(name, length, root, bits, bool(complete), bad)

    def has(self, sha256: str) -> bool:
        """Whether at least a part of it is here."""
        return self.row(sha256) is not None

    def is_complete(self, sha256: str) -> bool:
        """Whether every piece is here and was verified when it was written."""
        found = self._database.row("SELECT 1 FROM files WHERE sha256 = ? AND complete = 1", (sha256,))
        return found is not None

    def complete_files(self) -> frozenset[str]:
        """Names of all complete files."""
        return frozenset(row[0] for row in self._database.rows("SELECT sha256 FROM files WHERE complete = 1"))

    def holdings(self, keep: Collection[str]) -> tuple[frozenset[str], frozenset[str], int]:
        """(complete files, files begun, bytes of files that are not in ``keep`` and could be evicted)."""
        complete: set[str] = set()
        begun: set[str] = set()
        evictable = 0
        for sha256, length, is_complete in self._database.rows("SELECT sha256, length, complete FROM files"):
            (complete if is_complete else begun).add(sha256)
            evictable += 0 if sha256 in keep else length
        return frozenset(complete), frozenset(begun), evictable

    def stored_bytes(self) -> dict[str, int]:
        """Verified bytes of each file that is here, by SHA-256; its length once it is complete."""
        return {
            sha256: length if complete else min(max(0, length - 1), sum(bits) * PIECE_LENGTH)
            for sha256, length, complete, bits in self._database.rows(
                "SELECT sha256, length, complete, bits FROM files"
            )
        }

    def open(self, sha256: str) -> VerifiedFile:
        """A complete file, to be read with every piece checked. Raises NotStored."""
        row = self.row(sha256)
        if row is None or not row.complete:
            raise NotStored(f"{NotStored.__doc__}: {sha256[:12]}")
        return VerifiedFile(self, row.sha256, row.length)

    def free_space(self) -> int:
        """Bytes that media may still take: what is free less the share kept free."""
        total, _, free = self._disk_usage(self._paths.data)
        return int(free - total * KEEP_FREE_SHARE)

    def disk(self) -> tuple[int, int]:
        """(free, total) bytes of the disk."""
        total, _, free = self._disk_usage(self._paths.data)
        return free, total

    # --- filling --------------------------------------------------------------------------------------------------
    def begin(self, name: FileName, layer: bytes) -> StoredFile:
        """Take up a file with its piece layer; one that is already here is returned as it stands.

        Raises BadPieces when the layer is not the signed one, NoSpace, StorageFailed.
        """
        leaves = read_layer(layer, root=name.pieces_root, length=name.length)
        with self._lock:
            row = self.row(name.sha256)
            if row is not None and (row.length, row.pieces_root) == (name.length, name.pieces_root):
                write_durably(self._paths.layers / name.pieces_root, layer)
                return row
            if row is not None:
                self.remove(name.sha256)
            self._reserve(name, layer)
            bits = bytes(len(leaves))
            self._database.execute(
                "INSERT INTO files (sha256, length, pieces_root, bits, added_ms) VALUES (?, ?, ?, ?, ?)",
                (name.sha256, name.length, name.pieces_root, bits, self._now_ms()),
            )
            self._remember_layer(name.pieces_root, leaves)
            if not leaves:
                self.finish(name.sha256)
            return StoredFile(name.sha256, name.length, name.pieces_root, bits, False, "")

    def begun(self, name: FileName) -> StoredFile | None:
        """The file as it stands, if it was begun under this very name and its layer is still good."""
        row = self.row(name.sha256)
        if row is None or (row.length, row.pieces_root) != (name.length, name.pieces_root):
            return None
        return row if self._has_layer(row) else None

    def _reserve(self, name: FileName, layer: bytes) -> None:
        """Layer and room for the file on disk, before any row speaks of them."""
        if name.length > self.free_space():
            raise NoSpace(
                f"磁盘空间不足：需要 {name.length // 2**20 + 1} MB / not enough space: "
                f"{name.length} bytes wanted, {max(0, self.free_space())} to spare"
            )
        try:
            write_durably(self._paths.layers / name.pieces_root, layer)
            reserve(self._media(name.sha256), name.length)
        except OSError as error:
            self._media(name.sha256).unlink(missing_ok=True)
            if error.errno == errno.ENOSPC:
                raise NoSpace(f"{NoSpace.__doc__}: {error.strerror}") from error
            raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    def adopt(self, name: FileName) -> bool:
        """Take up a file that lies on the disk without a row, with its layer: every piece is hashed before its bit is
        set. True when it is complete."""
        if self.row(name.sha256) is not None:
            return False
        try:
            layer = (self._paths.layers / name.pieces_root).read_bytes()
            leaves = read_layer(layer, root=name.pieces_root, length=name.length)
            if self._media(name.sha256).stat().st_size != name.length:
                return False
        except (OSError, BadPieces):
            return False
        self._database.execute(
            "INSERT OR IGNORE INTO files (sha256, length, pieces_root, bits, added_ms) VALUES (?, ?, ?, ?, ?)",
            (name.sha256, name.length, name.pieces_root, b"\1" * len(leaves), self._now_ms()),
        )
        return self.finish(name.sha256)

    def put_piece(self, sha256: str, index: int, piece: bytes) -> bool:
        """Write a piece that came from anywhere; True when it completed the file.

        Raises BadPieces when it is not the signed piece, NotStored, StorageFailed (the file is discarded).
        """
        row = self.row(sha256)
        if row is None:
            raise NotStored(f"{NotStored.__doc__}: {sha256[:12]}")
        start, end = piece_span(index, row.length)
        if len(piece) != end - start or not is_piece(piece, self._leaves(row)[index]):
            raise BadPieces(f"piece {index} of {sha256[:12]}")
        self._write(sha256, start, piece)
        with self._lock:
            row = self.row(sha256)
            if row is None:
                raise NotStored(f"{NotStored.__doc__}: {sha256[:12]}")
            self._set_bit(row, index, 1)
            done = all(b or i == index for i, b in enumerate(row.bits))
        return done and self.finish(sha256)

    def _write(self, sha256: str, start: int, piece: bytes) -> None:
        try:
            handle = os.open(self._media(sha256), os.O_WRONLY | BINARY)
            try:
                pwrite_all(handle, piece, start)
                sync_data(handle)
            finally:
                os.close(handle)
        except OSError as error:
            self.remove(sha256)  # after a failed sync nobody knows what the disk holds
            raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    def finish(self, sha256: str) -> bool:
        """Hash the whole file from disk and mark it complete; False when something on disk is wrong."""
        row = self.row(sha256)
        if row is None:
            return False
        whole, wrong = self._rehash(row, range(len(row.bits)))
        if wrong:
            self._drop_pieces(row, wrong)
            return False
        if whole != sha256:
            # Every piece is the signed one, yet the whole is not: the manifest contradicts itself.
            self._database.execute(
                "UPDATE files SET bad = ? WHERE sha256 = ?", ("manifest contradicts itself", sha256)
            )
            log.error("%s: pieces fit their root, but not the file's name; never used", sha256[:12])
            return False
        self._database.execute("UPDATE files SET complete = 1 WHERE sha256 = ?", (sha256,))
        return True

    def recheck_partial(self) -> int:
        """At start: hash the claimed pieces of unfinished files again; returns how many were not what they claimed.

        Files that no row speaks of, left by a power cut between file and row, are deleted.
        """
        if not self._database.setting("rebuilt"):  # else files of before wait to be taken up again
            self._sweep()
        dropped = 0
        for (sha256,) in self._database.rows("SELECT sha256 FROM files WHERE complete = 0 AND bad = ''"):
            row = self.row(sha256)
            if row is None:
                continue
            try:
                _, wrong = self._rehash(row, [i for i, bit in enumerate(row.bits) if bit])
            except (NotStored, OSError) as error:
                log.warning("%s: cannot be continued, starting anew: %s", sha256[:12], error)
                self.remove(sha256)
                continue
            dropped += len(wrong)
            if wrong:
                self._drop_pieces(row, wrong)
            elif not row.missing:
                self.finish(sha256)
        return dropped

    def _sweep(self) -> None:
        rows = self._database.rows("SELECT sha256, pieces_root FROM files")
        for folder, known in (
            (self._paths.media, {r[0] for r in rows}),
            (self._paths.layers, {r[1] for r in rows}),
        ):
            for path in folder.iterdir():
                if path.name not in known:
                    log.info("deleting %s: nothing speaks of it", path.name[:12])
                    path.unlink(missing_ok=True)

    def _rehash(self, row: StoredFile, indexes: Collection[int]) -> tuple[str, list[int]]:
        """(hex SHA-256 over these pieces in order, those that are not the signed ones)."""
        whole, wrong, leaves = hashlib.sha256(), [], self._leaves(row)
        with self._media(row.sha256).open("rb") as source:
            for index in indexes:
                start, end = piece_span(index, row.length)
                source.seek(start)
                piece = source.read(end - start)
                whole.update(piece)
                if not is_piece(piece, leaves[index]):
                    wrong.append(index)
        return whole.hexdigest(), wrong

    # --- reading --------------------------------------------------------------------------------------------------
    def read_piece(self, sha256: str, index: int) -> bytes:
        """A verified piece. Raises NotStored, PieceMissing, PieceCorrupt (its bit is cleared, it will be fetched again)."""
        with self._lock:
            cached = self._pieces.get((sha256, index))
            if cached is not None:
                self._pieces.move_to_end((sha256, index))
                return cached
        row = self.row(sha256)
        if row is None:
            raise NotStored(f"{NotStored.__doc__}: {sha256[:12]}")
        if index >= len(row.bits) or not row.bits[index]:
            raise PieceMissing(f"{PieceMissing.__doc__}: {sha256[:12]}/{index}")
        piece = self._read_from_disk(row, index)
        if not is_piece(piece, self._leaves(row)[index]):
            self._drop_pieces(row, [index])
            raise PieceCorrupt(f"{PieceCorrupt.__doc__}: {sha256[:12]}/{index}")
        with self._lock:
            self._pieces[sha256, index] = piece
            while len(self._pieces) > CACHED_PIECES:
                self._pieces.popitem(last=False)
        return piece

    def _read_from_disk(self, row: StoredFile, index: int) -> bytes:
        start, end = piece_span(index, row.length)
        try:
            with self._media(row.sha256).open("rb", buffering=0) as source:
                source.seek(start)
                return source.read(end - start)
        except OSError:
            return b""  # unreadable is corrupt

    def _drop_pieces(self, row: StoredFile, indexes: Collection[int]) -> None:
        with self._lock:
            current = self.row(row.sha256)
            if current is None:
                return
            bits = bytearray(current.bits)
            for index in indexes:
                bits[index] = 0
                self._pieces.pop((row.sha256, index), None)
            self._database.execute(
                "UPDATE files SET bits = ?, complete = 0 WHERE sha256 = ?", (bytes(bits), row.sha256)
            )
        for index in indexes:
            log.warning(
                "%s: piece %d is not what was signed; it will be fetched again", row.sha256[:12], index
            )
            if self.on_corrupt is not None:
                self.on_corrupt(row.sha256, index)

    def trim(self) -> None:
        """Give cached pieces back, once nobody has read for a while."""
        with self._lock:
            self._pieces.clear()
            self._layers.clear()

    # --- letting go -----------------------------------------------------------------------------------------------
    def watched(self, sha256: str, at_ms: int) -> None:
        """Somebody watched this file: it is evicted later."""
        self._database.execute("UPDATE files SET watched_ms = ? WHERE sha256 = ?", (at_ms, sha256))

    def make_room(self, wanted_bytes: int, keep: Collection[str]) -> bool:
        """Evict, longest-watched-ago first, until ``wanted_bytes`` fit; never what is in ``keep``. Where all of that
        would not be enough, nothing is evicted."""
        if wanted_bytes > self.free_space() + self.holdings(keep)[2]:
            return False
        for sha256 in self._eviction_order(keep):
            if wanted_bytes <= self.free_space():
                break
            log.info("evicting %s to make room", sha256[:12])
            self.remove(sha256)
        return wanted_bytes <= self.free_space()

    def give_way(self, keep: Collection[str]) -> int:
        """Something else fills the disk: evict until a tenth is free again, never what is in ``keep``; how many went."""
        gone = 0
        for sha256 in self._eviction_order(keep):
            if self.free_space() >= 0:
                break
            log.warning("the disk fills up: evicting %s", sha256[:12])
            self.remove(sha256)
            gone += 1
        return gone

    def _eviction_order(self, keep: Collection[str]) -> Iterator[str]:
        for (sha256,) in self._database.rows(
            "SELECT sha256 FROM files ORDER BY coalesce(watched_ms, added_ms), sha256"
        ):
            if sha256 not in keep:
                yield sha256

    def remove(self, sha256: str) -> None:
        """Forget a file: the row first, so that nothing claims bytes that are gone."""
        with self._lock:
            row = self.row(sha256)
            self._database.execute("DELETE FROM files WHERE sha256 = ?", (sha256,))
            for key in [key for key in self._pieces if key[0] == sha256]:
                del self._pieces[key]
            self._media(sha256).unlink(missing_ok=True)
            if row is not None:
                self._layers.pop(row.pieces_root, None)
                shared = self._database.row("SELECT 1 FROM files WHERE pieces_root = ?", (row.pieces_root,))
                if shared is None:
                    (self._paths.layers / row.pieces_root).unlink(missing_ok=True)

    # --- helpers --------------------------------------------------------------------------------------------------
    def _media(self, sha256: str) -> Path:
        if len(sha256) != 64 or not all(c in "0123456789abcdef" for c in sha256):
            raise NotStored(f"{NotStored.__doc__}: {sha256[:12]!r}")
        return self._paths.media / sha256

    def layer(self, row: StoredFile) -> bytes:
        """The raw layer of a stored file, checked. Raises NotStored."""
        return b"".join(self._leaves(row))

    def _leaves(self, row: StoredFile) -> list[bytes]:
        """The file's leaves. A layer that is lost or wrong on disk makes its file incomplete; raises NotStored."""
        with self._lock:
            known = self._layers.get(row.pieces_root)
            if known is not None:
                return known
        try:
            raw = (self._paths.layers / row.pieces_root).read_bytes()
            leaves = read_layer(raw, root=row.pieces_root, length=row.length)
        except (OSError, BadPieces) as error:
            self._database.execute("UPDATE files SET complete = 0 WHERE sha256 = ?", (row.sha256,))
            raise NotStored(f"{NotStored.__doc__}: layer {row.pieces_root[:12]}") from error
        self._remember_layer(row.pieces_root, leaves)
        return leaves

    def _has_layer(self, row: StoredFile) -> bool:
        try:
            return bool(self._leaves(row)) or row.length == 0
        except NotStored:
            return False

    def _remember_layer(self, root: str, leaves: list[bytes]) -> None:
        with self._lock:
            self._layers[root] = leaves
            while len(self._layers) > CACHED_LAYERS:
                self._layers.popitem(last=False)

    def _set_bit(self, row: StoredFile, index: int, value: int) -> None:
        bits = bytearray(row.bits)
        bits[index] = value
        self._database.execute("UPDATE files SET bits = ? WHERE sha256 = ?", (bytes(bits), row.sha256))


@dataclass(frozen=True)
class VerifiedFile:
    """A complete file. Reading checks each piece it touches."""

    _store: Store
    sha256: str
    length: int

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), cut at the file's end. Raises PieceCorrupt, NotStored."""
        end = min(end, self.length)
        parts: list[bytes] = []
        while start < end:
            index = start // PIECE_LENGTH
            first, last = piece_span(index, self.length)
            piece = self._store.read_piece(self.sha256, index)
            stop = min(end, last)
            parts.append(piece if (start, stop) == (first, last) else piece[start - first : stop - first])
            start = stop
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """The same bytes piece by piece, never more than one piece in memory. Raises like :meth:`read`, also midway."""
        end = min(end, self.length)
        while start < end:
            stop = min(end, (start // PIECE_LENGTH + 1) * PIECE_LENGTH)
            yield self.read(start, stop)
            start = stop
