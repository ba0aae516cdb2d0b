"""List past days at a PSP again, one after the other: heal what never came, and ingest the rest.

The same listings as the daily assets'. Healing twice stores nothing new, so a back-fill that was
stopped goes on from the day it stopped at, or from its first: the outcome is the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import partial

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.errors import InvalidInput, PspRateLimited
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.tenants.desk import Seat

# how often one day may be told to slow down before the back-fill gives up
PATIENCE = 20
_PAUSE = 5.0
_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Day:
    """One day that is done. `listed` objects, of which `healed` were news, and `lines` of the
    merchant's balance."""

    day: date
    listed: int
    healed: int
    lines: int
    number: int
    of: int


def backfill(
    engine: Engine,
    seat: Seat,
    clock: Clock,
    first: date,
    last: date,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Day]:
    """Ingest the days `first` to `last` (business time, UTC, both included), oldest first; each
    is yielded once all it brought is stored.

    Raises InvalidInput for days that make no span or have not begun, and what the adapter raises,
    PspRateLimited only after much patience; days that were yielded stay done.
    """
    if last < first:
        raise InvalidInput(f"the back-fill ends ({last}) before it begins ({first})")
    if last > clock.now().astimezone(UTC).date():
        raise InvalidInput(f"{last} has not begun yet: there is nothing to list")
    days = (last - first).days + 1
    for number in range(days):
        day = first + timedelta(days=number)
        count = _patiently(partial(ingest_records, engine, seat, clock, day), sleep)
        settled = _patiently(partial(ingest_settlement, engine, seat, clock, day), sleep)
        lines = settled["settlement_line"]
        yield Day(day, count["listed"], count["healed"], lines, number + 1, days)


def _patiently(work: Callable[[], Counter[str]], sleep: Callable[[float], None]) -> Counter[str]:
    """`work`, waiting as long as the PSP asks to."""
    for _ in range(PATIENCE):
        try:
            return work()
        except PspRateLimited as error:
            sleep(min(float(error.extra.get("retry_after") or _PAUSE), _MOST))
    return work()
