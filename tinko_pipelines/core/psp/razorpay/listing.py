"""What changed at Razorpay in a span, for whoever missed its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from tinko_pipelines.core.psp.payload import instant, text
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.reads import WITH_CARD, span_of

# card networks give a dispute some 45 days, and as many again for its arbitration
_DISPUTES_LAST = timedelta(days=90)


def changes(calls: RazorpayCalls, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """Every payment and order created in [start, end), every older payment that was refunded in
    it, and the disputes that may still have changed in it, as they stand now; each once.

    A dispute shows in no payment, and ends weeks after it was made.
    """
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
    for dispute in calls.pages(sdk.dispute.all, span_of(start - _DISPUTES_LAST, end)):
        made = instant(dispute, "created_at")
        # where the listing takes no span, this keeps to it
        if made is not None and start - _DISPUTES_LAST <= made < end:
            yield dispute
