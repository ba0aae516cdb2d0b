"""Payouts and the lines they are made of, in the same words for every PSP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class LineKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    FEE = "fee"
    TRANSFER = "transfer"
    PAYOUT_FAILURE = "payout_failure"  # a payout that came back to the balance
    ADJUSTMENT = "adjustment"
    OTHER = "other"


class PayoutStatus(StrEnum):
    PENDING = "pending"  # made, or on its way to the bank
    PAID = "paid"  # a paid payout can still become failed
    FAILED = "failed"
    CANCELLED = "cancelled"


class PayoutInterval(StrEnum):
    """How often an account's balance is paid out, as its PSP says."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    MANUAL = "manual"  # whenever the merchant asks for it


@dataclass(frozen=True, slots=True)
class Payout:
    """One transfer to the merchant's bank. `amount` in minor units, the sum of its lines' net.

    `itemised` is False where the PSP cannot list the lines (a manual Stripe payout), `final` once
    it will list no more of them.
    """

    payout_id: str
    status: PayoutStatus
    amount: int
    currency: str
    created_at: datetime
    utr: str | None = None  # the bank's own reference, where there is one
    itemised: bool = True
    final: bool = True


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One movement of the merchant's balance. Minor units; money out is negative.

    `net = gross - fee` always; `fee` is all that the PSP keeps, `tax` the part of it that is tax
    (Razorpay's fee includes its tax, and so does Stripe's). `currency` is that of the balance;
    where the payer paid in another, `exchange_rate` is what one unit of the payer's money came to.
    """

    line_id: str
    kind: LineKind
    source_id: str | None  # the payment, refund, dispute or payout it is about
    payment_id: str | None  # the payment behind that, where the PSP says
    payout_id: str | None  # None: not paid out yet
    payout_status: PayoutStatus | None
    gross: int
    fee: int
    tax: int
    net: int
    currency: str
    created_at: datetime
    available_on: datetime | None = None
    settled_at: datetime | None = None
    on_hold: bool = False
    exchange_rate: Decimal | None = None
    utr: str | None = None
