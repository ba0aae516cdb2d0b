"""versions for the relations that analytics carries beside the ledger"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STAMPED = (
    "decisions",
    "outbox",
    "notification_deliveries",
    "policy_versions",
    "rule_versions",
    "organisations",
    "connections",
)


def upgrade():
    for table in STAMPED:
        op.add_column(
            table, sa.Column("row_version", sa.BigInteger(), server_default="0", nullable=False)
        )
        op.create_index(f"ix_{table}_row_version", table, ["row_version"])
        op.execute(
            f"create trigger stamp before insert or update on {table}"
            " for each row execute function stamp_row_version()"
        )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
