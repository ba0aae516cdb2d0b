"""Claim due attempts: row, lock and lease in one transaction (rule 8, first of three)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id

LOCKED_PAUSE = timedelta(minutes=30)  # business time until a locked debt is tried again


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that is ours to make until `deadline` (this process's monotonic seconds)."""

    attempt_id: uuid.UUID
    obligation_id: uuid.UUID
    connection_id: uuid.UUID
    token: uuid.UUID
    deadline: float


def claim_due(
    engine: Engine, clock: Clock, wall: WallClock, *, limit: int, lease_seconds: float
) -> list[Claim]:
    """Claim up to `limit` due attempts. One whose debt is locked already waits half an hour.

    The lease is wall time: `lease_seconds` from before the claim, so that what we count down is
    never longer than what the database holds.
    """
    now, started, monotonic = clock.now(), wall.now(), wall.monotonic()
    lease_until = started + timedelta(seconds=lease_seconds)
    claims: list[Claim] = []
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("charging", "due"), {"now": now, "limit": limit}).all()
        for row in rows:
            token = new_id(started)
            locked = connection.execute(
                query("charging", "lock_debt"),
                {
                    "obligation_id": row.obligation_id,
                    "org_id": row.org_id,
                    "purpose": "charge",
                    "attempt_id": row.id,
                    "token": token,
                    "lease_until": lease_until,
                    "wall": started,
                },
            ).one_or_none()
            if locked is None:
                connection.execute(
                    query("charging", "postpone"),
                    {"id": row.id, "again_at": now + LOCKED_PAUSE, "now": now},
                )
                continue
            connection.execute(
                query("charging", "claim"),
                {"id": row.id, "token": token, "lease_until": lease_until, "now": now},
            )
            claims.append(
                Claim(
                    row.id,
                    row.obligation_id,
                    row.connection_id,
                    token,
                    monotonic + lease_seconds,
                )
            )
    return claims
