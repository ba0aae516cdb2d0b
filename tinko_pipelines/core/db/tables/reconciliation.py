"""What reconciliation keeps: the history of findings, each day's money, and what settled."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Numeric, Table, Text
from sqlalchemy import text as sql

from tinko_pipelines.core.db.tables.base import (
    document,
    instant,
    key,
    metadata,
    minor,
    ref,
    text,
)

# append-only: a trigger writes each change of state, whoever makes it; repairs write their own
finding_events = Table(
    "finding_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=True),
    ref("org_id"),
    ref("finding_id"),
    text("action"),  # core/reconciliation/review.Action
    text("from_state", required=False),
    text("to_state", required=False),
    text("by"),
    text("note", required=False),
    document("detail", required=False),
    instant("at"),
    Index("ix_finding_events_finding_id", "finding_id"),
)

# one row per connection, day and currency; all sums are of that currency alone.
# ledger = matched + findings, and psp = matched + psp_findings
reconciled_days = Table(
    "reconciled_days",
    metadata,
    key("connection_id"),
    Column("day", Date, primary_key=True),
    Column("currency", Text, primary_key=True),
    ref("org_id"),
    text("psp"),
    minor("ledger_minor"),
    minor("psp_minor"),
    minor("matched_minor"),
    minor("findings_minor"),
    minor("psp_findings_minor"),
    minor("settled_minor"),
    minor("fee_minor"),
    minor("tax_minor"),
    Column("ledger_count", BigInteger, nullable=False),
    Column("psp_count", BigInteger, nullable=False),
    Column("findings_count", BigInteger, nullable=False),
    instant("reconciled_at"),
    instant("reported_at", required=False),  # null until a stored report tells it
    Index("ix_reconciled_days_org_id_day", "org_id", "day"),
    Index(
        "ix_reconciled_days_unreported",
        "day",
        postgresql_where=sql("reported_at IS NULL"),
    ),
)

# days of which a record, line, payout or attempt changed since they were reconciled, and those on
# which something becomes late as time passes; reconciling a day takes it out
unreconciled_days = Table(
    "unreconciled_days",
    metadata,
    key("connection_id"),
    Column("day", Date, primary_key=True),
    ref("org_id"),
    instant("noted_at"),
)

# where the money of each recovery is: the winning charge, its settlement line and its payout.
# amount and currency are the payer's, gross to net the balance's; the rate leads from one to other
settlements = Table(
    "settlements",
    metadata,
    key("case_id"),
    ref("org_id"),
    ref("connection_id"),
    ref("obligation_id"),
    text("state"),  # core/reconciliation/settling.SettlementState
    text("reason"),
    text("payment_id", required=False),
    minor("amount_minor"),
    text("currency"),
    text("line_id", required=False),
    text("payout_id", required=False),
    minor("gross_minor", required=False),
    minor("fee_minor", required=False),
    minor("tax_minor", required=False),
    minor("net_minor", required=False),
    text("settled_currency", required=False),
    Column("exchange_rate", Numeric, nullable=True),
    text("utr", required=False),
    Column("due_on", Date, nullable=True),
    instant("settled_at", required=False),
    instant("updated_at"),
    Index("ix_settlements_connection_id_payout_id", "connection_id", "payout_id"),
)
