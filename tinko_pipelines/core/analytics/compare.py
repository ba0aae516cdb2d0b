"""The mart against the ledger: the same totals, counted by each store from its own rows.

Compared per organisation, day, PSP and currency. A group in which the ledger has moved since the
mart was built is left out, since the mart cannot know; on a ledger that stands still nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

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
# ClickHouse parses at most 256 KiB of a query; a UUID in a list takes 40 bytes
_IDS_PER_QUERY = 5_000
_NOTHING: Mapping[str, int] = dict.fromkeys(MEASURES, 0)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """`day` is the UTC day of the first failure."""

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


def differences(ledger: Totals, mart: Totals, moved: Iterable[Group] = ()) -> list[Difference]:
    """Every measure that differs, outside of the groups that `moved`. Pure."""
    skipped = set(moved)
    return [
        Difference(group, measure, theirs[measure], ours[measure])
        for group in sorted({*ledger, *mart} - skipped)
        for theirs, ours in [(ledger.get(group, _NOTHING), mart.get(group, _NOTHING))]
        for measure in MEASURES
        if theirs[measure] != ours[measure]
    ]


def mart_vs_ledger(engine: Engine, client: Client, *, still: bool = False) -> list[Difference]:
    """What recovery_daily says otherwise than the ledger; empty when they agree.

    `engine` sees every tenant (tinko_worker). `still` says that the ledger stood still since the
    mart was built: then nothing is left out. Raises AnalyticsUnavailable, also when the mart was
    never built.
    """
    mart, position = _mart(client)
    # the ledger is read after the mart, so a change in between counts as moved
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("set transaction isolation level repeatable read")
        ledger = {
            Group(row.org_id, row.day, row.psp, row.currency): {
                measure: int(getattr(row, measure)) for measure in MEASURES
            }
            for row in connection.execute(query("analytics", "ledger_totals"))
        }
        moved = connection.execute(
            query("analytics", "moved_since"), {"position": position}
        ).fetchall()
    if still:
        return differences(ledger, mart)
    now = {Group(row.org_id, row.day, row.psp, row.currency) for row in moved if row.day}
    before = _groups_of(client, [row.obligation_id for row in moved])
    return differences(ledger, mart, now | before)


def _mart(client: Client) -> tuple[Totals, int]:
    """The mart's totals and the position of the sink that is in them."""
    sums = ", ".join(f"sum({measure})" for measure in MEASURES)
    with reaching_clickhouse("reading recovery_daily"):
        # the position first: the mart may be built while it is read
        position = built_to(client, "recovery_daily")
        rows = client.query(
            f"select toString(org_id), day, psp, currency, {sums}"
            f" from {DATABASE}.recovery_daily group by org_id, day, psp, currency"
        ).result_rows
    totals = {Group(*row[:4]): dict(zip(MEASURES, map(int, row[4:]), strict=True)) for row in rows}
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
