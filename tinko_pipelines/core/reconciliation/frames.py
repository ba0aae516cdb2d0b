"""The frames that are matched: one schema each, and the words in which both sides are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import PaymentStatus

INSTANT = pl.Datetime("us", "UTC")
KEY = ("connection_id", "payment_id")


class Standing(StrEnum):
    """How a payment ended, in words that PSPs and the ledger share."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OPEN = "open"  # nobody knows yet
    NOT_MADE = "not_made"  # ours, and never sent: no PSP has it


PSP_STANDING: Mapping[PaymentStatus, Standing] = {
    PaymentStatus.CREATED: Standing.OPEN,
    PaymentStatus.PENDING: Standing.OPEN,
    PaymentStatus.REQUIRES_ACTION: Standing.OPEN,
    PaymentStatus.AUTHORIZED: Standing.OPEN,
    PaymentStatus.SUCCEEDED: Standing.SUCCEEDED,
    PaymentStatus.FAILED: Standing.FAILED,
}
LEDGER_STANDING: Mapping[AttemptState, Standing] = {
    AttemptState.SCHEDULED: Standing.NOT_MADE,
    AttemptState.CLAIMED: Standing.NOT_MADE,
    AttemptState.SUBMITTED: Standing.OPEN,
    AttemptState.SUCCEEDED: Standing.SUCCEEDED,
    AttemptState.FAILED: Standing.FAILED,
    AttemptState.PENDING: Standing.OPEN,
    AttemptState.REQUIRES_ACTION: Standing.OPEN,
    AttemptState.UNKNOWN: Standing.OPEN,
    AttemptState.NOT_SENT: Standing.NOT_MADE,
    AttemptState.CANCELLED: Standing.FAILED,
}

_SIDE: dict[str, Any] = {
    "connection_id": pl.String,
    "payment_id": pl.String,
    "status": pl.String,  # a Standing
    "amount_minor": pl.Int64,
    "refunded_minor": pl.Int64,
    "currency": pl.String,
}
# the PSP's payments
TRANSACTIONS = pl.Schema(
    {**_SIDE, "fee_minor": pl.Int64, "tax_minor": pl.Int64, "captured_at": INSTANT}
)
# our attempts that have a PSP's payment id
LEDGER = pl.Schema({**_SIDE, "obligation_id": pl.String, "attempt_id": pl.String})
_LINE: dict[str, Any] = {
    "connection_id": pl.String,
    "line_id": pl.String,
    "kind": pl.String,  # core/psp/settlement.LineKind
    "source_id": pl.String,
    "payment_id": pl.String,
    "payout_id": pl.String,
    "payout_status": pl.String,
    "gross_minor": pl.Int64,
    "fee_minor": pl.Int64,
    "tax_minor": pl.Int64,
    "net_minor": pl.Int64,
    "currency": pl.String,
    "exchange_rate": pl.String,  # text keeps every digit
    "on_hold": pl.Boolean,
    "available_on": INSTANT,
}
LINES = pl.Schema(_LINE)
PAYOUTS = pl.Schema(
    {
        "connection_id": pl.String,
        "payout_id": pl.String,
        "status": pl.String,
        "amount_minor": pl.Int64,
        "currency": pl.String,
        "itemised": pl.Boolean,
        "final": pl.Boolean,
    }
)
# refunds or disputes as the PSP has them
_AFTER: dict[str, Any] = {
    "connection_id": pl.String,
    "object_id": pl.String,
    "payment_id": pl.String,
    "status": pl.String,
    "amount_minor": pl.Int64,
    "currency": pl.String,
    "since": INSTANT,  # since when it stands so
}
AFTERMATH = pl.Schema(_AFTER)
# disputes as the ledger has them
KNOWN_DISPUTES = pl.Schema(
    {
        "connection_id": pl.String,
        "object_id": pl.String,
        "status": pl.String,
        "amount_minor": pl.Int64,
        "currency": pl.String,
    }
)
# `ledger`, `psp` and `line` are evidence: what each side has, as JSON; null where it has nothing
FINDINGS = pl.Schema(
    {
        "kind": pl.String,
        "leg": pl.String,
        "connection_id": pl.String,
        "subject_id": pl.String,  # the payment, refund, dispute, line or payout it is about
        "payment_id": pl.String,
        "currency": pl.String,
        "amount_minor": pl.Int64,  # at stake; minor units of `currency`
        "ledger": pl.String,
        "psp": pl.String,
        "line": pl.String,
    }
)


def empty(schema: pl.Schema) -> pl.DataFrame:
    """No rows of a schema."""
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class Books:
    """The three books of some payments of one PSP, and of its payouts.

    `lines` are all those about the payments of `transactions`, and payment lines of the same days
    about payments that the PSP does not list; `payout_lines` those of `payouts`.
    """

    transactions: pl.DataFrame
    ledger: pl.DataFrame
    lines: pl.DataFrame = field(default_factory=lambda: empty(LINES))
    refunds: pl.DataFrame = field(default_factory=lambda: empty(AFTERMATH))
    disputes: pl.DataFrame = field(default_factory=lambda: empty(AFTERMATH))
    known_disputes: pl.DataFrame = field(default_factory=lambda: empty(KNOWN_DISPUTES))
    payouts: pl.DataFrame = field(default_factory=lambda: empty(PAYOUTS))
    payout_lines: pl.DataFrame = field(default_factory=lambda: empty(LINES))
