"""Refunds at Stripe. Money that goes back is as exactly-once as money that comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinko_pipelines.core.psp.operations import RefundRequest, RefundSeen, RefundStatus
from tinko_pipelines.core.psp.payload import instant, number, object_id, text
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.mapping import currency_of
from tinko_pipelines.core.psp.stripe.payments import EPOCH
from tinko_pipelines.core.psp.stripe.writes import REFERENCE

# docs.stripe.com/api/refunds/object: pending and requires_action are under way
_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


def refund(calls: StripeCalls, request: RefundRequest) -> RefundSeen:
    """Give back a charge, or part of it, once under `request.idempotency_key`.

    Raises PspRejected where that much is not left, PspUnreachable where it is not known whether
    it went back: `find_refund` then says so.
    """
    part = {} if request.amount is None else {"amount": request.amount}
    made = calls.post(
        "/v1/refunds",
        request.idempotency_key,
        charge=request.payment_id,
        metadata={REFERENCE: request.reference},
        **part,
    )
    return seen(made)


def find_refund(calls: StripeCalls, request: RefundRequest) -> RefundSeen | None:
    """The refund of this reference, if there is one. Reads only."""
    for body in calls.pages("/v1/refunds", charge=request.payment_id):
        if text(body, "metadata", REFERENCE) == request.reference:
            return seen(body)
    return None


def seen(body: Mapping[str, Any]) -> RefundSeen:
    """A refund object in our words."""
    return RefundSeen(
        object_id=str(body["id"]),
        status=_STATUS.get(str(body.get("status")), RefundStatus.PENDING),
        payment_id=object_id(body.get("charge")) or "",
        amount=number(body, "amount") or 0,
        currency=currency_of(body) or "",
        created_at=instant(body, "created") or EPOCH,
        reference=text(body, "metadata", REFERENCE),
        reason=text(body, "failure_reason"),
    )
