"""What each PSP can do. Callers ask before they plan; a call outside the set is refused by name."""

from __future__ import annotations

from enum import StrEnum

from tinko_pipelines.core.errors import NotSupported
from tinko_pipelines.core.psp.types import Psp


class Capability(StrEnum):
    """Something that not every PSP does. What all of them do is in `protocol.PspAdapter`."""

    PARTIAL_CAPTURE = "partial_capture"
    NOTICE = "notice"  # a pre-debit notice is asked for through the PSP
    IDEMPOTENT_CHARGE = "idempotent_charge"  # the same key charges once, whoever sends it again
    IDEMPOTENT_REFUND = "idempotent_refund"
    CANCEL_PAYMENT = "cancel_payment"  # a payment object can be closed before it is paid
    IDENTIFY_ACCOUNT = "identify_account"  # the key alone says whose account it opens
    EXCHANGE_RATES = "exchange_rates"  # settles in another currency than it collected


CAPABILITIES: dict[Psp, frozenset[Capability]] = {
    Psp.STRIPE: frozenset(
        {
            Capability.PARTIAL_CAPTURE,
            Capability.IDEMPOTENT_CHARGE,
            Capability.IDEMPOTENT_REFUND,
            Capability.CANCEL_PAYMENT,
            Capability.IDENTIFY_ACCOUNT,
            Capability.EXCHANGE_RATES,
        }
    ),
    Psp.RAZORPAY: frozenset({Capability.NOTICE, Capability.IDEMPOTENT_REFUND}),
}

# what to do where a PSP lacks it
_INSTEAD: dict[Capability, str] = {
    Capability.PARTIAL_CAPTURE: "capture the whole amount, then refund the difference",
    Capability.NOTICE: "charge at once: this PSP tells the payer itself where the law asks for it",
    Capability.IDEMPOTENT_CHARGE: "look with find_attempt() before anything is sent again",
    Capability.IDEMPOTENT_REFUND: "look with find_refund() before anything is sent again",
    Capability.CANCEL_PAYMENT: "let the object lapse, and never capture what is paid on it late",
    Capability.IDENTIFY_ACCOUNT: "say the account's id: the PSP's dashboard shows it",
    Capability.EXCHANGE_RATES: "read the line's own currency",
}


def can(psp: Psp, wanted: Capability) -> bool:
    """Whether the PSP does it."""
    return wanted in CAPABILITIES[psp]


def lacking(psp: Psp, wanted: Capability) -> NotSupported:
    """The refusal of a call that the PSP has nothing for, saying what to do instead."""
    return NotSupported(
        f"{psp.name.title()} has no {wanted.value.replace('_', ' ')}: {_INSTEAD[wanted]}",
        capability=wanted.value,
    )
