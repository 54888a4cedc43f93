"""Below these nothing is believed: the highest version and hash of each role, serials of documents, recalls.

They stand in the database, not in tuf's cache, which is not synced to disk: with its ``timestamp.json`` lost, tuf
accepts an old repository. A floor is reset only when a newer root or delegation changes that role's keys, because
only that heals a version number that a thief drove to the sky.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from client_agent.database import Database
from client_agent.errors import RolledBack
from protocol.documents import Recall


@dataclass(frozen=True)
class Seen:
    """A role's metadata as verified: its version, hex SHA-256, and a fingerprint of the keys that may sign it."""

    role: str
    version: int
    sha256: str
    keys: str


def check(floor: Seen | None, seen: Seen) -> None:
    """Raises RolledBack when ``seen`` is older than the floor, or another file under the same version."""
    if floor is None or floor.keys != seen.keys:
        return
    if seen.version < floor.version:
        raise RolledBack(f"{RolledBack.__doc__}: {seen.role} {seen.version} < {floor.version}")
    if seen.version == floor.version and seen.sha256 != floor.sha256:
        raise RolledBack(f"同一版本号出现两个文件 / two files under one version: {seen.role} {seen.version}")


class Floors:
    """The floors of one agent. The caller wraps changes in a transaction, together with what they vouch for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def floor(self, role: str) -> Seen | None:
        row = self._database.row("SELECT role, version, sha256, keys FROM floors WHERE role = ?", (role,))
        return Seen(*row) if row else None

    def check(self, seen: Seen) -> None:
        """Raises RolledBack."""
        check(self.floor(seen.role), seen)

    def raise_to(self, seen: Seen) -> None:
        """Set a role's floor to what was just verified and checked; a key change forgets its documents' serials."""
        floor = self.floor(seen.role)
        if floor is not None and floor.keys != seen.keys:
            self._database.execute("DELETE FROM serials WHERE role = ?", (seen.role,))
        self._database.execute(
            "INSERT OR REPLACE INTO floors (role, version, sha256, keys) VALUES (?, ?, ?, ?)",
            (seen.role, seen.version, seen.sha256, seen.keys),
        )

    def check_serial(self, target: str, role: str, serial: int, keys: str) -> None:
        """Raises RolledBack when a document's serial went down under unchanged keys."""
        floor = self.floor(role)
        if floor is not None and floor.keys != keys:
            return
        row = self._database.row("SELECT serial FROM serials WHERE target = ?", (target,))
        if row is not None and serial < row[0]:
            raise RolledBack(f"{RolledBack.__doc__}: {target} {serial} < {row[0]}")

    def raise_serial(self, target: str, role: str, serial: int, data: bytes) -> None:
        """Note the serial of a document that is now taken over."""
        self._database.execute(
            "INSERT OR REPLACE INTO serials (target, serial, sha256, role) VALUES (?, ?, ?, ?)",
            (target, serial, hashlib.sha256(data).hexdigest(), role),
        )

    # --- roots ----------------------------------------------------------------------------------------------------
    def root(self) -> bytes:
        """The newest verified root, to start from."""
        row = self._database.row("SELECT bytes FROM roots ORDER BY version DESC LIMIT 1")
        if row is None:
            raise RolledBack("没有根证书 / no root: enrol this terminal anew")
        return bytes(row[0])

    def add_roots(self, roots: Iterable[tuple[int, bytes]]) -> None:
        """Keep every verified root; sticks and neighbours will want them all."""
        for version, data in roots:
            self._database.execute(
                "INSERT OR IGNORE INTO roots (version, bytes) VALUES (?, ?)", (version, data)
            )

    # --- recalls --------------------------------------------------------------------------------------------------
    def add_recalls(self, recall: Recall) -> int:
        """Recalls only grow; returns how many were new."""
        return sum(
            self._database.execute(
                "INSERT OR IGNORE INTO recalls (release, edition, at, reason) VALUES (?, ?, ?, ?)",
                (item.release, item.edition, item.at, item.reason[:200]),
            )
            for item in recall.recalled
        )
