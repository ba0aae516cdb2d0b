"""The marts' side: what ClickHouse has counted, of one organisation at a time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.reading import figures
from tinko_pipelines.core.analytics.reading.errors import MartsUnusable
from tinko_pipelines.core.analytics.reading.figures import Totals
from tinko_pipelines.core.analytics.reading.measures import DIMENSIONS, MEASURES, Fact
from tinko_pipelines.core.analytics.reading.question import Question
from tinko_pipelines.core.analytics.reading.store import Store

# what a fact is made of; the last names are the models whose positions count
FACTS: Mapping[Fact, tuple[str, ...]] = {
    Fact.DEBTS: ("int_failed_obligations", "int_messages"),
    Fact.TRIES: ("int_attempts",),
}


@dataclass(frozen=True, slots=True)
class Built:
    """How far the models have come. `position`: all Postgres transactions below it are in them.
    `build`: the newest that was begun. `at_rest`: none is under way, and all stand where it left
    them."""

    position: int
    build: int
    at_rest: bool


def models(question: Question) -> tuple[str, ...]:
    """What the answer is read from, marts first."""
    return (*(mart.name for mart in question.marts or ()), *FACTS[question.fact])


def built(store: Store, question: Question) -> Built:
    """Raises MartsUnusable where one of the models was never built, AnalyticsUnavailable."""
    wanted = models(question)
    rows = store.rows(
        "select model, argMax(position, build), max(build)"
        f" from {DATABASE}.build_positions where model in {{models:Array(String)}} group by model"
        f" union all select '', 0, max(build) from {DATABASE}.builds",
        {"models": list(wanted)},
    )
    known = {str(model): (int(position), int(build)) for model, position, build in rows}
    _, newest = known.pop("")
    if len(known) < len(wanted):
        raise MartsUnusable(f"never built: {', '.join(sorted(set(wanted) - known.keys()))}")
    positions = {position for position, _ in known.values()}
    at_rest = len(positions) == 1 and {build for _, build in known.values()} == {newest}
    return Built(min(positions), newest, at_rest)


def count_marts(store: Store, org_id: uuid.UUID, question: Question) -> list[Totals]:
    """The answer as the marts have it, a part from each of `question.marts`."""
    parts = []
    for mart, measures in (question.marts or {}).items():
        sums = [f"sum({mart.columns[name]})" for name in measures]
        parts.append(_count(store, org_id, question, _owned(mart.name), sums, measures))
    return parts


def count_fact(
    store: Store,
    org_id: uuid.UUID,
    question: Question,
    *,
    among: Collection[uuid.UUID] | None = None,
    without: Collection[uuid.UUID] = (),
) -> Totals:
    """The answer counted from the fact's rows: `among` some debts only, or `without` some."""
    if among is not None and not among:
        return {}
    met = [question.only] if question.only else []
    met += [f"obligation_id in ({_listed(among)})"] if among else []
    met += [f"obligation_id not in ({_listed(without)})"] if without else []
    sums = [MEASURES[name].over_rows for name in question.measures]
    return _count(store, org_id, question, _FACT_ROWS[question.fact], sums, question.measures, met)


def debts_of(store: Store, org_id: uuid.UUID, gone: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """The debts that rows gone from Postgres were of. While a build is under way they may be out of
    the facts, and are among those it builds."""
    keys = _listed(gone)
    rows = store.rows(
        f"select obligation_id from {_owned('int_attempts')} where attempt_id in ({keys})"
        " union distinct"
        f" select obligation_id from {_owned('int_failed_obligations')} where case_id in ({keys})"
        f" union distinct select obligation_id from {_owned('int_changed_debts')}",
        {"org": str(org_id)},
    )
    return frozenset(row[0] for row in rows)


def _owned(table: str) -> str:
    """The one way to a table: the rows of the organisation that `org` is bound to."""
    return f"(select * from {DATABASE}.{table} where org_id = {{org:UUID}})"


# the facts with the columns that their marts make of them
_FACT_ROWS: Mapping[Fact, str] = {
    Fact.DEBTS: f"""(
        select
            *,
            obligation_id in (
                select obligation_id from {_owned("int_messages")} where state = 'sent'
            ) as is_asked,
            toInt16(if(
                recovered_at is null,
                -1,
                greatest(0, intDiv(
                    dateDiff('second', first_failed_at, assumeNotNull(recovered_at)), 86400
                ))
            )) as days_to_recover
        from {_owned("int_failed_obligations")}
    )""",
    Fact.TRIES: f"(select *, least(number, 10) as attempt_number from {_owned('int_attempts')})",
}


def _count(
    store: Store,
    org_id: uuid.UUID,
    question: Question,
    rows: str,
    sums: Sequence[str],
    measures: Sequence[str],
    met: Sequence[str] = (),
) -> Totals:
    values: dict[str, Any] = {
        "org": str(org_id),
        "first": str(question.span.first),
        "last": str(question.span.last),
        **question.filters.given,
    }
    conditions = ["day between {first:Date} and {last:Date}", *met]
    conditions += [
        f"has({{{name}:Array(String)}}, cast({name} as text))" for name in question.filters.given
    ]
    selected = ", ".join([*(DIMENSIONS[name] or name for name in question.dimensions), *sums])
    places = ", ".join(str(place) for place, _ in enumerate(question.dimensions, start=1))
    found = store.rows(
        f"select {selected} from {rows} where {' and '.join(conditions)} group by {places}", values
    )
    return figures.totals(found, measures)


def _listed(ids: Collection[uuid.UUID]) -> str:
    """Ids in the query's own text: as a bound parameter thousands do not fit into an address."""
    return ", ".join(f"'{one}'" for one in sorted(ids))
