"""The words of reconciliation: kinds of findings, how grave each is, where a finding may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class FindingKind(StrEnum):
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    CURRENCY = "currency"
    STATUS = "status"
    DUPLICATE = "duplicate"
    FEE_OR_TAX = "fee_or_tax"
    SETTLED_WITHOUT_CAPTURE = "settled_without_capture"
    UNSETTLED = "unsettled"
    REFUND_NOT_REFLECTED = "refund_not_reflected"
    DISPUTE_NOT_REFLECTED = "dispute_not_reflected"
    PAYOUT_TOTAL = "payout_total"
    DOUBLE_COLLECTED = "double_collected"  # found by the ledger itself (rule 6)
    DISPUTE = "dispute"  # the ledger's record of a dispute, open while the dispute is


class Leg(StrEnum):
    """Which two of the three were held against each other."""

    LEDGER = "ledger"  # the PSP's transactions and ours
    SETTLEMENT = "settlement"  # the PSP's transactions and its settlement lines
    PAYOUT = "payout"  # settlement lines and the payouts they make up


class FindingState(StrEnum):
    OPEN = "open"
    EXPLAINED = "explained"  # a person, or a rule, said why it is so
    ACCEPTED = "accepted"  # it is so and stays so
    FIXED = "fixed"  # it is so no more


class Repair(StrEnum):
    """What can be done about a finding; only ever on request."""

    NONE = "none"
    HEAL = "heal"  # list the object again at the PSP and put its news into the inbox
    REFUND = "refund"  # give back what was collected twice


F = FindingState
FINDING_TRANSITIONS: Mapping[FindingState, frozenset[FindingState]] = {
    F.OPEN: frozenset({F.EXPLAINED, F.ACCEPTED, F.FIXED}),
    F.EXPLAINED: frozenset({F.OPEN, F.ACCEPTED, F.FIXED}),
    F.ACCEPTED: frozenset({F.OPEN, F.FIXED}),
    # what was fixed and is found again
    F.FIXED: frozenset({F.OPEN}),
}


@dataclass(frozen=True, slots=True)
class KindRow:
    """What a kind of finding means: to whom it says what, and what is proposed."""

    label: str
    severity: Severity
    repair: Repair
    meaning: str


K, S, R = FindingKind, Severity, Repair
KINDS: Mapping[FindingKind, KindRow] = {
    K.MISSING_HERE: KindRow(
        "Missing here", S.ERROR, R.HEAL, "The PSP lists a payment that the ledger does not have."
    ),
    K.MISSING_THERE: KindRow(
        "Missing there", S.ERROR, R.HEAL, "The ledger has a payment that the PSP does not list."
    ),
    K.AMOUNT: KindRow("Amount", S.ERROR, R.HEAL, "Both have it, over different amounts."),
    K.CURRENCY: KindRow(
        "Currency", S.ERROR, R.NONE, "Both have it, in different currencies and without a rate."
    ),
    K.STATUS: KindRow("Status", S.WARNING, R.HEAL, "Both have it; it ended differently."),
    K.DUPLICATE: KindRow("Duplicate", S.ERROR, R.NONE, "One side has the same payment twice."),
    K.FEE_OR_TAX: KindRow(
        "Fee or tax",
        S.WARNING,
        R.NONE,
        "Another fee or tax was kept than the payment says (Razorpay; Stripe's say none).",
    ),
    K.SETTLED_WITHOUT_CAPTURE: KindRow(
        "Settled without capture", S.ERROR, R.HEAL, "Money was settled that nobody captured."
    ),
    K.UNSETTLED: KindRow(
        "Captured, not settled", S.WARNING, R.NONE, "Captured, and in no payout when it was due."
    ),
    K.REFUND_NOT_REFLECTED: KindRow(
        "Refund not reflected", S.ERROR, R.HEAL, "A refund that the other side does not show."
    ),
    K.DISPUTE_NOT_REFLECTED: KindRow(
        "Dispute not reflected", S.ERROR, R.HEAL, "A dispute that the other side does not show."
    ),
    K.PAYOUT_TOTAL: KindRow(
        "Payout total", S.ERROR, R.NONE, "A payout is not the sum of its lines."
    ),
    K.DOUBLE_COLLECTED: KindRow(
        "Collected twice", S.ERROR, R.REFUND, "More was collected of a debt than was due."
    ),
    K.DISPUTE: KindRow("Dispute", S.WARNING, R.NONE, "The payer disputes a payment."),
}
# kinds that the ledger finds and closes itself; a day's matching never does
OF_THE_LEDGER = frozenset({K.DOUBLE_COLLECTED, K.DISPUTE})
