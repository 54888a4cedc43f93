"""Alembic's entry: all tables of all rooms, against the connection that server.migrate opened."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from alembic import context

from server.db import Base, UtcDateTime

ROOMS_WITH_TABLES = (
    "regions",
    "identity",
    "stations",
    "catalog",
    "transcode",
    "schedule",
    "publish",
    "stats",
)

for room in ROOMS_WITH_TABLES:
    import_module(f"server.{room}.models")
import_module("server.lease")


def render_item(_kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """How a new migration writes our own column type."""
    return "server.db.UtcDateTime()" if isinstance(item, UtcDateTime) else False


def is_declared(_item: Any, name: str | None, kind: str, reflected: bool, _like: Any) -> bool:
    """Whether the models speak of it: not of SQLite's full-text index nor of PostgreSQL's GIN indexes."""
    made_by_hand = (kind == "table" and str(name).startswith("search_index")) or str(name).startswith("gin_")
    return not (reflected and made_by_hand)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
    include_object=is_declared,
)
with context.begin_transaction():
    context.run_migrations()
