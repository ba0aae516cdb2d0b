"""What a PSP says and is asked, in our words: the same for every PSP.

An event, a listed object and the answer to a call are all read into an `Observation`; the ledger
knows nothing else of PSPs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen


class Psp(StrEnum):
    STRIPE = "stripe"
    RAZORPAY = "razorpay"


class Actor(StrEnum):
    MERCHANT = "merchant"
    PSP = "psp"
    TINKO = "tinko"
    PAYER = "payer"


class DoorKind(StrEnum):
    INVOICE = "invoice"
    PAYMENT_INTENT = "payment_intent"
    CHECKOUT_SESSION = "checkout_session"
    ORDER = "order"
    PAYMENT_LINK = "payment_link"
    SUBSCRIPTION_CYCLE = "subscription_cycle"


class DoorStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"  # expired, cancelled, voided: nothing can be paid through it
    PAID = "paid"


class PaymentStatus(StrEnum):
    """How one try stands at the PSP."""

    CREATED = "created"  # accepted, nothing decided yet
    PENDING = "pending"  # with the bank; the result is to come
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"  # held, not captured
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefKind(StrEnum):
    """PSP objects that stand for one debt, strongest first (DESIGN.md rule 1)."""

    INVOICE = "invoice"
    SUBSCRIPTION_CYCLE = "subscription_cycle"
    CHECKOUT_SESSION = "checkout_session"
    PAYMENT_LINK = "payment_link"
    PAYMENT_INTENT = "payment_intent"
    ORDER = "order"
    PAYMENT = "payment"  # a Stripe charge or a Razorpay payment


class DisputeStatus(StrEnum):
    OPEN = "open"
    LOST = "lost"
    WON = "won"  # or withdrawn, or closed without taking anything


@dataclass(frozen=True, slots=True)
class Ref:
    kind: RefKind
    object_id: str


@dataclass(frozen=True, slots=True)
class DoorSeen:
    """`announced`: the PSP tells the payer ahead of a debit through it, and debits only after
    that (Razorpay's `notification`); None where it does not say."""

    kind: DoorKind
    object_id: str
    status: DoorStatus
    url: str | None = None
    announced: bool | None = None


@dataclass(frozen=True, slots=True)
class PaymentSeen:
    """One attempt as the PSP shows it. `amount` in minor units; `occurred_at` is its creation."""

    object_id: str
    status: PaymentStatus
    amount: int
    currency: str
    occurred_at: datetime
    updated_at: datetime
    method: str = "unknown"  # card, upi, emandate, netbanking, wallet, …
    network: str | None = None
    country: str | None = None  # of the instrument's issuer, ISO 3166-1 alpha-2
    instrument_key: str | None = None  # Stripe fingerprint, Razorpay token: what guards count by
    payment_method_ref: str | None = None  # what a later off-session charge would use
    payer_present: bool = False
    refunded: int | None = None  # in all, as it stands; None: not said
    lapsed: bool = False  # given back without ever being captured: nothing of it is settled
    disputed: bool = False  # there is a dispute, or was one: `disputes` say how it stands
    door: str | None = None  # object id of the door it came through, where the PSP says
    idempotency_key: str | None = None
    tinko_attempt: str | None = None  # our mark in metadata or notes
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """One dispute over a payment; `amount` in minor units is taken back while it is not won."""

    object_id: str
    payment_id: str
    status: DisputeStatus
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """Who owes it. `country` is ISO 3166-1 alpha-2; `tags` are the merchant's own words for rules
    (`tinko_tags` in Stripe's metadata or Razorpay's notes), None where none were said."""

    ref: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    country: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one PSP message says of one debt; every part of it may be missing.

    `refs` are all PSP objects known to stand for the debt. `due` in minor units, as the strongest
    ref says. `psp_retries` is True where the PSP itself collects again (Stripe auto_advance,
    Razorpay subscriptions and orders without a notification), None where this object does not say.
    `mandate_ref` is the stored instrument a retry may use; `has_mandate` None means not said.
    """

    refs: tuple[Ref, ...] = ()
    due: int | None = None
    paid: int | None = None
    due_from: RefKind | None = None  # the kind of the object that says `due` and `paid`
    currency: str | None = None
    created_at: datetime | None = None
    description: str | None = None
    customer: CustomerSeen = field(default_factory=CustomerSeen)
    doors: tuple[DoorSeen, ...] = ()
    payments: tuple[PaymentSeen, ...] = ()
    disputes: tuple[DisputeSeen, ...] = ()
    psp_retries: bool | None = None
    has_mandate: bool | None = None
    mandate_ref: str | None = None
    mandate_frequency: Frequency | None = None  # how often `mandate_ref` may be debited
    mandate_lost: str | None = None  # token whose mandate was paused, rejected or cancelled
    mandate_restored: str | None = None  # token whose mandate stands (again)
    subscription: SubscriptionSeen | None = None
    cycle_end: datetime | None = None
    terminal: str | None = None  # void, uncollectible
    notice_delivered: str | None = None  # order whose pre-debit notice reached the payer
    notice_failed: str | None = None  # order whose pre-debit notice did not
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True for events that say nothing of a debt; they are stored and marked ignored."""
        return not (
            self.refs
            or self.subscription
            or self.mandate_lost
            or (self.mandate_ref and self.mandate_frequency)
            or self.mandate_restored
            or self.notice_delivered
            or self.notice_failed
        )


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """The envelope of one webhook event. `object_ids` are all PSP ids it mentions (rule 8)."""

    event_id: str
    event_type: str
    created_at: datetime
    livemode: bool | None
    account_id: str | None
    object_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection holds, decrypted. Old webhook secrets stay valid during a rotation."""

    api_key: str  # Stripe secret key; Razorpay key id
    api_secret: str | None = None  # Razorpay key secret
    webhook_secrets: tuple[str, ...] = ()
    base_url: str | None = None  # None: the PSP's own address


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One off-session charge of ours through one door. `amount` in minor units.

    `door_id` is reused, except where the PSP needs a new object per retry (Razorpay): then the
    adapter creates it and the outcome names it.
    """

    attempt_id: str
    idempotency_key: str
    door_kind: DoorKind
    door_id: str
    amount: int
    currency: str
    payment_method_ref: str
    customer_ref: str | None
    method: str
    email: str | None = None
    phone: str | None = None
    description: str | None = None
    submitted_at: datetime | None = None  # business time; `find_attempt` looks from here on
    known_payments: tuple[str, ...] = ()  # PSP ids of the debt's other attempts
    prepared: str | None = None  # a door made for this attempt alone (`notify`): charged as it is


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: the payment as it stands, and the refs and doors it made known.

    `sent` is False only where it is certain that nothing reached the payer's bank.
    """

    status: PaymentStatus | None  # None: not known
    observation: Observation | None = None
    sent: bool = True
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """How the payer gets from our page to the PSP's. `post` sends `fields` to `url` as a form."""

    url: str
    post: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    door: DoorSeen | None = None  # set where a new door was opened for this
