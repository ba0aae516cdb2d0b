"""what a network said of an attempt, in the guards' counters: there with its outcome

They took the codes from `failures`, which another run writes later.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CODES = ("network_decline_code", "network_advice_code")
TABLES = ("guard_counters", "failures", "attempts")


def upgrade():
    for name in CODES:
        op.add_column("guard_counters", sa.Column(name, sa.Text(), nullable=True))
    # the owner reads and writes past the policies only while they are not forced on it
    for table in TABLES:
        op.execute(f"alter table {table} no force row level security")
    op.execute(
        "update guard_counters as g"
        " set network_decline_code = s.decline, network_advice_code = s.advice"
        " from ("
        "   select a.id, coalesce(f.network_decline_code, a.error ->> 'network_decline_code')"
        "   as decline, coalesce(f.network_advice_code, a.error ->> 'network_advice_code')"
        "   as advice from attempts as a left join failures as f on a.id = f.attempt_id"
        "   where f.attempt_id is not null or a.state = 'failed'"
        " ) as s"
        " where g.attempt_id = s.id and (s.decline is not null or s.advice is not null)"
    )
    for table in TABLES:
        op.execute(f"alter table {table} force row level security")


def downgrade():
    for name in reversed(CODES):
        op.drop_column("guard_counters", name)
