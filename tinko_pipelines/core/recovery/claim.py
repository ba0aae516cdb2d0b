"""Claim due attempts: rows, locks and leases in one transaction (rule 8, first of three).

Set-based: a batch costs the same few statements whatever its size. How many it may be is the
budgets' to say (budget.py), and whose they may be the breakers' (breaker.py).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.arrays import uuids
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.recovery import breaker, budget
from tinko_pipelines.core.recovery.budget import Budgets
from tinko_pipelines.core.recovery.points import Point, no_point

LOCKED_PAUSE = timedelta(minutes=30)  # business time until a locked debt is tried again


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that is ours to make until `deadline` (this process's monotonic seconds).

    `probe`: the one call that is let through to a PSP that did not answer. Attempts of one
    `instrument_key` wait for each other (rule 11): whoever makes many at once keeps them together.
    """

    attempt_id: uuid.UUID
    obligation_id: uuid.UUID
    connection_id: uuid.UUID
    token: uuid.UUID
    deadline: float
    probe: bool = False
    instrument_key: str | None = None


def claim_due(
    engine: Engine,
    clock: Clock,
    wall: WallClock,
    *,
    limit: int,
    lease_seconds: float,
    budgets: Budgets | None = None,
    point: Point = no_point,
) -> list[Claim]:
    """Claim up to `limit` due attempts. One whose debt is locked already waits half an hour.

    The lease is wall time: `lease_seconds` from before the claim, so that what we count down is
    never longer than what the database holds.
    """
    budgets = budgets or Budgets()
    now, started, monotonic = clock.now(), wall.now(), wall.monotonic()
    lease_until = started + timedelta(seconds=lease_seconds)
    with unit_of_work(engine) as connection:
        tokens = budget.take_hold(connection, budgets, now)
        resting = _resting(connection, budgets, now, started)
        rows = _due(connection, budgets, resting, min(limit, tokens), now)
        if not rows:
            return []
        taken = _lock(connection, rows, lease_until, started, now)
        held = [row for row in rows if row.id in taken]
        probes = sorted({row.connection_id for row in held} & resting.keys())
        if probes:
            breaker.let_one_through(connection, probes, started, lease_until)
        budget.spend(connection, Counter(row.connection_id for row in held))
        point("claiming")
    return [
        Claim(
            row.id,
            row.obligation_id,
            row.connection_id,
            taken[row.id],
            monotonic + lease_seconds,
            probe=row.connection_id in probes,
            instrument_key=row.instrument_key,
        )
        for row in held
    ]


def _resting(
    connection: Connection, budgets: Budgets, now: datetime, wall: datetime
) -> dict[uuid.UUID, int]:
    """How many attempts at most may go to connections that are not well or have spent theirs:
    none, or one to an open breaker whose span is over."""
    found: dict[uuid.UUID, int] = {}
    values = {"wall": wall, "now": now, "rate": budgets.connection.rate}
    for row in connection.execute(query("charging", "resting"), values):
        found[row.connection_id] = min(row.most, found.get(row.connection_id, 1))
    return found


def _due(
    connection: Connection,
    budgets: Budgets,
    resting: Mapping[uuid.UUID, int],
    limit: int,
    now: datetime,
) -> list[Row[Any]]:
    """Due attempts, locked: no more of a connection than its budget and its breaker allow."""
    shut = [one for one, most in resting.items() if most < 1]
    rows = connection.execute(
        query("charging", "due"), {"now": now, "limit": limit, "shut": uuids(shut)}
    ).all()
    if not rows:
        return []
    tokens = budget.left(connection, {row.connection_id for row in rows}, budgets, now)
    room = {one: min(count, resting.get(one, count)) for one, count in tokens.items()}
    kept: list[Row[Any]] = []
    for row in rows:
        if room[row.connection_id] > 0:
            room[row.connection_id] -= 1
            kept.append(row)
    return kept


def _lock(
    connection: Connection,
    rows: Sequence[Row[Any]],
    lease_until: datetime,
    wall: datetime,
    now: datetime,
) -> dict[uuid.UUID, uuid.UUID]:
    """Lock the debts and claim their attempts; the token of each attempt that is ours.

    The others wait: their debt is locked, or an earlier one of this very batch has it.
    """
    tokens = {row.id: new_id(wall) for row in rows}
    first = {row.obligation_id: row for row in reversed(rows)}.values()
    claimed = connection.scalars(
        query("charging", "claim"),
        {
            "ids": uuids(row.id for row in first),
            "org_ids": uuids(row.org_id for row in first),
            "obligation_ids": uuids(row.obligation_id for row in first),
            "tokens": uuids(tokens[row.id] for row in first),
            "lease_until": lease_until,
            "wall": wall,
            "now": now,
        },
    ).all()
    if locked := sorted(tokens.keys() - set(claimed)):
        connection.execute(
            query("charging", "postpone"),
            {"ids": uuids(locked), "again_at": now + LOCKED_PAUSE, "now": now},
        )
    return {one: tokens[one] for one in claimed}
