"""Partner feeds: their sources and items"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = server.db.UtcDateTime()
    op.create_table(
        "feed_sources",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("oai_set", sa.String(length=200), nullable=False),
        sa.Column("oai_prefix", sa.String(length=40), nullable=False),
        sa.Column("section", sa.String(length=40), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=True),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("rights_source", sa.String(length=200), nullable=False),
        sa.Column("rights_licence", sa.String(length=200), nullable=False),
        sa.Column("interval_minutes", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("next_at", time, nullable=False),
        sa.Column("busy_until", time, nullable=True),
        sa.Column("last_at", time, nullable=True),
        sa.Column("last_ok_at", time, nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("error_text", sa.Text(), nullable=True),
        sa.Column("etag", sa.String(length=300), nullable=True),
        sa.Column("modified", sa.String(length=100), nullable=True),
        sa.Column("since", sa.String(length=30), nullable=True),
        sa.ForeignKeyConstraint(["section"], ["sections.slug"], name=op.f("fk_feed_sources_section")),
        sa.ForeignKeyConstraint(
            ["department"], ["departments.slug"], name=op.f("fk_feed_sources_department")
        ),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_feed_sources_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_sources")),
    )
    op.create_index(op.f("ix_feed_sources_next_at"), "feed_sources", ["next_at"])
    op.create_index(op.f("ix_feed_sources_region"), "feed_sources", ["region"])
    op.create_table(
        "feed_items",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("source_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("page_url", sa.String(length=1000), nullable=True),
        sa.Column("media_url", sa.String(length=1000), nullable=True),
        sa.Column("rights", sa.String(length=200), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("published_at", time, nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", time, nullable=False),
        sa.Column("validator", sa.String(length=300), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("programme_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("first_seen_at", time, nullable=False),
        sa.Column("changed_at", time, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["feed_sources.id"], name=op.f("fk_feed_items_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_items")),
        sa.UniqueConstraint("source_id", "key", name=op.f("uq_feed_items_source_id_key")),
    )
    op.create_index("ix_feed_items_source_id_state", "feed_items", ["source_id", "state"])


def downgrade() -> None:
    op.drop_table("feed_items")
    op.drop_table("feed_sources")
