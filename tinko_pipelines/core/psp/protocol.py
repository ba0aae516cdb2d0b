"""What every PSP adapter does. One adapter object serves one connection.

Every method that calls the PSP may raise PspUnreachable (whether anything happened there is not
known), PspRejected (nothing happened, and will not: PspKeyRefused for the connection's key,
NotSupported for what this PSP does not do) or PspRateLimited (nothing happened, later). SDK
retries are off and timeouts explicit (DESIGN.md rule 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from tinko_pipelines.core.psp.capabilities import Capability
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
from tinko_pipelines.core.psp.throttle import Tally
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    DoorSeen,
    HandOver,
    Observation,
    Outcome,
    ParsedEvent,
    Psp,
    Ref,
)
from tinko_pipelines.core.psp.webhook_state import WebhookState


class PspAdapter(Protocol):
    """The calls of one connection."""

    psp: Psp
    capabilities: frozenset[Capability]

    @property
    def tally(self) -> Tally:
        """What this connection's throttle did so far."""
        ...

    # --- reading -----------------------------------------------------------------------------

    def read(self, refs: tuple[Ref, ...]) -> Observation:
        """The debt as it stands now at the PSP: all its doors and payments, freshly read."""
        ...

    def resolve(self, observation: Observation) -> Observation:
        """Add the refs that `observation`'s objects no longer name (Stripe: the invoice or session
        behind a charge or PaymentIntent) and whether a stored mandate exists. Reads only."""
        ...

    def retrieve(self, ref: Ref) -> Observation:
        """One object by its id, in one call and no further."""
        ...

    def list_changes(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Raw PSP objects created in [start, end), payments refunded in it, and disputes that may
        have changed in it, as bodies that `observe_object` reads; each once."""
        ...

    def payouts(self, start: datetime, end: datetime) -> Iterator[Payout]:
        """What was paid out to the merchant in [start, end). A paid one can still fail."""
        ...

    def settlement_lines(self, start: datetime, end: datetime) -> Iterator[SettlementLine]:
        """The lines those payouts are made of: their nets add up to each payout's amount."""
        ...

    def change_pages(
        self, start: datetime, end: datetime, after: Cursor | None = None
    ) -> Iterator[ChangePage]:
        """What `list_changes` lists, page by page, with the payments, refunds and disputes that
        were listed as records. `after` is the cursor of the last page that was kept, of the same
        span: the listing goes on behind it."""
        ...

    def settlement_pages(
        self, start: datetime, end: datetime, after: Cursor | None = None
    ) -> Iterator[SettlementPage]:
        """Payouts made in [start, end) and the lines of the balance that belong to it, those that
        are not paid out too, page by page as `change_pages`."""
        ...

    def payout_interval(self) -> PayoutInterval | None:
        """How often the balance is paid out; None where the PSP does not say to this key."""
        ...

    def webhook_state(self, path: str) -> WebhookState | None:
        """How the account's webhook to an address that ends with `path` stands; None where the PSP
        does not say to this key."""
        ...

    def verify_credentials(self) -> str:
        """The PSP account id these credentials belong to; where the PSP does not say
        (no Capability.IDENTIFY_ACCOUNT), the id of the key."""
        ...

    # --- collecting --------------------------------------------------------------------------

    def create_payment(self, request: PaymentRequest) -> Outcome:
        """An object to collect through, once for its reference; it charges nobody by itself."""
        ...

    def notify(self, request: NoticeRequest) -> Notice:
        """Have the PSP tell the payer of a debit ahead of it (Capability.NOTICE), once for its
        attempt. The debit then goes through the notice's door (`ChargeRequest.prepared`)."""
        ...

    def charge(self, request: ChargeRequest) -> Outcome:
        """Charge off-session, once, under `request.idempotency_key`. Declines are outcomes."""
        ...

    def find_attempt(self, request: ChargeRequest) -> Outcome:
        """Look for an attempt whose outcome we do not know; `status` None means none was found."""
        ...

    # --- doors -------------------------------------------------------------------------------

    def close_door(self, door: DoorSeen) -> DoorSeen:
        """Expire or cancel `door`, read it back and say how it stands. Kinds that cannot be closed
        (order, invoice, PaymentIntent) are read back only."""
        ...

    def leave_door(self, door: DoorSeen) -> DoorSeen:
        """`close_door` for a debt that goes on at another PSP: a bare PaymentIntent is cancelled
        too, in a way that does not give up the debt."""
        ...

    def open_door(self, request: DoorRequest) -> HandOver:
        """A new page for the payer of a debt that is at home elsewhere."""
        ...

    def hand_over(self, observation: Observation, return_url: str) -> HandOver:
        """Where the payer pays this debt: its own page where there is one, else a new door."""
        ...

    # --- after it ----------------------------------------------------------------------------

    def capture(self, request: CaptureRequest) -> Outcome:
        """Take the money of an authorised payment; one that is captured already is a success."""
        ...

    def refund(self, request: RefundRequest) -> RefundSeen:
        """Give money back, once under the request's key."""
        ...

    def find_refund(self, request: RefundRequest) -> RefundSeen | None:
        """The refund of the request's reference, if there is one. Reads only."""
        ...


class PspReader(Protocol):
    """The pure half of an adapter: reads bytes, calls nobody."""

    psp: Psp

    def verify_webhook(
        self, raw: bytes, headers: Mapping[str, str], secrets: tuple[str, ...]
    ) -> None:
        """Raise SignatureInvalid or SignatureStale unless one of `secrets` signed `raw`."""
        ...

    def parse_event(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> ParsedEvent:
        """The envelope. Raises InvalidInput where the body is not an event of this PSP."""
        ...

    def observe_event(self, body: Mapping[str, Any]) -> Observation:
        """What the event says of a debt; empty for kinds that say nothing of one."""
        ...

    def observe_object(self, body: Mapping[str, Any]) -> Observation:
        """The same for one listed or retrieved PSP object."""
        ...
