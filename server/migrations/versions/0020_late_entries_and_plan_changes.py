"""Late entries and changes of the plan"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _fact(
        "late_entry_facts",
        "session",
        [
            sa.Column("session", sa.Text(), nullable=False),
            sa.Column("started_at", server.db.UtcDateTime(), nullable=False),
            sa.Column("ended_at", server.db.UtcDateTime(), nullable=False),
            sa.Column("title", sa.Text(), nullable=False),
            sa.Column("manual", sa.Boolean(), nullable=False),
            sa.Column("void", sa.Boolean(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=False),
            sa.Column("remark", sa.Text(), nullable=False),
            sa.Column("entered_by", sa.Text(), nullable=False),
        ],
    )
    _fact(
        "plan_change_facts",
        "day",
        [
            sa.Column("day", sa.Text(), nullable=False),
            sa.Column("change", sa.String(length=8), nullable=False),
            sa.Column("title", sa.Text(), nullable=False),
            sa.Column("started_at", server.db.UtcDateTime(), nullable=False),
            sa.Column("planned_at", server.db.UtcDateTime(), nullable=True),
            sa.Column("reason", sa.Text(), nullable=False),
            sa.Column("changed_by", sa.Text(), nullable=False),
        ],
    )


def _fact(name: str, indexed: str, columns: Sequence[sa.Column[object]]) -> None:
    op.create_table(
        name,
        *columns,
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
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f(f"fk_{name}_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "seq", name=op.f(f"pk_{name}")),
    )
    with op.batch_alter_table(name, schema=None) as batch_op:
        batch_op.create_index(batch_op.f(f"ix_{name}_{indexed}"), [indexed], unique=False)
        batch_op.create_index(batch_op.f(f"ix_{name}_station_id"), ["station_id"], unique=False)


def downgrade() -> None:
    op.drop_table("plan_change_facts")
    op.drop_table("late_entry_facts")
