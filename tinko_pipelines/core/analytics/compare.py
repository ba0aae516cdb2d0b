"""Marts against Postgres: the same totals, counted by each store from its own rows.

Compared per organisation, day, PSP and currency. A group in which Postgres has moved since the mart
was built is left out, since the mart cannot know; where nothing moves nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query

MEASURES = (
    "failed",
    "failed_minor",
    "retried",
    "retried_minor",
    "recovered",
    "recovered_minor",
    "lost",
    "lost_minor",
    "reversed_minor",
)


@dataclass(frozen=True, slots=True)
class Mart:
    """A mart whose totals Postgres can count itself. Both queries of sql/queries/analytics.sql give
    the columns of `Group`, and `totals` the measures under the mart's own names."""

    measures: tuple[str, ...]
    totals: str = "ledger_totals"
    moved: str = "moved_since"


HELD: Mapping[str, Mart] = {
    "recovery_daily": Mart(MEASURES),
    "at_risk": Mart(("debts", "due_minor", "outstanding_minor")),
    "settlement_daily": Mart(
        ("lines", "gross_minor", "fee_minor", "tax_minor", "net_minor", "settled"),
        "line_totals",
        "lines_moved",
    ),
    "payouts_daily": Mart(
        ("payouts", "amount_minor", "not_itemised"), "payout_totals", "payouts_moved"
    ),
}
# ClickHouse parses at most 256 KiB of a query; a UUID in a list takes 40 bytes
_IDS_PER_QUERY = 5_000


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """`day` is the UTC day of the first failure, of a line or payout that of its making."""

    org_id: str
    day: date
    psp: str
    currency: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one group that the two stores do not agree on; minor units or a count."""

    group: Group
    measure: str
    ledger: int
    mart: int

    def __str__(self) -> str:
        where = self.group
        return (
            f"{where.day} {where.psp} {where.currency} of {where.org_id}: {self.measure} is"
            f" {self.ledger} in the ledger and {self.mart} in the mart"
        )


Totals = Mapping[Group, Mapping[str, int]]


def differences(
    ledger: Totals, mart: Totals, moved: Iterable[Group] = (), measures: Sequence[str] = MEASURES
) -> list[Difference]:
    """Every measure that differs, outside of the groups that `moved`. Pure."""
    skipped, nothing = set(moved), dict.fromkeys(measures, 0)
    return [
        Difference(group, measure, theirs[measure], ours[measure])
        for group in sorted({*ledger, *mart} - skipped)
        for theirs, ours in [(ledger.get(group, nothing), mart.get(group, nothing))]
        for measure in measures
        if theirs[measure] != ours[measure]
    ]


def mart_vs_ledger(engine: Engine, client: Client, *, still: bool = False) -> list[Difference]:
    """What recovery_daily says otherwise than the ledger; as `marts_vs_ledger`."""
    return marts_vs_ledger(engine, client, ("recovery_daily",), still=still)["recovery_daily"]


def marts_vs_ledger(
    engine: Engine, client: Client, models: Iterable[str] = tuple(HELD), *, still: bool = False
) -> dict[str, list[Difference]]:
    """What each of `models`, of HELD, says otherwise than Postgres; empty where they agree.

    `engine` sees every tenant (tinko_worker). `still` says that the ledger stood still since the
    marts were built: then nothing is left out. Raises AnalyticsUnavailable, also when a mart was
    never built.
    """
    marts = {model: _mart(client, model) for model in models}
    # Postgres is read after the marts, so a change in between counts as moved
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("set transaction isolation level repeatable read")
        books = {
            name: _totals(connection, name, [HELD[model] for model in marts])
            for name in {HELD[model].totals for model in marts}
        }
        changes = {
            (name, position): connection.execute(
                query("analytics", name), {"position": position}
            ).fetchall()
            for name, position in {(HELD[model].moved, at) for model, (_, at) in marts.items()}
            if not still
        }
    moved = {
        (name, position): _moved(client, rows, of_debts=name == "moved_since")
        for (name, position), rows in changes.items()
    }
    return {
        model: differences(
            books[HELD[model].totals],
            totals,
            moved.get((HELD[model].moved, position), ()),
            HELD[model].measures,
        )
        for model, (totals, position) in marts.items()
    }


def _totals(connection: Connection, name: str, marts: Iterable[Mart]) -> Totals:
    """What Postgres counts, all measures of those `marts` that one query is for."""
    measures = [measure for mart in marts if mart.totals == name for measure in mart.measures]
    return {
        Group(row.org_id, row.day, row.psp, row.currency): {
            measure: int(getattr(row, measure)) for measure in measures
        }
        for row in connection.execute(query("analytics", name))
    }


def _moved(client: Client, rows: Sequence[Row[Any]], *, of_debts: bool) -> set[Group]:
    """The groups that changed: as they are now, and of debts also as the mart has them."""
    now = {Group(row.org_id, row.day, row.psp, row.currency) for row in rows if row.day}
    return now | _groups_of(client, [row.obligation_id for row in rows]) if of_debts else now


def _mart(client: Client, model: str) -> tuple[Totals, int]:
    """A mart's totals and the position of the sink that is in them."""
    measures = HELD[model].measures
    sums = ", ".join(f"sum({measure})" for measure in measures)
    with reaching_clickhouse(f"reading {model}"):
        # the position first: the mart may be built while it is read
        position = built_to(client, model)
        rows = client.query(
            f"select toString(org_id), day, psp, currency, {sums}"
            f" from {DATABASE}.{model} group by org_id, day, psp, currency"
        ).result_rows
    totals = {Group(*row[:4]): dict(zip(measures, map(int, row[4:]), strict=True)) for row in rows}
    return totals, position


def built_to(client: Client, model: str) -> int:
    """All Postgres transactions below this are in `model`; 0 where it was never built.

    Raises the driver's errors.
    """
    rows = client.query(
        f"select argMax(position, build) from {DATABASE}.build_positions where model = %(model)s",
        parameters={"model": model},
    ).result_rows
    return int(rows[0][0])


def _groups_of(client: Client, obligation_ids: list[str]) -> set[Group]:
    """Where the mart still counts debts that have moved: a change can move a debt's day."""
    found: set[Group] = set()
    with reaching_clickhouse("reading int_failed_obligations"):
        for start in range(0, len(obligation_ids), _IDS_PER_QUERY):
            rows = client.query(
                "select distinct toString(org_id), day, psp, currency"
                f" from {DATABASE}.int_failed_obligations"
                " where toString(obligation_id) in %(ids)s",
                parameters={"ids": obligation_ids[start : start + _IDS_PER_QUERY]},
            ).result_rows
            found.update(Group(*row) for row in rows)
    return found
