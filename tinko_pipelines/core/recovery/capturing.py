"""Take the money of an authorised payment, or let it lapse (rule 6)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.keys import key_of
from tinko_pipelines.core.ledger.refs import refs_at
from tinko_pipelines.core.ledger.rereading import read_and_write, write
from tinko_pipelines.core.ledger.states import COLLECTIBLE
from tinko_pipelines.core.psp.operations import CaptureRequest
from tinko_pipelines.core.psp.throttle import longest_call
from tinko_pipelines.core.psp.types import DoorStatus, Observation, PaymentStatus
from tinko_pipelines.core.recovery.elsewhere import open_elsewhere
from tinko_pipelines.core.recovery.permission import CLOSABLE, IN_FLIGHT
from tinko_pipelines.core.tenants.desk import Seat

CALLS = 12  # that reading and capturing may make one after the other


class CaptureRefused(Conflict):
    code, title = "capture_refused", "This payment is not captured"


def may_capture(debt_state: str, seen: Observation, payment_id: str) -> str | None:
    """Why `payment_id` must be left to lapse, on a fresh read of its debt; None where it may be
    captured: the debt is owed, and nothing else of it can be, or is being, paid."""
    mine = next((one for one in seen.payments if one.object_id == payment_id), None)
    if mine is None or mine.status is not PaymentStatus.AUTHORIZED:
        return "payment.not_authorised"
    if debt_state not in COLLECTIBLE:
        return f"obligation.{debt_state}"
    if any(one is not mine and one.status in IN_FLIGHT for one in seen.payments):
        return "payment.in_flight"
    if any(
        door.kind in CLOSABLE and door.status is DoorStatus.OPEN and door.object_id != mine.door
        for door in seen.doors
    ):
        return "door.open"
    return None


def capture(
    engine: Engine,
    seat: Seat,
    obligation_id: uuid.UUID,
    payment_id: str,
    clock: Clock,
    wall: WallClock,
    timeout: float,
) -> None:
    """Capture the whole of an authorised payment under the debt's lock, after a fresh read.

    Raises CaptureRefused where the debt is locked, paid, or open elsewhere; then nothing was sent
    and the payment lapses. May raise what the adapter raises.
    """
    token, started = new_id(wall.now()), wall.now()
    lock = {
        "obligation_id": obligation_id,
        "org_id": seat.account.org_id,
        "purpose": "door",
        "attempt_id": None,
        "token": token,
        "lease_until": started + timedelta(seconds=longest_call(timeout) * CALLS),
        "wall": started,
    }
    with unit_of_work(engine) as connection:
        connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id})
        if connection.execute(query("charging", "lock_debt"), lock).one_or_none() is None:
            raise CaptureRefused("another payment of this debt is being made")
        home = seat.account.connection_id
        refs = refs_at(connection, obligation_id, home)
        elsewhere = open_elsewhere(connection, obligation_id, home)
    try:
        seen = read_and_write(engine, seat, refs, clock)
        with unit_of_work(engine) as connection:
            debt = connection.execute(
                query("ledger", "lock_obligation"), {"id": obligation_id}
            ).one()
            held = connection.execute(query("charging", "hold_door"), lock).one_or_none()
        why = "lease.lost" if held is None else may_capture(debt.state, seen, payment_id)
        if why is None and elsewhere:
            why = "door.open"
        if why is not None:
            raise CaptureRefused(f"{payment_id} is left to lapse: {why}")
        outcome = seat.adapter.capture(CaptureRequest(payment_id, key_of(f"capture-{payment_id}")))
        if outcome.observation is not None:
            write(engine, seat.account, outcome.observation, clock)
    finally:
        with unit_of_work(engine) as connection:
            connection.execute(query("charging", "unlock_debt"), {"token": token})
