"""One off-session charge at Razorpay: a new order, then a recurring payment on it.

Razorpay has no idempotency header. Our attempt is known by the order's receipt, which is the
attempt's id, and by its notes; an order without a payment has charged nobody.
"""

from __future__ import annotations

from typing import Any

from tinko_pipelines.core.errors import PspError, PspRejected, PspUnreachable
from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.payload import part, text
from tinko_pipelines.core.psp.razorpay import mapping
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

_RECEIPT_LENGTH = 40
ATTEMPT = "tinko_attempt"


def charge(calls: RazorpayCalls, request: ChargeRequest) -> Outcome:
    """Order again with a fresh pre-debit notice where the earlier order had one, then debit the
    token. The debit itself may come a day later: the payment is pending until then.

    Raises PspRejected where this debt is not ours to charge or Razorpay refused, PspUnreachable
    where it is not known whether it was charged.
    """
    if request.door_kind is not DoorKind.ORDER:
        raise PspRejected(f"a {request.door_kind} is collected by Razorpay or paid by its payer")
    try:
        earlier = calls(calls.sdk.order.fetch, request.door_id)
        customer = _payer(calls, request)
        order = calls(calls.sdk.order.create, _order(request, earlier))
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
    orders = [
        one
        for one in calls.pages(calls.sdk.order.all, {"receipt": _receipt(request)})
        if text(one, "notes", ATTEMPT) == request.attempt_id
    ]
    seen = merge_all(
        [Observation(refs=(Ref(RefKind.ORDER, request.door_id),)), *map(mapping.order, orders)]
    )
    payments = [
        mapping.payment(one)
        for order in orders
        for one in calls.items(calls.sdk.order.payments, str(order["id"]))
        # a payer may have paid on our order meanwhile
        if text(one, "token_id")
    ]
    seen = merge_all([seen, *payments])
    ours = max(seen.payments, key=lambda one: one.occurred_at, default=None)
    if ours is None:
        said = "an order without a payment" if orders else "no order of this attempt"
        return Outcome(None, seen if orders else None, detail=said)
    return Outcome(ours.status, seen)


def _order(request: ChargeRequest, earlier: dict[str, Any]) -> dict[str, Any]:
    if earlier.get("status") == "paid":
        raise PspRejected(f"{request.door_id} is paid")
    notified = bool(part(earlier, "notification"))
    if request.method == "upi" and not notified:
        raise PspRejected(f"Razorpay retries {request.door_id} itself: it has no notification")
    made: dict[str, Any] = {
        "amount": request.amount,
        "currency": request.currency,
        "payment_capture": True,
        "receipt": _receipt(request),
        "notes": _notes(request),
    }
    if notified:
        # without payment_after the debit comes 25 h after the notice, cards 36 h
        made["notification"] = {"token_id": request.payment_method_ref}
    return made


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
        "notes": _notes(request),
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


def _receipt(request: ChargeRequest) -> str:
    return request.attempt_id[:_RECEIPT_LENGTH]


def _notes(request: ChargeRequest) -> dict[str, str]:
    return {ATTEMPT: request.attempt_id, mapping.DEBT: request.door_id}
