"""How models stand after a build: rows, position and their last days, for all in two questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.plotting import bar

# what people would look at first, by the day of each mart; `rows` are rows
PLOTTED: Mapping[str, str] = {
    "int_attempts": "rows",
    "int_failed_obligations": "rows",
    "int_messages": "rows",
    "at_risk": "debts",
    "channel_performance": "messages",
    "decline_codes": "declined",
    "payouts_daily": "payouts",
    "policy_effect": "failed",
    "recovery_by_attempt": "tried",
    "recovery_by_hour": "tried",
    "recovery_cohorts": "debts",
    "recovery_daily": "failed",
    "rule_effect": "failed",
    "settlement_daily": "lines",
}
SHOWN_DAYS = 14


@dataclass(frozen=True, slots=True)
class Standing:
    """All Postgres transactions below `position` are in it. `days` are the last that have any rows,
    newest first, with their `measure`."""

    rows: int
    position: int
    measure: str
    days: tuple[tuple[date, int], ...]


def standing(client: Client, models: Iterable[str]) -> dict[str, Standing]:
    """Those of `models` that have days; the others are views, or what a build leaves behind.

    Raises AnalyticsUnavailable, also for one that was never built.
    """
    chosen = [model for model in models if model in PLOTTED]
    if not chosen:
        return {}
    counted = " union all ".join(
        f"select '{model}' as model, day, count() as rows, {_sum(PLOTTED[model])} as value"
        f" from {DATABASE}.{model} group by day"
        for model in chosen
    )
    with reaching_clickhouse("reading the marts' days"):
        # the positions first: a build may end in between
        positions = client.query(
            "select model, argMax(position, build)"
            f" from {DATABASE}.build_positions where model in %(models)s group by model",
            parameters={"models": chosen},
        ).result_rows
        found = client.query(
            "select model, sum(rows), arraySlice(arrayReverseSort(groupArray((day, value))),"
            f" 1, {SHOWN_DAYS}) from ({counted}) group by model"
        ).result_rows
    below = {str(model): int(position) for model, position in positions}
    stand = {str(model): (int(rows), tuple(days)) for model, rows, days in found}
    return {
        model: Standing(rows, below.get(model, 0), PLOTTED[model], days)
        for model in chosen
        for rows, days in [stand.get(model, (0, ()))]
    }


def plot(measure: str, days: Sequence[tuple[date, int]]) -> str:
    """A bar per day in markdown, in the order given. Pure."""
    if not days:
        return "it has no rows yet"
    most = max(1, *(value for _, value in days))
    rows = [f"| {day} | `{bar(value, most)}` {value} |" for day, value in days]
    return "\n".join([f"| day | {measure} |", "|---|---|", *rows])


def _sum(measure: str) -> str:
    return "count()" if measure == "rows" else f"toUInt64(sum({measure}))"
