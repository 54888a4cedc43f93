"""Alembic's entry: all tables of all rooms, against the connection that server.migrate opened."""

from __future__ import annotations

from importlib import import_module

from alembic import context

from server.db import Base

ROOMS_WITH_TABLES = ("regions", "identity", "stations", "catalog", "transcode", "schedule", "publish", "stats")

for room in ROOMS_WITH_TABLES:
    import_module(f"server.{room}.models")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
