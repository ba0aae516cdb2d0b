"""What changed at Razorpay in a span, for whoever missed its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.paging import ChangePage, Cursor, from_stream
from tinko_pipelines.core.psp.payload import instant, number, text
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.kinds import dispute as dispute_said
from tinko_pipelines.core.psp.razorpay.payments import EPOCH, payment
from tinko_pipelines.core.psp.razorpay.reads import WITH_CARD, span_of
from tinko_pipelines.core.psp.razorpay.writes import seen_refund
from tinko_pipelines.core.psp.records import (
    DISPUTES_LAST,
    PspRecord,
    dispute_record,
    payment_record,
    refund_record,
)

PAYMENTS, ORDERS, REFUNDS, DISPUTES = "payments", "orders", "refunds", "disputes"
STREAMS = (PAYMENTS, ORDERS, REFUNDS, DISPUTES)


def pages(
    calls: RazorpayCalls, start: datetime, end: datetime, after: Cursor | None = None
) -> Iterator[ChangePage]:
    """Every payment and order created in [start, end), every older payment that was refunded in
    it, and the disputes that may still have changed in it, as they stand now, a page at a time.

    A dispute shows in no payment, and ends weeks after it was made.
    """
    sdk, span = calls.sdk, span_of(start, end)
    asked = {
        PAYMENTS: (sdk.payment.all, span | WITH_CARD),
        ORDERS: (sdk.order.all, span),
        REFUNDS: (sdk.refund.all, span),
        DISPUTES: (sdk.dispute.all, span_of(start - DISPUTES_LAST, end)),
    }
    listed: set[str] = set()
    for stream, read in from_stream(STREAMS, after):
        method, params = asked[stream]
        skip = read or 0
        for found in calls.turned(method, params, skip=skip):
            skip += len(found)
            at = {"stream": stream, "after": skip}
            bodies: list[Mapping[str, Any]] = list(found)
            if stream == REFUNDS:
                bodies = list(_payments(calls, found, listed))
                yield ChangePage(tuple(bodies), tuple(_records([*found, *bodies])), at)
                continue
            if stream == PAYMENTS:
                listed.update(str(entity["id"]) for entity in found)
            if stream == DISPUTES:
                # where the listing takes no span, this keeps to it
                bodies = [one for one in found if _made(one, start - DISPUTES_LAST, end)]
            yield ChangePage(tuple(bodies), tuple(_records(bodies)), at)


def changes(calls: RazorpayCalls, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """The same objects, each once, without the refunds: their payments say them."""
    for page in pages(calls, start, end):
        yield from page.bodies


def record(entity: Mapping[str, Any]) -> PspRecord | None:
    """The payment, refund or dispute that a listed entity is; None for any other, and for a
    payment of 0, which only registers a mandate."""
    kind = entity.get("entity")
    if kind == "payment":
        seen = payment(entity)
        fee, tax = number(entity, "fee"), number(entity, "tax")
        return payment_record(seen, fee, tax) if seen.amount else None
    if kind == "refund":
        return refund_record(seen_refund(entity))
    said = dispute_said(entity).disputes if kind == "dispute" else ()
    return dispute_record(said[0], instant(entity, "created_at") or EPOCH) if said else None


def _records(found: Iterable[Mapping[str, Any]]) -> Iterator[PspRecord]:
    return (one for one in map(record, found) if one is not None)


def _made(entity: Mapping[str, Any], start: datetime, end: datetime) -> bool:
    made = instant(entity, "created_at")
    return made is not None and start <= made < end


def _payments(
    calls: RazorpayCalls, found: Iterable[Mapping[str, Any]], listed: set[str]
) -> Iterator[Mapping[str, Any]]:
    """The payments behind refunds that were not listed yet. A listing that was resumed may read
    some again."""
    for refund in found:
        payment_id = text(refund, "payment_id")
        if payment_id is not None and payment_id not in listed:
            listed.add(payment_id)
            yield calls(calls.sdk.payment.fetch, payment_id, WITH_CARD)
