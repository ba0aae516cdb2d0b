"""The outbox: rows written with the change that asks for a message, taken one by one to be sent.

A row is taken under a wall lease before it is sent and closed after. Whoever dies in between
leaves a `sending` row that is free again when the lease ends: it is sent a second time with the
same Message-ID, and never a third.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.failures.taxonomy import Category, payer_reason
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import ACTIVE_CASES, COLLECTIBLE
from tinko_pipelines.core.notifications.channels import Delivery, Result, channel_of, shorten
from tinko_pipelines.core.notifications.languages import pick_language
from tinko_pipelines.core.notifications.messages import PAYMENT_LINK

LEASE = timedelta(minutes=5)
MAX_TRIES = 16
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)


class State(StrEnum):
    """Of an outbox row."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Taken:
    """A due row and what the ledger says of it now. Money in minor units of `currency`."""

    id: uuid.UUID
    org_id: uuid.UUID
    case_id: uuid.UUID
    obligation_id: uuid.UUID
    message: str
    channel: str
    recipient: str
    language: str
    payload: Mapping[str, Any]
    state: str
    tries: int
    unrecorded: int
    obligation_state: str | None
    outstanding_minor: int | None
    currency: str | None
    description: str | None
    payer_name: str | None
    case_state: str | None
    merchant: str | None
    timezone: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """A row that is to end without being sent."""

    state: State
    why: str


def payer_reason_key(category: str | None) -> str | None:
    """The PayerReason key of a failure's category; None where nothing failed."""
    if category is None:
        return None
    known = category in {member.value for member in Category}
    return payer_reason(Category(category) if known else Category.UNKNOWN).value


def enqueue_payment_link(
    connection: Connection,
    *,
    org_id: uuid.UUID,
    case_id: uuid.UUID,
    obligation_id: uuid.UUID,
    recipient: str,
    language: str | None,
    due_at: datetime,
    clock: Clock,
    ordinal: int,
) -> uuid.UUID | None:
    """Ask the payer, in the caller's transaction: the `ordinal`-th payment link of the case.

    `recipient` is an e-mail address or a phone number (E.164), `due_at` business time. The same
    case and ordinal is one message for ever: the second call returns None and changes nothing.
    Returns the row's id. Raises NotFound when the obligation is not there.
    """
    found = connection.execute(
        query("notifications", "facts_of_obligation"),
        {"obligation_id": obligation_id, "org_id": org_id},
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no obligation {obligation_id} to send a link for")
    now = clock.now()
    payload = {
        "amount_minor": found.outstanding_minor,
        "currency": found.currency,
        "reason": payer_reason_key(found.category),
        "ordinal": ordinal,
    }
    made: uuid.UUID | None = connection.scalar(
        query("notifications", "enqueue"),
        {
            "id": new_id(now),
            "org_id": org_id,
            "case_id": case_id,
            "obligation_id": obligation_id,
            "message": PAYMENT_LINK,
            "channel": channel_of(recipient).value,
            "recipient": recipient,
            "language": pick_language(language),
            "dedupe_key": f"{PAYMENT_LINK}:{case_id}:{ordinal}",
            "payload": json.dumps(payload),
            "due_at": due_at,
            "now": now,
        },
    )
    return made


def cancel_for_obligation(
    connection: Connection, obligation_id: uuid.UUID, *, why: str, clock: Clock
) -> int:
    """Cancel what waits to be sent about an obligation; the number of rows. For who records paid.

    Sending looks at the obligation again anyway, so this only ends the rows sooner.
    """
    return connection.execute(
        query("notifications", "cancel_for_obligation"),
        {"obligation_id": obligation_id, "why": why, "now": clock.now()},
    ).rowcount


def ending(row: Taken, channels: frozenset[str]) -> Ending | None:
    """Why `row` must not be sent, or None when it may (pure). `channels`: the configured."""
    if row.obligation_state not in COLLECTIBLE or not (row.outstanding_minor or 0) > 0:
        return Ending(State.CANCELLED, f"the obligation is {row.obligation_state or 'gone'}")
    if row.case_state not in ACTIVE_CASES:
        return Ending(State.CANCELLED, f"the case is {row.case_state or 'gone'}")
    if row.unrecorded >= 2:
        return Ending(State.FAILED, "two tries ended without a record: it may have been sent twice")
    if row.channel not in channels:
        return Ending(State.FAILED, f"no {row.channel} channel is configured")
    return None


def take(
    connection: Connection,
    *,
    now: datetime,
    wall: datetime,
    channels: frozenset[str],
    skip: Collection[str] = (),
) -> Taken | Ending | None:
    """The next due row, leased for one try; an Ending when the row found was closed instead.

    Channels in `skip` are left alone. None when nothing is due. Commit before sending.
    """
    found = connection.execute(
        query("notifications", "next_due"), {"now": now, "wall": wall, "skip": sorted(skip)}
    ).one_or_none()
    if found is None:
        return None
    row = Taken(**found._mapping)
    end = ending(row, channels)
    if end is not None:
        close(connection, row.id, end.state, now=now, error=end.why)
        return end
    # a part may have been paid since: the row keeps what was really asked for
    said = json.dumps({"amount_minor": row.outstanding_minor, "currency": row.currency})
    connection.execute(
        query("notifications", "lease"),
        {"id": row.id, "lease": wall + LEASE, "said": said, "now": now},
    )
    return row


def record(
    connection: Connection, row: Taken, outcome: Delivery, *, now: datetime, wall: datetime
) -> State:
    """Write down what the try of `row` came to, and the state it leaves the row in."""
    connection.execute(
        query("notifications", "record_delivery"),
        {
            "id": new_id(now),
            "org_id": row.org_id,
            "outbox_id": row.id,
            "channel": row.channel,
            "result": outcome.result.value,
            "detail": outcome.detail,
            "now": now,
        },
    )
    tries = row.tries + 1
    if outcome.result is Result.ACCEPTED:
        close(connection, row.id, State.SENT, now=now)
        return State.SENT
    if outcome.permanent or tries >= MAX_TRIES:
        close(connection, row.id, State.FAILED, now=now, error=outcome.detail)
        return State.FAILED
    connection.execute(
        query("notifications", "put_back"),
        {"id": row.id, "free_at": wall + pause(tries), "error": outcome.detail, "now": now},
    )
    return State.PENDING


def close(
    connection: Connection,
    row_id: uuid.UUID,
    state: State,
    *,
    now: datetime,
    error: str | None = None,
) -> None:
    """End a row that has not ended yet."""
    connection.execute(
        query("notifications", "close"),
        {"id": row_id, "state": state.value, "error": error and shorten(error), "now": now},
    )


def pause(tries: int) -> timedelta:
    """Wall time to wait after `tries` tries (1 or more): 1 minute, doubling, at most 6 hours."""
    doubled: int = 2 ** min(tries - 1, 16)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)
