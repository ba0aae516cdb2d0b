"""Reconcile one connection's day: read the books, match them, keep what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl
from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.frames import Books
from tinko_pipelines.core.reconciliation.matching import match
from tinko_pipelines.core.reconciliation.payouts import FOREVER, customs
from tinko_pipelines.core.reconciliation.settled import explained_by_hand, may_wait
from tinko_pipelines.core.reconciliation.sources import (
    Whose,
    archived_month,
    ledger_totals,
    listed,
    read_books,
)
from tinko_pipelines.core.reconciliation.store import save_day
from tinko_pipelines.core.reconciliation.terms import terms
from tinko_pipelines.core.reconciliation.totals import Totals, totals
from tinko_pipelines.core.tenants.connections import list_connections

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DayReport:
    """What came of a connection's day. `skipped` says why nothing was compared."""

    whose: Whose
    day: date
    totals: list[Totals] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    skipped: str | None = None


def connections_of(engine: Engine, psp: Psp) -> list[Whose]:
    """The active connections of one PSP."""
    with unit_of_work(engine) as connection:
        found = list_connections(connection)
    return [Whose(one.org_id, one.id, one.psp) for one in found if one.psp is psp]


def reconcile_day(engine: Engine, whose: Whose, clock: Clock, day: date) -> DayReport:
    """Match the books of `day` (UTC) and keep findings and totals, in one transaction.

    Skipped where the PSP's payments of the day are not listed to their end yet, and where attempts
    of it are in the archive: what was kept of the day stays. Nothing is called late that a listing
    of settlements could not have shown yet.
    """
    now = clock.now()
    with unit_of_work(engine, whose.org_id) as connection:
        known = listed(connection, whose, day)
        if not known.payments:
            return DayReport(whose, day, skipped="the PSP's payments of the day are not listed yet")
        gone = archived_month(connection, whose, day)
        if gone is not None:
            # the books of a part of the ledger would call the rest missing
            return DayReport(whose, day, skipped=f"its attempts are of {gone}, which is archived")
        place = {"connection_id": whose.connection_id, "day": day}
        connection.execute(query("reconciliation", "take_unreconciled"), place)
        books = read_books(connection, whose, day)
        habit = customs(connection, [whose.connection_id])[whose.connection_id]
        overdue, by_hand = NEVER, habit.by_hand_until
        if known.settlements_at is not None:
            overdue = terms()[whose.psp].overdue_before(
                min(now, known.settlements_at) - habit.gathers
            )
        found = _explained(match(books, overdue), books, by_hand)
        if may_wait(books, overdue):
            # what time alone will add: this day is not done with
            late = _explained(match(books, FOREVER), books, by_hand)
            if late.height > found.height:
                connection.execute(
                    query("reconciliation", "keep_unreconciled"),
                    place | {"org_id": whose.org_id, "now": now},
                )
        sums = totals(books, found, ledger_totals(connection, books.ledger))
        changes = save_day(connection, whose, day, found, sums, now)
    kinds = dict(found.group_by("kind").agg(pl.len()).iter_rows())
    return DayReport(whose, day, sums, Counter(kinds), Counter(changes))


def _explained(found: pl.DataFrame, books: Books, until: datetime | None) -> pl.DataFrame:
    return found if until is None else explained_by_hand(found, books.lines, until)


def days_that_differ(engine: Engine, psp: Psp | None = None) -> list[str]:
    """Days whose money does not add up, in words: ledger = matched + findings, per currency."""
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("reconciliation", "days_that_differ"), {"psp": psp.value if psp else None}
        ).all()
    return [
        f"{row.day} {row.currency} of {row.connection_id}: ledger {row.ledger_minor},"
        f" PSP {row.psp_minor}, matched {row.matched_minor}, findings {row.findings_minor}"
        f" here and {row.psp_findings_minor} there"
        for row in rows
    ]
