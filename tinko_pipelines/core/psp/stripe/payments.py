"""A Stripe charge is one attempt: read it, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.psp.payload import card_network, instant, number, object_id, part, text
from tinko_pipelines.core.psp.types import PaymentSeen, PaymentStatus

EPOCH = datetime.fromtimestamp(0, UTC)


def payment(
    charge: Mapping[str, Any], at: datetime | None = None, idempotency_key: str | None = None
) -> PaymentSeen:
    """The attempt a charge is. `at` is when it was seen so, `idempotency_key` that of the call
    that made it, both as far as an event says them."""
    created = instant(charge, "created") or EPOCH
    kind = text(charge, "payment_method_details", "type") or "unknown"
    details = part(charge, "payment_method_details", kind)
    status = _status(charge)
    captured = number(charge, "amount_captured")
    amount = number(charge, "amount") or 0
    return PaymentSeen(
        object_id=str(charge["id"]),
        status=status,
        amount=captured or amount if status is PaymentStatus.SUCCEEDED else amount,
        currency=str(charge.get("currency") or "").upper(),
        occurred_at=created,
        updated_at=at or created,
        method=kind,
        network=_network(details),
        country=text(details, "country"),
        instrument_key=text(details, "fingerprint"),
        payment_method_ref=object_id(charge.get("payment_method")),
        # only somebody who holds the card can type its code
        payer_present=text(details, "checks", "cvc_check") == "pass",
        refunded=number(charge, "amount_refunded") or 0,
        disputed=charge.get("disputed") is True,
        door=object_id(charge.get("payment_intent")),
        idempotency_key=idempotency_key,
        tinko_attempt=text(charge, "metadata", "tinko_attempt"),
        error=_error(charge) if status is PaymentStatus.FAILED else None,
    )


def _network(details: Any) -> str | None:
    return card_network(text(details, "network") or text(details, "brand"))


def _status(charge: Mapping[str, Any]) -> PaymentStatus:
    status = charge.get("status")
    if status == "succeeded":
        held = charge.get("captured") is False
        return PaymentStatus.AUTHORIZED if held else PaymentStatus.SUCCEEDED
    return PaymentStatus.FAILED if status == "failed" else PaymentStatus.PENDING


def _error(charge: Mapping[str, Any]) -> ErrorInfo:
    """Why a charge failed. A charge has no decline code of its own: where the issuer declined,
    `outcome.reason` is that code; where Stripe blocked it, it is Stripe's reason."""
    outcome = part(charge, "outcome")
    reason = text(outcome, "reason")
    kind = text(charge, "payment_method_details", "type") or ""
    details = part(charge, "payment_method_details", kind)
    return ErrorInfo(
        psp="stripe",
        code=text(charge, "failure_code"),
        decline_code=None if text(outcome, "type") == "blocked" else reason,
        reason=reason,
        network=_network(details),
        network_decline_code=text(outcome, "network_decline_code"),
        network_advice_code=text(outcome, "network_advice_code"),
        advice_code=text(outcome, "advice_code"),
        description=text(charge, "failure_message") or text(outcome, "seller_message"),
    )


def error_of(error: Mapping[str, Any]) -> ErrorInfo:
    """The same from an API error, or a PaymentIntent's `last_payment_error`."""
    kind = text(error, "payment_method", "type") or ""
    details = part(error, "payment_method", kind)
    return ErrorInfo(
        psp="stripe",
        code=text(error, "code"),
        decline_code=text(error, "decline_code"),
        network=_network(details),
        network_decline_code=text(error, "network_decline_code"),
        network_advice_code=text(error, "network_advice_code"),
        advice_code=text(error, "advice_code"),
        description=text(error, "message"),
    )


def failed_by_error(
    error: Mapping[str, Any], amount: int, currency: str, at: datetime, idempotency_key: str
) -> PaymentSeen | None:
    """The failed attempt an API error tells of, where the charge itself cannot be read; None
    where the error names no charge."""
    charge = text(error, "charge")
    if charge is None:
        return None
    kind = text(error, "payment_method", "type") or "unknown"
    details = part(error, "payment_method", kind)
    return PaymentSeen(
        object_id=charge,
        status=PaymentStatus.FAILED,
        amount=amount,
        currency=currency,
        occurred_at=at,
        updated_at=at,
        method=kind,
        network=_network(details),
        country=text(details, "country"),
        instrument_key=text(details, "fingerprint"),
        payment_method_ref=text(error, "payment_method", "id"),
        door=text(error, "payment_intent", "id"),
        idempotency_key=idempotency_key,
        error=error_of(error),
    )
