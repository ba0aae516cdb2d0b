"""One listing of a PSP for three ends: missed events into the inbox, and the payments, refunds and
disputes of a day into their table.

Each page is stored by one transaction with the cursor behind it: a listing that was killed goes on
there, and a page that is read twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.inbox.heal import news_of, reaches_present, reread_disputed
from tinko_pipelines.core.inbox.store import store_events
from tinko_pipelines.core.ingestion import days
from tinko_pipelines.core.ingestion.days import DayKind, Listing
from tinko_pipelines.core.ingestion.frames import Screen, Whose, pass_all, records_frame
from tinko_pipelines.core.ingestion.load import load
from tinko_pipelines.core.psp.paging import ChangePage
from tinko_pipelines.core.tenants.desk import Seat

KINDS = (DayKind.PAYMENT, DayKind.REFUND, DayKind.DISPUTE)


def whose(seat: Seat) -> Whose:
    """The connection that a seat's rows are of."""
    return Whose(seat.account.org_id, seat.account.connection_id, seat.adapter.psp)


def ingest_records(
    engine: Engine,
    seat: Seat,
    clock: Clock,
    day: date,
    lookback_days: int = 0,
    screen: Screen = pass_all,
) -> Counter[str]:
    """List `day` (UTC, business time) and the `lookback_days` before it, which change late.

    Counts objects `listed`, of which `healed` were news and the rest `known`, the debts that were
    `reread` where the day reaches the present, records by kind (`payment`, `refund`, `dispute`)
    and those that `changed`. Raises what the adapter raises, PartitionMissing, and what `screen`
    raises: the pages that were stored stay.
    """
    listing, after = days.begin(
        engine, whose(seat), KINDS, day - timedelta(days=lookback_days), day, clock.now()
    )
    count: Counter[str] = Counter()
    for page in seat.adapter.change_pages(listing.start, listing.end, after):
        count += _store(engine, seat, listing, page, screen, clock.now())
    if reaches_present(listing.end, clock):
        count["reread"] = reread_disputed(engine, seat, clock)
    with unit_of_work(engine) as connection:
        days.end(connection, listing, clock.now())
    count["known"] = count["listed"] - count["healed"]
    return count


def _store(
    engine: Engine, seat: Seat, listing: Listing, page: ChangePage, screen: Screen, now: datetime
) -> Counter[str]:
    news = news_of(engine, seat, page.bodies)
    frame = screen("psp_records", records_frame(listing.whose, page.records, now))
    with unit_of_work(engine, listing.whose.org_id) as connection:
        stored = store_events(connection, news, now) if news else []
        healed = sum(one.stored for one in stored)
        changed = load(connection, "psp_records", frame)
        days.note_late(connection, listing, changed, now)
        days.keep(connection, listing, page.after, healed)
    count = Counter(one.kind.value for one in page.records)
    count.update(listed=len(page.bodies), healed=healed, changed=changed.total())
    return count
