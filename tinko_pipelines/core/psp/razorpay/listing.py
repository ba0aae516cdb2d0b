"""What changed at Razorpay in a span, for whoever missed its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.payload import text
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.reads import WITH_CARD, span_of


def changes(calls: RazorpayCalls, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """Every payment and order created in [start, end), and every older payment that was refunded
    in it, as it stands now; each once. A dispute shows in no payment: its event alone tells."""
    span, sdk = span_of(start, end), calls.sdk
    listed: set[str] = set()
    for entity in calls.pages(sdk.payment.all, span | WITH_CARD):
        listed.add(str(entity["id"]))
        yield entity
    yield from calls.pages(sdk.order.all, span)
    for refund in calls.pages(sdk.refund.all, span):
        payment = text(refund, "payment_id")
        if payment is not None and payment not in listed:
            listed.add(payment)
            yield calls(sdk.payment.fetch, payment, WITH_CARD)
