"""What changed at Stripe in a span, for whoever missed its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.payload import object_id
from tinko_pipelines.core.psp.stripe.client import StripeCalls

# charges first: every attempt is one
_CREATED = ("/v1/charges", "/v1/payment_intents", "/v1/invoices", "/v1/checkout/sessions")


def changes(calls: StripeCalls, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """Every object created in [start, end), disputes among them, and every older charge that was
    refunded in it, as it stands now; each once."""
    created = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    listed: set[str] = set()
    for path in _CREATED:
        for body in calls.pages(path, created=created):
            listed.add(str(body["id"]))
            yield body
    # what happens to a charge long after it was made
    for refund in calls.pages("/v1/refunds", created=created):
        charge = object_id(refund.get("charge"))
        if charge is not None and charge not in listed:
            listed.add(charge)
            yield calls.get(f"/v1/charges/{charge}")
    yield from calls.pages("/v1/disputes", created=created)
