"""What Stripe says after the fact: refunds, disputes, cancellations, instruments lost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinko_pipelines.core.psp.payload import number, object_id
from tinko_pipelines.core.psp.stripe.mapping import charge, currency_of, refs_of
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen, SubscriptionStanding
from tinko_pipelines.core.psp.types import DisputeSeen, DisputeStatus, Observation, RefKind

# how a dispute may end; an inquiry (`warning_…`) that was closed or prevented took nothing
_DISPUTE_ENDS = {
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
_STANDINGS = {
    "canceled": SubscriptionStanding.CANCELLED,
    "incomplete_expired": SubscriptionStanding.CANCELLED,
    "paused": SubscriptionStanding.PAUSED,
}


def refund(body: Mapping[str, Any]) -> Observation:
    """A refund names its charge; what is refunded in all, `resolve` reads from that charge."""
    return _about_charge(body, "refund")


def refunded_charge(body: Mapping[str, Any]) -> Observation:
    """A charge of which something was refunded; how much in all, `resolve` reads."""
    seen = charge(body)
    return replace(seen, extra={**seen.extra, "refund": str(body["id"])})


def dispute(body: Mapping[str, Any]) -> Observation:
    """A dispute names its charge, and how it stands by itself."""
    seen, found = _about_charge(body, "dispute"), dispute_seen(body)
    return replace(seen, disputes=(found,) if found else ())


def dispute_seen(body: Mapping[str, Any]) -> DisputeSeen | None:
    """The dispute itself; None where it names no charge."""
    disputed = object_id(body.get("charge"))
    if disputed is None:
        return None
    return DisputeSeen(
        object_id=str(body["id"]),
        payment_id=disputed,
        status=_DISPUTE_ENDS.get(str(body.get("status")), DisputeStatus.OPEN),
        amount=number(body, "amount") or 0,
        currency=currency_of(body) or "",
    )


def subscription_deleted(body: Mapping[str, Any]) -> Observation:
    """No retry after a cancellation: what is still owed is for the payer to pay."""
    ended = replace(subscription_seen(body), standing=SubscriptionStanding.CANCELLED)
    return Observation(subscription=ended)


def subscription(body: Mapping[str, Any]) -> Observation:
    """How a subscription stands; it speaks of no debt of its own."""
    return Observation(subscription=subscription_seen(body))


def subscription_seen(body: Mapping[str, Any]) -> SubscriptionSeen:
    """A subscription itself. Where its collection is paused its merchant wants no money taken."""
    standing = _STANDINGS.get(str(body.get("status")), SubscriptionStanding.LIVE)
    if standing is SubscriptionStanding.LIVE and body.get("pause_collection"):
        standing = SubscriptionStanding.PAUSED
    return SubscriptionSeen(
        str(body["id"]), standing, invoice=object_id(body.get("latest_invoice"))
    )


def payment_method_lost(body: Mapping[str, Any]) -> Observation:
    """A payment method taken off its customer can no longer be charged off-session."""
    return Observation(mandate_lost=object_id(body))


def mandate(body: Mapping[str, Any]) -> Observation:
    """A mandate that became inactive took its payment method with it; an active one gives it
    back. One that is pending says nothing yet."""
    method = object_id(body.get("payment_method"))
    if body.get("status") == "inactive":
        return Observation(mandate_lost=method)
    return Observation(mandate_restored=method if body.get("status") == "active" else None)


def _about_charge(body: Mapping[str, Any], name: str) -> Observation:
    return Observation(
        refs=refs_of(
            (RefKind.PAYMENT_INTENT, body.get("payment_intent")),
            (RefKind.PAYMENT, body.get("charge")),
        ),
        currency=currency_of(body),
        extra={
            name: str(body["id"]),
            f"{name}_status": str(body.get("status")),
            f"{name}_amount": str(number(body, "amount") or 0),
        },
    )
