"""Fresh reads of everything at Stripe that stands for one debt. Reads only.

A charge and a PaymentIntent name neither their invoice nor their Checkout Session: the first is
found by listing invoice payments, the second by listing sessions of the PaymentIntent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.merge import merge_all, merge_observations, refresh
from tinko_pipelines.core.psp.payload import object_id, part, text
from tinko_pipelines.core.psp.stripe import mapping
from tinko_pipelines.core.psp.stripe.aftermath import dispute_seen, subscription_seen
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
    Observation,
    Ref,
    RefKind,
)

_EXPAND_INTENT = ["latest_charge", "payment_method"]


def resolve(calls: StripeCalls, seen: Observation) -> Observation:
    """`seen`, completed: the invoice or session behind a PaymentIntent, the charge behind a refund
    or dispute, and whether a payment method is stored."""
    if not seen.refs:
        return seen
    # after a refund only a fresh charge says what is refunded in all
    known = set() if "refund" in seen.extra else {one.object_id for one in seen.payments}
    fresh = merge_all(
        _charge(calls, one) for one in _ids(seen, RefKind.PAYMENT) if one not in known
    )
    return _completed(calls, refresh(seen, fresh))


def read(calls: StripeCalls, refs: tuple[Ref, ...]) -> Observation:
    """The debt `refs` stand for, as it is now: every door, and every charge through any of them."""
    asked = Observation(refs=refs)
    intents = set(_ids(asked, RefKind.PAYMENT_INTENT))
    if not intents and not _ids(asked, RefKind.INVOICE):
        # only charges are known: they name their PaymentIntent
        charges = [_charge(calls, one) for one in _ids(asked, RefKind.PAYMENT)]
        asked = merge_observations(asked, merge_all(charges))
    seen = _completed(calls, asked)
    intents = set(_ids(seen, RefKind.PAYMENT_INTENT))
    payments = merge_all(
        _with_disputes(calls, mapping.charge(charge))
        for intent in sorted(intents)
        for charge in calls.pages("/v1/charges", payment_intent=intent)
    )
    loose = {one.object_id for one in (*seen.payments, *payments.payments)}
    for charge_id in _ids(seen, RefKind.PAYMENT):
        if charge_id not in loose:
            payments = merge_observations(payments, _charge(calls, charge_id))
    return _with_subscription(calls, refresh(seen, payments))


_ONE = {
    RefKind.INVOICE: ("/v1/invoices", mapping.invoice),
    RefKind.CHECKOUT_SESSION: ("/v1/checkout/sessions", mapping.checkout_session),
    RefKind.PAYMENT_INTENT: ("/v1/payment_intents", mapping.payment_intent),
    RefKind.PAYMENT: ("/v1/charges", mapping.charge),
}


def one(calls: StripeCalls, ref: Ref) -> Observation:
    """One object as it stands, by its id. Raises PspRejected where Stripe has no such kind."""
    if ref.kind not in _ONE:
        raise PspRejected(f"Stripe has no {ref.kind}")
    path, observe = _ONE[ref.kind]
    return observe(calls.get(f"{path}/{ref.object_id}"))


def owner_of(calls: StripeCalls, intent_id: str) -> Observation:
    """The invoice, else the Checkout Session, that a PaymentIntent belongs to; empty for a bare
    one."""
    return merge_all(_join(calls, Observation(refs=(Ref(RefKind.PAYMENT_INTENT, intent_id),))))


def invoice_intents(calls: StripeCalls, invoice_id: str) -> list[str]:
    """The PaymentIntents through which an invoice is paid, the default one among them."""
    found = (
        object_id(part(one, "payment", "payment_intent"))
        for one in calls.pages("/v1/invoice_payments", invoice=invoice_id)
    )
    return [one for one in found if one]


def _completed(calls: StripeCalls, seen: Observation) -> Observation:
    """Follow the refs of `seen` to everything else that stands for the same debt."""
    seen = merge_all([seen, *_join(calls, seen)])
    sessions = [
        calls.get(f"/v1/checkout/sessions/{session}")
        for session in _ids(seen, RefKind.CHECKOUT_SESSION)
    ]
    fresh = [mapping.checkout_session(session) for session in sessions]
    intents = [
        calls.get(f"/v1/payment_intents/{intent}", expand=_EXPAND_INTENT)
        for intent in _ids(merge_all([seen, *fresh]), RefKind.PAYMENT_INTENT)
    ]
    fresh += [_with_disputes(calls, mapping.payment_intent(intent)) for intent in intents]
    invoices = [
        calls.get(f"/v1/invoices/{invoice}")
        for invoice in _ids(merge_all([seen, *fresh]), RefKind.INVOICE)
    ]
    fresh += [mapping.invoice(invoice) for invoice in invoices]
    owned = None if invoices else {object_id(one.get("payment_intent")) for one in sessions}
    found = _owned(refresh(seen, merge_all(fresh)), owned)
    # what a merchant's session collects only its payer can pay, stored card or not (rule 5)
    in_person = not invoices and any(not text(one, "metadata", mapping.DEBT) for one in sessions)
    mandate = None if in_person else _mandate(calls, found, invoices, intents)
    # Stripe collects again only what an invoice bills
    retries = found.psp_retries if invoices else False
    return replace(found, has_mandate=mandate is not None, mandate_ref=mandate, psp_retries=retries)


def _join(calls: StripeCalls, seen: Observation) -> Iterator[Observation]:
    """Refs by the lists that join them: invoice ↔ PaymentIntent, else session ↔ PaymentIntent."""
    invoices = _ids(seen, RefKind.INVOICE)
    for invoice in invoices:
        for intent in invoice_intents(calls, invoice):
            yield Observation(refs=(Ref(RefKind.PAYMENT_INTENT, intent),))
    if invoices:
        return
    for intent in _ids(seen, RefKind.PAYMENT_INTENT):
        joined = [
            mapping.invoice_payment(one)
            for one in calls.pages(
                "/v1/invoice_payments", payment={"type": "payment_intent", "payment_intent": intent}
            )
        ]
        yield from joined
        if not joined:
            for session in calls.pages("/v1/checkout/sessions", payment_intent=intent):
                yield mapping.checkout_session(session)


def _owned(seen: Observation, owned: set[str | None] | None) -> Observation:
    """A PaymentIntent of an invoice or Checkout Session is no door beside it: it is paid through
    its owner, can neither be confirmed nor cancelled alone, and so counts as closed. `owned` are
    those of sessions; None: all are an invoice's."""
    doors = tuple(
        replace(door, status=DoorStatus.CLOSED)
        if door.kind is DoorKind.PAYMENT_INTENT
        and door.status is DoorStatus.OPEN
        and (owned is None or door.object_id in owned)
        else door
        for door in seen.doors
    )
    return replace(seen, doors=doors)


