"""The states of attempts, obligations and cases, and every allowed change between them.

The tables are DESIGN.md section 5, and the only place that knows them: the guarded UPDATEs take
their allowed sources from here. A state that is not a key of `ALLOWED` ends nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from tinko_pipelines.core.errors import InvalidTransition


class AttemptState(StrEnum):
    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    CANCELLED = "cancelled"


class ObligationState(StrEnum):
    OPEN = "open"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    SUPERSEDED = "superseded"


class CaseState(StrEnum):
    OPEN = "open"
    RETRYING = "retrying"
    AWAITING_PAYER = "awaiting_payer"
    RECOVERED = "recovered"
    SETTLED = "settled"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    DISPUTED = "disputed"
    REVERSED = "reversed"


S = TypeVar("S", bound=StrEnum)
A, O, C = AttemptState, ObligationState, CaseState  # noqa: E741

ATTEMPT_TRANSITIONS: Mapping[AttemptState, frozenset[AttemptState]] = {
    A.SCHEDULED: frozenset({A.CLAIMED, A.CANCELLED}),
    A.CLAIMED: frozenset({A.SUBMITTED, A.SCHEDULED, A.CANCELLED}),
    A.SUBMITTED: frozenset({A.SUCCEEDED, A.FAILED, A.PENDING, A.REQUIRES_ACTION, A.UNKNOWN}),
    A.UNKNOWN: frozenset({A.SUCCEEDED, A.FAILED, A.PENDING, A.REQUIRES_ACTION, A.NOT_SENT}),
    A.PENDING: frozenset({A.SUCCEEDED, A.FAILED, A.CANCELLED}),
    A.REQUIRES_ACTION: frozenset({A.SUCCEEDED, A.FAILED, A.CANCELLED}),
    # a late success is legal and wins
    A.FAILED: frozenset({A.SUCCEEDED}),
    A.SUCCEEDED: frozenset(),
    # two empty reads say that nothing was sent; the PSP's own word is stronger
    A.NOT_SENT: frozenset({A.SUCCEEDED, A.FAILED, A.PENDING}),
    A.CANCELLED: frozenset({A.SUCCEEDED}),
}

OBLIGATION_TRANSITIONS: Mapping[ObligationState, frozenset[ObligationState]] = {
    O.OPEN: frozenset({O.PARTIALLY_PAID, O.PAID, O.VOID, O.UNCOLLECTIBLE, O.SUPERSEDED}),
    O.PARTIALLY_PAID: frozenset({O.OPEN, O.PAID, O.VOID, O.UNCOLLECTIBLE, O.SUPERSEDED}),
    # paid is absorbing for charging; a merge may still fold it into the debt it belongs to
    O.PAID: frozenset({O.SUPERSEDED}),
    # the PSP may be paid after the merchant gave up
    O.VOID: frozenset({O.PAID, O.SUPERSEDED}),
    # a part that comes in later does not make it collectible again
    O.UNCOLLECTIBLE: frozenset({O.PAID, O.VOID, O.SUPERSEDED}),
    O.SUPERSEDED: frozenset(),
}

CASE_TRANSITIONS: Mapping[CaseState, frozenset[CaseState]] = {
    C.OPEN: frozenset({C.RETRYING, C.AWAITING_PAYER, C.RECOVERED, C.EXHAUSTED, C.CANCELLED}),
    C.RETRYING: frozenset({C.AWAITING_PAYER, C.RECOVERED, C.EXHAUSTED, C.CANCELLED}),
    C.AWAITING_PAYER: frozenset({C.RETRYING, C.RECOVERED, C.EXHAUSTED, C.CANCELLED}),
    C.RECOVERED: frozenset({C.SETTLED, C.DISPUTED, C.REVERSED}),
    C.SETTLED: frozenset({C.RECOVERED, C.DISPUTED, C.REVERSED}),
    C.EXHAUSTED: frozenset({C.RECOVERED}),
    C.CANCELLED: frozenset({C.RECOVERED}),
    C.DISPUTED: frozenset({C.RECOVERED, C.SETTLED, C.REVERSED}),
    C.REVERSED: frozenset({C.RECOVERED}),
}

# an attempt by us in one of these may have moved money, or still may
OPEN_ATTEMPTS = frozenset({A.CLAIMED, A.SUBMITTED, A.PENDING, A.REQUIRES_ACTION, A.UNKNOWN})
# a guard counts these: submitted, pending and unknown ones may yet reach the network
COUNTED_ATTEMPTS = frozenset(
    {A.SUBMITTED, A.SUCCEEDED, A.FAILED, A.PENDING, A.REQUIRES_ACTION, A.UNKNOWN}
)
COLLECTIBLE = frozenset({O.OPEN, O.PARTIALLY_PAID})
ACTIVE_CASES = frozenset({C.OPEN, C.RETRYING, C.AWAITING_PAYER})


def sources(table: Mapping[S, frozenset[S]], target: S) -> list[str]:
    """The states from which `target` may be reached: what a guarded UPDATE names."""
    return sorted(state.value for state, targets in table.items() if target in targets)


def check(table: Mapping[S, frozenset[S]], current: S, target: S) -> None:
    """Raise InvalidTransition unless `current → target` is allowed."""
    if target not in table[current]:
        allowed = ", ".join(sorted(table[current])) or "nothing"
        raise InvalidTransition(f"{current} may become {allowed}; not {target}")
