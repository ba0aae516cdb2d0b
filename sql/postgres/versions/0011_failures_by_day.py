"""an organisation's failures of some days, without looking at all it ever had"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_failures_org_id_failed_at", "failures", ["org_id", "failed_at"])


def downgrade():
    op.drop_index("ix_failures_org_id_failed_at", "failures")
