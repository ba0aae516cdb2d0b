"""Razorpay behind `protocol.PspAdapter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tinko_pipelines.core.psp.capabilities import CAPABILITIES
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
from tinko_pipelines.core.psp.razorpay import (
    charging,
    doors,
    listing,
    orders,
    reads,
    settlement,
    webhook_state,
    writes,
)
from tinko_pipelines.core.psp.razorpay.client import API, RazorpayCalls
from tinko_pipelines.core.psp.settlement import Payout, PayoutInterval, SettlementLine
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


class RazorpayAdapter:
    """The calls of one Razorpay connection."""

    psp = Psp.RAZORPAY
    capabilities = CAPABILITIES[Psp.RAZORPAY]

    def __init__(
        self, credentials: Credentials, timeout: float, throttle: Throttle | None = None
    ) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self._calls = RazorpayCalls(credentials, timeout, throttle)
        self._base_url = credentials.base_url or API

    def read(self, refs: tuple[Ref, ...]) -> Observation:
        """The debt as it stands now: all its doors and payments, freshly read."""
        return reads.read(self._calls, refs)

    def resolve(self, observation: Observation) -> Observation:
        """The observation with its order, invoice, link or cycle, and its mandate's state."""
        return reads.resolve(self._calls, observation)

    def charge(self, request: ChargeRequest) -> Outcome:
        """A recurring payment on the prepared order, else on a new one."""
        return charging.charge(self._calls, request)

    def find_attempt(self, request: ChargeRequest) -> Outcome:
        """The payment on the order that carries this attempt's id."""
        return charging.find_attempt(self._calls, request)

    def close_door(self, door: DoorSeen) -> DoorSeen:
        """Cancel a Payment Link, read back any door."""
        return doors.close_door(self._calls, door)

    def leave_door(self, door: DoorSeen) -> DoorSeen:
        """As `close_door`: there is nothing more to close."""
        return doors.close_door(self._calls, door)

    def open_door(self, request: DoorRequest) -> HandOver:
        """A new Payment Link."""
        return doors.open_door(self._calls, request)

    def hand_over(self, observation: Observation, return_url: str) -> HandOver:
        """The page of the subscription, link, invoice or order, else a new Payment Link."""
        return doors.hand_over(self._calls, observation, return_url, self._base_url)

    def retrieve(self, ref: Ref) -> Observation:
        """One entity by its id, in one call."""
        return reads.one(self._calls, ref)

    def create_payment(self, request: PaymentRequest) -> Outcome:
        """An order, once for its reference."""
        return orders.create_payment(self._calls, request)

    def capture(self, request: CaptureRequest) -> Outcome:
        """Capture an authorised payment, whole."""
        return writes.capture(self._calls, request)

    def refund(self, request: RefundRequest) -> RefundSeen:
        """Refund a payment, once under the request's key."""
        return writes.refund(self._calls, request)

    def find_refund(self, request: RefundRequest) -> RefundSeen | None:
        """The refund that carries the request's reference in its notes."""
        return writes.find_refund(self._calls, request)

    def notify(self, request: NoticeRequest) -> Notice:
        """A new order with a pre-debit notice, once for its attempt."""
        return orders.notify(self._calls, request)

    def payouts(self, start: datetime, end: datetime) -> Iterator[Payout]:
        """Settlements created in [start, end)."""
        return settlement.payouts(self._calls, start, end)

    def settlement_lines(self, start: datetime, end: datetime) -> Iterator[SettlementLine]:
        """The rows of the combined reconciliation report."""
        return settlement.lines(self._calls, start, end)

    def list_changes(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Payments and orders created in [start, end), the payments refunded in it, and disputes
        of the last months."""
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
        """Razorpay's API does not say how an account is settled."""
        return None

    def webhook_state(self, path: str) -> WebhookState | None:
        """How the webhook to `path` stands, where the key may ask."""
        return webhook_state.state(self._calls, path)

    def verify_credentials(self) -> str:
        """The key id, once Razorpay has accepted it with its secret. Razorpay tells no key whose
        it is: the account's own id comes with every webhook (`account_id`)."""
        self._calls(self._calls.sdk.payment.all, {"count": 1})
        return self._calls.key_id

    @property
    def tally(self) -> Tally:
        """What this connection's throttle did so far."""
        return self._calls.throttle.tally
