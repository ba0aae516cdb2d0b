"""the PSPs' own word: what they list, pay out and settle"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"
STAMPED = ("psp_records", "settlement_lines", "payouts")


def text(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable)


def instant(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def number(name: str, nullable: bool = False, default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default=default, nullable=nullable)


def whose() -> list[sa.Column]:
    return [sa.Column("org_id", sa.UUID(), nullable=False), text("psp")]


def listed() -> list[sa.Column]:
    return [
        sa.Column("day", sa.Date(), nullable=False),
        instant("listed_at"),
        number("row_version", default="0"),
    ]


def upgrade():
    op.create_table(
        "psp_records",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        text("object_id"),
        *whose(),
        text("kind"),
        text("payment_id"),
        text("status"),
        number("amount_minor"),
        number("refunded_minor", default="0"),
        text("currency"),
        number("fee_minor", nullable=True),
        number("tax_minor", nullable=True),
        text("method"),
        instant("created_at"),
        instant("captured_at", nullable=True),
        *listed(),
        sa.PrimaryKeyConstraint("connection_id", "object_id", name=op.f("pk_psp_records")),
    )
    op.create_table(
        "settlement_lines",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        text("line_id"),
        *whose(),
        text("kind"),
        text("source_id", nullable=True),
        text("payment_id", nullable=True),
        text("payout_id", nullable=True),
        text("payout_status", nullable=True),
        number("gross_minor"),
        number("fee_minor"),
        number("tax_minor"),
        number("net_minor"),
        text("currency"),
        instant("created_at"),
        instant("available_on", nullable=True),
        instant("settled_at", nullable=True),
        sa.Column("on_hold", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("exchange_rate", sa.Numeric(), nullable=True),
        text("utr", nullable=True),
        *listed(),
        sa.PrimaryKeyConstraint("connection_id", "line_id", name=op.f("pk_settlement_lines")),
    )
    op.create_table(
        "payouts",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        text("payout_id"),
        *whose(),
        text("status"),
        number("amount_minor"),
        text("currency"),
        instant("created_at"),
        text("utr", nullable=True),
        sa.Column("itemised", sa.Boolean(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        *listed(),
        sa.PrimaryKeyConstraint("connection_id", "payout_id", name=op.f("pk_payouts")),
    )
    op.create_table(
        "ingested_days",
        sa.Column("connection_id", sa.UUID(), nullable=False),
        text("kind"),
        sa.Column("day", sa.Date(), nullable=False),
        *whose(),
        text("state"),
        sa.Column("cursor", postgresql.JSONB(), nullable=True),
        number("listed", default="0"),
        number("late", default="0"),
        number("healed", default="0"),
        instant("first_listed_at", nullable=True),
        instant("last_listed_at", nullable=True),
        instant("reopened_at", nullable=True),
        sa.PrimaryKeyConstraint("connection_id", "kind", "day", name=op.f("pk_ingested_days")),
    )
    for table in STAMPED:
        op.create_index(f"ix_{table}_connection_id_day", table, ["connection_id", "day"])
        op.create_index(f"ix_{table}_row_version", table, ["row_version"])
    for table, column in (
        ("psp_records", "payment_id"),
        ("settlement_lines", "payment_id"),
        ("settlement_lines", "payout_id"),
        ("settlement_lines", "source_id"),
    ):
        op.create_index(f"ix_{table}_connection_id_{column}", table, ["connection_id", column])
    op.create_index(
        "ix_psp_records_disputes",
        "psp_records",
        ["connection_id", "day"],
        postgresql_where=sa.text("kind = 'dispute'"),
    )
    op.create_index(
        "ix_ingested_days_reopened",
        "ingested_days",
        ["connection_id", "day"],
        postgresql_where=sa.text("state = 'reopened'"),
    )

    for table in STAMPED:
        op.execute(
            f"create trigger stamp before insert or update on {table}"
            " for each row execute function stamp_row_version()"
        )
    for table in (*STAMPED, "ingested_days"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(
            f"create policy tenant on {table} to tinko_app, tinko_readonly"
            f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
        )
        op.execute(
            f"create policy worker on {table} to tinko_worker using (true) with check (true)"
        )
        # what a PSP said is written by listings alone
        op.execute(f"grant select on {table} to tinko_app, tinko_readonly")
        op.execute(f"grant select, insert, update, delete on {table} to tinko_worker")


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
