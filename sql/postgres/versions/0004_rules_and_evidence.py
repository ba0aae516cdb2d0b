"""rules, the merchant's own codes, what an attempt was allowed on, and the health of connections"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"
APPEND_ONLY = ("rule_versions", "failure_rule_versions")


def instant(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade():
    op.create_table(
        "rule_versions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("rule_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        instant("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_versions")),
        sa.UniqueConstraint(
            "org_id", "rule_id", "version", name=op.f("uq_rule_versions_org_id_rule_id_version")
        ),
    )
    op.create_table(
        "failure_rule_versions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        instant("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure_rule_versions")),
        sa.UniqueConstraint(
            "org_id", "version", name=op.f("uq_failure_rule_versions_org_id_version")
        ),
    )
    op.create_table(
        "connection_health",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        instant("open_until_wall", nullable=True),
        instant("updated_wall"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_connection_health")),
    )
    # no tenant: a budget is of the whole house, or of a connection by its id
    op.create_table(
        "call_budgets",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        instant("refilled_at"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_call_budgets")),
    )
    op.execute("grant select, insert, update, delete on call_budgets to tinko_worker")
    op.execute("grant select on call_budgets to tinko_app, tinko_readonly")

    tags = postgresql.ARRAY(sa.Text())
    op.add_column(
        "obligations", sa.Column("customer_tags", tags, server_default="{}", nullable=False)
    )
    op.add_column("obligations", sa.Column("payer_country", sa.Text(), nullable=True))
    op.add_column("cases", sa.Column("tags", tags, server_default="{}", nullable=False))
    op.add_column("cases", sa.Column("offered_psp", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("evidence", postgresql.JSONB(), nullable=True))
    op.add_column("attempts", sa.Column("mandate_ref", sa.Text(), nullable=True))
    op.add_column("attempts", instant("notice_asked_at", nullable=True))
    op.add_column("attempts", sa.Column("notice_door", sa.Text(), nullable=True))
    op.add_column("doors", instant("notice_failed_at", nullable=True))
    op.add_column("organisations", sa.Column("country", sa.Text(), nullable=True))
    op.add_column("organisations", sa.Column("category", sa.Text(), nullable=True))
    op.create_index(op.f("ix_findings_obligation_id"), "findings", ["obligation_id"])

    for table in (*APPEND_ONLY, "connection_health"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(
            f"create policy tenant on {table} to tinko_app, tinko_readonly"
            f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
        )
        op.execute(
            f"create policy worker on {table} to tinko_worker using (true) with check (true)"
        )
        writes = "insert" if table in APPEND_ONLY else "insert, update, delete"
        op.execute(f"grant select, {writes} on {table} to tinko_app, tinko_worker")
        op.execute(f"grant select on {table} to tinko_readonly")


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
