"""reconciliation: days, findings and their repairs"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"

HISTORY = """
create function record_finding_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or old.state is distinct from new.state then
        insert into finding_events (
            org_id, finding_id, action, from_state, to_state, by, note, at
        )
        values (
            new.org_id, new.id, 'state', case when tg_op = 'UPDATE' then old.state end, new.state,
            new.changed_by, case when tg_op = 'UPDATE' then new.note end, new.updated_at
        );
    end if;
    return null;
end $$;
"""


def text(name: str, nullable: bool = False, default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Text(), server_default=default, nullable=nullable)


def uuid(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.UUID(), nullable=nullable)


def instant(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def number(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade():
    for column in (
        uuid("connection_id", nullable=True),
        text("psp", nullable=True),
        text("leg", nullable=True),
        text("subject_id", nullable=True),
        text("payment_id", nullable=True),
        number("amount_minor", nullable=True),
        text("currency", nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        text("owner", nullable=True),
        text("note", nullable=True),
        text("changed_by", default="ledger"),
        text("repair_state", nullable=True),
        text("repair_by", nullable=True),
        instant("repair_wall", nullable=True),
        instant("last_seen_at", nullable=True),
        instant("closed_at", nullable=True),
    ):
        op.add_column("findings", column)
    # the owner writes past the policies only while they are not forced on it
    op.execute("alter table findings no force row level security")
    op.execute(
        "update findings set state = 'fixed', closed_at = updated_at where state = 'resolved'"
    )
    op.execute("alter table findings force row level security")
    op.create_index("ix_findings_connection_id_day", "findings", ["connection_id", "day"])
    op.create_index("ix_findings_org_id_id", "findings", ["org_id", "id"])
    op.create_index(
        "ix_findings_repair",
        "findings",
        ["id"],
        postgresql_where=sa.text("repair_state IN ('requested', 'applying')"),
    )
    op.create_table(
        "finding_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=True, nullable=False),
        uuid("org_id"),
        uuid("finding_id"),
        text("action"),
        text("from_state", nullable=True),
        text("to_state", nullable=True),
        text("by"),
        text("note", nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=True),
        instant("at"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_finding_events")),
    )
    op.create_index("ix_finding_events_finding_id", "finding_events", ["finding_id"])
    op.create_table(
        "reconciled_days",
        uuid("connection_id"),
        sa.Column("day", sa.Date(), nullable=False),
        text("currency"),
        uuid("org_id"),
        text("psp"),
        *(
            number(name)
            for name in (
                "ledger_minor",
                "psp_minor",
                "matched_minor",
                "findings_minor",
                "psp_findings_minor",
                "settled_minor",
                "fee_minor",
                "tax_minor",
                "ledger_count",
                "psp_count",
                "findings_count",
            )
        ),
        instant("reconciled_at"),
        sa.PrimaryKeyConstraint(
            "connection_id", "day", "currency", name=op.f("pk_reconciled_days")
        ),
    )
    op.create_index("ix_reconciled_days_org_id_day", "reconciled_days", ["org_id", "day"])
    op.create_table(
        "settlements",
        uuid("case_id"),
        uuid("org_id"),
        uuid("connection_id"),
        uuid("obligation_id"),
        text("state"),
        text("reason"),
        text("payment_id", nullable=True),
        number("amount_minor"),
        text("currency"),
        text("line_id", nullable=True),
        text("payout_id", nullable=True),
        number("gross_minor", nullable=True),
        number("fee_minor", nullable=True),
        number("tax_minor", nullable=True),
        number("net_minor", nullable=True),
        text("settled_currency", nullable=True),
        sa.Column("exchange_rate", sa.Numeric(), nullable=True),
        text("utr", nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        instant("settled_at", nullable=True),
        instant("updated_at"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_settlements")),
    )
    op.create_index(
        "ix_settlements_connection_id_payout_id", "settlements", ["connection_id", "payout_id"]
    )
    op.create_index(
        "ix_cases_recovered", "cases", ["id"], postgresql_where=sa.text("state = 'recovered'")
    )
    op.create_index(
        "ix_attempts_connection_id_occurred_at",
        "attempts",
        ["connection_id", "occurred_at"],
        postgresql_where=sa.text("psp_payment_id IS NOT NULL"),
    )

    op.execute(HISTORY)
    op.execute(
        "create trigger history after insert or update on findings"
        " for each row execute function record_finding_change()"
    )
    for table in ("finding_events", "reconciled_days", "settlements"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(
            f"create policy tenant on {table} to tinko_app, tinko_readonly"
            f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
        )
        op.execute(
            f"create policy worker on {table} to tinko_worker using (true) with check (true)"
        )
        op.execute(f"grant select on {table} to tinko_app, tinko_worker, tinko_readonly")
    op.execute("grant insert on finding_events to tinko_app, tinko_worker")
    op.execute("grant insert, update, delete on reconciled_days, settlements to tinko_worker")
    op.execute("grant usage on sequence finding_events_seq_seq to tinko_app, tinko_worker")


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
