"""Review copies and cuts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("transcode_jobs") as batch:
        batch.add_column(sa.Column("recipe", sa.JSON(), server_default="{}", nullable=False))
        batch.add_column(sa.Column("phase", sa.String(length=8), server_default="ladder", nullable=False))
        batch.add_column(sa.Column("prepared", sa.Text(), nullable=True))
    with op.batch_alter_table("transcode_parts") as batch:
        batch.add_column(sa.Column("seconds", sa.Double(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("transcode_parts") as batch:
        batch.drop_column("seconds")
    with op.batch_alter_table("transcode_jobs") as batch:
        batch.drop_column("prepared")
        batch.drop_column("phase")
        batch.drop_column("recipe")
