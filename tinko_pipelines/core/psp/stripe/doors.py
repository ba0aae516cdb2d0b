"""Closing Stripe's doors, and leading the payer through one: reuse before you create (rule 5)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.operations import DoorRequest
from tinko_pipelines.core.psp.payload import text
from tinko_pipelines.core.psp.stripe import mapping
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.reads import owner_of
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorSeen,
    DoorStatus,
    HandOver,
    Observation,
)

_READ = {
    DoorKind.INVOICE: ("/v1/invoices", mapping.invoice),
    DoorKind.PAYMENT_INTENT: ("/v1/payment_intents", mapping.payment_intent),
    DoorKind.CHECKOUT_SESSION: ("/v1/checkout/sessions", mapping.checkout_session),
}


def close_door(calls: StripeCalls, door: DoorSeen) -> DoorSeen:
    """Expire a Checkout Session; every kind is then read back as it stands now. A PaymentIntent
    that belongs to an invoice or session is no door of its own: it is closed unless paid."""
    path, observe = _READ[door.kind]
    if door.kind is DoorKind.CHECKOUT_SESSION and door.status is DoorStatus.OPEN:
        # refused where it is completed or expired by now: what is read back says which
        with suppress(PspRejected):
            calls.post(f"{path}/{door.object_id}/expire")
    seen = observe(calls.get(f"{path}/{door.object_id}"))
    now = seen.doors[0] if seen.doors else replace(door, status=DoorStatus.CLOSED)
    if now.kind is DoorKind.PAYMENT_INTENT and now.status is DoorStatus.OPEN:
        owner = owner_of(calls, now.object_id)
        return now if owner.is_empty else replace(now, status=DoorStatus.CLOSED)
    return now


def leave_door(calls: StripeCalls, door: DoorSeen) -> DoorSeen:
    """`close_door`, and a bare PaymentIntent is cancelled too: the debt goes on elsewhere."""
    if door.kind is DoorKind.PAYMENT_INTENT and door.status is DoorStatus.OPEN:
        with suppress(PspRejected):
            calls.post(
                f"/v1/payment_intents/{door.object_id}/cancel",
                # the debt goes on through another door: mapping reads this reason so
                cancellation_reason="abandoned",
            )
    return close_door(calls, door)


def hand_over(
    calls: StripeCalls, seen: Observation, return_url: str, sandbox: str | None
) -> HandOver:
    """The page of the debt's invoice or open session; a bare PaymentIntent has one in the sandbox
    (whose root is `sandbox`) only.

    Stripe itself shows no page for a PaymentIntent, and a Checkout Session takes no existing one:
    it is cancelled and read back canceled, then a new session opened. The caller holds the
    obligation's lock. Raises PspRejected where nothing is left to pay or it cannot be closed.
    """
    for kind in (DoorKind.INVOICE, DoorKind.CHECKOUT_SESSION):
        for door in _open(seen, kind):
            now = door if door.url else close_door(calls, replace(door, status=DoorStatus.CLOSED))
            if now.status is DoorStatus.OPEN and now.url:
                return HandOver(now.url)
    for door in _open(seen, DoorKind.PAYMENT_INTENT):
        if sandbox is not None:
            return HandOver(_sandbox_page(calls, door, return_url, sandbox))
        _cancel(calls, door)
    return open_door(calls, DoorRequest.over_rest(seen, DoorKind.CHECKOUT_SESSION, return_url))


def _sandbox_page(calls: StripeCalls, door: DoorSeen, return_url: str, sandbox: str) -> str:
    intent = calls.get(f"/v1/payment_intents/{door.object_id}")
    query = urlencode(
        {"client_secret": text(intent, "client_secret") or "", "return_url": return_url}
    )
    return f"{sandbox}/hosted/stripe/pi/{door.object_id}?{query}"


def _cancel(calls: StripeCalls, door: DoorSeen) -> None:
    now = leave_door(calls, door)
    if now.status is not DoorStatus.CLOSED:
        raise PspRejected(f"{door.object_id} could not be cancelled: it is {now.status}")


def open_door(calls: StripeCalls, request: DoorRequest) -> HandOver:
    """A new Checkout Session, tied to the debt by its metadata; asked again with the same request,
    the same one answers."""
    customer, mark = request.customer, {mapping.DEBT: request.debt}
    payer = {"customer": customer.ref, "customer_email": None if customer.ref else customer.email}
    made = calls.post(
        "/v1/checkout/sessions",
        f"tinko-door-{request.reference}",
        mode="payment",
        success_url=request.return_url,
        cancel_url=request.return_url,
        line_items=[
            {
                "quantity": 1,
                "price_data": {
                    "currency": request.currency.lower(),
                    "unit_amount": request.amount,
                    "product_data": {"name": request.description or "Payment"},
                },
            }
        ],
        metadata=mark,
        payment_intent_data={"metadata": mark},
        **{name: value for name, value in payer.items() if value},
    )
    door = mapping.checkout_session(made).doors[0]
    if door.url is None:
        raise PspRejected(f"{door.object_id} has no page")
    return HandOver(door.url, door=door)


def _open(seen: Observation, kind: DoorKind) -> list[DoorSeen]:
    return [door for door in seen.doors if door.kind is kind and door.status is DoorStatus.OPEN]
