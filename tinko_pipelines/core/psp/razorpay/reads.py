"""Fresh reads of everything at Razorpay that stands for one debt. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import Any

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.merge import merge_all, refresh
from tinko_pipelines.core.psp.payload import number, part, text
from tinko_pipelines.core.psp.razorpay import mapping
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.payments import EPOCH
from tinko_pipelines.core.psp.types import Observation, Ref, RefKind

WITH_CARD = {"expand[]": "card"}
_STANDING = frozenset({"confirmed", "resumed"})
# how a payment made through a Payment Link describes itself: the link's id without its prefix
_LINK = re.compile(r"#([A-Za-z0-9]{14})")


def span_of(start: datetime, end: datetime) -> dict[str, Any]:
    """[start, end) as Razorpay asks for it: both ends included, in seconds."""
    return {"from": ceil(start.timestamp()), "to": ceil(end.timestamp()) - 1}


def resolve(calls: RazorpayCalls, seen: Observation) -> Observation:
    """`seen`, completed: the order, invoice, link or cycle behind it, who retries, and whether
    its token's mandate stands and how often it may be debited."""
    if not seen.refs:
        return seen
    # after a refund only a fresh payment says what is refunded in all
    known = set() if "refund" in seen.extra else {one.object_id for one in seen.payments}
    fresh = merge_all(
        _payment(calls, one) for one in _ids(seen, RefKind.PAYMENT) if one not in known
    )
    return _completed(calls, refresh(seen, fresh))


def read(calls: RazorpayCalls, refs: tuple[Ref, ...]) -> Observation:
    """The debt `refs` stand for, as it is now: every door, and every payment on its orders."""
    asked = Observation(refs=refs)
    if not _ids(asked, RefKind.ORDER):
        # only payments are known: they name their order
        asked = merge_all([asked, *(_payment(calls, one) for one in _ids(asked, RefKind.PAYMENT))])
    seen = _joined(calls, asked)
    payments = merge_all(
        mapping.payment(one)
        for order in _ids(seen, RefKind.ORDER)
        for one in calls.items(calls.sdk.order.payments, order)
    )
    covered = {one.object_id for one in (*seen.payments, *payments.payments)}
    loose = [one for one in _ids(seen, RefKind.PAYMENT) if one not in covered]
    payments = merge_all([payments, *(_payment(calls, one) for one in loose)])
    return _completed(calls, refresh(seen, payments))


def one(calls: RazorpayCalls, ref: Ref) -> Observation:
    """One entity as it stands, by its id. Raises PspRejected where Razorpay has no such kind."""
    sdk, named = calls.sdk, ref.object_id
    if ref.kind is RefKind.PAYMENT:
        return _payment(calls, named)
    if ref.kind is RefKind.ORDER:
        return mapping.order(calls(sdk.order.fetch, named))
    if ref.kind is RefKind.PAYMENT_LINK:
        return mapping.payment_link(calls(sdk.payment_link.fetch, named))
    if ref.kind is RefKind.SUBSCRIPTION_CYCLE and not named.startswith("inv_"):
        return merge_all(_cycle(calls, named))
    if ref.kind in (RefKind.INVOICE, RefKind.SUBSCRIPTION_CYCLE):
        return mapping.invoice(calls(sdk.invoice.fetch, named))
    raise PspRejected(f"Razorpay has no {ref.kind}")


def cycle_invoice(calls: RazorpayCalls, cycle: str) -> Mapping[str, Any] | None:
    """The invoice of a cycle (`sub_…:<start>`): the one billed from its start, else the newest
    that is still owed."""
    subscription_id, _, start = cycle.partition(":")
    found = calls.items(calls.sdk.invoice.all, {"subscription_id": subscription_id})
    for one in found:
        if str(number(one, "billing_start")) == start:
            return one
    owed = [one for one in found if one.get("status") in ("issued", "partially_paid")]
    return max(owed, key=lambda one: number(one, "created_at") or 0, default=None)


