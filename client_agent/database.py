"""The agent's SQLite file: identity, floors, verified documents, clock anchor, what is stored.

WAL with ``synchronous=FULL``: a committed transaction survives a power cut, so "committed before acting" holds.
One connection per process behind a lock; the small page cache keeps the process small.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client_agent.durable import BINARY
from client_agent.errors import DatabaseBroken, StorageFailed, UnusableData

_FIRST = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE pending_keys (code_id TEXT PRIMARY KEY, private BLOB NOT NULL, nonce TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  private BLOB NOT NULL, public TEXT NOT NULL,
  terminal TEXT NOT NULL, station TEXT NOT NULL, station_name TEXT NOT NULL, region TEXT NOT NULL,
  api TEXT NOT NULL, read TEXT NOT NULL, ca_pem TEXT, receipt_keys TEXT NOT NULL, incarnation TEXT NOT NULL);
CREATE TABLE roots (version INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE floors (
  role TEXT PRIMARY KEY, version INTEGER NOT NULL, sha256 TEXT NOT NULL, keys TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE serials (
  target TEXT PRIMARY KEY, serial INTEGER NOT NULL, sha256 TEXT NOT NULL, role TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE recalls (
  release TEXT PRIMARY KEY, edition TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (target TEXT PRIMARY KEY, sha256 TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE refusals (
  subject TEXT PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE anchor (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  passed_ms INTEGER NOT NULL, ms INTEGER NOT NULL, exact INTEGER NOT NULL,
  boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, keys TEXT NOT NULL);
CREATE TABLE sources (
  url TEXT PRIMARY KEY, failures INTEGER NOT NULL DEFAULT 0, cooldown_until_ms INTEGER NOT NULL DEFAULT 0,
  blame TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE files (
  sha256 TEXT PRIMARY KEY, length INTEGER NOT NULL, pieces_root TEXT NOT NULL, bits BLOB NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0, bad TEXT NOT NULL DEFAULT '',
  added_ms INTEGER NOT NULL, watched_ms INTEGER);
"""

_LINE = """
CREATE TABLE line_hours (
  day TEXT NOT NULL, hour INTEGER NOT NULL, bytes INTEGER NOT NULL, busy_ms INTEGER NOT NULL,
  PRIMARY KEY (day, hour)) WITHOUT ROWID;
"""
_STEPS = (_FIRST, _LINE)
"""The schema's steps; a file at ``user_version`` n has taken the first n. Steps are only ever appended."""
SCHEMA_VERSION = len(_STEPS)


class Database:
    """One SQLite file. Every call is safe from any thread; :meth:`transaction` is atomic and durable."""

    def __init__(self, path: Path) -> None:
        """Open, and make the tables when the file is new. Raises UnusableData."""
        self.on_full: Callable[[], bool] = lambda: False
        """Asked for room when the disk is full; True when there is some now."""
        self._lock = threading.RLock()
        self._depth = 0
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600))
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=30
            )
            self._configure()
        except (OSError, sqlite3.Error, StorageFailed) as error:
            raise UnusableData(f"无法打开数据库 / cannot open {path}: {error}") from error

    def _configure(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-512", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        if self._version() < SCHEMA_VERSION:
            self._make()
        if self._version() > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"schema {self._version()} is newer than this program")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _make(self) -> None:
        """Take the steps that are missing, all or none."""
        with self.transaction():
            for step in _STEPS[self._version() :]:  # another process may have been first
                for statement in filter(str.strip, step.split(";\n")):
                    self._do(statement)
            self._do(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when it returns. Nested calls join the outer one."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._do("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if outermost:
                    self._do("COMMIT")
            except BaseException:
                if outermost and self._connection.in_transaction:
                    self._do("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; returns how many rows it changed. Raises StorageFailed."""
        with self._lock:
            return self._do(statement, values).rowcount

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises StorageFailed."""
        with self._lock:
            found: list[tuple[Any, ...]] = self._fetch(query, values, sqlite3.Cursor.fetchall)
            return found

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, if any. Raises StorageFailed."""
        with self._lock:
            found: tuple[Any, ...] | None = self._fetch(query, values, sqlite3.Cursor.fetchone)
            return found

    def _do(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            if is_full(error) and self.on_full() and self._may_repeat(statement):
                return self._again(statement, values)
            raise _failed(error) from error

    def _may_repeat(self, statement: str) -> bool:
        """A statement alone is a transaction of its own; a COMMIT that found no room left the transaction open."""
        return self._depth == 0 or (statement == "COMMIT" and self._connection.in_transaction)

    def _again(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise _failed(error) from error

    def _fetch(self, query: str, values: Sequence[Any], fetch: Callable[[sqlite3.Cursor], Any]) -> Any:
        try:
            return fetch(self._connection.execute(query, values))
        except sqlite3.Error as error:
            raise _failed(error) from error

    def setting(self, name: str, default: str = "") -> str:
        found = self.row("SELECT value FROM settings WHERE name = ?", (name,))
        return str(found[0]) if found else default

    def set_setting(self, name: str, value: str) -> None:
        self.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def is_sound(path: Path) -> bool:
    """Whether a database file can be read from end to end. A file that is merely locked or new counts as sound."""
    try:
        connection = sqlite3.connect(path, timeout=30)
    except sqlite3.Error:
        return True  # what is wrong with it is said when it is opened
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error as error:
        return not is_broken(error)
    finally:
        connection.close()


def is_broken(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the disk is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _failed(error: sqlite3.Error) -> StorageFailed:
    kind = DatabaseBroken if is_broken(error) else StorageFailed
    return kind(f"{kind.__doc__}: {error}")
