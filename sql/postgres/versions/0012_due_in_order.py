"""attempts that are due, in the order in which they are claimed

A claim takes the first few of them. By the time alone, all that came due at one instant, as after
an outage, had to be read and sorted for each claim.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SCHEDULED = sa.text("state = 'scheduled'")


def upgrade():
    op.drop_index("ix_attempts_due", "attempts")
    op.create_index(
        "ix_attempts_due", "attempts", ["scheduled_at", "id"], postgresql_where=_SCHEDULED
    )


def downgrade():
    op.drop_index("ix_attempts_due", "attempts")
    op.create_index("ix_attempts_due", "attempts", ["scheduled_at"], postgresql_where=_SCHEDULED)
