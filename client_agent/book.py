"""The station's own book: what people did here and what is theirs, in a file of its own beside the agent's database.

The agent's database can be rebuilt from the province; this cannot. Nothing in it leaves the station unless another
module puts it into a record on purpose.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from client_agent.errors import StorageFailed, UnusableData

BOOK_VERSION = 1
_SCHEMA = """
CREATE TABLE positions (
  release TEXT PRIMARY KEY, position_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE aired (release TEXT PRIMARY KEY, starts_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE wishes (what TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
"""
MOST_POSITIONS = 200
MOST_WISHES = 500
BEGUN_MS = 30_000
"""Whoever left a programme before this has not begun it."""
REST_MS = 20_000
"""Whoever left it with no more than this to go has seen it."""


class Book:
    """One SQLite file, every write on disk when the call returns. Safe from any thread."""

    def __init__(self, path: Path) -> None:
        """Open, and make the tables when the file is new. Raises UnusableData."""
        self._lock = threading.RLock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(
                path.resolve().as_uri(), uri=True, check_same_thread=False, isolation_level=None, timeout=30
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-256"):
                self._db.execute(f"PRAGMA {pragma}")
            self._upgrade()
        except (OSError, sqlite3.Error) as error:
            raise UnusableData(f"无法打开站点簿 / cannot open {path}: {error}") from error

    def _upgrade(self) -> None:
        with self.transaction():
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                for statement in _SCHEMA.strip().split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={BOOK_VERSION}")
            elif version > BOOK_VERSION:
                raise sqlite3.DatabaseError(f"schema {version} is newer than this program")

    def have(self, *tables: str) -> None:
        """Make a module's own tables where they are missing. ``tables``: CREATE … IF NOT EXISTS statements; a later
        version only ever adds to them."""
        with self.transaction():
            for statement in tables:
                self.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; within another one it is part of that. Raises StorageFailed."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Rows changed. Raises StorageFailed."""
        with self._lock:
            try:
                return self._db.execute(statement, values).rowcount
            except sqlite3.Error as error:
                raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises StorageFailed."""
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def copy_to(self, path: Path) -> None:
        """A whole copy as one plain file, consistent whatever is written meanwhile. Raises StorageFailed."""
        path.unlink(missing_ok=True)
        try:
            with self._lock, closing(sqlite3.connect(path)) as copy:
                self._db.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    @contextmanager
    def beside(self, path: Path, name: str) -> Iterator[None]:
        """Another book's file, to be read under a name beside this one (``main``). Raises StorageFailed."""
        with self._lock:
            self.execute(f"ATTACH DATABASE ? AS {name}", (path.resolve().as_uri() + "?mode=ro",))
            try:
                yield
            finally:
                self.execute(f"DETACH DATABASE {name}")

    # --- notes --------------------------------------------------------------------------------------------------------
    def note(self, name: str) -> str:
        """What was kept under a name; empty if nothing."""
        found = self.rows("SELECT value FROM notes WHERE name = ?", (name,))
        return str(found[0][0]) if found else ""

    def keep_note(self, name: str, value: str) -> None:
        """Keep something under a name; an empty value forgets it."""
        if value:
            self.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))
        else:
            self.execute("DELETE FROM notes WHERE name = ?", (name,))

    # --- continue watching --------------------------------------------------------------------------------------------
    def keep_position(self, release: str, position_ms: int, duration_ms: int, *, now_ms: int) -> None:
        """Where somebody left a chosen programme; hardly begun or as good as seen, it is nothing to go on with."""
        if position_ms < BEGUN_MS or duration_ms - position_ms <= REST_MS:
            self.forget_position(release)
            return
        with self.transaction():
            self.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (release) DO UPDATE "
                "SET position_ms = excluded.position_ms, at_ms = excluded.at_ms",
                (release, position_ms, now_ms),
            )
            self.execute(
                "DELETE FROM positions WHERE release NOT IN (SELECT release FROM positions ORDER BY at_ms DESC LIMIT ?)",
                (MOST_POSITIONS,),
            )

    def forget_position(self, release: str) -> None:
        self.execute("DELETE FROM positions WHERE release = ?", (release,))

    def positions(self) -> dict[str, int]:
        """Release → ms, the one left last first."""
        return dict(self.rows("SELECT release, position_ms FROM positions ORDER BY at_ms DESC, release"))

    # --- what was on air ----------------------------------------------------------------------------------------------
    def note_aired(self, aired: Iterable[tuple[str, int]], *, forget_before_ms: int) -> None:
        """(release, when it began) of what was on air; the latest time of each release stays."""
        with self.transaction():
            for release, starts_ms in aired:
                self.execute(
                    "INSERT INTO aired VALUES (?, ?) ON CONFLICT (release) DO UPDATE "
                    "SET starts_ms = max(starts_ms, excluded.starts_ms)",
                    (release, starts_ms),
                )
            self.execute("DELETE FROM aired WHERE starts_ms < ?", (forget_before_ms,))

    def aired(self, since_ms: int) -> list[tuple[str, int]]:
        """(release, when it last began), the latest first."""
        query = "SELECT release, starts_ms FROM aired WHERE starts_ms >= ? ORDER BY starts_ms DESC, release"
        return [(release, starts_ms) for release, starts_ms in self.rows(query, (since_ms,))]

    def aired_until(self) -> int:
        """When the latest thing noted began; 0 for none."""
        return int(self.rows("SELECT coalesce(max(starts_ms), 0) FROM aired")[0][0])

    # --- wishes -------------------------------------------------------------------------------------------------------
    def wish(self, what: str, *, now_ms: int, again_after_ms: int) -> bool:
        """Note a wish; False where the same was wished within ``again_after_ms`` (then it is no news)."""
        with self.transaction():
            known = self.rows("SELECT at_ms FROM wishes WHERE what = ?", (what,))
            if known and 0 <= now_ms - known[0][0] < again_after_ms:
                return False
            self.execute("INSERT OR REPLACE INTO wishes VALUES (?, ?)", (what, now_ms))
            self.execute(
                "DELETE FROM wishes WHERE what NOT IN (SELECT what FROM wishes ORDER BY at_ms DESC LIMIT ?)",
                (MOST_WISHES,),
            )
            return True
