"""What a payer and an instrument are, and the neutral words for how a charge ends."""

from __future__ import annotations

from dataclasses import dataclass

SOFT = frozenset(
    ("insufficient_funds", "limit_exceeded", "issuer_unavailable", "processing_error",
     "do_not_honor", "auth_failed")
)  # fmt: skip
HARD = frozenset(
    ("expired", "lost", "stolen", "closed", "restricted", "revoked", "fraud", "not_permitted")
)
AUTH_REQUIRED = "auth_required"
MADE_UP = "made_up:"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A card, UPI handle or bank account. `broken_at` and quirk times are epoch seconds."""

    id: str
    payer: str
    method: str  # card | upi | emandate
    network: str  # visa … for a card, upi, or the bank's code
    issuer: str
    country: str
    funding: str  # credit | debit
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    grumpy: float  # share of six-hour spans in which the issuer says no without a reason
    wants_auth: bool
    broken_at: int | None
    broken_code: str
    quirk: tuple[str, int, int] | None = None  # made-up code, from, until
    fixed: str | None = None  # test cards: this code always; '' always succeeds


@dataclass(frozen=True, slots=True)
class Payer:
    """One customer of one merchant account. `income` in minor units a month."""

    id: str
    number: int
    psp: str
    name: str
    email: str
    phone: str
    language: str
    country: str
    currency: str
    payday: str
    income: int
    thrift: float  # the share of a pay cycle the money lasts; above 1 it always does
    heeds: float  # probability of acting on a message
    delay: float  # mean hours until they do
    persistence: float  # probability of trying again after a failure while present
    instruments: tuple[Instrument, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a charge comes to. `luck` in [0, 1) picks among a PSP's words for one code."""

    ok: bool
    code: str | None = None
    luck: float = 0.0
