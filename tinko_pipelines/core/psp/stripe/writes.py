"""Payments to come and captures at Stripe."""

from __future__ import annotations

from tinko_pipelines.core.errors import PspRejected, PspUnreachable
from tinko_pipelines.core.psp.operations import CaptureRequest, PaymentRequest
from tinko_pipelines.core.psp.stripe import mapping
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.types import Outcome, PaymentStatus

REFERENCE = "tinko_reference"


def create_payment(calls: StripeCalls, request: PaymentRequest) -> Outcome:
    """An unconfirmed PaymentIntent. Asked again with the same key, the same one answers."""
    marks = {REFERENCE: request.reference, mapping.DEBT: request.debt}
    wanted = {
        "customer": request.customer_ref,
        "description": request.description,
        "metadata": {name: value for name, value in marks.items() if value},
    }
    made = calls.post(
        "/v1/payment_intents",
        request.idempotency_key,
        amount=request.amount,
        currency=request.currency.lower(),
        capture_method="automatic" if request.capture else "manual",
        **{name: value for name, value in wanted.items() if value},
    )
    return Outcome(PaymentStatus.CREATED, mapping.payment_intent(made), sent=False)


def capture(calls: StripeCalls, request: CaptureRequest) -> Outcome:
    """Capture an authorised charge, all or part of it; what is left of it is released.

    One that is captured already is a success and nothing is sent. Raises PspRejected where it is
    not authorised (any more), PspUnreachable where it is not known whether it was captured: then
    the same call answers it.
    """
    try:
        seen = mapping.charge(calls.get(f"/v1/charges/{request.payment_id}"))
    except PspUnreachable as error:
        return Outcome(None, sent=False, detail=error.detail)
    payment = seen.payments[0]
    if payment.status is PaymentStatus.SUCCEEDED:
        return Outcome(payment.status, seen, detail="it was captured before")
    if payment.status is not PaymentStatus.AUTHORIZED or payment.door is None:
        raise PspRejected(f"{request.payment_id} is {payment.status}: there is nothing to capture")
    answer = calls.post(
        f"/v1/payment_intents/{payment.door}/capture",
        request.idempotency_key,
        amount_to_capture=request.amount or payment.amount,
        expand=["latest_charge"],
    )
    now = mapping.payment_intent(answer)
    return Outcome(now.payments[0].status if now.payments else None, now)
