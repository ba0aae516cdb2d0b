"""Ambiguity is a state, and this is the way out of it (rule 9).

An expired `claimed` goes back to `scheduled`; an expired `submitted` is `unknown`; an `unknown`
is what the PSP shows, and `not_sent` only after two empty reads, each at least fifteen real
minutes after the lease. No new key is ever minted for one.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError
from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import DoorKind, DoorSeen, DoorStatus, Outcome, Ref, RefKind
from tinko_pipelines.core.recovery import attempts
from tinko_pipelines.core.recovery.outcome import record_outcome, request_for
from tinko_pipelines.core.recovery.permission import CHARGEABLE
from tinko_pipelines.core.tenants.desk import Desk, Seat

log = logging.getLogger(__name__)

# business time by which the PSP's clock may be behind ours: looked for a little too long, a charge
# is found; looked for from too late on, it would be made again
CLOCKS_APART = timedelta(hours=6)
QUIET = timedelta(minutes=15)  # wall time after the lease before an empty read counts
EMPTY_READS = 2


def resolve_unresolved(
    engine: Engine, desk: Desk, clock: Clock, wall: WallClock, limit: int = 100
) -> Counter[str]:
    """Look after up to `limit` attempts whose lease is over; counts what became of them."""
    found: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("charging", "unresolved"), {"wall": wall.now(), "limit": limit}
        ).all()
    for row in rows:
        found[_look_after(engine, desk, row, clock.now(), wall.now())] += 1
    return found


def _look_after(engine: Engine, desk: Desk, row: Row[Any], now: datetime, wall: datetime) -> str:
    if row.state == AttemptState.CLAIMED:
        with unit_of_work(engine) as connection:
            attempts.give_back(
                connection, row.id, row.obligation_id, row.lease_token, again_at=now, now=now
            )
        return "given_back"
    with unit_of_work(engine) as connection:
        attempts.move(connection, row.id, AttemptState.UNKNOWN, now)
        attempt = connection.execute(query("charging", "claimed"), {"id": row.id}).one()
    if attempt.connection_id not in desk.seats:
        return "connection.inactive"
    seat = desk.seat(attempt.connection_id)
    outcome = _ask(engine, seat, attempt)
    if outcome is None:
        return "psp.away"
    with unit_of_work(engine) as connection:
        if outcome.status is not None:
            return record_outcome(connection, seat, row.id, outcome, now)
        return _nothing_there(connection, attempt, now, wall)


def _ask(engine: Engine, seat: Seat, attempt: Row[Any]) -> Outcome | None:
    with unit_of_work(engine) as connection:
        debt = connection.execute(
            query("ledger", "lock_obligation"), {"id": attempt.obligation_id}
        ).one()
        doors = connection.execute(
            query("ledger", "doors_of"), {"obligation_id": attempt.obligation_id}
        ).all()
    seen = [
        DoorSeen(DoorKind(one.kind), one.object_id, DoorStatus(one.status), one.url)
        for kind in CHARGEABLE
        for one in doors
        if one.kind == kind
    ]
    # the door it went through stands in the attempt from before it was sent
    door = next((one for one in seen if one.object_id == attempt.door_id), None)
    if door is None:
        log.error("attempt %s went through a door that is not in the ledger", attempt.id)
        return None
    request = replace(
        request_for(attempt, debt, door), submitted_at=attempt.submitted_at - CLOCKS_APART
    )
    try:
        return seat.adapter.find_attempt(request)
    except PspError as error:
        log.warning("attempt %s stays unknown: %s", attempt.id, error)
        return None


def _nothing_there(connection: Any, attempt: Row[Any], now: datetime, wall: datetime) -> str:
    """An empty read counts only when the call cannot be under way any more."""
    quiet_since = max(attempt.lease_until_wall, attempt.last_read_wall or attempt.lease_until_wall)
    if wall - quiet_since < QUIET:
        return AttemptState.UNKNOWN.value
    connection.execute(
        query("charging", "empty_read"), {"id": attempt.id, "wall": wall, "now": now}
    )
    if attempt.empty_reads + 1 < EMPTY_READS:
        return AttemptState.UNKNOWN.value
    attempts.move(connection, attempt.id, AttemptState.NOT_SENT, now)
    return AttemptState.NOT_SENT.value


def read_pending(
    engine: Engine,
    desk: Desk,
    clock: Clock,
    older_than: timedelta = timedelta(hours=24),
    limit: int = 100,
) -> Counter[str]:
    """Ask the PSP after attempts of ours that have been `pending` for long (business time)."""
    found: Counter[str] = Counter()
    now = clock.now()
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("charging", "pending_reads"), {"before": now - older_than, "limit": limit}
        ).all()
    for row in rows:
        if row.connection_id in desk.seats:
            seat = desk.seat(row.connection_id)
            found[refresh(engine, seat, row.obligation_id, now)] += 1
    return found


def refresh(engine: Engine, seat: Seat, obligation_id: uuid.UUID, now: datetime) -> str:
    """Read one debt at the PSP and bring the ledger to it."""
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("ledger", "refs_of"), {"obligation_id": obligation_id}
        ).all()
    try:
        seen = seat.adapter.read(tuple(Ref(RefKind(row.kind), row.object_id) for row in rows))
    except PspError as error:
        log.warning("obligation %s could not be read: %s", obligation_id, error)
        return "psp.away"
    with unit_of_work(engine) as connection:
        lock_refs(connection, seat.account, [seen])
        apply_observation(connection, seat.account, seen, now)
    return "read"
