"""One off-session charge through a Stripe door, and looking for one whose end we do not know.

A PaymentIntent's metadata is copied to every later charge on it, the payer's too, so that our
attempt is not marked there: it is known by the idempotency key in its event, and by the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import stripe

from tinko_pipelines.core.errors import PspError, PspRejected, PspUnreachable
from tinko_pipelines.core.psp.merge import merge_all
from tinko_pipelines.core.psp.payload import object_id, part, text
from tinko_pipelines.core.psp.stripe import mapping
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.kinds import CREATING
from tinko_pipelines.core.psp.stripe.payments import failed_by_error
from tinko_pipelines.core.psp.stripe.reads import invoice_intents
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    DoorKind,
    Observation,
    Outcome,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)

_REFS = {
    DoorKind.INVOICE: RefKind.INVOICE,
    DoorKind.PAYMENT_INTENT: RefKind.PAYMENT_INTENT,
}
# the clocks of two computers differ
_SKEW = timedelta(seconds=60)
_ASKS_PAYER = "invoice_payment_intent_requires_action"


def charge(calls: StripeCalls, request: ChargeRequest) -> Outcome:
    """Charge once under `request.idempotency_key`. A decline is an outcome.

    Raises PspRejected where the door cannot be charged, PspUnreachable where it is not known
    whether it was.
    """
    if request.door_kind not in _REFS:
        raise PspRejected(f"a {request.door_kind} is paid by its payer, not by us")
    if request.prepared not in (None, request.door_id):
        raise PspRejected("a Stripe charge goes through its debt's own door, not a prepared one")
    try:
        path, params = _call(calls, request)
    except PspUnreachable as error:
        return Outcome(None, sent=False, detail=error.detail)
    try:
        answer = calls.collect(path, request.idempotency_key, **params)
    except stripe.CardError as error:
        return _declined(calls, request, _error(error))
    return _answered(calls, request, answer)


def find_attempt(calls: StripeCalls, request: ChargeRequest) -> Outcome:
    """The charge our call made, if it made one. Reads only: nothing is sent again.

    Among the charges on the door's PaymentIntents it is the one whose event carries our key;
    events are kept for 30 days.
    """
    found = {
        str(body["id"]): mapping.charge(body)
        for intent in _intents(calls, request)
        for body in calls.pages("/v1/charges", payment_intent=intent)
        if _may_be_ours(request, mapping.charge(body).payments[0])
    }
    if not found:
        return Outcome(None, detail="no charge of this attempt")
    first = min(seen.payments[0].occurred_at for seen in found.values())
    made = _made_by(calls, request.idempotency_key, first)
    if made not in found:
        return Outcome(None, detail="no charge of this attempt")
    return _outcome(request, found[made])


def _made_by(calls: StripeCalls, idempotency_key: str, since: datetime) -> str | None:
    """The charge that the call of this key made, by its event."""
    span = {"gte": int(since.timestamp())}
    for event in calls.pages("/v1/events", types=sorted(CREATING), created=span):
        if text(event, "request", "idempotency_key") == idempotency_key:
            return text(event, "data", "object", "id")
    return None


def _call(calls: StripeCalls, request: ChargeRequest) -> tuple[str, dict[str, Any]]:
    """Path and parameters of the charge. A canceled PaymentIntent is superseded by one new one."""
    params: dict[str, Any] = {"payment_method": request.payment_method_ref, "off_session": True}
    if request.door_kind is DoorKind.INVOICE:
        return f"/v1/invoices/{request.door_id}/pay", params
    params["expand"] = ["latest_charge"]
    intent = calls.get(f"/v1/payment_intents/{request.door_id}")
    if intent.get("amount") != request.amount:
        raise PspRejected(f"{request.door_id} is over {intent.get('amount')}, not {request.amount}")
    if intent.get("status") != "canceled":
        return f"/v1/payment_intents/{request.door_id}/confirm", params
    made = {
        "amount": request.amount,
        "currency": request.currency.lower(),
        "customer": request.customer_ref,
        "description": request.description,
        "confirm": True,
        "metadata": {mapping.DEBT: request.door_id, mapping.MADE_FOR: request.attempt_id},
    }
    return "/v1/payment_intents", params | {k: v for k, v in made.items() if v is not None}


def _answered(calls: StripeCalls, request: ChargeRequest, answer: dict[str, Any]) -> Outcome:
    """The outcome of a charge that was accepted: done, or still with the bank."""
    if answer.get("object") == "payment_intent":
        return _outcome(request, mapping.payment_intent(answer), answer)
    seen = mapping.invoice(answer)
    try:
        intents = [
            calls.get(f"/v1/payment_intents/{intent}", expand=["latest_charge"])
            for intent in invoice_intents(calls, request.door_id)
        ]
    except PspError as error:
        # the charge is made; its webhook will name it
        paid = PaymentStatus.SUCCEEDED if answer.get("status") == "paid" else None
        return Outcome(paid, seen, detail=error.detail)
    charged = [one for one in intents if isinstance(one.get("latest_charge"), Mapping)]
    latest = max(charged, key=lambda one: one["latest_charge"].get("created") or 0, default=None)
    return _outcome(request, merge_all([seen, *map(mapping.payment_intent, charged)]), latest)


def _declined(calls: StripeCalls, request: ChargeRequest, error: Mapping[str, Any]) -> Outcome:
    """The outcome of a 402: the failed charge as it stands, read by its id."""
    intent = part(error, "payment_intent")
    seen = mapping.payment_intent(intent) if object_id(intent) else Observation()
    asks = text(error, "code") == _ASKS_PAYER or part(intent, "status") == "requires_action"
    status = PaymentStatus.REQUIRES_ACTION if asks else PaymentStatus.FAILED
    charge_id = text(error, "charge") or object_id(part(intent, "latest_charge"))
    said = text(error, "message")
    try:
        if charge_id is None:
            found = find_attempt(calls, request)
            return replace(found, status=found.status or status, detail=said)
        charged = mapping.charge(calls.get(f"/v1/charges/{charge_id}"))
    except PspError:
        at = request.submitted_at
        told = at and failed_by_error(
            error, request.amount, request.currency, at, request.idempotency_key
        )
        charged = Observation(payments=(told,) if told else ())
    done = _outcome(request, merge_all([seen, charged]))
    return replace(done, status=status if asks else done.status or status, detail=said)


def _outcome(
    request: ChargeRequest, seen: Observation, intent: Mapping[str, Any] | None = None
) -> Outcome:
    """Our payment in `seen` is the newest there; it gets our key, and the door its ref."""
    payments = seen.payments
    status: PaymentStatus | None = None
    if payments:
        newest = max(payments, key=lambda one: (one.occurred_at, one.object_id))
        status = newest.status
        payments = tuple(
            replace(one, idempotency_key=request.idempotency_key) if one is newest else one
            for one in payments
        )
    if part(intent, "status") == "requires_action":
        status = PaymentStatus.REQUIRES_ACTION
    door = Ref(_REFS[request.door_kind], request.door_id)
    return Outcome(status, merge_all([Observation(refs=(door,)), replace(seen, payments=payments)]))


def _intents(calls: StripeCalls, request: ChargeRequest) -> list[str]:
    """The PaymentIntents our charge may be on, one that superseded the door's among them."""
    if request.door_kind is DoorKind.INVOICE:
        return invoice_intents(calls, request.door_id)
    intents = [request.door_id]
    if request.customer_ref is not None and request.submitted_at is not None:
        since = int((request.submitted_at - _SKEW).timestamp())
        intents += [
            str(one["id"])
            for one in calls.pages(
                "/v1/payment_intents", customer=request.customer_ref, created={"gte": since}
            )
            if text(one, "metadata", mapping.MADE_FOR) == request.attempt_id
        ]
    return intents


def _may_be_ours(request: ChargeRequest, seen: PaymentSeen) -> bool:
    if seen.payer_present or seen.object_id in request.known_payments:
        return False
    return request.submitted_at is None or seen.occurred_at >= request.submitted_at - _SKEW


def _error(error: stripe.StripeError) -> Mapping[str, Any]:
    found = part(error.json_body, "error")
    return found if isinstance(found, Mapping) else {}
