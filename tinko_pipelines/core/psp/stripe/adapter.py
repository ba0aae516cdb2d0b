"""Stripe behind `protocol.PspAdapter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.capabilities import CAPABILITIES, Capability, lacking
from tinko_pipelines.core.psp.operations import (
    CaptureRequest,
    DoorRequest,
    Notice,
    NoticeRequest,
    PaymentRequest,
    RefundRequest,
    RefundSeen,
)
from tinko_pipelines.core.psp.paging import ChangePage, Cursor, SettlementPage
from tinko_pipelines.core.psp.settlement import Payout, PayoutInterval, SettlementLine
from tinko_pipelines.core.psp.stripe import (
    charging,
    doors,
    listing,
    reads,
    refunds,
    settlement,
    webhook_state,
    writes,
)
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.throttle import Tally, Throttle
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
from tinko_pipelines.core.psp.webhook_state import WebhookState


class StripeAdapter:
    """The calls of one Stripe connection."""

    psp = Psp.STRIPE
    capabilities = CAPABILITIES[Psp.STRIPE]

    def __init__(
        self, credentials: Credentials, timeout: float, throttle: Throttle | None = None
    ) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self._calls = StripeCalls(credentials, timeout, throttle)
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

    def leave_door(self, door: DoorSeen) -> DoorSeen:
        """Expire a Checkout Session, cancel a bare PaymentIntent, read back any door."""
        return doors.leave_door(self._calls, door)

    def open_door(self, request: DoorRequest) -> HandOver:
        """A new Checkout Session."""
        return doors.open_door(self._calls, request)

    def hand_over(self, observation: Observation, return_url: str) -> HandOver:
        """The invoice's or session's own page, else a new session."""
        return doors.hand_over(self._calls, observation, return_url, self._sandbox)

    def retrieve(self, ref: Ref) -> Observation:
        """One object by its id, in one call."""
        return reads.one(self._calls, ref)

    def create_payment(self, request: PaymentRequest) -> Outcome:
        """A PaymentIntent that is not confirmed."""
        return writes.create_payment(self._calls, request)

    def capture(self, request: CaptureRequest) -> Outcome:
        """Capture an authorised charge through its PaymentIntent."""
        return writes.capture(self._calls, request)

    def refund(self, request: RefundRequest) -> RefundSeen:
        """Refund a charge, once under the request's key."""
        return refunds.refund(self._calls, request)

    def find_refund(self, request: RefundRequest) -> RefundSeen | None:
        """The refund that carries the request's reference in its metadata."""
        return refunds.find_refund(self._calls, request)

    def notify(self, request: NoticeRequest) -> Notice:
        """Stripe sends notices itself where they are due: raises NotSupported."""
        raise lacking(self.psp, Capability.NOTICE)

    def payouts(self, start: datetime, end: datetime) -> Iterator[Payout]:
        """Payouts created in [start, end)."""
        return settlement.payouts(self._calls, start, end)

    def settlement_lines(self, start: datetime, end: datetime) -> Iterator[SettlementLine]:
        """The balance transactions of those payouts."""
        return settlement.lines(self._calls, start, end)

    def list_changes(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Charges, PaymentIntents, invoices, sessions and disputes created in [start, end), and
        the charges that were refunded in it."""
        return listing.changes(self._calls, start, end)

    def change_pages(
        self, start: datetime, end: datetime, after: Cursor | None = None
    ) -> Iterator[ChangePage]:
        """The same page by page, with the records among them."""
        return listing.pages(self._calls, start, end, after)

    def settlement_pages(
        self, start: datetime, end: datetime, after: Cursor | None = None
    ) -> Iterator[SettlementPage]:
        """Payouts and lines page by page, and what is not paid out yet."""
        return settlement.pages(self._calls, start, end, after)

    def payout_interval(self) -> PayoutInterval | None:
        """As the account's settings say, where the key may read them."""
        return settlement.interval(self._calls)

    def webhook_state(self, path: str) -> WebhookState | None:
        """How the webhook to `path` stands, where the key may ask."""
        return webhook_state.state(self._calls, path)

    def verify_credentials(self) -> str:
        """The account the key belongs to."""
        return str(self._calls.get("/v1/account")["id"])

    @property
    def tally(self) -> Tally:
        """What this connection's throttle did so far."""
        return self._calls.throttle.tally
