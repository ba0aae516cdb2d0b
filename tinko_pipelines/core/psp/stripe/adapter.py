"""Stripe behind `protocol.PspAdapter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.stripe import charging, doors, reads
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    Credentials,
    DoorSeen,
    HandOver,
    Observation,
    Outcome,
    Psp,
    Ref,
)

# charges first: every attempt is one
_LISTED = ("/v1/charges", "/v1/payment_intents", "/v1/invoices", "/v1/checkout/sessions")


class StripeAdapter:
    """The calls of one Stripe connection."""

    psp = Psp.STRIPE

    def __init__(self, credentials: Credentials, timeout: float) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self._calls = StripeCalls(credentials, timeout)
        base = credentials.base_url
        self._sandbox = base.removesuffix("/stripe") if base else None

    def read(self, refs: tuple[Ref, ...]) -> Observation:
        """The debt as it stands now: all its doors and payments, freshly read."""
        return reads.read(self._calls, refs)

    def resolve(self, observation: Observation) -> Observation:
        """The observation with its invoice or session, its amounts, and its stored method."""
        return reads.resolve(self._calls, observation)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Pay the invoice or confirm the PaymentIntent, off-session, once."""
        return charging.charge(self._calls, request)

    def find_attempt(self, request: ChargeRequest) -> Outcome:
        """The charge our call made, if it made one."""
        return charging.find_attempt(self._calls, request)

    def close_door(self, door: DoorSeen) -> DoorSeen:
        """Expire a Checkout Session, read back any door."""
        return doors.close_door(self._calls, door)

    def hand_over(self, observation: Observation, return_url: str) -> HandOver:
        """The invoice's or session's own page, else a new session."""
        return doors.hand_over(self._calls, observation, return_url, self._sandbox)

    def list_changes(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Charges, PaymentIntents, invoices and sessions created in [start, end)."""
        created = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
        for path in _LISTED:
            yield from self._calls.pages(path, created=created)

    def verify_credentials(self) -> str:
        """The account the key belongs to."""
        return str(self._calls.get("/v1/account")["id"])
