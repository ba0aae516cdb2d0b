"""Bring the case of a debt to where its money says: recovered, disputed, reversed, cancelled."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.standing import WON, Money, course
from tinko_pipelines.core.ledger.states import ACTIVE_CASES, CaseState, ObligationState

# whose success brought the money back: what `recovered_by` says
RECOVERED_BY = {"tinko": "retry", "payer": "payer", "psp": "psp", "merchant": "merchant"}


def follow(
    connection: Connection, debt: Row[Any], money: Money, by: str | None, now: datetime
) -> None:
    """Move the case of the locked, paid `debt`, if it has one, step by allowed step.

    `by` is who made the capture that reached the due (an actor), None where nobody did.
    """
    case = connection.execute(query("ledger", "case_of"), {"obligation_id": debt.id}).one_or_none()
    if case is None:
        return
    current, goal = CaseState(case.state), money.case_state
    before = CaseState.RECOVERED
    if current is CaseState.DISPUTED and goal is CaseState.RECOVERED:
        before = _before_the_dispute(connection, case.id)
    for step in course(current, goal, before):
        _move(connection, case.id, current, step, "paid" if step not in _LOST else step, now)
        current = step
    connection.execute(
        query("ledger", "case_money"),
        {
            "id": case.id,
            "by": RECOVERED_BY[by] if by is not None else None,
            "recovered": debt.due_minor,
            "reversed": money.missing,
            "now": now,
        },
    )


_LOST = frozenset({CaseState.DISPUTED, CaseState.REVERSED})


def _before_the_dispute(connection: Connection, case_id: uuid.UUID) -> CaseState:
    found = connection.scalar(query("ledger", "before_the_dispute"), {"id": case_id})
    return CaseState(found) if found else CaseState.RECOVERED


def cancel(
    connection: Connection, obligation_id: uuid.UUID, reason: ObligationState, now: datetime
) -> None:
    """Close the active case of a debt that was given up; a closed one stays as it is."""
    case = connection.execute(
        query("ledger", "case_of"), {"obligation_id": obligation_id}
    ).one_or_none()
    if case is not None and case.state in ACTIVE_CASES:
        _move(connection, case.id, CaseState(case.state), CaseState.CANCELLED, reason.value, now)


def _move(
    connection: Connection,
    case_id: uuid.UUID,
    current: CaseState,
    target: CaseState,
    reason: str,
    now: datetime,
) -> None:
    connection.execute(
        query("ledger", "move_case"),
        {
            "id": case_id,
            "current": current.value,
            "state": target.value,
            "reason": reason,
            # the day it came back stays that day, whatever is disputed later
            "closes": current not in WON,
            "now": now,
        },
    ).one()
