"""Closing Razorpay's doors, and leading the payer through one: reuse before you create (rule 5)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.operations import DoorRequest
from tinko_pipelines.core.psp.payload import text
from tinko_pipelines.core.psp.razorpay import mapping
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.reads import cycle_invoice
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorSeen,
    DoorStatus,
    HandOver,
    Observation,
    RefKind,
)

_CHECKOUT = "/v1/checkout/embedded"


def close_door(calls: RazorpayCalls, door: DoorSeen) -> DoorSeen:
    """Cancel a Payment Link; every kind is then read back as it stands now. An order cannot be
    cancelled: it stays open until it is paid."""
    sdk, named = calls.sdk, door.object_id
    if door.kind is DoorKind.PAYMENT_LINK:
        if door.status is DoorStatus.OPEN:
            # refused where it is paid or expired by now: what is read back says which
            with suppress(PspRejected):
                calls(sdk.payment_link.cancel, named)
        seen = mapping.payment_link(calls(sdk.payment_link.fetch, named))
    elif door.kind is DoorKind.SUBSCRIPTION_CYCLE and not named.startswith("inv_"):
        invoice = cycle_invoice(calls, named)
        seen = mapping.invoice(invoice) if invoice else Observation()
    elif door.kind in (DoorKind.INVOICE, DoorKind.SUBSCRIPTION_CYCLE):
        seen = mapping.invoice(calls(sdk.invoice.fetch, named))
    else:
        seen = mapping.order(calls(sdk.order.fetch, named))
    return replace(door, status=seen.doors[0].status) if seen.doors else door


def hand_over(calls: RazorpayCalls, seen: Observation, return_url: str, base_url: str) -> HandOver:
    """The page of the debt's own door; a new Payment Link only where there is none.

    For a subscription's cycle that is the subscription's page, and nothing else is ever opened
    (rule 3). An order is paid on Razorpay's Checkout, which is reached by a form.
    """
    cycles = [door for door in seen.doors if door.kind is DoorKind.SUBSCRIPTION_CYCLE]
    if cycles or seen.extra.get("subscription"):
        return _subscription_page(calls, seen, cycles)
    for kind in (DoorKind.PAYMENT_LINK, DoorKind.INVOICE):
        for door in _open(seen, kind):
            if door.url:
                return HandOver(door.url)
    orders = _open(seen, DoorKind.ORDER)
    if orders:
        # the newest: a second payment on one order is refunded by Razorpay itself
        return _checkout(calls, seen, orders[-1], return_url, base_url)
    return open_door(calls, DoorRequest.over_rest(seen, DoorKind.PAYMENT_LINK, return_url))


def _subscription_page(calls: RazorpayCalls, seen: Observation, cycles: list[DoorSeen]) -> HandOver:
    for door in cycles:
        if door.url and door.status is DoorStatus.OPEN:
            return HandOver(door.url)
    subscription_id = seen.extra.get("subscription") or next(
        (
            ref.object_id.partition(":")[0]
            for ref in seen.refs
            if ref.kind is RefKind.SUBSCRIPTION_CYCLE and ref.object_id.startswith("sub_")
        ),
        None,
    )
    found = subscription_id and calls(calls.sdk.subscription.fetch, subscription_id)
    url = text(found, "short_url")
    if url is None:
        raise PspRejected("the subscription has no page of its own, and no other may be opened")
    return HandOver(url)


def _checkout(
    calls: RazorpayCalls, seen: Observation, door: DoorSeen, return_url: str, base_url: str
) -> HandOver:
    order = calls(calls.sdk.order.fetch, door.object_id)
    fields = {
        "key_id": calls.key_id,
        "order_id": door.object_id,
        "amount": str(order.get("amount_due") or order.get("amount") or ""),
        "currency": text(order, "currency") or "INR",
        "name": seen.description or "Payment",
        "description": seen.description,
        "prefill[name]": seen.customer.name,
        "prefill[email]": seen.customer.email,
        "prefill[contact]": seen.customer.phone,
        "callback_url": return_url,
        "cancel_url": return_url,
    }
    return HandOver(
        f"{base_url}{_CHECKOUT}", post=True, fields={k: v for k, v in fields.items() if v}
    )


def open_door(calls: RazorpayCalls, request: DoorRequest) -> HandOver:
    """A new Payment Link, for the whole amount at once, tied to the debt by its notes. Razorpay
    takes each reference once."""
    customer = {
        "name": request.customer.name,
        "email": request.customer.email,
        "contact": request.customer.phone,
    }
    made = calls(
        calls.sdk.payment_link.create,
        {
            "amount": request.amount,
            "currency": request.currency,
            "accept_partial": False,
            "reference_id": request.reference,
            "description": request.description or "Payment",
            "customer": {k: v for k, v in customer.items() if v},
            # the messages are ours: no second one on top
            "notify": {"sms": False, "email": False},
            "reminder_enable": False,
            "notes": {mapping.DEBT: request.debt},
            "callback_url": request.return_url,
            "callback_method": "get",
        },
    )
    door = mapping.payment_link(made).doors[0]
    if door.url is None:
        raise PspRejected(f"{door.object_id} has no page")
    return HandOver(door.url, door=door)


def _open(seen: Observation, kind: DoorKind) -> list[DoorSeen]:
    return [door for door in seen.doors if door.kind is kind and door.status is DoorStatus.OPEN]
