"""mandates and how often each may be debited; whether a merchant's retries each have a notice"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"


def upgrade():
    op.create_table(
        "mandates",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "connection_id", name=op.f("pk_mandates")),
    )
    op.execute("alter table mandates enable row level security")
    op.execute("alter table mandates force row level security")
    op.execute(
        "create policy tenant on mandates to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute("create policy worker on mandates to tinko_worker using (true) with check (true)")
    op.execute("grant select, insert, update on mandates to tinko_app, tinko_worker")
    op.execute("grant select on mandates to tinko_readonly")
    op.add_column(
        "organisations",
        sa.Column("fresh_notice", sa.Boolean(), server_default="true", nullable=False),
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
