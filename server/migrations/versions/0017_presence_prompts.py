"""Presence prompts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("viewing_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prompts", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("viewing_facts", schema=None) as batch_op:
        batch_op.drop_column("prompts")
