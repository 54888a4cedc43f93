"""Rules with versions and history, study days, notices, pushes, emergencies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_changes",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", server.db.UtcDateTime(), nullable=False),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("actor_name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("deed", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_rule_changes")),
    )
    with op.batch_alter_table("rule_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rule_changes_actor_id"), ["actor_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rule_changes_at"), ["at"], unique=False)
        batch_op.create_index("ix_rule_changes_region", ["region", "seq"], unique=False)
        batch_op.create_index("ix_rule_changes_rule", ["kind", "rule_id"], unique=False)

    op.create_table(
        "airtime_rights",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("weekdays", sa.JSON(), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("to_minute", sa.Integer(), nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("daily_min", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name=op.f("fk_airtime_rights_channel")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_airtime_rights_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airtime_rights")),
    )
    with op.batch_alter_table("airtime_rights", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_airtime_rights_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_airtime_rights_region"), ["region"], unique=False)

    op.create_table(
        "filler_sections",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("section", sa.String(length=40), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name=op.f("fk_filler_sections_channel")),
        sa.ForeignKeyConstraint(["section"], ["sections.slug"], name=op.f("fk_filler_sections_section")),
        sa.PrimaryKeyConstraint("channel", "section", name=op.f("pk_filler_sections")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("text", sa.String(length=60), nullable=False),
        sa.Column("starts_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("until", server.db.UtcDateTime(), nullable=False),
        sa.Column("written_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("approved_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("approved_by_name", sa.String(length=60), nullable=False),
        sa.Column("approved_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_notices_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_region"), ["region"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_until"), ["until"], unique=False)

    op.create_table(
        "study_rules",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("starts_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("rrule", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name=op.f("fk_study_rules_channel")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_study_rules_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_rules")),
    )
    with op.batch_alter_table("study_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_study_rules_region"), ["region"], unique=False)

    op.create_table(
        "emergencies",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("starts_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("ends_at", server.db.UtcDateTime(), nullable=False),
        sa.Column("programme_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("text", sa.String(length=200), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("approved_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("approved_by_name", sa.String(length=60), nullable=False),
        sa.Column("approved_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_emergencies_programme_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergencies")),
    )
    with op.batch_alter_table("emergencies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_emergencies_ends_at"), ["ends_at"], unique=False)

    op.create_table(
        "push_rules",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("programme_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("section", sa.String(length=40), nullable=True),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("months", sa.JSON(), nullable=False),
        sa.Column("until", server.db.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_push_rules_programme_id")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_push_rules_region")),
        sa.ForeignKeyConstraint(["section"], ["sections.slug"], name=op.f("fk_push_rules_section")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_rules")),
    )
    with op.batch_alter_table("push_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_push_rules_region"), ["region"], unique=False)

    op.create_table(
        "study_evenings",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("rule_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("programmes", sa.JSON(), nullable=False),
        sa.Column("discussion_min", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("moved_to", server.db.UtcDateTime(), nullable=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("changed_at", server.db.UtcDateTime(), nullable=True),
        sa.Column("removed_at", server.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["rule_id"], ["study_rules.id"], name=op.f("fk_study_evenings_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_evenings")),
    )
    with op.batch_alter_table("study_evenings", schema=None) as batch_op:
        batch_op.create_index("uq_study_evenings_rule_day", ["rule_id", "day"], unique=True)

    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("next_card_ms", sa.Integer(), server_default="8000", nullable=False))
        batch_op.add_column(sa.Column("no_repeat_min", sa.Integer(), server_default="30", nullable=False))
        batch_op.add_column(sa.Column("logo_sha256", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("logo_length", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("logo_pieces_root", sa.String(length=64), nullable=True))

    with op.batch_alter_table("document_serials", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=64), server_default="", nullable=False))

    with op.batch_alter_table("fillers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("weight", sa.Integer(), server_default="1", nullable=False))

    with op.batch_alter_table("slots", schema=None) as batch_op:
        batch_op.add_column(sa.Column("exdates", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("rdates", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("excluded", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(
            sa.Column("kind", sa.String(length=10), server_default="programme", nullable=False)
        )
        batch_op.add_column(sa.Column("premiere", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("duration_ms", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("may_cut", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("tolerance_min", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(
            sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False)
        )
        batch_op.add_column(sa.Column("changed_at", server.db.UtcDateTime(), nullable=True))

    with op.batch_alter_table("window_rules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("exdates", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("rdates", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("excluded", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("fill", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("deadline_hours", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("title", sa.String(length=60), server_default="", nullable=False))
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(
            sa.Column("changed_by_name", sa.String(length=60), server_default="", nullable=False)
        )
        batch_op.add_column(sa.Column("changed_at", server.db.UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("window_rules", schema=None) as batch_op:
        batch_op.drop_column("changed_at")
        batch_op.drop_column("changed_by_name")
        batch_op.drop_column("version")
        batch_op.drop_column("title")
        batch_op.drop_column("deadline_hours")
        batch_op.drop_column("fill")
        batch_op.drop_column("excluded")
        batch_op.drop_column("rdates")
        batch_op.drop_column("exdates")

    with op.batch_alter_table("slots", schema=None) as batch_op:
        batch_op.drop_column("changed_at")
        batch_op.drop_column("changed_by_name")
        batch_op.drop_column("version")
        batch_op.drop_column("tolerance_min")
        batch_op.drop_column("may_cut")
        batch_op.drop_column("duration_ms")
        batch_op.drop_column("premiere")
        batch_op.drop_column("kind")
        batch_op.drop_column("excluded")
        batch_op.drop_column("rdates")
        batch_op.drop_column("exdates")

    with op.batch_alter_table("fillers", schema=None) as batch_op:
        batch_op.drop_column("weight")

    with op.batch_alter_table("document_serials", schema=None) as batch_op:
        batch_op.drop_column("fingerprint")

    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.drop_column("logo_pieces_root")
        batch_op.drop_column("logo_length")
        batch_op.drop_column("logo_sha256")
        batch_op.drop_column("no_repeat_min")
        batch_op.drop_column("next_card_ms")
        batch_op.drop_column("version")

    with op.batch_alter_table("study_evenings", schema=None) as batch_op:
        batch_op.drop_index("uq_study_evenings_rule_day")

    op.drop_table("study_evenings")
    with op.batch_alter_table("push_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_push_rules_region"))

    op.drop_table("push_rules")
    with op.batch_alter_table("emergencies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_emergencies_ends_at"))

    op.drop_table("emergencies")
    with op.batch_alter_table("study_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_study_rules_region"))

    op.drop_table("study_rules")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notices_until"))
        batch_op.drop_index(batch_op.f("ix_notices_region"))

    op.drop_table("notices")
    op.drop_table("filler_sections")
    with op.batch_alter_table("airtime_rights", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_airtime_rights_region"))
        batch_op.drop_index(batch_op.f("ix_airtime_rights_account_id"))

    op.drop_table("airtime_rights")
    with op.batch_alter_table("rule_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_rule_changes_rule")
        batch_op.drop_index("ix_rule_changes_region")
        batch_op.drop_index(batch_op.f("ix_rule_changes_at"))
        batch_op.drop_index(batch_op.f("ix_rule_changes_actor_id"))

    op.drop_table("rule_changes")
