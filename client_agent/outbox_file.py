"""The outbox's file: its tables, opening it with a look for damage, setting a broken one aside, the lock.

Raises OutboxBusy where another process holds it; SQLite's own errors otherwise, which :func:`is_broken` tells apart.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import IO

from client_agent.locks import hold
from protocol import batch as wire
from protocol.batch import Record

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS epochs (
    n INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL UNIQUE,
    prev_epoch TEXT, prev_last INTEGER,
    last INTEGER NOT NULL DEFAULT 0, head TEXT NOT NULL, forked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS records (
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, open INTEGER NOT NULL, at_ms INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    state TEXT NOT NULL, acknowledged_ms INTEGER, data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS batches_by_state ON batches (state, id);
CREATE TABLE IF NOT EXISTS told_gaps (
    epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (epoch, first, last)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class OutboxBusy(RuntimeError):
    """Another process of this terminal holds the outbox."""


class OutboxFull(RuntimeError):
    """The disk has no room for another record."""


def outbox_length(path: Path) -> int:
    """Unacknowledged records of an outbox that another process may hold; 0 where there is none."""
    if not path.exists():
        return 0
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        return count_waiting(db)
    except sqlite3.DatabaseError:
        return 0
    finally:
        db.close()


def count_waiting(db: sqlite3.Connection) -> int:
    row = db.execute(
        "SELECT (SELECT count(*) FROM records WHERE NOT open)"
        " + (SELECT coalesce(sum(last - first + 1), 0) FROM batches WHERE state = 'waiting')"
    ).fetchone()
    return int(row[0])


def records_of(data: bytes) -> list[Record]:
    return [wire.read_record(line) for line in wire.unpack_lines(wire.read_batch(data).body)]


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            broken = sqlite3.DatabaseError(found)
            broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise broken
        db.executescript(_SCHEMA)
        db.execute("UPDATE records SET open = 0 WHERE open")
        return db
    except BaseException:
        db.close()
        raise


def is_broken(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN


def hold_outbox(path: Path) -> IO[bytes]:
    """Raises OutboxBusy."""
    try:
        return hold(path)
    except OSError as error:
        raise OutboxBusy(str(path)) from error
