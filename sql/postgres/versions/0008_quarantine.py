"""data quality: what was set aside, and why"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"


def instant(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade():
    op.create_table(
        "quarantine",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("debt_id", sa.UUID(), nullable=True),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        instant("first_seen"),
        instant("last_seen"),
        instant("decided_at", nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        instant("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "org_id", "source", "frame", "key", name=op.f("uq_quarantine_org_id_source_frame_key")
        ),
    )
    op.create_index(
        "ix_quarantine_held",
        "quarantine",
        ["id"],
        postgresql_where=sa.text("state = 'quarantined'"),
    )
    op.create_index(
        "ix_quarantine_debt_id",
        "quarantine",
        ["debt_id"],
        postgresql_where=sa.text("debt_id IS NOT NULL"),
    )
    op.execute("alter table quarantine enable row level security")
    op.execute("alter table quarantine force row level security")
    op.execute(
        "create policy tenant on quarantine to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute("create policy worker on quarantine to tinko_worker using (true) with check (true)")
    op.execute("grant select, insert, update on quarantine to tinko_app, tinko_worker")
    op.execute("grant select on quarantine to tinko_readonly")
    # who set aside, let back or dropped a row, and when, stays in state_history
    op.execute(
        "create trigger history after insert or update on quarantine"
        " for each row execute function record_state_change('quarantine')"
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
