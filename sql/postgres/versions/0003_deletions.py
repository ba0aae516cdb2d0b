"""what was deleted of the relations that analytics carries, so that the copy forgets it too"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# relation and the column that identifies its rows
CARRIED = {"obligations": "id", "attempts": "id", "failures": "attempt_id", "cases": "id"}
SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"

# the relation is an argument: on a partition, tg_table_name is the partition's
FUNCTION = """
create function record_deletion() returns trigger language plpgsql as $$
begin
    insert into deleted_rows as known (relation, key, org_id, row_version)
    values (
        tg_argv[0], (to_jsonb(old) ->> tg_argv[1])::uuid, old.org_id,
        pg_current_xact_id()::text::bigint
    )
    on conflict (relation, key) do update set row_version = excluded.row_version;
    return null;
end $$;
"""


def upgrade():
    op.create_table(
        "deleted_rows",
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("relation", "key", name=op.f("pk_deleted_rows")),
    )
    op.create_index("ix_deleted_rows_row_version", "deleted_rows", ["row_version"])
    op.execute("alter table deleted_rows enable row level security")
    op.execute("alter table deleted_rows force row level security")
    op.execute(
        "create policy tenant on deleted_rows to tinko_app, tinko_readonly"
        f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
    )
    op.execute(
        "create policy worker on deleted_rows to tinko_worker using (true) with check (true)"
    )
    op.execute("grant select, insert, update, delete on deleted_rows to tinko_app, tinko_worker")
    op.execute("grant select on deleted_rows to tinko_readonly")
    op.execute(FUNCTION)
    for relation, key in CARRIED.items():
        op.execute(
            f"create trigger deletion after delete on {relation}"
            f" for each row execute function record_deletion('{relation}', '{key}')"
        )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
