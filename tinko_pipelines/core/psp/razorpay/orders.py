"""Orders of ours at Razorpay: each is made once, known by its receipt, and charges nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.operations import Notice, NoticeRequest, PaymentRequest
from tinko_pipelines.core.psp.payload import instant, number, part, text
from tinko_pipelines.core.psp.razorpay import mapping
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    Observation,
    Outcome,
    PaymentStatus,
    Ref,
    RefKind,
)

RECEIPT_LENGTH = 40
ATTEMPT = "tinko_attempt"
REFERENCE = "tinko_reference"


def notes(attempt_id: str, debt: str) -> dict[str, str]:
    """Our marks on what we make: the attempt, and the older order of the same debt."""
    return {ATTEMPT: attempt_id, mapping.DEBT: debt}


def of_attempt(calls: RazorpayCalls, attempt_id: str) -> list[dict[str, Any]]:
    """The orders made for an attempt: by receipt, and by the note that holds the whole id."""
    return _marked(calls, attempt_id, ATTEMPT)


def create_payment(calls: RazorpayCalls, request: PaymentRequest) -> Outcome:
    """An order; the one of the same reference, where there is one already."""
    known = _marked(calls, request.reference, REFERENCE)
    order = known[-1] if known else None
    if order is None:
        marks = {REFERENCE: request.reference, mapping.DEBT: request.debt}
        made: dict[str, Any] = {
            "amount": request.amount,
            "currency": request.currency,
            "payment_capture": request.capture,
            "receipt": request.reference[:RECEIPT_LENGTH],
            "notes": {name: value for name, value in marks.items() if value},
        }
        if request.customer_ref:
            made["customer_id"] = request.customer_ref
        order = calls(calls.sdk.order.create, made)
    _same_money(order, request.amount, request.currency)
    return Outcome(PaymentStatus.CREATED, mapping.order(order), sent=False)


def notify(calls: RazorpayCalls, request: NoticeRequest) -> Notice:
    """An order with a `notification`, over which Razorpay tells the payer of the debit to come.

    The order of the same attempt answers where there is one: nobody is told twice. Raises
    PspRejected where the debt is paid or is Razorpay's own to retry.
    """
    known = of_attempt(calls, request.attempt_id)
    if known:
        order = known[-1]
    else:
        earlier = calls(calls.sdk.order.fetch, request.door_id)
        refuse_others(earlier, request.door_id, request.method)
        order = calls(
            calls.sdk.order.create,
            _again(request, capture=request.capture)
            | {"notification": _notification(request.payment_method_ref, request.debit_after)},
        )
    _same_money(order, request.amount, request.currency)
    seen = merge_all(
        [Observation(refs=(Ref(RefKind.ORDER, request.door_id),)), mapping.order(order)]
    )
    door = next(one for one in seen.doors if one.object_id == order["id"])
    return Notice(door, seen, instant(order, "notification", "payment_after"))


def renew(calls: RazorpayCalls, request: ChargeRequest, earlier: dict[str, Any]) -> dict[str, Any]:
    """A new order for a retry, with a fresh notice where the earlier order had one."""
    refuse_others(earlier, request.door_id, request.method)
    made = _again(request, capture=True)
    if part(earlier, "notification"):
        # without payment_after the debit comes 25 h after the notice, cards 36 h
        made["notification"] = _notification(request.payment_method_ref, None)
    return calls(calls.sdk.order.create, made)


def prepared(calls: RazorpayCalls, request: ChargeRequest) -> dict[str, Any]:
    """The order that was made for this attempt. Raises PspRejected where it is not that, or is
    over other money."""
    order = calls(calls.sdk.order.fetch, request.prepared)
    marks = (text(order, "notes", ATTEMPT), text(order, "notes", REFERENCE))
    if request.attempt_id not in marks:
        raise PspRejected(f"{request.prepared} was not made for the attempt {request.attempt_id}")
    _same_money(order, request.amount, request.currency)
    return order


def refuse_others(earlier: dict[str, Any], door_id: str, method: str) -> None:
    """Raise PspRejected for an order that is paid, or that Razorpay retries itself (rule 3)."""
    if earlier.get("status") == "paid":
        raise PspRejected(f"{door_id} is paid")
    if method == "upi" and not part(earlier, "notification"):
        raise PspRejected(f"Razorpay retries {door_id} itself: it has no notification")


def _again(request: ChargeRequest | NoticeRequest, *, capture: bool) -> dict[str, Any]:
    return {
        "amount": request.amount,
        "currency": request.currency,
        "payment_capture": capture,
        "receipt": request.attempt_id[:RECEIPT_LENGTH],
        "notes": notes(request.attempt_id, request.door_id),
    }


def _notification(token: str, debit_after: datetime | None) -> dict[str, Any]:
    if debit_after is None:
        return {"token_id": token}
    return {"token_id": token, "payment_after": int(debit_after.timestamp())}


def _marked(calls: RazorpayCalls, mark: str, note: str) -> list[dict[str, Any]]:
    found = calls.pages(calls.sdk.order.all, {"receipt": mark[:RECEIPT_LENGTH]})
    return [one for one in found if text(one, "notes", note) == mark]


def _same_money(order: dict[str, Any], amount: int, currency: str) -> None:
    if (number(order, "amount"), text(order, "currency")) != (amount, currency):
        raise PspRejected(
            f"{order.get('id')} is over {order.get('amount')} {order.get('currency')}, not"
            f" {amount} {currency}"
        )
