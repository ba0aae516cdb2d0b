"""Whether the analytics store holds the rows it was given: counts of both stores, row for row.

The mart's totals are another check's (analytics/compare.py), and see only debts that failed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import id_floor

# when a row was made, as ClickHouse says it: of a UUIDv7 its first half, since as a whole they are
# ordered by the second; None for a small relation that does not say, all of which is counted
MADE: Mapping[str, str | None] = {
    "obligations": "UUIDv7ToDateTime(id, 'UTC')",
    "attempts": "UUIDv7ToDateTime(id, 'UTC')",
    "failures": "UUIDv7ToDateTime(attempt_id, 'UTC')",
    "cases": "UUIDv7ToDateTime(id, 'UTC')",
    "decisions": "UUIDv7ToDateTime(id, 'UTC')",
    "outbox": "UUIDv7ToDateTime(id, 'UTC')",
    "notification_deliveries": "UUIDv7ToDateTime(id, 'UTC')",
    "settlement_lines": "created_at",
    "payouts": "created_at",
    "policy_versions": None,
    "rule_versions": None,
    "organisations": None,
    "connections": None,
}
# older rows were counted before, and may be archived
TRAILING = timedelta(days=35)
_COUNTS = " union all ".join(
    f"select '{relation}', toString(org_id), count() from {DATABASE}.{relation} final"
    f"{f' where {made} >= %(since)s' if made else ''} group by org_id"
    for relation, made in MADE.items()
)


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Rows of one organisation that one store has and the other has not."""

    relation: str
    org_id: str
    least: int
    most: int
    found: int

    @property
    def lost(self) -> bool:
        """Whether rows are missing, and not too many."""
        return self.found < self.least

    def __str__(self) -> str:
        wanted = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"{self.relation} of {self.org_id}: {self.found} rows in ClickHouse, {wanted} wanted"


Bounds = Mapping[tuple[str, str], tuple[int, int]]
Counts = Mapping[tuple[str, str], int]


def gaps(wanted: Bounds, found: Counts) -> list[Gap]:
    """Every relation and organisation whose count is out of its bounds. Pure."""
    return [
        Gap(*key, least, most, found.get(key, 0))
        for key in sorted({*wanted, *found})
        for least, most in [wanted.get(key, (0, 0))]
        if not least <= found.get(key, 0) <= most
    ]


def rows_of_both(engine: Engine, client: Client, now: datetime) -> list[Gap]:
    """Compare the rows made in the last 35 days, of every relation that is carried.

    `engine` sees every tenant. ClickHouse is read first: what Postgres wrote since is moving.
    Raises AnalyticsUnavailable.
    """
    since = now - TRAILING
    with reaching_clickhouse("counting the rows of the ledger"):
        carried = client.query(
            f"select relation, max(position) from {DATABASE}.sink_positions group by relation"
        ).result_rows
        counted = client.query(_COUNTS, parameters={"since": since}).result_rows
    found = {(str(relation), str(org_id)): int(rows) for relation, org_id, rows in counted}
    positions = dict.fromkeys(MADE, 0) | {str(name): int(position) for name, position in carried}
    values = {"since": id_floor(since), "made": since, "positions": json.dumps(positions)}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("quality", "rows_to_find"), values)
        wanted = {
            (row.relation, row.org_id): (row.settled, row.settled + row.moving) for row in rows
        }
    return gaps(wanted, found)
