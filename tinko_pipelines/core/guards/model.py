"""What an attempt is known by when it is held against the limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tinko_pipelines.core.guards.cycles import Frequency


class MerchantCategory(StrEnum):
    """What a merchant sells, as far as limits tell merchants apart (RBI's e-mandate framework)."""

    INSURANCE = "insurance"
    MUTUAL_FUNDS = "mutual_funds"
    CARD_BILLS = "card_bills"
    OTHER = "other"


# a debit that stands so is with the bank: its result is to come, and it is neither failed nor free
UNRESOLVED = frozenset({"submitted", "pending", "unknown"})


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt, by anyone, that a counter sees. `at` is business time, amount in minor units.

    `state` is an attempt's (core/ledger/states.py); the codes are those of its failure.
    """

    at: datetime
    amount: int
    currency: str
    initiator: str  # merchant or customer: schemes count them apart
    same_obligation: bool
    state: str = "failed"
    network_decline_code: str | None = None
    network_advice_code: str | None = None


@dataclass(frozen=True, slots=True)
class LastFailure:
    at: datetime
    network_decline_code: str | None = None
    network_advice_code: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the attempt that is asked for. Amount in minor units.

    `counted`: everyone's attempts on the instrument within one PSP account, this one not among
    them. `timed_out_at`: when the newest of the debt's tries, by anyone, failed in a way that the
    bank may still turn into a success. `notice_required`: the pre-debit notice is ours to wait
    for; False where the PSP gives it as part of the charge and debits only after it.
    `fresh_notice`: the merchant has each retry announced by a notice of its own.
    `cycle_end`: of the debt's own cycle, where its PSP says it; `frequency`: of the mandate that is
    debited, None where nobody said it.
    `as_of`: when this was known, where that is before the instant that is asked about: an open
    debit is then taken to be resolved in time, and looked at again when the time has come.
    """

    psp: str
    method: str
    network: str | None
    country: str | None
    instrument_key: str | None
    amount: int
    currency: str
    counted: tuple[Counted, ...] = ()
    last_failure: LastFailure | None = None
    timed_out_at: datetime | None = None
    cycle_end: datetime | None = None
    initiator: str = "merchant"
    merchant_country: str | None = None
    merchant_category: str | None = None
    notice_required: bool = False
    notice_delivered_at: datetime | None = None
    fresh_notice: bool = True
    frequency: Frequency | None = None
    as_of: datetime | None = None
