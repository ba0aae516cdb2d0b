"""What a Razorpay entity says of a debt. Pure.

Nothing is owed where a mandate is only registered: entities of amount 0 say nothing of a debt.
A subscription has no object for one cycle: its invoice is that cycle's first name, and
`sub_…:<start of the cycle>` the name the subscription itself can be known by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.payload import instant, number, part, tags, text
from tinko_pipelines.core.psp.razorpay.payments import country_of, payer
from tinko_pipelines.core.psp.razorpay.payments import payment as payment_seen
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen, SubscriptionStanding
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    Ref,
    RefKind,
)

# our own note: on what we make, the id of an older object of the same debt
DEBT = "tinko_debt"
_PREFIXES = {
    "inv": RefKind.INVOICE,
    "plink": RefKind.PAYMENT_LINK,
    "order": RefKind.ORDER,
    "pay": RefKind.PAYMENT,
}
_CLOSED = dict.fromkeys(("cancelled", "expired", "deleted"), DoorStatus.CLOSED)
_DOORS = {"paid": DoorStatus.PAID, **_CLOSED}
_VOID = frozenset({"cancelled", "deleted"})
_STANDINGS = {
    "cancelled": SubscriptionStanding.CANCELLED,
    "expired": SubscriptionStanding.CANCELLED,
    "paused": SubscriptionStanding.PAUSED,
}


def payment(entity: Mapping[str, Any]) -> Observation:
    """A payment: one attempt. What is due its order or invoice says."""
    seen = payment_seen(entity)
    if seen.amount == 0:
        # a mandate was registered: how often it may be debited its order says
        return Observation(mandate_ref=seen.payment_method_ref)
    return Observation(
        refs=_refs(
            (RefKind.INVOICE, text(entity, "invoice_id")),
            (RefKind.ORDER, text(entity, "order_id")),
            (RefKind.PAYMENT, seen.object_id),
            of=entity,
        ),
        currency=seen.currency,
        created_at=seen.occurred_at,
        description=text(entity, "description"),
        customer=payer(entity),
        payments=(seen,),
        # whether this token's mandate still stands `resolve` reads
        mandate_ref=seen.payment_method_ref,
    )


def order(entity: Mapping[str, Any]) -> Observation:
    """An order. One that announces its debit is never retried by Razorpay itself."""
    often = frequency(part(entity, "token"))
    if not number(entity, "amount"):
        return Observation(mandate_frequency=often)
    found = order_id(entity)
    paid = entity.get("status") == "paid"
    announced = bool(part(entity, "notification"))
    return Observation(
        refs=_refs((RefKind.ORDER, found), of=entity),
        due=number(entity, "amount"),
        paid=number(entity, "amount_paid"),
        due_from=RefKind.ORDER,
        currency=_currency(entity),
        created_at=instant(entity, "created_at"),
        customer=CustomerSeen(ref=text(entity, "customer_id"), tags=tags(entity, "notes")),
        doors=(
            DoorSeen(
                DoorKind.ORDER,
                found,
                DoorStatus.PAID if paid else DoorStatus.OPEN,
                announced=announced,
            ),
        ),
        psp_retries=False if announced else None,
        mandate_ref=text(entity, "notification", "token_id"),
        mandate_frequency=often,
    )


def frequency(terms: Any) -> Frequency | None:
    """How often a mandate may be debited, as its token says it, or the `token` of the order it was
    registered with. None where neither does (e-mandates) or the word is new to us."""
    said = text(terms, "frequency")
    return Frequency(said) if said in set(Frequency) else None


def order_id(entity: Mapping[str, Any]) -> str:
    """The id of an order entity; `payment_link.paid` shows it without its prefix."""
    found = str(entity["id"])
    return found if found.startswith("order_") else f"order_{found}"


def retried_by_razorpay(
    order_entity: Mapping[str, Any], payments: tuple[PaymentSeen, ...]
) -> bool | None:
    """Whether Razorpay itself retries the debits of this order: it does so for UPI mandates where
    no notification was set. None where no recurring payment on it is known."""
    if part(order_entity, "notification"):
        return False
    recurring = [one for one in payments if one.instrument_key]
    return any(one.method == "upi" for one in recurring) if recurring else None


def invoice(entity: Mapping[str, Any]) -> Observation:
    """An invoice; that of a subscription's cycle is retried by Razorpay and paid through the
    subscription's own page."""
    if not number(entity, "amount"):
        return Observation()
    found, status = str(entity["id"]), str(entity.get("status"))
    subscription_id = text(entity, "subscription_id")
    kind, door = RefKind.INVOICE, DoorKind.INVOICE
    cycle = None
    if subscription_id:
        kind, door = RefKind.SUBSCRIPTION_CYCLE, DoorKind.SUBSCRIPTION_CYCLE
        start = number(entity, "billing_start")
        cycle = None if start is None else f"{subscription_id}:{start}"
    return Observation(
        refs=_refs(
            (kind, found),
            (RefKind.SUBSCRIPTION_CYCLE, cycle),
            (RefKind.ORDER, text(entity, "order_id")),
            (RefKind.PAYMENT, text(entity, "payment_id")),
        ),
        due=number(entity, "amount"),
        paid=number(entity, "amount_paid"),
        due_from=kind,
        currency=_currency(entity),
        created_at=instant(entity, "created_at"),
        description=text(entity, "description"),
        customer=CustomerSeen(
            ref=text(entity, "customer_id"),
            name=text(entity, "customer_details", "name"),
            email=text(entity, "customer_details", "email"),
            phone=text(entity, "customer_details", "contact"),
            country=country_of(text(entity, "customer_details", "contact")),
            tags=tags(entity, "notes"),
        ),
        # a draft cannot be paid yet
        doors=()
        if status == "draft"
        else (
            DoorSeen(
                door,
                cycle or found,
                _DOORS.get(status, DoorStatus.OPEN),
                None if subscription_id else text(entity, "short_url"),
            ),
        ),
        psp_retries=True if subscription_id else None,
        subscription=SubscriptionSeen(subscription_id) if subscription_id else None,
        cycle_end=instant(entity, "billing_end") if subscription_id else None,
        terminal="void" if status in _VOID else None,
        extra={"subscription": subscription_id} if subscription_id else {},
    )


