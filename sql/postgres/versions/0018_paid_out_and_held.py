"""how often each connection is paid out, as its PSP says; what was quarantined since when

Days whose rows left their books for the quarantine are found as others are, by `row_version`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"


def upgrade():
    op.create_table(
        "payout_schedules",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("payout_interval", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_payout_schedules")),
    )
    op.execute("alter table payout_schedules enable row level security")
    op.execute("alter table payout_schedules force row level security")
    op.execute(
        "create policy tenant on payout_schedules to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute(
        "create policy worker on payout_schedules to tinko_worker using (true) with check (true)"
    )
    op.execute("grant select, insert, update on payout_schedules to tinko_worker")
    op.execute("grant select on payout_schedules to tinko_app, tinko_readonly")
    op.add_column(
        "quarantine", sa.Column("row_version", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_index("ix_quarantine_row_version", "quarantine", ["row_version"])
    op.execute(
        "create trigger stamp before insert or update on quarantine"
        " for each row execute function stamp_row_version()"
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
