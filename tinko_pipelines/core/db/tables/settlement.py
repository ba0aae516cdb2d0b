"""The PSPs' own word: what they list, settle and pay out, and which days of it were listed.

`day` is the UTC date a row belongs to, and the partition of its asset; `listed_at` when a listing
first said what the row says now: a listing that says nothing new leaves the row alone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Numeric, Table
from sqlalchemy import text as sql

from tinko_pipelines.core.db.tables.base import (
    document,
    instant,
    key,
    metadata,
    minor,
    ref,
    row_version,
    text,
)

# payments, refunds and disputes as the PSP shows them
psp_records = Table(
    "psp_records",
    metadata,
    key("connection_id"),
    text("object_id", primary_key=True),
    ref("org_id"),
    text("psp"),
    text("kind"),  # core/psp/records.RecordKind
    text("payment_id"),  # what it is about; a payment's own id
    text("status"),  # in the vocabulary of its kind: core/psp/records.VOCABULARY
    minor("amount_minor"),
    minor("refunded_minor", server_default="0"),  # of a payment, in all
    text("currency"),
    minor("fee_minor", required=False),  # includes the tax; null where the PSP does not say
    minor("tax_minor", required=False),
    text("method"),
    instant("created_at"),
    # created_at where it was captured when first listed, else when a listing first said so
    instant("captured_at", required=False),
    Column("day", Date, nullable=False),  # of created_at
    instant("listed_at"),
    row_version(),
    Index("ix_psp_records_connection_id_day", "connection_id", "day"),
    Index("ix_psp_records_connection_id_payment_id", "connection_id", "payment_id"),
    Index("ix_psp_records_row_version", "row_version"),
    # few rows, looked at over months with every listing
    Index(
        "ix_psp_records_disputes",
        "connection_id",
        "day",
        postgresql_where=sql("kind = 'dispute'"),
    ),
)

# movements of the merchant's balance; minor units, money out negative, net = gross - fee
settlement_lines = Table(
    "settlement_lines",
    metadata,
    key("connection_id"),
    text("line_id", primary_key=True),
    ref("org_id"),
    text("psp"),
    text("kind"),  # core/psp/settlement.LineKind
    text("source_id", required=False),
    text("payment_id", required=False),
    text("payout_id", required=False),
    text("payout_status", required=False),  # core/psp/settlement.PayoutStatus, kept up to date
    minor("gross_minor"),
    minor("fee_minor"),
    minor("tax_minor"),
    minor("net_minor"),
    text("currency"),
    instant("created_at"),
    instant("available_on", required=False),
    instant("settled_at", required=False),
    Column("on_hold", Boolean, nullable=False, server_default="false"),
    Column("exchange_rate", Numeric, nullable=True),
    text("utr", required=False),
    Column("day", Date, nullable=False),  # of settled_at, of created_at while not settled
    instant("listed_at"),
    row_version(),
    Index("ix_settlement_lines_connection_id_day", "connection_id", "day"),
    Index("ix_settlement_lines_connection_id_payment_id", "connection_id", "payment_id"),
    Index("ix_settlement_lines_connection_id_payout_id", "connection_id", "payout_id"),
    Index("ix_settlement_lines_connection_id_source_id", "connection_id", "source_id"),
    Index("ix_settlement_lines_row_version", "row_version"),
)

payouts = Table(
    "payouts",
    metadata,
    key("connection_id"),
    text("payout_id", primary_key=True),
    ref("org_id"),
    text("psp"),
    text("status"),  # core/psp/settlement.PayoutStatus
    minor("amount_minor"),
    text("currency"),
    instant("created_at"),
    text("utr", required=False),
    Column("itemised", Boolean, nullable=False),  # false: the PSP cannot list its lines
    Column("final", Boolean, nullable=False),  # the PSP will list no more lines of it
    Column("day", Date, nullable=False),  # of created_at
    instant("listed_at"),
    row_version(),
    Index("ix_payouts_connection_id_day", "connection_id", "day"),
    Index("ix_payouts_row_version", "row_version"),
)

# how often a connection's balance is paid out, as its PSP last said
payout_schedules = Table(
    "payout_schedules",
    metadata,
    key("connection_id"),
    ref("org_id"),
    # core/psp/settlement.PayoutInterval; null: it does not say
    text("payout_interval", required=False),
    instant("since"),  # business time from which on it said so
)

webhook_watch = Table(
    "webhook_watch",
    metadata,
    key("connection_id"),
    ref("org_id"),
    text("psp"),
    text("hearing"),  # core/ingestion/watch.Hearing
    instant("since"),  # business time from which on it was found so
    instant("looked_wall"),
)

ingested_days = Table(
    "ingested_days",
    metadata,
    key("connection_id"),
    text("kind", primary_key=True),  # core/ingestion/days.DayKind
    Column("day", Date, primary_key=True),
    ref("org_id"),
    text("psp"),
    text("state"),  # core/ingestion/days.DayState
    document("cursor", required=False),  # where a listing that was cut short goes on
    Column("listed", BigInteger, nullable=False, server_default="0"),  # rows that stand
    Column("late", BigInteger, nullable=False, server_default="0"),  # changed after it was closed
    Column("healed", BigInteger, nullable=False, server_default="0"),  # events webhooks missed
    instant("first_listed_at", required=False),
    instant("last_listed_at", required=False),
    instant("reopened_at", required=False),  # the last time
    Index(
        "ix_ingested_days_reopened",
        "connection_id",
        "day",
        postgresql_where=sql("state = 'reopened'"),
    ),
)
