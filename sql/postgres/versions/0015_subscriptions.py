"""subscriptions and how they stand; on a debt its subscription, and whether that stopped it"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"


def upgrade():
    op.create_table(
        "subscriptions",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("stood_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "object_id", name=op.f("pk_subscriptions")),
    )
    op.execute("alter table subscriptions enable row level security")
    op.execute("alter table subscriptions force row level security")
    op.execute(
        "create policy tenant on subscriptions to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute(
        "create policy worker on subscriptions to tinko_worker using (true) with check (true)"
    )
    op.execute("grant select, insert, update on subscriptions to tinko_app, tinko_worker")
    op.execute("grant select on subscriptions to tinko_readonly")
    op.add_column("obligations", sa.Column("subscription_ref", sa.Text(), nullable=True))
    op.add_column("obligations", sa.Column("stopped_by", sa.Text(), nullable=True))
    op.create_index(
        "ix_obligations_subscription_ref",
        "obligations",
        ["connection_id", "subscription_ref"],
        postgresql_where=sa.text("subscription_ref IS NOT NULL"),
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
