"""Ambiguity is a state, and this is the way out of it (rule 9).

An expired `claimed` goes back to `scheduled`; an expired `submitted` is `unknown`; an `unknown`
is what the PSP shows, and `not_sent` only after two empty reads, each at least fifteen real
minutes after the lease. No new key is ever minted for one.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError, PspUnreachable
from tinko_pipelines.core.ledger.rereading import reread
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Outcome,
)
from tinko_pipelines.core.recovery import attempts, breaker
from tinko_pipelines.core.recovery.outcome import record_outcome, request_for
from tinko_pipelines.core.recovery.permission import CHARGEABLE
from tinko_pipelines.core.recovery.points import Point, no_point
from tinko_pipelines.core.tenants.desk import Desk, Seat

log = logging.getLogger(__name__)

# business time by which the PSP's clock may be behind ours: looked for a little too long, a charge
# is found; looked for from too late on, it would be made again
CLOCKS_APART = timedelta(hours=6)
QUIET = timedelta(minutes=15)  # wall time after the lease before an empty read counts
EMPTY_READS = 2


def resolve_unresolved(
    engine: Engine,
    desk: Desk,
    clock: Clock,
    wall: WallClock,
    limit: int = 100,
    point: Point = no_point,
) -> Counter[str]:
    """Look after up to `limit` attempts whose lease is over; counts what became of them.

    A PSP that does not answer is asked once, and for the others of its connection not again.
    """
    found: Counter[str] = Counter()
    resolver = _Resolver(engine, desk, clock, wall, point)
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("charging", "unresolved"), {"wall": wall.now(), "limit": limit}
        ).all()
    claimed = [row for row in rows if row.state == AttemptState.CLAIMED]
    if claimed:
        found["given_back"] = resolver.give_back(claimed)
    for row in rows:
        if row.state != AttemptState.CLAIMED:
            found[resolver.look_after(row)] += 1
    return found


@dataclass(frozen=True)
class _Resolver:
    """One pass. `away` are the connections whose PSP did not answer in it."""

    engine: Engine
    desk: Desk
    clock: Clock
    wall: WallClock
    point: Point
    away: set[uuid.UUID] = field(default_factory=set)

    def give_back(self, rows: Sequence[Row[Any]]) -> int:
        """Claimed ones whose lease is over were never sent: they are due again, all at once."""
        now = self.clock.now()
        backs = [attempts.Back(row.id, row.lease_token, now) for row in rows]
        with unit_of_work(self.engine) as connection:
            given = attempts.give_back(connection, backs, now)
            self.point("returning")
        return len(given)

    def look_after(self, row: Row[Any]) -> str:
        """`row` is one of `unresolved` that may have been sent; returns what became of it."""
        now = self.clock.now()
        with unit_of_work(self.engine) as connection:
            attempts.move(connection, row.id, AttemptState.UNKNOWN, now)
            attempt = attempts.claimed(connection, row.id)
            self.point("doubting")
        if attempt.connection_id not in self.desk.seats:
            return "connection.inactive"
        if attempt.connection_id in self.away:
            return "psp.away"
        seat = self.desk.seat(attempt.connection_id)
        self.point("asking")
        outcome = self._ask(seat, attempt)
        self.point("asked")
        if outcome is None:
            return "psp.away"
        state = self._conclude(seat, attempt, outcome)
        self.point("concluded")
        return state

    def _ask(self, seat: Seat, attempt: Row[Any]) -> Outcome | None:
        """What the PSP shows of it; None where nothing can be said."""
        request = _request_of(self.engine, attempt)
        if request is None:
            return None
        try:
            return seat.adapter.find_attempt(request)
        except PspError as error:
            log.warning("attempt %s stays unknown: %s", attempt.id, error)
            if isinstance(error, PspUnreachable):
                self.away.add(attempt.connection_id)
                with unit_of_work(self.engine) as connection:
                    breaker.failed(connection, seat.account, self.wall.now(), probe=False)
            return None

    def _conclude(self, seat: Seat, attempt: Row[Any], outcome: Outcome) -> str:
        now, wall = self.clock.now(), self.wall.now()
        with unit_of_work(self.engine) as connection:
            if outcome.status is not None:
                state = record_outcome(connection, seat, attempt.id, outcome, now)
            else:
                state = _nothing_there(connection, attempt, now, wall)
            breaker.answered(connection, attempt.connection_id, wall)
            self.point("concluding")
        return state


def _request_of(engine: Engine, attempt: Row[Any]) -> ChargeRequest | None:
    """The call that was made, or was to be; None where its door is not in the ledger."""
    with unit_of_work(engine) as connection:
        debt = connection.execute(
            query("ledger", "lock_obligation"), {"id": attempt.obligation_id}
        ).one()
        doors = connection.execute(
            query("ledger", "doors_of"),
            {"obligation_id": attempt.obligation_id, "connection_id": attempt.connection_id},
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
    return replace(
        request_for(attempt, debt, door), submitted_at=attempt.submitted_at - CLOCKS_APART
    )


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
            found[refresh(engine, seat, row.obligation_id, clock)] += 1
    return found


def refresh(engine: Engine, seat: Seat, obligation_id: uuid.UUID, clock: Clock) -> str:
    """Read one debt at one PSP and bring the ledger to it."""
    try:
        reread(engine, seat, obligation_id, clock)
    except PspError as error:
        log.warning("obligation %s could not be read: %s", obligation_id, error)
        return "psp.away"
    return "read"
