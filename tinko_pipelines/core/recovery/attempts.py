"""Moves of our own attempts, and what goes with each: the lock, the counter, the case."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.states import (
    ACTIVE_CASES,
    ATTEMPT_TRANSITIONS,
    COLLECTIBLE,
    AttemptState,
    sources,
)

_CERTAIN = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.NOT_SENT})
# the lock is freed and the case is decided anew: the outcome is certain, or only the payer, at the
# very door that we tried, can still bring it about
_FREES = _CERTAIN | {AttemptState.REQUIRES_ACTION}


def state_of(connection: Connection, attempt_id: uuid.UUID) -> AttemptState:
    """Raises sqlalchemy NoResultFound where there is no such attempt."""
    row = connection.execute(query("charging", "claimed"), {"id": attempt_id}).one()
    return AttemptState(row.state)


def move(
    connection: Connection,
    attempt_id: uuid.UUID,
    target: AttemptState,
    now: datetime,
    *,
    detail: str | None = None,
) -> bool:
    """Move an attempt to `target`, if it stands where that is allowed; says whether it moved."""
    connection.execute(query("charging", "lock_debt_of"), {"id": attempt_id})
    moved = connection.execute(
        query("charging", "settle_state"),
        {
            "id": attempt_id,
            "state": target.value,
            "final": target in _CERTAIN,
            "error": json.dumps({"description": detail}) if detail else None,
            "sources": sources(ATTEMPT_TRANSITIONS, target),
            "now": now,
        },
    ).one_or_none()
    if moved is None:
        return False
    connection.execute(query("charging", "uncount"), {"id": attempt_id, "state": target.value})
    if target in _FREES:
        touched = {"obligation_id": moved.obligation_id, "now": now}
        connection.execute(query("ledger", "free_lock"), touched | {"attempt_id": attempt_id})
        connection.execute(query("ledger", "wake_case"), touched)
    return True


def give_back(
    connection: Connection,
    attempt_id: uuid.UUID,
    obligation_id: uuid.UUID,
    token: uuid.UUID,
    *,
    again_at: datetime | None,
    now: datetime,
) -> bool:
    """A claimed attempt that was not sent: due again at `again_at`, or cancelled when None.

    A cancelled one wakes its case, so that decide() finds another way. False where the lease is
    no longer ours.
    """
    state = AttemptState.CANCELLED if again_at is None else AttemptState.SCHEDULED
    if again_at is not None and not _still_wanted(connection, attempt_id, obligation_id):
        state = AttemptState.CANCELLED
    given = connection.execute(
        query("charging", "give_back"),
        {
            "id": attempt_id,
            "token": token,
            "state": state.value,
            "again_at": again_at,
            "now": now,
        },
    ).one_or_none()
    if given is None:
        return False
    connection.execute(query("charging", "unlock_debt"), {"token": token})
    if state is AttemptState.CANCELLED:
        # a merge may have moved the attempt meanwhile
        connection.execute(
            query("ledger", "wake_case"), {"obligation_id": given.obligation_id, "now": now}
        )
    return True


def is_case_closed(attempt: Row[Any]) -> bool:
    """Whether the debt's case was given up or closed; an attempt without a case stands alone.

    `attempt` is a row of `claimed`.
    """
    return attempt.case_state is not None and attempt.case_state not in ACTIVE_CASES


def _still_wanted(connection: Connection, attempt_id: uuid.UUID, obligation_id: uuid.UUID) -> bool:
    debt = connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id}).one()
    attempt = connection.execute(query("charging", "claimed"), {"id": attempt_id}).one()
    return debt.state in COLLECTIBLE and not is_case_closed(attempt)
