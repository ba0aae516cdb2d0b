"""A debt's doors at other PSPs than the one that is used now (rules 4 and 7): shut, and read back.

A payer may have chosen another PSP and turned back, or a retry of ours comes due while the page at
the other PSP is still open. Whoever collects at one connection shuts all others first.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.ledger.rereading import read_and_write
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentStatus,
    Ref,
)
from tinko_pipelines.core.recovery.offers import LATE_AUTHORISATION, STAYING
from tinko_pipelines.core.recovery.permission import CLOSABLE, IN_FLIGHT, PAUSE, Permission
from tinko_pipelines.core.tenants.desk import Desk, Seat

log = logging.getLogger(__name__)

# a Razorpay order can neither be closed nor be paid by anybody who has no page of it: it is left,
# with nothing on it that moves
SHUT = CLOSABLE | {DoorKind.PAYMENT_INTENT}


@dataclass(frozen=True, slots=True)
class Left:
    """A debt at a connection that is left for another, and what forbids to leave it: `reason`, and
    `until` when where that is known."""

    seen: Observation
    reason: str | None = None
    until: datetime | None = None


def leave(engine: Engine, seat: Seat, refs: tuple[Ref, ...], clock: Clock) -> Left:
    """Shut what can be paid at one connection, and read it back. Raises PspError.

    Where anything moves there, or cannot be shut, nothing is shut: a payer may be in the midst.
    """
    found = standing(read_and_write(engine, seat, refs, clock), clock.now())
    doors = _open(found.seen, SHUT)
    if found.reason is not None or not doors:
        return found
    for door in doors:
        seat.adapter.leave_door(door)
    # what was paid through a door in the moment it was shut shows in a read after it
    seen = read_and_write(engine, seat, refs, clock)
    found = standing(seen, clock.now())
    if found.reason is None and _open(seen, SHUT):
        return Left(seen, "door.open")
    return found


def standing(seen: Observation, now: datetime) -> Left:
    """What on a fresh read forbids to collect the debt elsewhere. Pure."""
    if any(payment.status in IN_FLIGHT for payment in seen.payments):
        return Left(seen, "payment.in_flight")
    if seen.psp_retries or "subscription" in seen.extra or _open(seen, STAYING):
        return Left(seen, "door.stays")
    until = late_until(seen, now)
    return Left(seen, "payment.late" if until else None, until)


def late_until(seen: Observation, now: datetime) -> datetime | None:
    """Until when a try that timed out may yet be authorised (rule 6); None where none may. Pure."""
    ends = [
        payment.updated_at + LATE_AUTHORISATION
        for payment in seen.payments
        if payment.status is PaymentStatus.FAILED
        and payment.error is not None
        and classify(payment.error).late_authorisation
    ]
    return max((end for end in ends if end > now), default=None)


def open_elsewhere(
    connection: Connection, obligation_id: uuid.UUID, connection_id: uuid.UUID
) -> list[uuid.UUID]:
    """The other connections at which the ledger has an open door of the debt, or a try under way:
    what has to do where nobody can be asked."""
    return list(
        connection.scalars(
            query("payer", "open_elsewhere"),
            {
                "obligation_id": obligation_id,
                "connection_id": connection_id,
                "closable": [one.value for one in CLOSABLE],
            },
        )
    )


def shut_elsewhere(
    engine: Engine,
    desk: Desk,
    obligation_id: uuid.UUID,
    home: uuid.UUID,
    refs: Mapping[uuid.UUID, tuple[Ref, ...]],
    clock: Clock,
) -> Permission | None:
    """Before a charge at `home`: shut the debt's doors at every other connection of `refs`; the
    refusal where something there may yet collect it."""
    others = [one for one in refs if one != home]
    if not others:
        return None
    with unit_of_work(engine) as connection:
        doubtful = open_elsewhere(connection, obligation_id, home)
    for one in others:
        if one not in desk.seats:
            if one in doubtful:
                return Permission(False, "connection.inactive")
            continue
        try:
            left = leave(engine, desk.seat(one), refs[one], clock)
        except PspError as error:
            log.warning("obligation %s may be open at connection %s: %s", obligation_id, one, error)
            return Permission(False, error.code, clock.now() + PAUSE)
        if left.reason is not None:
            return Permission(False, left.reason, left.until or clock.now() + PAUSE)
    return None


def _open(seen: Observation, kinds: frozenset[DoorKind]) -> list[DoorSeen]:
    return [door for door in seen.doors if door.kind in kinds and door.status is DoorStatus.OPEN]
