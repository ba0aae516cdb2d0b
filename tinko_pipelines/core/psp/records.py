"""Payments, refunds and disputes as a PSP lists them, in the same words for every PSP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tinko_pipelines.core.psp.operations import RefundSeen, RefundStatus
from tinko_pipelines.core.psp.types import DisputeSeen, DisputeStatus, PaymentSeen, PaymentStatus

# card networks give a dispute some 45 days, and as many again for its arbitration: every listing
# of a span looks at the disputes of this long before it, since they end in no listing of new ones
DISPUTES_LAST = timedelta(days=90)


class RecordKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"


# the words a record's status is one of, by its kind
VOCABULARY: Mapping[RecordKind, type[StrEnum]] = {
    RecordKind.PAYMENT: PaymentStatus,
    RecordKind.REFUND: RefundStatus,
    RecordKind.DISPUTE: DisputeStatus,
}


@dataclass(frozen=True, slots=True)
class PspRecord:
    """One payment, refund or dispute as the PSP shows it now. Amounts in minor units.

    `payment_id` is what a refund or dispute is about, and a payment's own id. `refunded` is what
    was given back of a payment in all, 0 for the other kinds; of one that `lapsed` nothing was ever
    captured. `fee` includes `tax`; both None where this PSP does not say them here.
    """

    kind: RecordKind
    object_id: str
    payment_id: str
    status: PaymentStatus | RefundStatus | DisputeStatus
    amount: int
    currency: str
    created_at: datetime
    refunded: int = 0
    lapsed: bool = False
    fee: int | None = None
    tax: int | None = None
    method: str = "unknown"

    @property
    def captured(self) -> bool:
        """Whether it is a payment whose money was taken."""
        succeeded = self.kind is RecordKind.PAYMENT and self.status is PaymentStatus.SUCCEEDED
        return succeeded and not self.lapsed


def payment_record(seen: PaymentSeen, fee: int | None = None, tax: int | None = None) -> PspRecord:
    """A payment's record."""
    return PspRecord(
        kind=RecordKind.PAYMENT,
        object_id=seen.object_id,
        payment_id=seen.object_id,
        status=seen.status,
        amount=seen.amount,
        currency=seen.currency,
        created_at=seen.occurred_at,
        refunded=seen.refunded or 0,
        lapsed=seen.lapsed,
        fee=fee,
        tax=tax,
        method=seen.method,
    )


def refund_record(seen: RefundSeen) -> PspRecord:
    """A refund's record."""
    return PspRecord(
        kind=RecordKind.REFUND,
        object_id=seen.object_id,
        payment_id=seen.payment_id,
        status=seen.status,
        amount=seen.amount,
        currency=seen.currency,
        created_at=seen.created_at,
    )


def dispute_record(seen: DisputeSeen, created_at: datetime) -> PspRecord:
    """A dispute's record."""
    return PspRecord(
        kind=RecordKind.DISPUTE,
        object_id=seen.object_id,
        payment_id=seen.payment_id,
        status=seen.status,
        amount=seen.amount,
        currency=seen.currency,
        created_at=created_at,
    )
