"""Publication orders, the queue, approved weeks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "late_reasons",
        sa.Column("change", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("at", server.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("change", name=op.f("pk_late_reasons")),
    )
    op.create_table(
        "publication_orders",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("back_to", sa.Integer(), nullable=True),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("asked_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("asked_by_name", sa.String(length=60), nullable=False),
        sa.Column("asked_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("started_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("ended_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication_orders")),
        sa.UniqueConstraint("key", name=op.f("uq_publication_orders_key")),
    )
    with op.batch_alter_table("publication_orders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publication_orders_state"), ["state"], unique=False)

    op.create_table(
        "served_documents",
        sa.Column("target", sa.String(length=60), nullable=False),
        sa.Column("fingerprint", sa.String(length=140), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_served_documents")),
    )
    op.create_table(
        "waiting_changes",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("target", sa.String(length=60), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("found_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("decided_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_by_name", sa.String(length=60), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_changes")),
    )
    with op.batch_alter_table("waiting_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_waiting_changes_region"), ["region"], unique=False)
        batch_op.create_index(batch_op.f("ix_waiting_changes_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_waiting_changes_target"), ["target"], unique=False)

    op.create_table(
        "week_approvals",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("submitted_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("submitted_by_name", sa.String(length=60), nullable=False),
        sa.Column("submitted_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_by_name", sa.String(length=60), nullable=False),
        sa.Column("decided_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("lock_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_week_approvals_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_week_approvals")),
        sa.UniqueConstraint("region", "week", name=op.f("uq_week_approvals_region_week")),
    )
    with op.batch_alter_table("week_approvals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_week_approvals_week"), ["week"], unique=False)

    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=10), server_default="attended", nullable=False)
        )
        batch_op.add_column(sa.Column("back_to", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.drop_column("back_to")
        batch_op.drop_column("kind")

    with op.batch_alter_table("week_approvals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_week_approvals_week"))

    op.drop_table("week_approvals")
    with op.batch_alter_table("waiting_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_waiting_changes_target"))
        batch_op.drop_index(batch_op.f("ix_waiting_changes_state"))
        batch_op.drop_index(batch_op.f("ix_waiting_changes_region"))

    op.drop_table("waiting_changes")
    op.drop_table("served_documents")
    with op.batch_alter_table("publication_orders", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publication_orders_state"))

    op.drop_table("publication_orders")
    op.drop_table("late_reasons")
