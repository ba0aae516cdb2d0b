"""When a batch is worth its seconds.

Where business time is wall time, every run checks: they are an hour apart. A hurried clock runs as
often as it can, and there a batch waits until enough rows do.
"""

from __future__ import annotations

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.quality.frames import BATCH
from tinko_pipelines.core.quality.suite import LEDGER


def due(engine: Engine, clock: Clock, frames: tuple[str, ...], enough: int = BATCH) -> bool:
    """Whether the rows of `frames`, the ledger's or the listings', should be checked now."""
    if clock.rate() == 1:
        return True
    name = "ledger_waits" if frames == LEDGER else "listings_wait"
    with unit_of_work(engine) as connection:
        rows: int = connection.execute(query("quality", name), {"most": enough}).scalar_one()
    return rows >= enough
