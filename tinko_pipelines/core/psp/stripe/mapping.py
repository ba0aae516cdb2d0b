"""What a Stripe object or event says of a debt. Pure.

A charge and a PaymentIntent no longer name their invoice: what is said here is completed by the
adapter's `resolve`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinko_pipelines.core.psp.payload import (
    country,
    instant,
    number,
    object_id,
    part,
    tags,
    text,
)
from tinko_pipelines.core.psp.stripe.payments import payment
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    Ref,
    RefKind,
)

# our own metadata: on objects we make, the id of an older object of the same debt, and the attempt
# a PaymentIntent was made for (not `tinko_attempt`: later charges on it inherit its metadata)
DEBT, MADE_FOR = "tinko_debt", "tinko_made_for"
_PREFIXES = {
    "in_": RefKind.INVOICE,
    "cs_": RefKind.CHECKOUT_SESSION,
    "pi_": RefKind.PAYMENT_INTENT,
    "ch_": RefKind.PAYMENT,
    "py_": RefKind.PAYMENT,
}
# a canceled PaymentIntent whose debt is still owed: Stripe gave it up by itself (its confirm limit,
# its age), or it was left for another door, as we do; canceled for any other reason, or for none,
# the merchant does not want the money any more
_STILL_OWED = frozenset({"automatic", "expired", "failed_invoice", "abandoned"})
_PI_DOORS = {"succeeded": DoorStatus.PAID, "canceled": DoorStatus.CLOSED}
_INVOICE_DOORS = {"open": DoorStatus.OPEN, "paid": DoorStatus.PAID}


def charge(body: Mapping[str, Any]) -> Observation:
    """A charge: one attempt. What is due its PaymentIntent or invoice says."""
    seen = payment(body)
    return Observation(
        refs=refs_of(
            (RefKind.INVOICE, body.get("invoice")),
            (RefKind.PAYMENT_INTENT, body.get("payment_intent")),
            (RefKind.PAYMENT, body["id"]),
            *_debt(body),
        ),
        currency=seen.currency,
        created_at=seen.occurred_at,
        description=text(body, "description"),
        customer=CustomerSeen(
            ref=object_id(body.get("customer")),
            name=text(body, "billing_details", "name"),
            email=text(body, "billing_details", "email") or text(body, "receipt_email"),
            phone=text(body, "billing_details", "phone"),
            country=country(text(body, "billing_details", "address", "country")),
            tags=tags(body, "metadata"),
        ),
        payments=(seen,),
    )


def payment_intent(body: Mapping[str, Any]) -> Observation:
    """A PaymentIntent, with its latest charge where that is expanded."""
    latest = body.get("latest_charge")
    mandate = stored_method(body.get("payment_method")) or stored_method(
        part(body, "last_payment_error", "payment_method")
    )
    return Observation(
        refs=refs_of(
            (RefKind.PAYMENT_INTENT, body["id"]),
            (RefKind.PAYMENT, latest),
            (RefKind.PAYMENT, part(body, "last_payment_error", "charge")),
            *_debt(body),
        ),
        due=number(body, "amount"),
        paid=number(body, "amount_received"),
        due_from=RefKind.PAYMENT_INTENT,
        currency=currency_of(body),
        created_at=instant(body, "created"),
        description=text(body, "description"),
        customer=CustomerSeen(
            ref=object_id(body.get("customer")),
            email=text(body, "receipt_email"),
            tags=tags(body, "metadata"),
        ),
        doors=(
            DoorSeen(
                DoorKind.PAYMENT_INTENT,
                str(body["id"]),
                _PI_DOORS.get(str(body.get("status")), DoorStatus.OPEN),
            ),
        ),
        payments=(payment(latest),) if isinstance(latest, Mapping) else (),
        has_mandate=True if mandate else None,
        mandate_ref=mandate,
        terminal="void" if _given_up(body) else None,
    )


def _given_up(intent: Mapping[str, Any]) -> bool:
    canceled = intent.get("status") == "canceled"
    return canceled and intent.get("cancellation_reason") not in _STILL_OWED


def invoice(body: Mapping[str, Any]) -> Observation:
    """An invoice: the whole debt. A draft cannot be paid yet, and is no door before it can."""
    status = str(body.get("status"))
    mandate = object_id(body.get("default_payment_method"))
    charged = body.get("collection_method") in (None, "charge_automatically")
    lines = part(body, "lines", "data")
    line = lines[0] if isinstance(lines, list) and lines else None
    payments = part(body, "payments", "data")
    due, paid = number(body, "amount_due"), number(body, "amount_paid")
    if status == "paid":
        # out of band nothing passes through Stripe, and nothing is owed any more
        paid = max(due or 0, paid or 0)
    return Observation(
        refs=refs_of(
            (RefKind.INVOICE, body["id"]),
            *(
                (RefKind.PAYMENT_INTENT, part(paid, "payment", "payment_intent"))
                for paid in (payments if isinstance(payments, list) else [])
            ),
        ),
        due=due,
        paid=paid,
        due_from=RefKind.INVOICE,
        currency=currency_of(body),
        created_at=instant(body, "created"),
        description=text(body, "description") or text(line, "description"),
        customer=CustomerSeen(
            ref=object_id(body.get("customer")),
            name=text(body, "customer_name"),
            email=text(body, "customer_email"),
            phone=text(body, "customer_phone"),
            country=country(text(body, "customer_address", "country")),
            tags=tags(body, "metadata"),
        ),
        doors=()
        if status == "draft"
        else (
            DoorSeen(
                DoorKind.INVOICE,
                str(body["id"]),
                _INVOICE_DOORS.get(status, DoorStatus.CLOSED),
                text(body, "hosted_invoice_url"),
            ),
        ),
        psp_retries=body.get("auto_advance") is True and charged,
        has_mandate=True if mandate else None,
        mandate_ref=mandate,
        subscription=_subscription(body),
        terminal=status if status in ("void", "uncollectible") else None,
    )


def _subscription(body: Mapping[str, Any]) -> SubscriptionSeen | None:
    """The subscription that made an invoice; versions before 2025-03 name it on the invoice."""
    named = object_id(part(body, "parent", "subscription_details", "subscription"))
    named = named or object_id(body.get("subscription"))
    return SubscriptionSeen(named) if named else None


def checkout_session(body: Mapping[str, Any]) -> Observation:
    """A Checkout Session; one that only saves a payment method speaks of no debt."""
    if body.get("mode") == "setup":
        return Observation()
    paid = body.get("payment_status") in ("paid", "no_payment_required")
    status = DoorStatus.CLOSED if body.get("status") == "expired" else DoorStatus.OPEN
    # complete and unpaid is a slow method under way: not closed, the money may come
    total = number(body, "amount_total")
    return Observation(
        refs=refs_of(
            (RefKind.INVOICE, body.get("invoice")),
            (RefKind.CHECKOUT_SESSION, body["id"]),
            (RefKind.PAYMENT_INTENT, body.get("payment_intent")),
            *_debt(body),
        ),
        due=total,
        paid=None if total is None else total if paid else 0,
        due_from=RefKind.CHECKOUT_SESSION,
        currency=currency_of(body),
        created_at=instant(body, "created"),
        customer=CustomerSeen(
            ref=object_id(body.get("customer")),
            name=text(body, "customer_details", "name"),
            email=text(body, "customer_details", "email") or text(body, "customer_email"),
            phone=text(body, "customer_details", "phone"),
            language=None if body.get("locale") == "auto" else text(body, "locale"),
        ),
        doors=(
            DoorSeen(
                DoorKind.CHECKOUT_SESSION,
                str(body["id"]),
                DoorStatus.PAID if paid else status,
                text(body, "url"),
            ),
        ),
    )


def invoice_payment(body: Mapping[str, Any]) -> Observation:
    """What joins an invoice and a PaymentIntent."""
    return Observation(
        refs=refs_of(
            (RefKind.INVOICE, body.get("invoice")),
            (RefKind.PAYMENT_INTENT, part(body, "payment", "payment_intent")),
            (RefKind.PAYMENT, part(body, "payment", "charge")),
        ),
        currency=currency_of(body),
    )


def stored_method(method: Any) -> str | None:
    """The id of an expanded PaymentMethod that belongs to a customer, so that it can be charged
    again; None where it does not, or where only its id is said."""
    if isinstance(method, Mapping) and method.get("customer"):
        return object_id(method)
    return None


def _debt(body: Mapping[str, Any]) -> Iterator[tuple[RefKind, str]]:
    """The older object that stands for the same debt, where this one was made by us."""
    named = text(body, "metadata", DEBT)
    if named is not None and named[:3] in _PREFIXES:
        yield _PREFIXES[named[:3]], named


def refs_of(*named: tuple[RefKind, Any]) -> tuple[Ref, ...]:
    ids = ((kind, object_id(value)) for kind, value in named)
    return tuple(dict.fromkeys(Ref(kind, found) for kind, found in ids if found))


def currency_of(body: Mapping[str, Any]) -> str | None:
    found = text(body, "currency")
    return found.upper() if found else None