def payment_link(entity: Mapping[str, Any]) -> Observation:
    """A Payment Link. One that lapsed or was cancelled is a closed door, the debt stands."""
    return Observation(
        refs=_refs(
            (RefKind.PAYMENT_LINK, str(entity["id"])),
            (RefKind.ORDER, text(entity, "order_id")),
            of=entity,
        ),
        due=number(entity, "amount"),
        paid=number(entity, "amount_paid"),
        due_from=RefKind.PAYMENT_LINK,
        currency=_currency(entity),
        created_at=instant(entity, "created_at"),
        description=text(entity, "description"),
        customer=CustomerSeen(
            name=text(entity, "customer", "name"),
            email=text(entity, "customer", "email"),
            phone=text(entity, "customer", "contact"),
            country=country_of(text(entity, "customer", "contact")),
            tags=tags(entity, "notes"),
        ),
        doors=(
            DoorSeen(
                DoorKind.PAYMENT_LINK,
                str(entity["id"]),
                _DOORS.get(str(entity.get("status")), DoorStatus.OPEN),
                text(entity, "short_url"),
            ),
        ),
    )


def subscription(entity: Mapping[str, Any]) -> Observation:
    """The running cycle of a subscription. What it owes the cycle's invoice says."""
    cycle = cycle_of(entity)
    return Observation(
        refs=_refs((RefKind.SUBSCRIPTION_CYCLE, cycle)),
        created_at=instant(entity, "current_start"),
        customer=CustomerSeen(ref=text(entity, "customer_id")),
        doors=(
            DoorSeen(
                DoorKind.SUBSCRIPTION_CYCLE, cycle, DoorStatus.OPEN, text(entity, "short_url")
            ),
        ),
        psp_retries=True,
        subscription=subscription_seen(entity),
        cycle_end=instant(entity, "current_end"),
        extra={"subscription": str(entity["id"])},
    )


def subscription_seen(entity: Mapping[str, Any]) -> SubscriptionSeen:
    """How a subscription stands: one whose retries are over, or whose cycles are, still does."""
    status = text(entity, "status")
    standing = _STANDINGS.get(status, SubscriptionStanding.LIVE) if status else None
    return SubscriptionSeen(str(entity["id"]), standing)


def cycle_of(entity: Mapping[str, Any]) -> str:
    """The name of a subscription's running cycle. Its start does not change when it is paid, as
    `paid_count` does, which names a cycle only before the first one began."""
    return f"{entity['id']}:{number(entity, 'current_start') or number(entity, 'paid_count') or 0}"


def charged_cycle(subscribed: Observation, paid: Observation) -> Observation:
    """A cycle and the payment that paid it: the payment's invoice is this cycle's."""
    doors = tuple(replace(door, status=DoorStatus.PAID) for door in subscribed.doors)
    return merge_all((paid, replace(subscribed, doors=doors)))


def _refs(
    *named: tuple[RefKind, str | None], of: Mapping[str, Any] | None = None
) -> tuple[Ref, ...]:
    """The refs that are named, and the older object of the same debt where `of` was made by us."""
    debt = text(of, "notes", DEBT)
    kind = _PREFIXES.get(debt.split("_")[0]) if debt else None
    made = [*named, (kind, debt)] if kind else named
    return tuple(dict.fromkeys(Ref(kind, found) for kind, found in made if found))


def _currency(entity: Mapping[str, Any]) -> str:
    return (text(entity, "currency") or "INR").upper()
