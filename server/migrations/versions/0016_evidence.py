"""Photos and recordings of the stations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_facts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("terminal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("at", server.db.UtcDateTime(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("mono_ms", sa.BigInteger(), nullable=False),
        sa.Column("clock_state", sa.String(length=10), nullable=False),
        sa.Column("received_at", server.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.id"], name=op.f("fk_evidence_facts_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f("pk_evidence_facts")),
    )
    with op.batch_alter_table("evidence_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_facts_session"), ["session"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_facts_sha256"), ["sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_facts_station_id"), ["station_id"], unique=False)

    op.create_table(
        "evidence_files",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("station_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("terminal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("complete_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_evidence_files_station_id")),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.id"], name=op.f("fk_evidence_files_terminal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_files")),
        sa.UniqueConstraint("station_id", "sha256", name=op.f("uq_evidence_files_station_id_sha256")),
    )
    with op.batch_alter_table("evidence_files", schema=None) as batch_op:
        batch_op.create_index("ix_evidence_files_day", ["terminal_id", "begun_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_files_region"), ["region"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_files_session"), ["session"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_files_sha256"), ["sha256"], unique=False)

    op.create_table(
        "evidence_pieces",
        sa.Column("file_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["evidence_files.id"], name=op.f("fk_evidence_pieces_file_id")),
        sa.PrimaryKeyConstraint("file_id", "position", name=op.f("pk_evidence_pieces")),
    )


def downgrade() -> None:
    op.drop_table("evidence_pieces")
    with op.batch_alter_table("evidence_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_files_sha256"))
        batch_op.drop_index(batch_op.f("ix_evidence_files_session"))
        batch_op.drop_index(batch_op.f("ix_evidence_files_region"))
        batch_op.drop_index("ix_evidence_files_day")

    op.drop_table("evidence_files")
    with op.batch_alter_table("evidence_facts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_facts_station_id"))
        batch_op.drop_index(batch_op.f("ix_evidence_facts_sha256"))
        batch_op.drop_index(batch_op.f("ix_evidence_facts_session"))

    op.drop_table("evidence_facts")
