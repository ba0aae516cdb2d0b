"""Take due attempts and make them, side by side but bounded."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.psp.throttle import longest_call
from tinko_pipelines.core.recovery.budget import Budgets
from tinko_pipelines.core.recovery.charge import Charger
from tinko_pipelines.core.recovery.claim import Claim, claim_due
from tinko_pipelines.core.recovery.points import Point, no_point
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
    point: Point = no_point,
) -> Counter[str]:
    """Claim and make up to `limit` due attempts; counts what became of them.

    Never more are claimed than can be made at once, so that a lease is short and a crash leaves
    little behind; the next are claimed when half of the hands are free. One attempt's unforeseen
    error is logged and leaves it to unknown.py; the others go on. No retry of any kind is around
    a charge.
    """
    wall = wall or WallClock()
    charger = Charger(engine, desk, clock, wall, settings.psp_timeout_seconds, point)
    made: Counter[str] = Counter()
    under_way: set[Future[str]] = set()

    def one(claim: Claim) -> str:
        try:
            return charger.make(claim)
        except Exception:  # whatever it was, the attempt's state says what is safe to do next
            log.exception("attempt %s broke off", claim.attempt_id)
            return "broke_off"

    def claim_more() -> bool:
        wanted = min(SIDE_BY_SIDE - len(under_way), limit - made.total() - len(under_way))
        claims = wanted > 0 and claim_due(
            engine,
            clock,
            wall,
            limit=wanted,
            lease_seconds=longest_call(settings.psp_timeout_seconds) * CALLS,
            budgets=Budgets.of(settings),
            point=point,
        )
        under_way.update(pool.submit(one, claim) for claim in claims or ())
        return bool(claims)

    def settle(most: int) -> None:
        while len(under_way) > most:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            under_way.difference_update(done)
            made.update(each.result() for each in done)

    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="charge") as pool:
        while claim_more():
            settle(SIDE_BY_SIDE // 2)
        settle(0)
    return made
