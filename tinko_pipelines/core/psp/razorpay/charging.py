"""One off-session charge at Razorpay: a new order, then a recurring payment on it.

Razorpay has no idempotency header for a charge. Our attempt is known by the order's receipt, which
is the attempt's id, and by its notes; an order without a payment has charged nobody.
"""

from __future__ import annotations

from typing import Any

from tinko_pipelines.core.errors import PspError, PspRejected, PspUnreachable
from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.payload import number, text
from tinko_pipelines.core.psp.razorpay import mapping, orders
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls, RazorpayRefusal, meaning
from tinko_pipelines.core.psp.razorpay.reads import WITH_CARD
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    DoorKind,
    Observation,
    Outcome,
    PaymentStatus,
    Ref,
    RefKind,
)


def charge(calls: RazorpayCalls, request: ChargeRequest) -> Outcome:
    """Debit the token on the order prepared for this attempt, else order again with a fresh
    pre-debit notice where the earlier order had one. The debit itself may come a day later: the
    payment is pending until then. A prepared order that was debited already answers for itself.

    Raises PspRejected where this debt is not ours to charge or Razorpay refused, PspUnreachable
    where it is not known whether it was charged.
    """
    if request.door_kind is not DoorKind.ORDER:
        raise PspRejected(f"a {request.door_kind} is collected by Razorpay or paid by its payer")
    try:
        if request.prepared is not None:
            order = orders.prepared(calls, request)
            if number(order, "attempts"):
                return find_attempt(calls, request)
            customer = _payer(calls, request)
        else:
            earlier = calls(calls.sdk.order.fetch, request.door_id)
            customer = _payer(calls, request)
            order = orders.renew(calls, request, earlier)
    except PspUnreachable as error:
        # perhaps there is an order more, but nobody was charged through it
        return Outcome(None, sent=False, detail=error.detail)
    ordered = merge_all(
        [Observation(refs=(Ref(RefKind.ORDER, request.door_id),)), mapping.order(order)]
    )
    detail = None
    try:
        answer = calls.collect(
            calls.sdk.payment.createRecurring, _debit(request, customer, str(order["id"]))
        )
        payment_id = text(answer, "razorpay_payment_id") or text(answer, "id")
    except RazorpayRefusal as refusal:
        if refusal.payment_id is None:
            raise meaning(refusal) from refusal
        # declined at once: the payment exists and says why
        payment_id, detail = refusal.payment_id, str(refusal)
    if payment_id is None:
        raise PspUnreachable("Razorpay accepted the debit and named no payment")
    return _outcome(calls, ordered, payment_id, detail)


def find_attempt(calls: RazorpayCalls, request: ChargeRequest) -> Outcome:
    """The payment on the order whose receipt is this attempt, if there is one."""
    made = orders.of_attempt(calls, request.attempt_id)
    seen = merge_all(
        [Observation(refs=(Ref(RefKind.ORDER, request.door_id),)), *map(mapping.order, made)]
    )
    payments = [
        mapping.payment(one)
        for order in made
        for one in calls.items(calls.sdk.order.payments, str(order["id"]))
        # a payer may have paid on our order meanwhile
        if text(one, "token_id")
    ]
    seen = merge_all([seen, *payments])
    ours = max(seen.payments, key=lambda one: one.occurred_at, default=None)
    if ours is None:
        said = "an order without a payment" if made else "no order of this attempt"
        return Outcome(None, seen if made else None, detail=said)
    return Outcome(ours.status, seen)


def _debit(request: ChargeRequest, payer: dict[str, str], order_id: str) -> dict[str, Any]:
    return {
        **payer,
        "amount": request.amount,
        "currency": request.currency,
        "order_id": order_id,
        "customer_id": request.customer_ref,
        "token": request.payment_method_ref,
        "recurring": True,
        "description": request.description or "",
        "notes": orders.notes(request.attempt_id, request.door_id),
    }


def _payer(calls: RazorpayCalls, request: ChargeRequest) -> dict[str, str]:
    """E-mail and contact, which Razorpay insists on; the customer's own where we know none."""
    email, phone = request.email, request.phone
    if request.customer_ref is None:
        raise PspRejected("a token is charged with its customer, and none is known")
    if not (email and phone):
        customer = calls(calls.sdk.customer.fetch, request.customer_ref)
        email = email or text(customer, "email")
        phone = phone or text(customer, "contact")
    if not (email and phone):
        raise PspRejected("Razorpay asks for the payer's e-mail and phone, and none is known")
    return {"email": email, "contact": phone}


def _outcome(
    calls: RazorpayCalls, ordered: Observation, payment_id: str, detail: str | None
) -> Outcome:
    """What came of a payment that exists. One that cannot be read yet is pending."""
    try:
        payment = mapping.payment(calls(calls.sdk.payment.fetch, payment_id, WITH_CARD))
    except PspError as error:
        named = Observation(refs=(Ref(RefKind.PAYMENT, payment_id),))
        return Outcome(PaymentStatus.PENDING, merge_all([ordered, named]), detail=error.detail)
    seen = merge_all([ordered, payment])
    return Outcome(payment.payments[0].status, seen, detail=detail)
