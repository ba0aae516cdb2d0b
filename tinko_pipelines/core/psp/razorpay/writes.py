"""Captures and refunds at Razorpay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tinko_pipelines.core.errors import PspRejected, PspUnreachable
from tinko_pipelines.core.psp.capabilities import Capability, lacking
from tinko_pipelines.core.psp.operations import (
    CaptureRequest,
    RefundRequest,
    RefundSeen,
    RefundStatus,
)
from tinko_pipelines.core.psp.payload import instant, number, text
from tinko_pipelines.core.psp.razorpay import mapping
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.orders import RECEIPT_LENGTH, REFERENCE
from tinko_pipelines.core.psp.razorpay.payments import EPOCH
from tinko_pipelines.core.psp.razorpay.reads import WITH_CARD
from tinko_pipelines.core.psp.types import Outcome, PaymentStatus, Psp

_STATUS = {"processed": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED}
# razorpay.com/docs/api/refunds/normal-refunds-idempotent: at least 10 of these
_REFUND_KEY = "X-Refund-Idempotency"
_KEY = re.compile(r"[A-Za-z0-9_-]{10,}")


def capture(calls: RazorpayCalls, request: CaptureRequest) -> Outcome:
    """Capture an authorised payment, whole.

    One that is captured already is a success and nothing is sent, so that a call whose answer was
    lost is simply made again. Raises NotSupported for a part of it, PspRejected where it is not
    authorised (any more) or its order is paid, PspUnreachable where the end is not known.
    """
    try:
        seen = mapping.payment(calls(calls.sdk.payment.fetch, request.payment_id, WITH_CARD))
    except PspUnreachable as error:
        return Outcome(None, sent=False, detail=error.detail)
    if not seen.payments:
        raise PspRejected(f"{request.payment_id} only registers a mandate")
    payment = seen.payments[0]
    if payment.status is PaymentStatus.SUCCEEDED:
        return Outcome(payment.status, seen, detail="it was captured before")
    if request.amount not in (None, payment.amount):
        raise lacking(Psp.RAZORPAY, Capability.PARTIAL_CAPTURE)
    if payment.status is not PaymentStatus.AUTHORIZED:
        raise PspRejected(f"{request.payment_id} is {payment.status}: there is nothing to capture")
    # its own dict: the SDK writes the amount into the one it is given, its default included
    answer = calls(
        calls.sdk.payment.capture,
        request.payment_id,
        payment.amount,
        {"currency": payment.currency},
    )
    now = mapping.payment(answer)
    return Outcome(now.payments[0].status, now)


def refund(calls: RazorpayCalls, request: RefundRequest) -> RefundSeen:
    """Give back a payment, or part of it, once under `request.idempotency_key`.

    Raises PspRejected where that much is not left, PspUnreachable where it is not known whether
    it went back: `find_refund` then says so.
    """
    if not _KEY.fullmatch(request.idempotency_key):
        raise PspRejected("a refund's key has at least 10 letters, digits, hyphens, underscores")
    wanted: dict[str, Any] = {
        "receipt": request.reference[:RECEIPT_LENGTH],
        "notes": {REFERENCE: request.reference},
    }
    if request.amount is not None:
        wanted["amount"] = request.amount
    made = calls(
        calls.sdk.payment.refund,
        request.payment_id,
        wanted,
        headers={_REFUND_KEY: request.idempotency_key},
    )
    return seen_refund(made)


def find_refund(calls: RazorpayCalls, request: RefundRequest) -> RefundSeen | None:
    """The refund of this reference, if there is one. Reads only."""
    found = calls.pages(
        lambda params: calls.sdk.payment.fetch_multiple_refund(request.payment_id, params), {}
    )
    for entity in found:
        if text(entity, "notes", REFERENCE) == request.reference:
            return seen_refund(entity)
    return None


def seen_refund(entity: Mapping[str, Any]) -> RefundSeen:
    """A refund entity in our words."""
    return RefundSeen(
        object_id=str(entity["id"]),
        status=_STATUS.get(str(entity.get("status")), RefundStatus.PENDING),
        payment_id=text(entity, "payment_id") or "",
        amount=number(entity, "amount") or 0,
        currency=(text(entity, "currency") or "INR").upper(),
        created_at=instant(entity, "created_at") or EPOCH,
        reference=text(entity, "notes", REFERENCE),
        reason=text(entity, "error_reason"),
    )
