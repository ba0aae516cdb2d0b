"""The ledger's side: the same facts as dbt's, counted from Postgres. RLS shows one organisation."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache

import psycopg
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import OperationalError

from tinko_pipelines.core.analytics.reading import figures
from tinko_pipelines.core.analytics.reading.errors import TooSlow
from tinko_pipelines.core.analytics.reading.figures import Totals
from tinko_pipelines.core.analytics.reading.measures import DIMENSIONS, MEASURES, Fact
from tinko_pipelines.core.analytics.reading.question import Question
from tinko_pipelines.core.analytics.timezones import country_timezones
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query

_LIMIT = text("select set_config('statement_timeout', :milliseconds, true)")
_CANDIDATES = {Fact.DEBTS: "failed_between", Fact.TRIES: "tried_between"}
# a try in the archive is known by its failure, which says neither method nor amount
_HERE = {Fact.DEBTS: "true", Fact.TRIES: "not is_archived"}


@contextmanager
def snapshot(engine: Engine, org_id: uuid.UUID, seconds: float) -> Iterator[Connection]:
    """A transaction that sees one state of the organisation's ledger; each of its statements ends
    after `seconds`. Raises TooSlow."""
    repeatable = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with unit_of_work(repeatable, org_id) as connection:
            connection.execute(_LIMIT, {"milliseconds": str(int(seconds * 1000))})
            yield connection
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise TooSlow(
                f"the ledger was asked, and it takes longer than {seconds:g} seconds;"
                " ask for fewer days, or again when ClickHouse has caught up"
            ) from error
        raise


def floor(connection: Connection) -> int:
    """Every transaction below this one is in the snapshot."""
    return int(connection.execute(query("analytics", "snapshot_floor")).scalar_one())


def moved(connection: Connection, position: int, most: int) -> frozenset[uuid.UUID]:
    """Debts that changed since `position`; `most` of them at most."""
    values = {"position": position, "most": most}
    return frozenset(connection.execute(query("insights", "moved_debts"), values).scalars())


def gone(connection: Connection, position: int) -> frozenset[uuid.UUID]:
    """Rows deleted since `position`, of which the ledger cannot say any more whose they were."""
    return frozenset(
        connection.execute(query("insights", "gone_rows"), {"position": position}).scalars()
    )


def count(
    connection: Connection, question: Question, debts: Collection[uuid.UUID] | None = None
) -> Totals:
    """The answer from the ledger: over `debts`, or over all where none are given."""
    if debts is not None and not debts:
        return {}
    wanted = {
        **question.filters.given,
        "first": question.span.first,
        "last": question.span.last,
        "debt_ids": None if debts is None else list(debts),
        **_zones(),
    }
    candidates = _CANDIDATES[question.fact] if debts is None else "listed"
    rows = connection.execute(compiled(question, candidates), wanted).fetchall()
    return figures.totals(rows, question.measures)


def compiled(question: Question, candidates: str) -> TextClause:
    """The query over the named queries of insights.sql; `candidates` is the one that chooses."""
    selected = ", ".join(
        [DIMENSIONS[name] or name for name in question.dimensions]
        + [MEASURES[name].over_rows for name in question.measures]
    )
    met = ["day between :first and :last", _HERE[question.fact]]
    met += [f"cast({name} as text) = any(:{name})" for name in question.filters.given]
    met += [question.only] if question.only else []
    places = ", ".join(str(place) for place, _ in enumerate(question.dimensions, start=1))
    named = {"candidates": candidates, "tries": "tries", "debts": "debts"}
    facts = ", ".join(
        f"{name} as ({query('insights', of).text.rstrip().rstrip(';')})"
        for name, of in named.items()
    )
    return text(
        f"with {facts} select {selected} from {question.fact}"
        f" where {' and '.join(met)} group by {places}"
    )


def archived_before(connection: Connection) -> date | None:
    """The first day of which all tries may be in Postgres: those before may be in the archive."""
    ends: datetime | None = connection.execute(query("insights", "archived_until")).scalar_one()
    return None if ends is None else ends.date()


@cache
def _zones() -> dict[str, list[str]]:
    known = country_timezones()
    return {"countries": [one for one, _ in known], "zones": [zone for _, zone in known]}
