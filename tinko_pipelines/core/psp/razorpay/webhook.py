"""Razorpay's webhooks: the signature over the raw body, the envelope, what the event says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from razorpay.errors import SignatureVerificationError
from razorpay.utility import Utility

from tinko_pipelines.core.errors import InvalidInput, SignatureInvalid
from tinko_pipelines.core.psp.payload import header, instant, mentioned, part, text
from tinko_pipelines.core.psp.razorpay.kinds import OBJECTS, OBSERVED, entity
from tinko_pipelines.core.psp.razorpay.mapping import cycle_of
from tinko_pipelines.core.psp.razorpay.payments import EPOCH
from tinko_pipelines.core.psp.types import Observation, ParsedEvent, Psp

# object ids as razorpay.com/docs/api shows them
ID = re.compile(
    r"(?:addr|card|cust|disp|inv|item|order|pay|plan|plink|rfnd|setl|sub|token|trf)"
    r"_[A-Za-z0-9$]{6,64}"
)


class RazorpayReader:
    """`protocol.PspReader` for Razorpay."""

    psp = Psp.RAZORPAY

    def verify_webhook(
        self, raw: bytes, headers: Mapping[str, str], secrets: tuple[str, ...]
    ) -> None:
        """Raise SignatureInvalid unless one of `secrets` signed `raw`. Razorpay signs no time,
        so that no signature is ever stale."""
        signature, utility = header(headers, "x-razorpay-signature"), Utility()
        for secret in filter(None, secrets):
            try:
                utility.verify_webhook_signature(raw.decode(), signature, secret)
            except (SignatureVerificationError, ValueError, TypeError):
                # the latter two for a body or header that is no text: nothing signed it
                continue
            return
        raise SignatureInvalid("no X-Razorpay-Signature of one of this connection's secrets")

    def parse_event(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> ParsedEvent:
        """The envelope. Raises InvalidInput where the body is not a Razorpay event.

        The event's id is an unsigned header. Where it is missing, the body's hash stands for it.
        """
        kind, payload = text(body, "event"), part(body, "payload")
        if kind is None or not isinstance(payload, Mapping):
            raise InvalidInput("not a Razorpay event: event or payload is missing")
        found = set(mentioned(payload, ID))
        subscription = entity(payload, "subscription")
        if subscription is not None:
            # what its door is known by
            found.add(cycle_of(subscription))
        return ParsedEvent(
            event_id=header(headers, "x-razorpay-event-id") or _digest(body),
            event_type=kind,
            created_at=_created(body, payload),
            livemode=None,
            account_id=text(body, "account_id"),
            object_ids=tuple(sorted(found)),
        )

    def observe_event(self, body: Mapping[str, Any]) -> Observation:
        """What the event says of a debt; empty for kinds that are not in `kinds.OBSERVED`."""
        observer, payload = OBSERVED.get(text(body, "event") or ""), part(body, "payload")
        if observer is None or not isinstance(payload, Mapping):
            return Observation()
        seen, at = observer(payload), _created(body, payload)
        payments = tuple(replace(one, updated_at=max(at, one.occurred_at)) for one in seen.payments)
        told = replace(seen.subscription, at=at) if seen.subscription else None
        return replace(seen, payments=payments, subscription=told)

    def observe_object(self, body: Mapping[str, Any]) -> Observation:
        """The same for one listed or retrieved entity, told by its `entity` member."""
        # a Payment Link does not say what it is
        kind = text(body, "entity") or ("payment_link" if _is_link(body) else "")
        observer = OBJECTS.get(kind)
        return observer(body) if observer and text(body, "id") else Observation()


def _is_link(body: Mapping[str, Any]) -> bool:
    return (text(body, "id") or "").startswith("plink_")


def _created(body: Mapping[str, Any], payload: Mapping[str, Any]) -> datetime:
    """When it happened. Some kinds say it in the payload, some only in what it is about, and one
    (token.service_provider_token.activated) not at all."""
    said = instant(body, "created_at") or instant(payload, "created_at")
    if said is not None:
        return said
    about = [
        instant(one, "entity", name)
        for one in payload.values()
        for name in ("updated_at", "created_at")
    ]
    return max((at for at in about if at is not None), default=EPOCH)


def _digest(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
