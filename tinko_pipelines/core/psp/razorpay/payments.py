"""A Razorpay payment is one attempt: read it, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.psp.payload import card_network, instant, number, tags, text
from tinko_pipelines.core.psp.types import CustomerSeen, PaymentSeen, PaymentStatus

EPOCH = datetime.fromtimestamp(0, UTC)
_STATUS = {
    "created": PaymentStatus.CREATED,
    "pending": PaymentStatus.PENDING,
    "authorized": PaymentStatus.AUTHORIZED,
    "captured": PaymentStatus.SUCCEEDED,
    "refunded": PaymentStatus.SUCCEEDED,
    "failed": PaymentStatus.FAILED,
}
# what Razorpay writes where a payer gave no address
_NO_EMAIL = "void@razorpay.com"


def payment(entity: Mapping[str, Any], at: datetime | None = None) -> PaymentSeen:
    """The attempt a payment is; `at` is when it was seen so, as far as an event says it.

    A recurring payment that is `created` is with the bank, for a day or more; any other one
    waits for its payer.
    """
    created = instant(entity, "created_at") or EPOCH
    token = text(entity, "token_id")
    status = _STATUS.get(str(entity.get("status")), PaymentStatus.PENDING)
    if status is PaymentStatus.CREATED and token:
        status = PaymentStatus.PENDING
    return PaymentSeen(
        object_id=str(entity["id"]),
        status=status,
        amount=number(entity, "amount") or 0,
        currency=str(entity.get("currency") or "INR").upper(),
        occurred_at=created,
        updated_at=at or created,
        method=text(entity, "method") or "unknown",
        network=card_network(text(entity, "card", "network")),
        # Razorpay does not name the country of a foreign card
        country=None if entity.get("international") is True else "IN",
        instrument_key=token,
        payment_method_ref=token,
        payer_present=token is None,
        refunded=number(entity, "amount_refunded") or 0,
        lapsed=entity.get("status") == "refunded" and entity.get("captured") is False,
        door=text(entity, "order_id"),
        tinko_attempt=text(entity, "notes", "tinko_attempt"),
        error=error_of(entity) if status is PaymentStatus.FAILED else None,
    )


def error_of(entity: Mapping[str, Any]) -> ErrorInfo:
    """Why a payment failed: Razorpay's five error fields. Match on the reason, not on the code."""
    return ErrorInfo(
        psp="razorpay",
        code=text(entity, "error_code"),
        reason=text(entity, "error_reason"),
        source=text(entity, "error_source"),
        step=text(entity, "error_step"),
        network=card_network(text(entity, "card", "network")),
        description=text(entity, "error_description"),
    )


def payer(entity: Mapping[str, Any]) -> CustomerSeen:
    """Who pays, as a payment says it."""
    email = text(entity, "email")
    return CustomerSeen(
        ref=text(entity, "customer_id"),
        email=None if email == _NO_EMAIL else email,
        phone=text(entity, "contact"),
        country=country_of(text(entity, "contact")),
        tags=tags(entity, "notes"),
    )


def country_of(phone: str | None) -> str | None:
    """The country of a payer's number, where it is told with India's prefix; Razorpay says no
    other. None for the rest."""
    return "IN" if (phone or "").startswith("+91") else None
