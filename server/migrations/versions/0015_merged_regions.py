"""Merged regions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("regions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("successor", sa.String(length=12), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_regions_successor"), "regions", ["successor"], ["code"])


def downgrade() -> None:
    with op.batch_alter_table("regions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_regions_successor"), type_="foreignkey")
        batch_op.drop_column("successor")
