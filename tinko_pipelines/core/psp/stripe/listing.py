"""What changed at Stripe in a span, for whoever missed its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.paging import ChangePage, Cursor, from_stream
from tinko_pipelines.core.psp.payload import instant, object_id
from tinko_pipelines.core.psp.records import (
    DISPUTES_LAST,
    PspRecord,
    dispute_record,
    payment_record,
    refund_record,
)
from tinko_pipelines.core.psp.stripe import refunds
from tinko_pipelines.core.psp.stripe.aftermath import dispute_seen
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.payments import EPOCH, payment

CHARGES, REFUNDS, DISPUTES = "/v1/charges", "/v1/refunds", "/v1/disputes"
# charges first: every attempt is one
STREAMS = (
    CHARGES,
    "/v1/payment_intents",
    "/v1/invoices",
    "/v1/checkout/sessions",
    REFUNDS,
    DISPUTES,
)


def pages(
    calls: StripeCalls, start: datetime, end: datetime, after: Cursor | None = None
) -> Iterator[ChangePage]:
    """Every object created in [start, end), every older charge that was refunded in it, and the
    disputes that may still have changed in it, as they stand now, a page at a time."""
    listed: set[str] = set()
    for path, behind in from_stream(STREAMS, after):
        since = start - DISPUTES_LAST if path == DISPUTES else start
        created = {"gte": int(since.timestamp()), "lt": int(end.timestamp())}
        for found in calls.turned(path, behind, created=created):
            at = {"stream": path, "after": str(found[-1]["id"])}
            if path == REFUNDS:
                charges = list(_charges(calls, found, listed))
                yield ChangePage(tuple(charges), tuple(_records([*found, *charges])), at)
                continue
            if path == CHARGES:
                listed.update(str(body["id"]) for body in found)
            yield ChangePage(tuple(found), tuple(_records(found)), at)


def changes(calls: StripeCalls, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """The same objects, each once, without the refunds: their charges say them."""
    for page in pages(calls, start, end):
        yield from page.bodies


def record(body: Mapping[str, Any]) -> PspRecord | None:
    """The payment, refund or dispute that a listed object is; None for any other."""
    kind = body.get("object")
    if kind == "charge":
        # its fee stands on its balance transaction alone, which is the settlement line itself
        return payment_record(payment(body))
    if kind == "refund":
        return refund_record(refunds.seen(body))
    said = dispute_seen(body) if kind == "dispute" else None
    return dispute_record(said, instant(body, "created") or EPOCH) if said else None


def _records(found: Iterable[Mapping[str, Any]]) -> Iterator[PspRecord]:
    return (one for one in map(record, found) if one is not None)


def _charges(
    calls: StripeCalls, found: Iterable[Mapping[str, Any]], listed: set[str]
) -> Iterator[Mapping[str, Any]]:
    """The charges behind refunds that were not listed yet: what happens to a charge long after it
    was made. A listing that was resumed may read some again."""
    for refund in found:
        charge = object_id(refund.get("charge"))
        if charge is not None and charge not in listed:
            listed.add(charge)
            yield calls.get(f"{CHARGES}/{charge}")
