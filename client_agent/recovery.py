"""When the agent's database cannot be read: set it aside, begin anew from the second copy and from what still verifies.

broken file ──► agent.sqlite.corrupt-<n>          kept for whoever looks into it
second copy ──► identity, floors, recalls, clock  (see vault.py)
readable rows of the broken file ──► documents whose bytes still have their hash, higher floors, when watched
media on the disk ──► hashed piece by piece against their signed layers before a bit is set again
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from client_agent import vault
from client_agent.config import AgentPaths
from client_agent.database import Database, is_sound
from client_agent.documents import DocumentTable
from client_agent.durable import set_aside
from client_agent.errors import AgentError, NotEnrolled
from client_agent.store import FileName, Store
from protocol.documents import ReleaseFile, ReleaseManifest, Rendition

log = logging.getLogger(__name__)
REBUILT = "rebuilt"
"""Setting: media of before are still to be looked through; nothing is swept until they were."""


def open_database(paths: AgentPaths) -> Database:
    """The database of an enrolled terminal; a broken or vanished one is made anew first.

    Raises NotEnrolled when there is neither a database nor a second copy, UnusableData.
    """
    if not paths.database.exists():
        if vault.read(paths.vault) is None:
            raise NotEnrolled(f"{NotEnrolled.__doc__} ({paths.data})")
        log.error("the database is gone: beginning anew from the second copy")
        return _begin_anew(paths, None)
    if is_sound(paths.database):
        return Database(paths.database)
    aside = set_aside(paths.database)
    log.error("the database cannot be read; kept as %s, a new one begins", aside.name)
    return _begin_anew(paths, aside)


def _begin_anew(paths: AgentPaths, broken: Path | None) -> Database:
    database = Database(paths.database)
    vault.restore(database, vault.read(paths.vault) or {})
    if broken is not None:
        _salvage(database, broken)
    database.set_setting(REBUILT, "1")
    if database.row("SELECT 1 FROM identity") is None:
        raise NotEnrolled(
            "终端数据损坏且没有副本，请用新的注册码重新注册 / this terminal's data broke and there is no second copy: "
            "enrol it again with a new code"
        )
    return database


# --- what a broken file still gives -----------------------------------------------------------------------------------
def _salvage(database: Database, broken: Path) -> None:
    """Rows that prove themselves, or that can only make us more careful."""
    try:
        source = sqlite3.connect(f"{broken.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    try:
        with database.transaction():
            for row in _readable(source, "identity"):
                database.execute(
                    "INSERT OR IGNORE INTO identity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
                )
            for role, version, sha256, keys in _readable(source, "floors"):
                database.execute(
                    "INSERT INTO floors VALUES (?, ?, ?, ?) ON CONFLICT (role) DO UPDATE SET version ="
                    " excluded.version, sha256 = excluded.sha256 WHERE keys = excluded.keys AND"
                    " version < excluded.version",
                    (role, version, sha256, keys),
                )
            for row in _readable(source, "recalls"):
                database.execute("INSERT OR IGNORE INTO recalls VALUES (?, ?, ?, ?)", row)
            for target, sha256, data in _readable(source, "documents"):
                if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == sha256:
                    database.execute(
                        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (target, sha256, data)
                    )
            database.set_setting("documents_version", "1")
    except AgentError as error:
        log.warning("nothing could be salvaged: %s", error)
    finally:
        source.close()


def _readable(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows up to where the file breaks."""
    try:
        for row in source.execute(f"SELECT * FROM {table}"):  # noqa: S608 - constants of this file
            yield tuple(row)
    except sqlite3.Error as error:
        log.warning("%s: the rest cannot be read: %s", table, error)


# --- media of before ----------------------------------------------------------------------------------------------------
def adopt_media(database: Database, store: Store) -> int:
    """Once documents are there again: take up every file on the disk that a manifest names, hashing each piece; then
    sweep what nothing speaks of. How many files are complete again."""
    if not database.setting(REBUILT):
        return 0
    manifests = database.rows("SELECT target FROM documents WHERE target LIKE 'release/%'")
    if not manifests:
        return 0  # not yet: the next publication brings them
    table, adopted = DocumentTable(database), 0
    for (target,) in manifests:
        manifest = table.read(target, ReleaseManifest)
        files: list[Rendition | ReleaseFile] = [*manifest.renditions, *manifest.files] if manifest else []
        adopted += sum(store.adopt(FileName(f.sha256, f.length, f.pieces_root)) for f in files)
    database.set_setting(REBUILT, "")
    store.recheck_partial()
    log.info("%d files of before are whole again", adopted)
    return adopted
