"""Parts of transcoding jobs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transcode_parts",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("frames_done", sa.Integer(), nullable=False),
        sa.Column("fps", sa.Double(), nullable=False),
        sa.Column("executor_id", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["transcode_jobs.id"], name=op.f("fk_transcode_parts_job_id")),
        sa.PrimaryKeyConstraint("job_id", "round", "name", name=op.f("pk_transcode_parts")),
    )


def downgrade() -> None:
    op.drop_table("transcode_parts")
