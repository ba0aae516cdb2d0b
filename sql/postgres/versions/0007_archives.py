"""archives: what was exported, verified and dropped"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def instant(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def upgrade():
    # no tenant: a month of a table is of the whole house, and nobody's rows are in it
    op.create_table(
        "archives",
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("low", sa.UUID(), nullable=False),
        sa.Column("high", sa.UUID(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("manifest_key", sa.Text(), nullable=True),
        sa.Column("manifest_sha256", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("started_wall", sa.DateTime(timezone=True), nullable=False),
        instant("verified_wall"),
        instant("detached_wall"),
        instant("dropped_wall"),
        instant("restored_wall"),
        sa.PrimaryKeyConstraint("relation", "month", name=op.f("pk_archives")),
        sa.CheckConstraint(
            "state IN ('exporting', 'verified', 'detached', 'dropped', 'discarded', 'restored')",
            name=op.f("ck_archives_state"),
        ),
        # SQL itself refuses to forget where the rows went
        sa.CheckConstraint(
            "state NOT IN ('verified', 'detached', 'dropped', 'restored')"
            " OR (manifest_key IS NOT NULL AND manifest_sha256 IS NOT NULL AND rows IS NOT NULL)",
            name=op.f("ck_archives_manifest"),
        ),
    )
    # the owner alone writes it, as it alone may detach and drop
    op.execute("grant select on archives to tinko_app, tinko_worker, tinko_readonly")


def downgrade():
    raise NotImplementedError("restore a backup instead: the archive would be forgotten")