def _completed(calls: RazorpayCalls, seen: Observation) -> Observation:
    found = _joined(calls, seen)
    if not found.payments:
        # how it is collected shows in its first payment: before that nothing can be said of it
        return found
    if found.psp_retries is None:
        # no recurring UPI debit without a notice, no subscription: nobody collects by himself
        found = replace(found, psp_retries=False)
    token = found.mandate_ref or next(
        (one.instrument_key for one in reversed(found.payments) if one.instrument_key), None
    )
    if token is None:
        return replace(found, has_mandate=False)
    if found.customer.ref is None:
        return replace(found, mandate_ref=token)
    terms = _token(calls, found.customer.ref, token)
    return replace(
        found,
        has_mandate=_stands(terms),
        mandate_ref=token,
        mandate_frequency=mapping.frequency(terms) or found.mandate_frequency,
    )


def _joined(calls: RazorpayCalls, seen: Observation) -> Observation:
    """Every object the refs of `seen` lead to, each read once, as long as there are new ones.
    Doors come oldest first."""
    asked: set[str] = set()
    made: dict[str, datetime] = {}
    while new := [ref for ref in seen.refs if ref.object_id not in asked]:
        asked.update(ref.object_id for ref in new)
        found = [one for ref in new for one in _behind(calls, seen, ref)]
        made |= {door.object_id: one.created_at or EPOCH for one in found for door in one.doors}
        seen = refresh(seen, merge_all(found))
    # the newest order last: a retry starts from it, and it is the one to hand a payer
    return replace(
        seen, doors=tuple(sorted(seen.doors, key=lambda door: made.get(door.object_id, EPOCH)))
    )


def _behind(calls: RazorpayCalls, seen: Observation, ref: Ref) -> Iterator[Observation]:
    sdk = calls.sdk
    if ref.kind is RefKind.ORDER:
        entity = calls(sdk.order.fetch, ref.object_id)
        retries = mapping.retried_by_razorpay(entity, seen.payments)
        yield replace(mapping.order(entity), psp_retries=retries)
    elif ref.object_id.startswith("inv_"):
        yield mapping.invoice(calls(sdk.invoice.fetch, ref.object_id))
    elif ref.kind is RefKind.SUBSCRIPTION_CYCLE:
        yield from _cycle(calls, ref.object_id)
    elif ref.kind is RefKind.PAYMENT_LINK:
        yield mapping.payment_link(calls(sdk.payment_link.fetch, ref.object_id))
    elif ref.kind is RefKind.PAYMENT and _LINK.fullmatch(seen.description or ""):
        links = calls(sdk.payment_link.all, {"payment_id": ref.object_id}).get("payment_links")
        # the filter is only believed where the link itself agrees
        own = {ref.object_id, *_ids(seen, RefKind.ORDER)}
        for link in links if isinstance(links, list) else []:
            paid = part(link, "payments")
            named = {text(one, "payment_id") for one in paid} if isinstance(paid, list) else set()
            if own & {text(link, "order_id"), *named}:
                yield mapping.payment_link(link)


def _cycle(calls: RazorpayCalls, cycle: str) -> Iterator[Observation]:
    """A cycle by its subscription's name: its invoice, and the subscription's own page."""
    subscription = calls(calls.sdk.subscription.fetch, cycle.partition(":")[0])
    running = mapping.subscription(subscription)
    invoice = cycle_invoice(calls, cycle)
    if mapping.cycle_of(subscription) == cycle:
        yield running
    if invoice is not None:
        billed = mapping.invoice(invoice)
        # the page is the subscription's whichever cycle is owed
        url = running.doors[0].url
        yield replace(billed, doors=tuple(replace(door, url=url) for door in billed.doors))


def _payment(calls: RazorpayCalls, payment_id: str) -> Observation:
    return mapping.payment(calls(calls.sdk.payment.fetch, payment_id, WITH_CARD))


def _token(calls: RazorpayCalls, customer: str, token: str) -> Mapping[str, Any] | None:
    """The token; None where Razorpay no longer knows it."""
    try:
        found: Mapping[str, Any] = calls(calls.sdk.token.fetch, customer, token)
    except PspRejected:
        return None
    return found


def _stands(found: Mapping[str, Any] | None) -> bool:
    """Whether the token's mandate is in force."""
    if found is None:
        return False
    status = text(found, "recurring_details", "status") or text(found, "recurring_status")
    return part(found, "recurring") is not False and status in _STANDING


def _ids(seen: Observation, kind: RefKind) -> list[str]:
    return [ref.object_id for ref in seen.refs if ref.kind is kind]
