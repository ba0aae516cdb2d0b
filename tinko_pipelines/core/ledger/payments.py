"""One attempt as a PSP shows it, written into the one ledger of everybody's attempts."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.keys import key_of, our_keys
from tinko_pipelines.core.ledger.states import ATTEMPT_TRANSITIONS, AttemptState, sources
from tinko_pipelines.core.psp.types import Actor, PaymentSeen, PaymentStatus

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account

__all__ = ["STATE_OF", "Known", "key_of", "record_payment"]

STATE_OF = {
    PaymentStatus.CREATED: AttemptState.PENDING,
    PaymentStatus.PENDING: AttemptState.PENDING,
    PaymentStatus.REQUIRES_ACTION: AttemptState.REQUIRES_ACTION,
    # held, not taken: Razorpay lets it lapse unless it is captured
    PaymentStatus.AUTHORIZED: AttemptState.PENDING,
    PaymentStatus.SUCCEEDED: AttemptState.SUCCEEDED,
    PaymentStatus.FAILED: AttemptState.FAILED,
}
# columns of an attempt that are filled once, and what of a payment fills them
_FILLED = {
    "psp_payment_id": "object_id",
    "door_id": "door",
    "network": "network",
    "country": "country",
    "instrument_key": "instrument_key",
    "payment_method_ref": "payment_method_ref",
    "occurred_at": "occurred_at",
}
_FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED})


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has of a debt: which of its objects are which attempts, and all attempts by
    id as rows of `attempts_of`."""

    ties: Mapping[str, uuid.UUID | None]
    attempts: Mapping[uuid.UUID, Row[Any]]


def record_payment(
    connection: Connection,
    account: Account,
    obligation_id: uuid.UUID,
    payment: PaymentSeen,
    known: Known,
    now: datetime,
) -> bool:
    """Insert the attempt, or move it to what `payment` says; whether that was anything new.

    An attempt is identified by its charge or payment id; ours is also recognised by the key of
    its call or by our mark in its metadata (rule 1).
    """
    state = STATE_OF[payment.status]
    tied = _tied(connection, account, payment, known)
    mine = _ours(connection, account, payment, tied, known)
    ended = state in _FINAL
    if mine is not None and tied is not None and mine != tied:
        ended = _fold(connection, known, mine, tied) or ended
    attempt_id = mine or tied
    row = known.attempts.get(attempt_id) if attempt_id is not None else None
    if row is not None and tied == attempt_id and not _tells(payment, state, row):
        return False
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
    if tied != attempt_id:
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
    # a lock names an attempt of ours, which is never one that is new to the ledger
    if ended and (mine or tied) is not None:
        connection.execute(
            query("ledger", "free_lock"),
            {"obligation_id": obligation_id, "attempt_id": attempt_id},
        )
    return True


def _tied(
    connection: Connection, account: Account, payment: PaymentSeen, known: Known
) -> uuid.UUID | None:
    """The attempt that a charge or payment of this id is known to be."""
    if payment.object_id in known.ties:
        return known.ties[payment.object_id]
    row = connection.execute(
        query("ledger", "known_refs"),
        {"connection_id": account.connection_id, "object_ids": [payment.object_id]},
    ).one_or_none()
    return row.attempt_id if row is not None else None


def _ours(
    connection: Connection,
    account: Account,
    payment: PaymentSeen,
    tied: uuid.UUID | None,
    known: Known,
) -> uuid.UUID | None:
    """The attempt of ours that `payment` is, by the key of its call or our mark in it."""
    row = known.attempts.get(tied) if tied is not None else None
    if row is not None and row.actor == Actor.TINKO:
        return tied
    keys = our_keys(payment)
    if not keys:
        return None
    found: uuid.UUID | None = connection.scalar(
        query("ledger", "attempt_by_key"), {"connection_id": account.connection_id, "keys": keys}
    )
    return found


def _fold(connection: Connection, known: Known, mine: uuid.UUID, stranger: uuid.UUID) -> bool:
    """A payment was taken for somebody else's before its key told that it is ours. What it had
    come to by then stays true; whether that was its end."""
    ours, theirs = known.attempts[mine], known.attempts[stranger]
    further = AttemptState(theirs.state) in ATTEMPT_TRANSITIONS[AttemptState(ours.state)]
    both = {"mine": mine, "stranger": stranger, "further": further}
    for name in ("take_over", "fold_attempt"):
        connection.execute(query("ledger", name), both)
    return further and AttemptState(theirs.state) in _FINAL


def _tells(payment: PaymentSeen, state: AttemptState, row: Row[Any]) -> bool:
    """Whether `update_seen_attempt` would change anything that matters in `row`.

    One that is pending is always written: its time says when it was last looked at.
    """
    current = AttemptState(row.state)
    if current is AttemptState.PENDING or state in ATTEMPT_TRANSITIONS[current]:
        return True
    filled = any(
        getattr(row, name) is None and getattr(payment, said) is not None
        for name, said in _FILLED.items()
    )
    return (
        filled
        or (row.method == "unknown" and payment.method != "unknown")
        or (payment.payer_present and not row.payer_present)
        or payment.refunded not in (None, row.refunded_minor)
        or captures_another_sum(payment, row)
        or (row.unexplained and payment.error is not None)
    )


def captures_another_sum(payment: PaymentSeen, row: Row[Any]) -> bool:
    """Whether `payment` was captured over another amount than the ledger has, in its currency."""
    return (
        payment.status is PaymentStatus.SUCCEEDED
        and payment.currency == row.currency
        and payment.amount != row.amount_minor
    )


def _count(
    connection: Connection,
    account: Account,
    obligation_id: uuid.UUID,
    attempt_id: uuid.UUID,
    payment: PaymentSeen,
    state: AttemptState,
) -> None:
    error = payment.error if state is AttemptState.FAILED else None
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
            "network_decline_code": error and error.network_decline_code,
            "network_advice_code": error and error.network_advice_code,
        },
    )
