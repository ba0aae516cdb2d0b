"""One question, one answer: from the marts, put right by the ledger, or from the ledger alone.

The marts stand at a position of the ledger. Whatever a question counts adds up over debts, so the
debts that moved since are taken out as ClickHouse counts them and put in as Postgres does, in one
snapshot of it: the answer is the ledger's at that snapshot, to the unit. Nothing may change in
ClickHouse meanwhile. A build says that it begins before it touches anything: where one began the
answer is asked for again, and where one is under way the facts are read without all that moved
(which is all that it touches) instead of the marts.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Engine

from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable
from tinko_pipelines.core.analytics.reading import ledger, marts
from tinko_pipelines.core.analytics.reading.errors import MartsUnusable
from tinko_pipelines.core.analytics.reading.figures import Totals, added
from tinko_pipelines.core.analytics.reading.question import Question
from tinko_pipelines.core.analytics.reading.store import Store
from tinko_pipelines.core.clock import Clock

SECONDS = 15.0
# a list of more ids than that is longer than a query may be; the ledger alone is asked then
MOST_MOVED = 20_000
ROUNDS = 3

log = logging.getLogger(__name__)


class Source(StrEnum):
    """Where figures come from."""

    CLICKHOUSE = "clickhouse"
    BOTH = "clickhouse+postgres"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Watermark:
    """What figures are true to: every Postgres transaction below `position`, and business time
    `at`. `marts_position` is how far the marts had come of that; None where they were not read.
    `moved_debts` changed since, and were counted from Postgres."""

    position: int
    at: datetime
    marts_position: int | None = None
    moved_debts: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """`incomplete_before`: of days before it Postgres does not have all tries any more, since they
    are in the archive; None where nothing is missing."""

    totals: Totals
    source: Source
    watermark: Watermark
    incomplete_before: date | None = None


@dataclass(frozen=True)
class Insights:
    """Answers for one organisation at a time. `engine`: tinko_app's. `store`: None where nothing is
    carried to ClickHouse. `seconds`: for each statement on the ledger."""

    engine: Engine
    clock: Clock
    store: Store | None
    seconds: float = SECONDS

    def close(self) -> None:
        """Let go of ClickHouse; the engine is the caller's."""
        if self.store is not None:
            self.store.close()

    def ask(self, org_id: uuid.UUID, question: Question) -> Answer:
        """Raises TooSlow where Postgres had to answer alone and could not in time."""
        if self.store is not None:
            try:
                return self._from_both(self.store, org_id, question)
            except (AnalyticsUnavailable, MartsUnusable) as error:
                log.warning("figures come from Postgres alone: %s", error)
        return self._from_ledger(org_id, question)

    def _from_ledger(self, org_id: uuid.UUID, question: Question) -> Answer:
        at = self.clock.now()
        with ledger.snapshot(self.engine, org_id, self.seconds) as connection:
            watermark = Watermark(ledger.floor(connection), at)
            totals = ledger.count(connection, question)
            archived = ledger.archived_before(connection)
        missing = archived if archived and question.span.first < archived else None
        return Answer(added(question.measures, totals), Source.POSTGRES, watermark, missing)

    def _from_both(self, store: Store, org_id: uuid.UUID, question: Question) -> Answer:
        known: frozenset[uuid.UUID] = frozenset()  # rows that are gone, and whose they were
        owners: frozenset[uuid.UUID] = frozenset()
        for _ in range(ROUNDS):
            built = marts.built(store, question)
            at = self.clock.now()
            with ledger.snapshot(self.engine, org_id, self.seconds) as connection:
                position = ledger.floor(connection)
                gone = ledger.gone(connection, built.position)
                moved = ledger.moved(connection, built.position, MOST_MOVED + 1) | owners
                _refuse(built, position, moved)
                now = ledger.count(connection, question, moved) if gone <= known else {}
            if not gone <= known:
                owners, known = marts.debts_of(store, org_id, gone), gone
                continue
            then = _then(store, org_id, question, built, moved)
            if marts.built(store, question).build == built.build:
                source = Source.BOTH if moved else Source.CLICKHOUSE
                watermark = Watermark(position, at, built.position, len(moved))
                return Answer(added(question.measures, then, now), source, watermark)
        raise MartsUnusable("they changed each time they were read")


def _then(
    store: Store,
    org_id: uuid.UUID,
    question: Question,
    built: marts.Built,
    moved: frozenset[uuid.UUID],
) -> Totals:
    """What ClickHouse counts of all debts but those that moved."""
    if question.marts is None or not built.at_rest:
        return marts.count_fact(store, org_id, question, without=moved)
    before = marts.count_fact(store, org_id, question, among=moved)
    counted = marts.count_marts(store, org_id, question)
    return added(question.measures, *counted, less=before)


def _refuse(built: marts.Built, floor: int, moved: frozenset[uuid.UUID]) -> None:
    if built.position > floor:
        raise MartsUnusable(f"built to {built.position}, and the ledger only stands at {floor}")
    if len(moved) > MOST_MOVED:
        raise MartsUnusable(f"more than {MOST_MOVED} debts moved since {built.position}")
