"""days whose books changed since they were reconciled, and reports that are not stored yet"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"
TABLE = "unreconciled_days"


def upgrade():
    op.create_table(
        TABLE,
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "day", name=op.f("pk_unreconciled_days")),
    )
    op.execute(f"alter table {TABLE} enable row level security")
    op.execute(f"alter table {TABLE} force row level security")
    op.execute(
        f"create policy tenant on {TABLE} to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute(f"create policy worker on {TABLE} to tinko_worker using (true) with check (true)")
    op.execute(f"grant select on {TABLE} to tinko_app, tinko_readonly")
    op.execute(f"grant select, insert, update, delete on {TABLE} to tinko_worker")

    op.create_index(
        "ix_findings_disputes_apart",
        "findings",
        ["connection_id", "day"],
        postgresql_where=sa.text(
            "kind = 'dispute_not_reflected' AND leg = 'ledger' AND state <> 'fixed'"
        ),
    )
    op.add_column(
        "reconciled_days", sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_reconciled_days_unreported",
        "reconciled_days",
        ["day"],
        postgresql_where=sa.text("reported_at IS NULL"),
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
