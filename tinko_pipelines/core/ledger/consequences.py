"""What follows from the attempts of a debt: paid or not, what stops, what is found to be wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import (
    CASE_TRANSITIONS,
    OBLIGATION_TRANSITIONS,
    AttemptState,
    CaseState,
    ObligationState,
    sources,
)
from tinko_pipelines.core.psp.types import Observation

# whose success brought the money back: what `recovered_by` says
RECOVERED_BY = {"tinko": "retry", "payer": "payer", "psp": "psp", "merchant": "merchant"}
_TERMINAL = {
    ObligationState.VOID.value: ObligationState.VOID,
    ObligationState.UNCOLLECTIBLE.value: ObligationState.UNCOLLECTIBLE,
}


def draw(
    connection: Connection,
    debt: Row[Any],
    attempts: Sequence[Row[Any]],
    seen: Observation,
    now: datetime,
    *,
    news: bool,
) -> None:
    """Recount the locked debt and do what its new standing demands, in the caller's transaction.

    Paid (paid ≥ due) is absorbing: in the same transaction it cancels everything scheduled and
    recovers the case (rule 10). More than is due is the finding `double_collected` (rule 6).
    `news`: whether anything of the debt or its attempts has changed. A debt that is paid already
    and of which nothing is new was drawn from before.
    """
    obligation_id = debt.id
    if debt.psp_retries and not _ranked(attempts):
        touched = {"obligation_id": obligation_id, "now": now}
        connection.execute(query("ledger", "rank_psp_attempts"), touched)
        attempts = connection.execute(query("ledger", "attempts_of"), touched).all()
        news = True
    won = [one for one in attempts if one.state == "succeeded"]
    taken = sum(one.amount_minor for one in won)
    refunded = sum(one.refunded_minor for one in won)
    # an invoice may have been paid outside of any attempt (out of band, by credit)
    paid = max(taken, seen.paid or 0, debt.paid_minor)
    if (paid, refunded) != (debt.paid_minor, debt.refunded_minor):
        connection.execute(
            query("ledger", "record_paid"),
            {"id": obligation_id, "paid": paid, "refunded": refunded, "now": now},
        )
    elif debt.state == ObligationState.PAID and not news:
        return
    if taken - refunded > debt.due_minor:
        _double_collected(connection, debt, won, taken - refunded - debt.due_minor, now)
    if paid >= debt.due_minor > 0:
        _paid(connection, debt, attempts, won, now)
    elif paid > 0:
        _move(connection, debt.id, ObligationState.PARTIALLY_PAID, now)
    elif seen.terminal in _TERMINAL:
        _give_up(connection, debt.id, attempts, _TERMINAL[seen.terminal], now)
    if refunded:
        connection.execute(
            query("ledger", "record_reversal"),
            {"obligation_id": obligation_id, "reversed": refunded, "now": now},
        )


def _ranked(attempts: Sequence[Row[Any]]) -> bool:
    """Whether the first unattended try is the merchant's and every later one the PSP's."""
    theirs = [one for one in attempts if one.actor in ("merchant", "psp")]
    theirs.sort(key=lambda one: (one.occurred_at, one.psp_payment_id))
    return all((one.actor == "merchant") is (place == 0) for place, one in enumerate(theirs))


def _move(
    connection: Connection, obligation_id: uuid.UUID, state: ObligationState, now: datetime
) -> bool:
    moved = connection.execute(
        query("ledger", "set_obligation_state"),
        {
            "id": obligation_id,
            "state": state.value,
            "superseded_by": None,
            "sources": sources(OBLIGATION_TRANSITIONS, state),
            "now": now,
        },
    ).one_or_none()
    return moved is not None


def _stop(
    connection: Connection,
    obligation_id: uuid.UUID,
    attempts: Sequence[Row[Any]],
    now: datetime,
) -> None:
    touched = {"obligation_id": obligation_id, "now": now}
    # `attempts` were read under the debt's lock, without which none is planned
    if any(one.state == AttemptState.SCHEDULED for one in attempts):
        connection.execute(query("ledger", "cancel_scheduled"), touched)
    connection.execute(query("ledger", "cancel_messages"), touched)


def _paid(
    connection: Connection,
    debt: Row[Any],
    attempts: Sequence[Row[Any]],
    won: Sequence[Row[Any]],
    now: datetime,
) -> None:
    # also where it was paid before: a merge may have brought what was planned for another
    _move(connection, debt.id, ObligationState.PAID, now)
    _stop(connection, debt.id, attempts, now)
    recover_case(connection, debt, won, now)


def recover_case(
    connection: Connection, debt: Row[Any], won: Sequence[Row[Any]], now: datetime
) -> None:
    """Recover the debt's case, where it has one that can be. The capture that reached the due is
    what brought it back; a debt paid outside of any attempt was brought back by nobody."""
    total, winner = 0, None
    for one in won:
        total += one.amount_minor
        if total >= debt.due_minor:
            winner = one
            break
    connection.execute(
        query("ledger", "close_case"),
        {
            "obligation_id": debt.id,
            "state": CaseState.RECOVERED.value,
            "reason": "paid",
            "recovered_by": None,
            "recovered_minor": debt.due_minor,
            "reversed_minor": None,
            # a case reversed or disputed comes back through its own news, not through a recount
            "sources": [
                state
                for state in sources(CASE_TRANSITIONS, CaseState.RECOVERED)
                if state not in (CaseState.SETTLED, CaseState.DISPUTED, CaseState.REVERSED)
            ],
            "now": now,
        },
    )

    if winner is not None:
        # known at once, or only now: an invoice can be told paid before the charge that paid it
        connection.execute(
            query("ledger", "attribute_recovery"),
            {"obligation_id": debt.id, "by": RECOVERED_BY[winner.actor], "now": now},
        )


def _give_up(
    connection: Connection,
    obligation_id: uuid.UUID,
    attempts: Sequence[Row[Any]],
    state: ObligationState,
    now: datetime,
) -> None:
    if not _move(connection, obligation_id, state, now):
        return
    _stop(connection, obligation_id, attempts, now)
    connection.execute(
        query("ledger", "close_case"),
        {
            "obligation_id": obligation_id,
            "state": CaseState.CANCELLED.value,
            "reason": state.value,
            "recovered_by": None,
            "recovered_minor": None,
            "reversed_minor": None,
            "sources": sources(CASE_TRANSITIONS, CaseState.CANCELLED),
            "now": now,
        },
    )


def _double_collected(
    connection: Connection,
    debt: Row[Any],
    won: Sequence[Row[Any]],
    excess: int,
    now: datetime,
) -> None:
    last = won[-1]
    connection.execute(
        query("ledger", "add_finding"),
        {
            "id": new_id(now),
            "org_id": debt.org_id,
            "obligation_id": debt.id,
            "kind": "double_collected",
            "severity": "error",
            "dedupe_key": f"double_collected:{debt.id}",
            "evidence": json.dumps({"payments": [one.psp_payment_id for one in won]}),
            "proposal": json.dumps(
                {
                    "refund": last.psp_payment_id,
                    "amount_minor": min(excess, last.amount_minor),
                    "currency": debt.currency,
                }
            ),
            "now": now,
        },
    )
