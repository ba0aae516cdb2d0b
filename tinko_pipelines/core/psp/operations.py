"""What adapters are asked beside a charge: payments to come, doors, captures, refunds, notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tinko_pipelines.core.errors import InvalidInput, PspRejected
from tinko_pipelines.core.psp.types import CustomerSeen, DoorKind, DoorSeen, Observation


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to come: an object to collect through, which charges nobody by itself.

    `reference` is ours and unique: asked twice, the same object answers. `amount` in minor units.
    `capture` False leaves what is authorised to be captured by hand.
    """

    reference: str
    idempotency_key: str
    amount: int
    currency: str
    customer_ref: str | None = None
    description: str | None = None
    debt: str | None = None  # an older object of the same debt
    capture: bool = True

    def __post_init__(self) -> None:
        _positive(self.amount)


@dataclass(frozen=True, slots=True)
class DoorRequest:
    """A page of the PSP's own on which a payer pays `amount` (minor units), once.

    `reference` is ours and unique, at most 40 characters. `debt` is an older object of the same
    debt, at whichever PSP: people who look find it there. The caller holds the obligation's lock.
    """

    reference: str
    amount: int
    currency: str
    debt: str
    return_url: str
    description: str | None = None
    customer: CustomerSeen = field(default_factory=CustomerSeen)

    def __post_init__(self) -> None:
        _positive(self.amount)

    @classmethod
    def over_rest(cls, seen: Observation, kind: DoorKind, return_url: str) -> DoorRequest:
        """Over what is left of `seen`. Its reference counts the doors of `kind` before it: asked
        for twice, it is the same one. Raises PspRejected where nothing is known to be left."""
        left = (seen.due or 0) - (seen.paid or 0)
        if left <= 0 or seen.currency is None or not seen.refs:
            raise PspRejected("nothing is left to pay, or it is not known how much")
        debt = seen.refs[0].object_id
        earlier = sum(door.kind is kind for door in seen.doors)
        return cls(
            reference=f"{debt[:34]}-{earlier}",
            amount=left,
            currency=seen.currency,
            debt=debt,
            return_url=return_url,
            description=seen.description,
            customer=seen.customer,
        )


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """Take the money of an authorised payment. `amount` in minor units; None is all of it.

    The caller holds the obligation's lock and has seen that it is neither paid nor open through
    another door (DESIGN.md rule 6).
    """

    payment_id: str
    idempotency_key: str
    amount: int | None = None

    def __post_init__(self) -> None:
        _positive(self.amount)


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the money is back with the merchant


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give back all that is left of a payment, or `amount` minor units of it.

    `reference` is ours and unique: it is how `find_refund` knows the refund again.
    """

    payment_id: str
    reference: str
    idempotency_key: str
    amount: int | None = None

    def __post_init__(self) -> None:
        _positive(self.amount)


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """A refund as the PSP shows it. `amount` in minor units."""

    object_id: str
    status: RefundStatus
    payment_id: str
    amount: int
    currency: str
    created_at: datetime
    reference: str | None = None
    reason: str | None = None  # why it failed


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """Tell the payer of a debit ahead of it. `amount` in minor units.

    `debit_after` is the earliest instant of the debit; None takes the PSP's own default, which
    keeps the law's (India: 24 h). `door_id` is the debt's door that the debit retries.
    """

    attempt_id: str
    door_id: str
    amount: int
    currency: str
    payment_method_ref: str
    method: str
    debit_after: datetime | None = None
    capture: bool = True

    def __post_init__(self) -> None:
        _positive(self.amount)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that was asked for. Its delivery comes as an event (`notice_delivered`).

    `door` is what the debit must go through: `ChargeRequest.prepared`.
    """

    door: DoorSeen
    observation: Observation
    debit_after: datetime | None = None


def _positive(amount: int | None) -> None:
    if amount is None:
        return
    # a float that happens to be whole is still a mistake in its making
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise InvalidInput(f"an amount is a positive whole number of minor units, not {amount!r}")
