"""A second copy of what no province can give back: who this terminal is, and below what nothing is believed.

The agent's database may break (a dying card, a bad block). Documents and media are verified and fetched again; a lost
key means a visit, and lost floors would let an old repository in. So identity, roots, floors, serials, recalls, the
clock's anchor and what somebody set at the station are also kept in one small file beside it, written whole after
every pass that changed them, with a hash over its content. After a loss the floors are at worst those before the last
pass.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from client_agent.database import Database
from client_agent.durable import write_durably

log = logging.getLogger(__name__)
VERSION = 1
TABLES = ("identity", "roots", "floors", "serials", "recalls", "anchor")
SETTINGS = ("line_rules", "clock_by_hand")
_Rows = dict[str, list[list[Any]]]


def keep(database: Database, path: Path) -> bool:
    """Write the copy if it is not already what stands there; whether it was written. Raises OSError, StorageFailed."""
    content = _encoded(_rows_of(database))
    try:
        if path.read_bytes() == content:
            return False
    except OSError:
        pass
    write_durably(path, content)
    return True


def read(path: Path) -> _Rows | None:
    """The copy's rows by table, or None where there is none that is whole."""
    try:
        line, _, body = path.read_bytes().partition(b"\n")
        if line.decode("ascii", "replace") != f"{VERSION} {hashlib.sha256(body).hexdigest()}":
            log.error("%s is not whole: not used", path.name)
            return None
        rows: _Rows = json.loads(body, object_hook=_decoded)
        return rows
    except (OSError, ValueError) as error:
        log.info("no second copy: %s", error)
        return None


def restore(database: Database, rows: _Rows) -> None:
    """Put rows into a fresh database, in one transaction. Raises StorageFailed."""
    with database.transaction():
        for table in (*TABLES, "settings"):
            for row in rows.get(table, ()):
                marks = ", ".join("?" * len(row))
                database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608 - constants


def _rows_of(database: Database) -> _Rows:
    with database.transaction():
        rows = {
            table: [list(row) for row in database.rows(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 - constants
            for table in TABLES
        }
        marks = ", ".join("?" * len(SETTINGS))
        rows["settings"] = [
            list(row)
            for row in database.rows(f"SELECT name, value FROM settings WHERE name IN ({marks})", SETTINGS)  # noqa: S608
        ]
    for row in rows["anchor"]:
        row[0] = 1
    return rows


def _encoded(rows: _Rows) -> bytes:
    body = json.dumps(rows, default=_plain, ensure_ascii=False, sort_keys=True).encode()
    return f"{VERSION} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def _decoded(found: dict[str, Any]) -> Any:
    return base64.b64decode(found["b64"]) if set(found) == {"b64"} else found
