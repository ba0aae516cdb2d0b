"""One attempt as a PSP shows it, written into the one ledger of everybody's attempts."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import ATTEMPT_TRANSITIONS, AttemptState, sources
from tinko_pipelines.core.psp.types import Actor, PaymentSeen, PaymentStatus

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account

STATE_OF = {
    PaymentStatus.CREATED: AttemptState.PENDING,
    PaymentStatus.PENDING: AttemptState.PENDING,
    PaymentStatus.REQUIRES_ACTION: AttemptState.REQUIRES_ACTION,
    # held, not taken: Razorpay lets it lapse unless it is captured
    PaymentStatus.AUTHORIZED: AttemptState.PENDING,
    PaymentStatus.SUCCEEDED: AttemptState.SUCCEEDED,
    PaymentStatus.FAILED: AttemptState.FAILED,
}
_FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED})


def record_payment(
    connection: Connection,
    account: Account,
    obligation_id: uuid.UUID,
    payment: PaymentSeen,
    now: datetime,
) -> uuid.UUID:
    """Insert the attempt, or move it to what `payment` says; returns its id.

    An attempt is identified by its charge or payment id; ours is also recognised by the key of
    its call or by our mark in its metadata (rule 1).
    """
    state = STATE_OF[payment.status]
    attempt_id = _find(connection, account, payment)
    values = {
        "org_id": account.org_id,
        "connection_id": account.connection_id,
        "psp": account.psp,
        "obligation_id": obligation_id,
        "state": state.value,
        "psp_payment_id": payment.object_id,
        "door_id": payment.door,
        "amount": payment.amount,
        "currency": payment.currency,
        "method": payment.method,
        "network": payment.network,
        "country": payment.country,
        "instrument_key": payment.instrument_key,
        "payment_method_ref": payment.payment_method_ref,
        "payer_present": payment.payer_present,
        "refunded": payment.refunded,
        "disputed": payment.disputed,
        "error": json.dumps(dataclasses.asdict(payment.error)) if payment.error else None,
        "occurred_at": payment.occurred_at,
        "finished_at": payment.updated_at if state in _FINAL else None,
        "now": now,
    }
    if attempt_id is None:
        attempt_id = new_id(now)
        actor = Actor.PAYER if payment.payer_present else Actor.MERCHANT
        connection.execute(
            query("ledger", "insert_seen_attempt"),
            values | {"id": attempt_id, "actor": actor.value},
        )
    else:
        connection.execute(
            query("ledger", "update_seen_attempt"),
            values | {"id": attempt_id, "sources": sources(ATTEMPT_TRANSITIONS, state)},
        )
    connection.execute(
        query("ledger", "tie_attempt"),
        {
            "connection_id": account.connection_id,
            "org_id": account.org_id,
            "object_id": payment.object_id,
            "obligation_id": obligation_id,
            "attempt_id": attempt_id,
        },
    )
    if payment.instrument_key is not None:
        _count(connection, account, obligation_id, attempt_id, payment, state)
    if state in _FINAL:
        connection.execute(
            query("ledger", "free_lock"),
            {"obligation_id": obligation_id, "attempt_id": attempt_id},
        )
    return attempt_id


def _find(connection: Connection, account: Account, payment: PaymentSeen) -> uuid.UUID | None:
    known = connection.execute(
        query("ledger", "known_refs"),
        {"connection_id": account.connection_id, "object_ids": [payment.object_id]},
    ).one_or_none()
    tied = known.attempt_id if known is not None else None
    mine = _ours(connection, account, payment)
    if mine is not None and tied is not None and mine != tied:
        connection.execute(query("ledger", "fold_attempt"), {"stranger": tied})
    return mine or tied


def _ours(connection: Connection, account: Account, payment: PaymentSeen) -> uuid.UUID | None:
    """The attempt of ours that `payment` is, by the key of its call or our mark in it."""
    marked = payment.tinko_attempt and key_of(payment.tinko_attempt)
    for key in (payment.idempotency_key, marked):
        if key is not None:
            mine: uuid.UUID | None = connection.scalar(
                query("ledger", "attempt_by_key"),
                {"connection_id": account.connection_id, "key": key},
            )
            if mine is not None:
                return mine
    return None


def key_of(attempt_id: uuid.UUID | str) -> str:
    """The idempotency key of an attempt of ours: one for ever, never minted anew (rule 9)."""
    return f"tinko-{attempt_id}"


def _count(
    connection: Connection,
    account: Account,
    obligation_id: uuid.UUID,
    attempt_id: uuid.UUID,
    payment: PaymentSeen,
    state: AttemptState,
) -> None:
    connection.execute(
        query("ledger", "count_attempt"),
        {
            "attempt_id": attempt_id,
            "org_id": account.org_id,
            "psp": account.psp,
            "account_id": account.account_id,
            "instrument_key": payment.instrument_key,
            "obligation_id": obligation_id,
            "amount": payment.amount,
            "currency": payment.currency,
            "initiator": "customer" if payment.payer_present else "merchant",
            "state": state.value,
            "counted_at": payment.occurred_at,
        },
    )
