"""The merchant presses stop: nothing more is begun for a debt."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound
from tinko_pipelines.core.ledger.states import (
    ACTIVE_CASES,
    CASE_TRANSITIONS,
    OPEN_ATTEMPTS,
    CaseState,
    check,
)
from tinko_pipelines.core.psp.types import Actor

STOPPED = "merchant.stopped"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What stopping a case ended. `open_attempts` are ours that are with the PSP already."""

    id: uuid.UUID
    state: CaseState
    close_reason: str
    cancelled_attempts: int
    cancelled_messages: int
    open_attempts: int


def stop_case(connection: Connection, case_id: uuid.UUID, now: datetime) -> Stopped:
    """Close the case and cancel what is planned, in the caller's transaction.

    An attempt that is claimed or with the PSP keeps its own end: one that was not sent yet is
    dropped by whoever holds it, and a late success wins (CASE_TRANSITIONS). Stopping a stopped
    case changes nothing. Raises NotFound, InvalidTransition where it is closed otherwise, and
    Conflict where it was merged into another debt's case at this moment.
    """
    obligation_id = connection.scalar(query("recovery", "debt_of_case"), {"id": case_id})
    if obligation_id is None:
        raise NotFound(f"there is no case {case_id}")
    # the debt before its case and its attempts: everybody's order
    connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id}).one()
    case = connection.execute(query("recovery", "lock_case"), {"id": case_id}).one()
    if case.obligation_id != obligation_id:
        raise Conflict("the case's debt was merged with another at this moment; try again")
    state = CaseState(case.state)
    if state is not CaseState.CANCELLED or case.close_reason != STOPPED:
        if state not in ACTIVE_CASES:
            check(CASE_TRANSITIONS, state, CaseState.CANCELLED)
        connection.execute(
            query("ledger", "move_case"),
            {
                "id": case_id,
                "current": state.value,
                "state": CaseState.CANCELLED.value,
                "reason": STOPPED,
                "closes": True,
                "now": now,
            },
        ).one()
    touched = {"obligation_id": obligation_id, "now": now}
    attempts = connection.execute(query("ledger", "cancel_scheduled"), touched).rowcount
    messages = connection.execute(query("ledger", "cancel_messages"), touched).rowcount
    tries = connection.execute(query("ledger", "attempts_of"), touched).all()
    moving = sum(one.actor == Actor.TINKO and one.state in OPEN_ATTEMPTS for one in tries)
    return Stopped(case_id, CaseState.CANCELLED, STOPPED, attempts, messages, moving)
