"""How the money of one debt stands, and where that puts its case. Pure.

Both are functions of what is known, never of the order in which it came to be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from tinko_pipelines.core.ledger.states import CASE_TRANSITIONS, CaseState
from tinko_pipelines.core.psp.types import DisputeStatus

# states that a case has only once its debt was paid
WON = frozenset({CaseState.RECOVERED, CaseState.SETTLED, CaseState.DISPUTED, CaseState.REVERSED})


@dataclass(frozen=True, slots=True)
class Disputed:
    """One dispute over a payment of the debt, as the ledger keeps it. Minor units."""

    payment_id: str
    status: DisputeStatus
    amount: int


@dataclass(frozen=True, slots=True)
class Money:
    """All in minor units of the debt's currency.

    `paid` is what was ever collected, by captures or, as an invoice says, without any; `taken` is
    what captures collected; `back` is what refunds and lost disputes returned of it; `contested`:
    a dispute is still open.
    """

    due: int
    paid: int
    taken: int
    refunded: int
    back: int
    contested: bool = False

    @property
    def is_paid(self) -> bool:
        return self.paid >= self.due > 0

    @property
    def excess(self) -> int:
        """What was collected beyond the due and has not been given back."""
        return max(0, self.taken - self.back - self.due)

    @property
    def missing(self) -> int:
        """Of a debt that was paid, what is missing again."""
        return min(self.due, max(0, self.due - (self.paid - self.back))) if self.is_paid else 0

    @property
    def case_state(self) -> CaseState:
        """Where the case of a paid debt stands: all the money gone again, contested, or here."""
        if self.missing >= self.due:
            return CaseState.REVERSED
        return CaseState.DISPUTED if self.contested else CaseState.RECOVERED


def count(due: int, told: int, won: Sequence[Row[Any]], disputes: Iterable[Disputed] = ()) -> Money:
    """Add up the captures `won` (rows of `attempts_of`) and what was returned of each.

    `told` is what the debt's own object, or the ledger before, says was paid.
    """
    lost: dict[str, int] = {}
    contested: set[str] = set()
    for one in disputes:
        if one.status is DisputeStatus.LOST:
            lost[one.payment_id] = lost.get(one.payment_id, 0) + one.amount
        elif one.status is DisputeStatus.OPEN:
            contested.add(one.payment_id)
    taken = sum(one.amount_minor for one in won)
    return Money(
        due=due,
        paid=max(taken, told),
        taken=taken,
        refunded=sum(one.refunded_minor for one in won),
        back=sum(
            min(one.amount_minor, one.refunded_minor + lost.get(one.psp_payment_id, 0))
            for one in won
        ),
        contested=any(one.psp_payment_id in contested for one in won),
    )


def winner(due: int, won: Sequence[Row[Any]]) -> Row[Any] | None:
    """The capture that reached the due, of rows in the order in which they were made; what was
    given back counts only where what was kept does not reach it. None: a debt paid outside of any
    attempt was brought back by nobody.

    When each was captured does not decide: that is known only as well as events tell it.
    """
    for returned in (True, False):
        total = 0
        for one in won:
            kept = one.amount_minor - (one.refunded_minor if returned else 0)
            total += kept
            if kept > 0 and total >= due:
                return one
    return None


def course(
    current: CaseState,
    goal: CaseState,
    before: CaseState = CaseState.RECOVERED,
    table: Mapping[CaseState, frozenset[CaseState]] = CASE_TRANSITIONS,
) -> list[CaseState]:
    """The states that lead a case from `current` to `goal`, each step an allowed one.

    Settled is recovered and more, and stays. A dispute that came to nothing leads back to
    `before`, where the case stood when it was opened.
    """
    if goal is CaseState.RECOVERED:
        if current in (CaseState.RECOVERED, CaseState.SETTLED):
            return []
        if current is CaseState.DISPUTED:
            return [before]
    if current is goal:
        return []
    return [goal] if goal in table[current] else [CaseState.RECOVERED, goal]
