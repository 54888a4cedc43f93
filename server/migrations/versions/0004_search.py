"""Search documents with their full-text indexes, and saved views of the library"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

import server.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("title", "named", "body")


def upgrade() -> None:
    pieces = sa.Text().with_variant(TSVECTOR(), "postgresql")
    op.create_table(
        "search_documents",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("programme_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fresh_at", server.db.UtcDateTime(), nullable=False),
        *(sa.Column(name, pieces, nullable=False) for name in COLUMNS),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["programmes.id"],
            name=op.f("fk_search_documents_programme_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_search_documents")),
        sa.UniqueConstraint("programme_id", name=op.f("uq_search_documents_programme_id")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("created_at", server.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_saved_views_account_id_name")),
    )
    op.create_index(op.f("ix_saved_views_account_id"), "saved_views", ["account_id"])
    if op.get_bind().dialect.name == "postgresql":
        _make_gin_indexes()
    else:
        _make_fts_index()


def _make_gin_indexes() -> None:
    """Without a pending list, which every search would have to read through; with statistics of many pieces, so that
    the planner knows a common piece from a rare one."""
    for name in COLUMNS:
        op.execute(
            f"CREATE INDEX gin_search_documents_{name} ON search_documents USING gin ({name}) WITH (fastupdate = off)"
        )
        op.execute(f"ALTER TABLE search_documents ALTER COLUMN {name} SET STATISTICS 1000")


def _make_fts_index() -> None:
    """The index reads the table's own columns; triggers tell it what changes."""
    op.execute(
        "CREATE VIRTUAL TABLE search_index USING fts5(title, named, body, content='search_documents', "
        "content_rowid='n', tokenize='unicode61 remove_diacritics 0', prefix='1')"
    )
    add = (
        "INSERT INTO search_index (rowid, title, named, body) VALUES (new.n, new.title, new.named, new.body);"
    )
    take = (
        "INSERT INTO search_index (search_index, rowid, title, named, body) "
        "VALUES ('delete', old.n, old.title, old.named, old.body);"
    )
    for event, does in (("INSERT", add), ("DELETE", take), ("UPDATE", take + " " + add)):
        op.execute(
            f"CREATE TRIGGER search_documents_{event.lower()} AFTER {event} ON search_documents BEGIN {does} END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_table("saved_views")
    op.drop_table("search_documents")
