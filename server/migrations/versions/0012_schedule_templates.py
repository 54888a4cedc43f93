"""Named days and weeks of the schedule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule_templates",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("created_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["region"], ["regions.code"], name=op.f("fk_schedule_templates_region_regions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_templates")),
    )
    with op.batch_alter_table("schedule_templates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_schedule_templates_region"), ["region"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("schedule_templates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_schedule_templates_region"))

    op.drop_table("schedule_templates")
