"""Study sessions, voices and self-tests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "self_test_facts",
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=False),
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
            ["terminal_id"], ["terminals.id"], name=op.f("fk_self_test_facts_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f("pk_self_test_facts")),
    )
    with op.batch_alter_table("self_test_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_self_test_facts_station_id"), ["station_id"], unique=False)

    op.create_table(
        "study_facts",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("planned_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("started_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("ended_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("clock", sa.String(length=10), nullable=False),
        sa.Column("programmes", sa.JSON(), nullable=False),
        sa.Column("played_ms", sa.BigInteger(), nullable=False),
        sa.Column("discussion_ms", sa.BigInteger(), nullable=False),
        sa.Column("broken", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("led_by", sa.Text(), nullable=False),
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
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_study_facts_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f("pk_study_facts")),
    )
    with op.batch_alter_table("study_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_study_facts_session"), ["session"], unique=False)
        batch_op.create_index(batch_op.f("ix_study_facts_station_id"), ["station_id"], unique=False)

    op.create_table(
        "voice_facts",
        sa.Column("says", sa.String(length=10), nullable=False),
        sa.Column("face", sa.String(length=6), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=True),
        sa.Column("edition", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
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
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_voice_facts_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f("pk_voice_facts")),
    )
    with op.batch_alter_table("voice_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_voice_facts_programme"), ["programme"], unique=False)
        batch_op.create_index(batch_op.f("ix_voice_facts_says"), ["says"], unique=False)
        batch_op.create_index(batch_op.f("ix_voice_facts_station_id"), ["station_id"], unique=False)

    with op.batch_alter_table("attendance_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("roll", sa.String(length=8), server_default="start", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("attendance_facts", schema=None) as batch_op:
        batch_op.drop_column("roll")

    with op.batch_alter_table("voice_facts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_voice_facts_station_id"))
        batch_op.drop_index(batch_op.f("ix_voice_facts_says"))
        batch_op.drop_index(batch_op.f("ix_voice_facts_programme"))

    op.drop_table("voice_facts")
    with op.batch_alter_table("study_facts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_study_facts_station_id"))
        batch_op.drop_index(batch_op.f("ix_study_facts_session"))

    op.drop_table("study_facts")
    with op.batch_alter_table("self_test_facts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_self_test_facts_station_id"))

    op.drop_table("self_test_facts")
