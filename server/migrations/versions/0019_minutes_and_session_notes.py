"""Minutes, and what phones tell of a session"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "minutes_facts",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
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
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_minutes_facts_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f("pk_minutes_facts")),
    )
    with op.batch_alter_table("minutes_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_minutes_facts_session"), ["session"], unique=False)
        batch_op.create_index(batch_op.f("ix_minutes_facts_station_id"), ["station_id"], unique=False)

    op.create_table(
        "session_notes",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("terminal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("station_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("received_at", server.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_session_notes_station_id")),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_session_notes_terminal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_notes")),
    )
    with op.batch_alter_table("session_notes", schema=None) as batch_op:
        batch_op.create_index("ix_session_notes_session", ["session", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_notes_station_id"), ["station_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("session_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_notes_station_id"))
        batch_op.drop_index("ix_session_notes_session")

    op.drop_table("session_notes")
    with op.batch_alter_table("minutes_facts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_minutes_facts_station_id"))
        batch_op.drop_index(batch_op.f("ix_minutes_facts_session"))

    op.drop_table("minutes_facts")
