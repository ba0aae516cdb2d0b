"""Which days are to be reconciled again: those whose books changed since, and those that wait.

A refund, a chargeback, a late settlement or a late success changes the books of a day that was
reconciled long ago. What was written since the last look is found by the transactions that wrote it
(core/analytics/watermark.py has why), so that a day costs nothing until something happens to it,
and none is too old.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.marks import Mark

# of one connection and run; the rest, as after the listing of years, comes with the next ones
MOST_DAYS = 400
# how far back the books are held against the whole ledger
CHECKED = timedelta(days=62)
_BESIDE = timedelta(days=3)  # between a capture's own day and that of the PSP's record of it
_UNMARKED = 2**62
_MARK = Mark("books")


def note_changed_days(engine: Engine, clock: Clock) -> int:
    """Note the days, of all connections, whose books were written to since this was last called.

    Returns how many are newly noted. The first call reads the books once from their beginning, and
    so does the first one after a restore into a new cluster, whose transactions count from anew.
    """
    low, high = _MARK.window(engine)
    now = clock.now()
    with unit_of_work(engine) as connection:
        noted = connection.execute(
            query("reconciliation", "note_changed_days"), {"low": low, "high": high, "now": now}
        ).all()
    _MARK.advance(engine, high, now, len(noted))
    return len(noted)


def days_to_revisit(
    engine: Engine, connection_id: uuid.UUID, before: date, most: int = MOST_DAYS
) -> list[date]:
    """Days ahead of `before` that are not done with, oldest first, at most so many."""
    wanted = {"connection_id": connection_id, "before": before, "limit": most}
    with unit_of_work(engine) as connection:
        return list(connection.scalars(query("reconciliation", "days_to_revisit"), wanted))


def captures_left_out(engine: Engine, psp: Psp, until: date) -> list[str]:
    """Days of the last `CHECKED` up to `until` whose books have another sum than the ledger, told.

    The ledger is added up anew: what reconciliation never read, as a debit that succeeded after its
    day was done with, shows here and not in `days_that_differ`.
    """
    since = until - CHECKED
    wanted = {
        "psp": psp.value,
        "since": since,
        "until": until,
        "low": datetime.combine(since - _BESIDE, time.min, UTC),
        "high": datetime.combine(until + _BESIDE, time.max, UTC),
    }
    with unit_of_work(engine) as connection:
        mark = _MARK.position(connection)
        rows = connection.execute(
            query("reconciliation", "captures_left_out"), wanted | {"mark": mark or _UNMARKED}
        ).all()
    return [
        f"{row.day} {row.currency} of {row.connection_id}: collected {row.collected},"
        f" in the books {row.booked}"
        for row in rows
    ]