def _mandate(
    calls: StripeCalls,
    seen: Observation,
    invoices: list[dict[str, Any]],
    intents: list[dict[str, Any]],
) -> str | None:
    """The payment method a retry may use: the invoice's own, the PaymentIntent's where it belongs
    to a customer, else the customer's default for invoices."""
    for invoice in invoices:
        if own := object_id(invoice.get("default_payment_method")):
            return own
    for intent in intents:
        if stored := mapping.payment_intent(intent).mandate_ref:
            return stored
    if not invoices or seen.customer.ref is None:
        return None
    try:
        customer = calls.get(f"/v1/customers/{seen.customer.ref}")
    except PspRejected:
        return None  # deleted
    return object_id(part(customer, "invoice_settings", "default_payment_method"))


def _charge(calls: StripeCalls, charge_id: str) -> Observation:
    return _with_disputes(calls, mapping.charge(calls.get(f"/v1/charges/{charge_id}")))


def _with_disputes(calls: StripeCalls, seen: Observation) -> Observation:
    """`charge.disputed` stays true for ever: how its disputes stand they say themselves."""
    found = [
        dispute_seen(one)
        for payment in seen.payments
        if payment.disputed
        for one in calls.pages("/v1/disputes", charge=payment.object_id)
    ]
    return replace(seen, disputes=tuple(one for one in found if one is not None))


def _with_subscription(calls: StripeCalls, seen: Observation) -> Observation:
    """Whether the subscription behind an invoice still stands: news of its end may be lost."""
    named = seen.subscription
    if named is None:
        return seen
    try:
        found = calls.get(f"/v1/subscriptions/{named.object_id}")
    except PspRejected:
        return seen  # a restricted key need not be allowed to read it
    return replace(seen, subscription=subscription_seen(found))


def _ids(seen: Observation, kind: RefKind) -> list[str]:
    return [ref.object_id for ref in seen.refs if ref.kind is kind]
