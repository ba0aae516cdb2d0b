"""how each connection's webhooks stand, for the metrics and their alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"


def upgrade():
    op.create_table(
        "webhook_watch",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("psp", sa.Text(), nullable=False),
        sa.Column("hearing", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_wall", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_webhook_watch")),
    )
    op.execute("alter table webhook_watch enable row level security")
    op.execute("alter table webhook_watch force row level security")
    op.execute(
        "create policy tenant on webhook_watch to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute(
        "create policy worker on webhook_watch to tinko_worker using (true) with check (true)"
    )
    op.execute("grant select, insert, update on webhook_watch to tinko_worker")
    op.execute("grant select on webhook_watch to tinko_app, tinko_readonly")


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
