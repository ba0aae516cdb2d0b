"""Listed records as Polars frames of one fixed schema each: what is checked before it is loaded.

Every frame carries the columns of its table in sql order but `row_version`. A `Screen` stands
between the making of a frame and its upsert: it returns the rows to load, and sees to the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from tinko_pipelines.core.psp.records import PspRecord
from tinko_pipelines.core.psp.settlement import Payout, SettlementLine
from tinko_pipelines.core.psp.types import Psp

INSTANT = pl.Datetime("us", "UTC")
# an exchange rate as the PSP writes it: text keeps every digit
RATE = pl.String


def _schema(**columns: pl.DataType | type[pl.DataType]) -> pl.Schema:
    return pl.Schema(columns)


PSP_RECORDS = _schema(
    connection_id=pl.String,
    object_id=pl.String,
    org_id=pl.String,
    psp=pl.String,
    kind=pl.String,
    payment_id=pl.String,
    status=pl.String,
    amount_minor=pl.Int64,
    refunded_minor=pl.Int64,
    currency=pl.String,
    fee_minor=pl.Int64,
    tax_minor=pl.Int64,
    method=pl.String,
    created_at=INSTANT,
    captured_at=INSTANT,
    day=pl.Date,
    listed_at=INSTANT,
)
SETTLEMENT_LINES = _schema(
    connection_id=pl.String,
    line_id=pl.String,
    org_id=pl.String,
    psp=pl.String,
    kind=pl.String,
    source_id=pl.String,
    payment_id=pl.String,
    payout_id=pl.String,
    payout_status=pl.String,
    gross_minor=pl.Int64,
    fee_minor=pl.Int64,
    tax_minor=pl.Int64,
    net_minor=pl.Int64,
    currency=pl.String,
    created_at=INSTANT,
    available_on=INSTANT,
    settled_at=INSTANT,
    on_hold=pl.Boolean,
    exchange_rate=RATE,
    utr=pl.String,
    day=pl.Date,
    listed_at=INSTANT,
)
PAYOUTS = _schema(
    connection_id=pl.String,
    payout_id=pl.String,
    org_id=pl.String,
    psp=pl.String,
    status=pl.String,
    amount_minor=pl.Int64,
    currency=pl.String,
    created_at=INSTANT,
    utr=pl.String,
    itemised=pl.Boolean,
    final=pl.Boolean,
    day=pl.Date,
    listed_at=INSTANT,
)
# by the table they are loaded into
SCHEMAS: Mapping[str, pl.Schema] = {
    "psp_records": PSP_RECORDS,
    "settlement_lines": SETTLEMENT_LINES,
    "payouts": PAYOUTS,
}

Screen = Callable[[str, pl.DataFrame], pl.DataFrame]


def pass_all(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The `Screen` that lets every row through."""
    return frame


@dataclass(frozen=True, slots=True)
class Whose:
    """The connection that a frame's rows are of."""

    org_id: uuid.UUID
    connection_id: uuid.UUID
    psp: Psp


def records_frame(whose: Whose, records: Iterable[PspRecord], at: datetime) -> pl.DataFrame:
    """`PSP_RECORDS` rows of what was listed `at` (business time)."""
    return _frame(
        PSP_RECORDS,
        whose,
        at,
        (
            {
                "object_id": one.object_id,
                "kind": one.kind.value,
                "payment_id": one.payment_id,
                "status": one.status.value,
                "amount_minor": one.amount,
                "refunded_minor": one.refunded,
                "currency": one.currency,
                "fee_minor": one.fee,
                "tax_minor": one.tax,
                "method": one.method,
                "created_at": one.created_at,
                "captured_at": one.created_at if one.captured else None,
                "day": _day(one.created_at),
            }
            for one in records
        ),
    )


def lines_frame(whose: Whose, lines: Iterable[SettlementLine], at: datetime) -> pl.DataFrame:
    """`SETTLEMENT_LINES` rows of what was listed `at` (business time)."""
    return _frame(
        SETTLEMENT_LINES,
        whose,
        at,
        (
            {
                "line_id": one.line_id,
                "kind": one.kind.value,
                "source_id": one.source_id,
                "payment_id": one.payment_id,
                "payout_id": one.payout_id,
                "payout_status": one.payout_status.value if one.payout_status else None,
                "gross_minor": one.gross,
                "fee_minor": one.fee,
                "tax_minor": one.tax,
                "net_minor": one.net,
                "currency": one.currency,
                "created_at": one.created_at,
                "available_on": one.available_on,
                "settled_at": one.settled_at,
                "on_hold": one.on_hold,
                "exchange_rate": None if one.exchange_rate is None else str(one.exchange_rate),
                "utr": one.utr,
                "day": _day(one.settled_at or one.created_at),
            }
            for one in lines
        ),
    )


def payouts_frame(whose: Whose, payouts: Iterable[Payout], at: datetime) -> pl.DataFrame:
    """`PAYOUTS` rows of what was listed `at` (business time)."""
    return _frame(
        PAYOUTS,
        whose,
        at,
        (
            {
                "payout_id": one.payout_id,
                "status": one.status.value,
                "amount_minor": one.amount,
                "currency": one.currency,
                "created_at": one.created_at,
                "utr": one.utr,
                "itemised": one.itemised,
                "final": one.final,
                "day": _day(one.created_at),
            }
            for one in payouts
        ),
    )


def _frame(
    schema: pl.Schema, whose: Whose, at: datetime, rows: Iterable[Mapping[str, Any]]
) -> pl.DataFrame:
    own = {
        "org_id": str(whose.org_id),
        "connection_id": str(whose.connection_id),
        "psp": whose.psp.value,
        "listed_at": at,
    }
    return pl.from_dicts([{**own, **one} for one in rows], schema=schema, strict=True)


def _day(at: datetime) -> Any:
    return at.astimezone(UTC).date()
