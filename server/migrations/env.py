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


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
