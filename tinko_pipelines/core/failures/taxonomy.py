"""The words a failure is described with, the same for every PSP.

`CATEGORIES`, `ADVICE` and `ACTORS` each hold every member of their enum; a test names any gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """Why it failed."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    AUTHENTICATION_REQUIRED = "authentication_required"
    EXPIRED_INSTRUMENT = "expired_instrument"
    INVALID_INSTRUMENT = "invalid_instrument"
    LOST_OR_STOLEN = "lost_or_stolen"
    FRAUD_RISK = "fraud_risk"
    MANDATE_PROBLEM = "mandate_problem"
    PAYER_CANCELLED = "payer_cancelled"
    MERCHANT_FAULT = "merchant_fault"
    PROCESSING_ERROR = "processing_error"
    DO_NOT_HONOR = "do_not_honor"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNKNOWN = "unknown"


class RetryAdvice(StrEnum):
    """What may be done with the same instrument, without the payer being present."""

    NEVER = "never"
    TIMED = "timed"
    CAUTIOUS = "cautious"
    PAYER_ACTION = "payer_action"
    POLL = "poll"


class WhoActs(StrEnum):
    """Who has to do something before the payment can succeed."""

    MERCHANT = "merchant"
    PAYER = "payer"
    PSP = "psp"
    NOBODY = "nobody"


class PayerReason(StrEnum):
    """Key of the sentence the payer's page shows; the page's catalogue holds the sentences."""

    FUNDS = "funds"
    LIMIT = "limit"
    BANK_UNAVAILABLE = "bank_unavailable"
    CONFIRM = "confirm"
    EXPIRED = "expired"
    DETAILS = "details"
    MANDATE = "mandate"
    CANCELLED = "cancelled"
    MERCHANT_SIDE = "merchant_side"
    PROCESSING = "processing"
    PENDING = "pending"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """What holds for a whole category. `hard`: another try on the same instrument is pointless."""

    label: str
    hard: bool
    payer_reason: PayerReason


# fraud_risk and lost_or_stolen read as a plain decline to a payer: the payer may be the thief
# (Stripe, docs.stripe.com/declines/codes, next steps of `fraudulent`, `lost_card`, `stolen_card`)
CATEGORIES: Mapping[Category, CategoryFacts] = {
    Category.INSUFFICIENT_FUNDS: CategoryFacts("Insufficient funds", False, PayerReason.FUNDS),
    Category.LIMIT_EXCEEDED: CategoryFacts("Limit exceeded", False, PayerReason.LIMIT),
    Category.ISSUER_UNAVAILABLE: CategoryFacts(
        "Bank unavailable", False, PayerReason.BANK_UNAVAILABLE
    ),
    Category.AUTHENTICATION_REQUIRED: CategoryFacts(
        "Authentication required", True, PayerReason.CONFIRM
    ),
    Category.EXPIRED_INSTRUMENT: CategoryFacts("Expired instrument", True, PayerReason.EXPIRED),
    Category.INVALID_INSTRUMENT: CategoryFacts("Instrument not usable", True, PayerReason.DETAILS),
    Category.LOST_OR_STOLEN: CategoryFacts("Lost or stolen", True, PayerReason.DECLINED),
    Category.FRAUD_RISK: CategoryFacts("Fraud risk", True, PayerReason.DECLINED),
    Category.MANDATE_PROBLEM: CategoryFacts("Mandate problem", True, PayerReason.MANDATE),
    Category.PAYER_CANCELLED: CategoryFacts("Cancelled by payer", True, PayerReason.CANCELLED),
    Category.MERCHANT_FAULT: CategoryFacts("Merchant's side", True, PayerReason.MERCHANT_SIDE),
    Category.PROCESSING_ERROR: CategoryFacts("Processing error", False, PayerReason.PROCESSING),
    Category.DO_NOT_HONOR: CategoryFacts("Declined without a reason", False, PayerReason.DECLINED),
    Category.OUTCOME_UNKNOWN: CategoryFacts("Outcome not known", False, PayerReason.PENDING),
    Category.UNKNOWN: CategoryFacts("Unknown code", False, PayerReason.DECLINED),
}


@dataclass(frozen=True, slots=True)
class AdviceFacts:
    """`hard`: stop retrying off-session. `strength`: a weaker advice of a more specific row never
    replaces a stronger one (`coderow`, point 3)."""

    label: str
    hard: bool
    strength: int

    @property
    def retries(self) -> bool:
        """Whether the same instrument may be tried again without the payer."""
        return self.strength == _RETRIES


_RETRIES = 1
# An outcome nobody knows is read before anything else is done; a prohibition beats a request to
# the payer, and both beat a permission.
ADVICE: Mapping[RetryAdvice, AdviceFacts] = {
    RetryAdvice.POLL: AdviceFacts("Read the outcome, do not retry", False, 4),
    RetryAdvice.NEVER: AdviceFacts("Never retry", True, 3),
    RetryAdvice.PAYER_ACTION: AdviceFacts("Ask the payer", True, 2),
    RetryAdvice.TIMED: AdviceFacts("Retry later", False, _RETRIES),
    RetryAdvice.CAUTIOUS: AdviceFacts("Few retries, and contact the payer", False, _RETRIES),
}

ACTORS: Mapping[WhoActs, str] = {
    WhoActs.MERCHANT: "Merchant",
    WhoActs.PAYER: "Payer",
    WhoActs.PSP: "Payment provider",
    WhoActs.NOBODY: "Nobody, time helps",
}


def payer_reason(category: Category) -> PayerReason:
    """The key of what a payer may be told: fraud-like categories read as a generic decline."""
    return CATEGORIES[category].payer_reason
