"""The call of one attempt, and what came of it: shared by the charge and by the reads after it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.ledger.payments import STATE_OF, key_of
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import ChargeRequest, DoorKind, DoorSeen, Outcome
from tinko_pipelines.core.recovery import attempts
from tinko_pipelines.core.tenants.desk import Seat


def request_for(attempt: Row[Any], debt: Row[Any], door: DoorSeen) -> ChargeRequest:
    """The call of one attempt; asked again for the same attempt it is the same call."""
    return ChargeRequest(
        attempt_id=str(attempt.id),
        idempotency_key=key_of(attempt.id),
        door_kind=DoorKind(door.kind),
        door_id=door.object_id,
        amount=debt.due_minor - debt.paid_minor,
        currency=debt.currency,
        payment_method_ref=attempt.payment_method_ref,
        customer_ref=debt.customer_ref,
        method=attempt.method,
        email=debt.payer_email,
        phone=debt.payer_phone,
        description=debt.description,
        submitted_at=attempt.submitted_at,
        prepared=attempt.notice_door,
    )


def record_outcome(
    connection: Connection, seat: Seat, attempt_id: uuid.UUID, outcome: Outcome, now: datetime
) -> str:
    """Write an outcome of a call or of a read after it; returns the attempt's state.

    An answer that names the payment goes the way of every observation. Without one: certain not
    to have been sent is `not_sent` (a PSP's refusal says that nothing happened), anything else is
    `unknown` and stays locked.
    """
    if outcome.observation is not None:
        lock_refs(connection, seat.account, [outcome.observation])
        apply_observation(connection, seat.account, outcome.observation, now)
    current = attempts.state_of(connection, attempt_id)
    if current in (AttemptState.SUBMITTED, AttemptState.UNKNOWN):
        target = STATE_OF[outcome.status] if outcome.status else AttemptState.UNKNOWN
        attempts.move(connection, attempt_id, target, now, detail=outcome.detail)
        if not outcome.sent:
            attempts.move(connection, attempt_id, AttemptState.NOT_SENT, now)
        current = attempts.state_of(connection, attempt_id)
    return current.value
