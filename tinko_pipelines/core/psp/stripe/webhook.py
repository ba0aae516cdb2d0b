"""Stripe's webhooks: the signature over the raw body, the envelope, what the event says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from tinko_pipelines.core.errors import InvalidInput, SignatureInvalid, SignatureStale
from tinko_pipelines.core.psp.payload import header, instant, mentioned, part, text
from tinko_pipelines.core.psp.stripe.kinds import CREATING, OBJECTS, OBSERVED
from tinko_pipelines.core.psp.types import Observation, ParsedEvent, Psp

TOLERANCE_SECONDS = 300
# object ids as docs.stripe.com/api shows them: a short prefix, perhaps the mode, then the body
ID = re.compile(
    r"(?:acct|ba|card|ch|cs|cus|dp|du|ii|il|in|inpay|mandate|pi|pm|po|prod|price|py|pyr|re|seti|si"
    r"|src|sub|tr|trr|txn)_(?:test_|live_)?[A-Za-z0-9]{6,255}"
)


class StripeReader:
    """`protocol.PspReader` for Stripe."""

    psp = Psp.STRIPE

    def verify_webhook(
        self, raw: bytes, headers: Mapping[str, str], secrets: tuple[str, ...]
    ) -> None:
        """Raise SignatureInvalid unless one of `secrets` signed `raw`, SignatureStale where one
        did more than 300 s of real time ago."""
        signature = header(headers, "stripe-signature")
        if any(_signed(raw, signature, secret, TOLERANCE_SECONDS) for secret in secrets):
            return
        # an old signature is another mistake than a wrong one, and told apart for the sender
        stale = any(_signed(raw, signature, secret, None) for secret in secrets)
        if stale:
            raise SignatureStale(f"the signature is more than {TOLERANCE_SECONDS} s old")
        raise SignatureInvalid("no Stripe-Signature of one of this connection's secrets")

    def parse_event(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> ParsedEvent:
        """The envelope. Raises InvalidInput where the body is not a Stripe event."""
        event_id, kind, created = text(body, "id"), text(body, "type"), instant(body, "created")
        about = part(body, "data", "object")
        if event_id is None or kind is None or created is None or not isinstance(about, Mapping):
            raise InvalidInput("not a Stripe event: id, type, created or data.object is missing")
        livemode = body.get("livemode")
        return ParsedEvent(
            event_id=event_id,
            event_type=kind,
            created_at=created,
            livemode=livemode if isinstance(livemode, bool) else None,
            account_id=text(body, "account"),
            object_ids=mentioned(about, ID),
        )

    def observe_event(self, body: Mapping[str, Any]) -> Observation:
        """What the event says of a debt; empty for kinds that are not in `kinds.OBSERVED`."""
        kind = text(body, "type") or ""
        observer, about = OBSERVED.get(kind), part(body, "data", "object")
        if observer is None or text(about, "id") is None:
            return Observation()
        seen = observer(about)
        at = instant(body, "created")
        key = text(body, "request", "idempotency_key") if kind in CREATING else None
        payments = tuple(
            replace(one, updated_at=at or one.updated_at, idempotency_key=key)
            for one in seen.payments
        )
        told = replace(seen.subscription, at=at) if seen.subscription else None
        return replace(seen, payments=payments, subscription=told)

    def observe_object(self, body: Mapping[str, Any]) -> Observation:
        """The same for one listed or retrieved object, told by its `object` member."""
        observer = OBJECTS.get(text(body, "object") or "")
        return observer(body) if observer and text(body, "id") else Observation()


def _signed(raw: bytes, signature: str, secret: str, tolerance: int | None) -> bool:
    try:
        WebhookSignature.verify_header(raw, signature, secret, tolerance)
    except (SignatureVerificationError, ValueError, TypeError):
        # the latter two for a body or header that is no text: nothing signed it
        return False
    return True
