"""Remote commands, rules of lines, replaced terminals"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_settings",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_network_settings")),
    )
    op.create_table(
        "line_settings",
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("from_hour", sa.Integer(), nullable=False),
        sa.Column("to_hour", sa.Integer(), nullable=False),
        sa.Column("bytes_a_second", sa.JSON(), nullable=False),
        sa.Column("monthly_cap_bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_line_settings_region")),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_line_settings")),
    )
    op.create_table(
        "station_commands",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("terminal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("station_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("do", sa.String(length=20), nullable=False),
        sa.Column("asked_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("asked_by_name", sa.String(length=60), nullable=False),
        sa.Column("asked_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("until", server.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_station_commands_station_id")),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.id"], name=op.f("fk_station_commands_terminal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_commands")),
    )
    with op.batch_alter_table("station_commands", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_station_commands_asked_by"), ["asked_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_station_commands_station_id"), ["station_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_station_commands_terminal_id"), ["terminal_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_station_commands_until"), ["until"], unique=False)

    with op.batch_alter_table("health_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("between_ms", sa.BigInteger(), server_default="0", nullable=False))

    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replaces", sa.Uuid(as_uuid=False), nullable=True))

    with op.batch_alter_table("report_epochs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("carried_at", server.db.UtcDateTime(), nullable=True))

    with op.batch_alter_table("terminals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("revoked_why", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("replaced_by", sa.Uuid(as_uuid=False), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("terminals", schema=None) as batch_op:
        batch_op.drop_column("replaced_by")
        batch_op.drop_column("revoked_why")

    with op.batch_alter_table("report_epochs", schema=None) as batch_op:
        batch_op.drop_column("carried_at")

    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_column("replaces")

    with op.batch_alter_table("health_facts", schema=None) as batch_op:
        batch_op.drop_column("between_ms")

    with op.batch_alter_table("station_commands", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_station_commands_until"))
        batch_op.drop_index(batch_op.f("ix_station_commands_terminal_id"))
        batch_op.drop_index(batch_op.f("ix_station_commands_station_id"))
        batch_op.drop_index(batch_op.f("ix_station_commands_asked_by"))

    op.drop_table("station_commands")
    op.drop_table("line_settings")
    op.drop_table("network_settings")
