"""Where the money of a recovery is, from its charge, the charge's line and the line's payout. Pure.

A recovery is settled only when a settlement line's source is the winning charge and its payout is
paid (Razorpay: processed, and the line not on hold). A payout that failed undoes that; what it
carried is back in the balance, and settled when the payout it left with again is paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from tinko_pipelines.core.psp.settlement import PayoutStatus
from tinko_pipelines.core.reconciliation.payouts import Payouts


class SettlementState(StrEnum):
    SETTLED = "settled"
    PAYOUT_PENDING = "payout_pending"
    PAYOUT_FAILED = "payout_failed"
    ON_HOLD = "on_hold"
    AVAILABLE = "available"
    NOT_DUE = "not_due"
    OVERDUE = "overdue"
    NO_CHARGE = "no_charge"


S = SettlementState
REASONS: Mapping[SettlementState, str] = {
    S.SETTLED: "The payout that carries it is paid.",
    S.PAYOUT_PENDING: "It is in a payout that is on its way to the bank.",
    S.PAYOUT_FAILED: "Its payout came back; the money is in the balance again.",
    S.ON_HOLD: "The PSP holds it back.",
    S.AVAILABLE: "It is in the balance or in a payout by hand, which no PSP itemises.",
    S.NOT_DUE: "It was captured too recently to be settled.",
    S.OVERDUE: "It should be in a payout by now and is in none.",
    S.NO_CHARGE: "It was paid outside of any charge: the PSP settles nothing.",
}
# all but what is late: that is for somebody to look at
EXPLAINED = frozenset(S) - {S.OVERDUE}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where it is, and the payout that has it, if one does."""

    state: SettlementState
    payout_id: str | None = None

    @property
    def reason(self) -> str:
        return REASONS[self.state]


def standing(
    captured_at: datetime | None,
    line: Row[Any] | None,
    payouts: Payouts,
    *,
    by_hand_until: datetime | None,
    overdue_before: datetime,
    now: datetime,
) -> Standing:
    """Where the money of one charge is. `captured_at` None: there is no charge.

    `line` is the payment line whose source it is; what was available `by_hand_until` then is the
    merchant's own to pay out (`payouts.Custom`).
    """
    if captured_at is None:
        return Standing(S.NO_CHARGE)
    late = S.OVERDUE if captured_at < overdue_before else S.NOT_DUE
    if line is None:
        return Standing(late)
    if line.on_hold:
        return Standing(S.ON_HOLD)
    if line.payout_id is None:
        by_hand = by_hand_until is not None and (
            line.available_on is None or line.available_on <= min(by_hand_until, now)
        )
        return Standing(S.AVAILABLE if by_hand else late)
    carrier = payouts.carrying(line.payout_id)
    status = payouts.status.get(carrier)
    if status is None and line.payout_status is not None:
        status = PayoutStatus(line.payout_status)
    return Standing(_OF_PAYOUT[status or PayoutStatus.PENDING], carrier)


_OF_PAYOUT: Mapping[PayoutStatus, SettlementState] = {
    PayoutStatus.PENDING: S.PAYOUT_PENDING,
    PayoutStatus.PAID: S.SETTLED,
    PayoutStatus.FAILED: S.PAYOUT_FAILED,
    PayoutStatus.CANCELLED: S.PAYOUT_FAILED,
}
