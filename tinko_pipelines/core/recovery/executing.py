"""Take a batch of due attempts and make them, side by side but bounded."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.recovery.charge import Charger
from tinko_pipelines.core.recovery.claim import Claim, claim_due
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.desk import Desk

log = logging.getLogger(__name__)

# calls that one attempt may make one after the other: read, close, read again, charge
CALLS = 12
SIDE_BY_SIDE = 6


def execute_due(
    engine: Engine,
    desk: Desk,
    clock: Clock,
    settings: Settings,
    *,
    limit: int = 300,
    wall: WallClock | None = None,
) -> Counter[str]:
    """Claim and make up to `limit` due attempts; counts what became of them.

    They are claimed as few at a time as are made at a time, so that a lease is short and a crash
    leaves little behind. One attempt's unforeseen error is logged and leaves it to unknown.py;
    the others go on. No retry of any kind is around a charge.
    """
    wall = wall or WallClock()
    charger = Charger(engine, desk, clock, wall, settings.psp_timeout_seconds)
    lease_seconds = settings.psp_timeout_seconds * CALLS
    made: Counter[str] = Counter()

    def one(claim: Claim) -> str:
        try:
            return charger.make(claim)
        except Exception:  # whatever it was, the attempt's state says what is safe to do next
            log.exception("attempt %s broke off", claim.attempt_id)
            return "broke_off"

    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="charge") as pool:
        while made.total() < limit:
            claims = claim_due(engine, clock, wall, limit=SIDE_BY_SIDE, lease_seconds=lease_seconds)
            if not claims:
                break
            made.update(pool.map(one, claims))
    return made
