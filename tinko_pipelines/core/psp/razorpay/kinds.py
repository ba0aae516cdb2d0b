"""Which Razorpay events and entities speak of a debt, and how each is read. Data and readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.payload import number, part, text
from tinko_pipelines.core.psp.razorpay import mapping
from tinko_pipelines.core.psp.types import (
    DisputeSeen,
    DisputeStatus,
    Observation,
    Ref,
    RefKind,
)

Observer = Callable[[Mapping[str, Any]], Observation]

# what a debt is made of; weakest first, so that of equals the stronger is the newer one
_PARTS: Mapping[str, Observer] = MappingProxyType(
    {
        "payment": mapping.payment,
        "order": mapping.order,
        "payment_link": mapping.payment_link,
        "invoice": mapping.invoice,
        "subscription": mapping.subscription,
    }
)
_DEBT = ("payment", "order", "payment_link", "invoice")
# how a dispute may end; one that was closed took nothing
_DISPUTE_ENDS = {
    "won": DisputeStatus.WON,
    "closed": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


def entity(payload: Any, name: str) -> Mapping[str, Any] | None:
    """The entity `name` of an event's payload, where it is one with an id."""
    found = part(payload, name, "entity")
    return found if isinstance(found, Mapping) and text(found, "id") else None


def debt(payload: Mapping[str, Any]) -> Observation:
    """All entities of the payload speak of one debt."""
    found = {name: one for name in _DEBT if (one := entity(payload, name)) is not None}
    seen = merge_all(_PARTS[name](one) for name, one in found.items())
    if seen.psp_retries is None and "order" in found:
        retries = mapping.retried_by_razorpay(found["order"], seen.payments)
        return replace(seen, psp_retries=retries)
    return seen


def failing_cycle(payload: Mapping[str, Any]) -> Observation:
    """A subscription whose running cycle is owed."""
    found = entity(payload, "subscription")
    return mapping.subscription(found) if found else Observation()


def paid_cycle(payload: Mapping[str, Any]) -> Observation:
    """A subscription and the payment of its running cycle."""
    found, paid = entity(payload, "subscription"), debt(payload)
    if not found or paid.is_empty:
        return paid
    return mapping.charged_cycle(mapping.subscription(found), paid)


def subscription_stands(payload: Mapping[str, Any]) -> Observation:
    """A subscription that was paused, cancelled or resumed: whether more is collected through it.
    It speaks of no cycle of its own."""
    found = entity(payload, "subscription")
    return Observation(subscription=mapping.subscription_seen(found) if found else None)


def token_lost(payload: Mapping[str, Any]) -> Observation:
    """A token whose mandate was paused, rejected or cancelled."""
    return replace(_token(payload), mandate_lost=text(payload, "token", "entity", "id"))


def token_restored(payload: Mapping[str, Any]) -> Observation:
    """A token whose mandate is in force: confirmed at last, or resumed after a pause."""
    return replace(_token(payload), mandate_restored=text(payload, "token", "entity", "id"))


def _token(payload: Mapping[str, Any]) -> Observation:
    """The terms of a token's mandate, where the event says them."""
    found = part(payload, "token", "entity")
    often = mapping.frequency(found)
    ref = text(found, "id") if often else None
    return Observation(mandate_ref=ref, mandate_frequency=often)


def noticed(payload: Mapping[str, Any]) -> Observation:
    """Whether the pre-debit notice of an order reached its payer."""
    notice = part(payload, "notification", "entity")
    order = text(notice, "order_id")
    if order is None:
        return Observation()
    delivered = text(notice, "status") == "delivered"
    return Observation(
        refs=(Ref(RefKind.ORDER, order),),
        notice_delivered=order if delivered else None,
        notice_failed=None if delivered else order,
        extra={"notice": "delivered" if delivered else "failed"},
    )


def disputed(payload: Mapping[str, Any]) -> Observation:
    """A dispute: the payment is disputed until it is won or closed."""
    seen, found = debt(payload), entity(payload, "dispute")
    if found is None:
        return seen
    told = dispute(found)
    over = all(one.status is DisputeStatus.WON for one in told.disputes)
    return replace(
        seen,
        payments=tuple(replace(one, disputed=not over) for one in seen.payments),
        disputes=told.disputes,
        extra={**seen.extra, **told.extra},
    )


def dispute(found: Mapping[str, Any]) -> Observation:
    """A dispute entity: it names its payment, and `extra` says how it stands."""
    payment, status = text(found, "payment_id"), text(found, "status") or ""
    if payment is None:
        return Observation()
    amount = number(found, "amount") or 0
    one = DisputeSeen(
        object_id=str(found["id"]),
        payment_id=payment,
        status=_DISPUTE_ENDS.get(status, DisputeStatus.OPEN),
        amount=amount,
        currency=(text(found, "currency") or "INR").upper(),
    )
    return Observation(
        refs=(Ref(RefKind.PAYMENT, payment),),
        currency=one.currency,
        disputes=(one,),
        extra={
            "dispute": one.object_id,
            "dispute_status": status,
            "dispute_amount": str(amount),
        },
    )


# by the `entity` member
OBJECTS: Mapping[str, Observer] = MappingProxyType({**_PARTS, "dispute": dispute})


def refunded(payload: Mapping[str, Any]) -> Observation:
    """A refund with its payment, which says how much of it is refunded in all."""
    seen, refund = debt(payload), part(payload, "refund", "entity")
    return replace(
        seen,
        extra={
            **seen.extra,
            "refund": text(refund, "id") or "",
            "refund_status": text(refund, "status") or "",
            "refund_amount": str(part(refund, "amount") or 0),
        },
    )


def _kinds(*groups: tuple[str, str]) -> Iterable[str]:
    return (f"{prefix}.{name}" for prefix, names in groups for name in names.split())


OBSERVED: Mapping[str, Observer] = MappingProxyType(
    dict.fromkeys(
        _kinds(
            ("payment", "authorized captured failed pending"),
            ("order", "paid"),
            ("invoice", "paid partially_paid expired"),
            ("payment_link", "paid partially_paid cancelled expired"),
        ),
        debt,
    )
    | dict.fromkeys(
        _kinds(
            ("payment.dispute", "created won lost closed under_review action_required"),
        ),
        disputed,
    )
    | dict.fromkeys(_kinds(("refund", "created processed failed speed_changed")), refunded)
    | dict.fromkeys(_kinds(("subscription", "charged completed")), paid_cycle)
    | dict.fromkeys(_kinds(("subscription", "pending halted")), failing_cycle)
    | dict.fromkeys(
        _kinds(("subscription", "paused cancelled resumed updated")), subscription_stands
    )
    | dict.fromkeys(
        _kinds(("token", "paused rejected cancelled cancellation_initiated")), token_lost
    )
    | dict.fromkeys(_kinds(("token", "confirmed resumed")), token_restored)
    | dict.fromkeys(_kinds(("order.notification", "delivered failed")), noticed)
)

# these say nothing of a debt: stored, and marked ignored
IGNORED = frozenset(
    _kinds(
        ("payment.downtime", "started updated resolved"),
        ("settlement", "processed"),
        ("subscription", "activated authenticated"),
        ("token.service_provider_token", "activated"),
    )
)
