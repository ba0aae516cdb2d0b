"""What a PSP settles and pays out, day by day: payouts, and the lines of the merchant's balance.

As `records`: a page and the cursor behind it are one transaction.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ingestion import days
from tinko_pipelines.core.ingestion.days import DayKind, Listing
from tinko_pipelines.core.ingestion.frames import Screen, lines_frame, pass_all, payouts_frame
from tinko_pipelines.core.ingestion.load import load, pass_on_payout_status
from tinko_pipelines.core.ingestion.records import whose
from tinko_pipelines.core.ingestion.schedules import note_schedule
from tinko_pipelines.core.psp.paging import SettlementPage
from tinko_pipelines.core.tenants.desk import Seat

KINDS = (DayKind.SETTLEMENT_LINE, DayKind.PAYOUT)


def ingest_settlement(
    engine: Engine,
    seat: Seat,
    clock: Clock,
    day: date,
    lookback_days: int = 0,
    screen: Screen = pass_all,
) -> Counter[str]:
    """List the payouts and lines of `day` (UTC, business time) and the `lookback_days` before it:
    a paid payout can still fail.

    Counts `settlement_line` and `payout` as listed (a line once by its creation and once by its
    payout), and those that `changed`. Raises what the adapter and `screen` raise: the pages that
    were stored stay.
    """
    listing, after = days.begin(
        engine, whose(seat), KINDS, day - timedelta(days=lookback_days), day, clock.now()
    )
    count: Counter[str] = Counter()
    for page in seat.adapter.settlement_pages(listing.start, listing.end, after):
        count += _store(engine, listing, page, screen, clock.now())
    with unit_of_work(engine) as connection:
        days.end(connection, listing, clock.now())
    note_schedule(engine, seat, clock)
    return count


def _store(
    engine: Engine, listing: Listing, page: SettlementPage, screen: Screen, now: datetime
) -> Counter[str]:
    payouts = screen("payouts", payouts_frame(listing.whose, page.payouts, now))
    lines = screen("settlement_lines", lines_frame(listing.whose, page.lines, now))
    with unit_of_work(engine, listing.whose.org_id) as connection:
        changed = load(connection, "payouts", payouts)
        changed += pass_on_payout_status(
            connection, listing.whose.connection_id, payouts, now
        ) + load(connection, "settlement_lines", lines)
        days.note_late(connection, listing, changed, now)
        days.keep(connection, listing, page.after, healed=0)
    return Counter(
        {
            DayKind.PAYOUT.value: len(page.payouts),
            DayKind.SETTLEMENT_LINE.value: len(page.lines),
            "changed": changed.total(),
        }
    )
