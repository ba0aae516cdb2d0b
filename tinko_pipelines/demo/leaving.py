"""A closed earlier month leaves the ledger for S3, and is read where it lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.model import ArchiveState
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.ids import id_floor
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.tenants.connections import list_connections
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.demo.closed_debt import Tenant
from tinko_pipelines.demo.closed_month import seed_closed_month
from tinko_pipelines.demo.driver import Driver

# rows and minor units of a table, by what they say and in which currency
Sums = dict[tuple[str, str, str], tuple[int, int]]
# the same of an archived month, asked of ClickHouse as an analyst does
_ARCHIVED = """
select 'attempts', assumeNotNull(state), assumeNotNull(currency), count(), sum(amount_minor)
from archive.attempts where month = %(month)s group by state, currency
union all
select 'inbox_events', assumeNotNull(event_type), '', count(), 0
from archive.inbox_events where month = %(month)s group by event_type
union all
select 'notification_deliveries', assumeNotNull(result), '', count(), 0
from archive.notification_deliveries where month = %(month)s group by result
"""


def let_a_month_go(driver: Driver, client: Client) -> dict[str, Any]:
    """Seed a closed month, carry it, archive it, and ask for it in S3: rows archived and rows found
    by table, and whether they are what the ledger had, which has them no more."""
    platform = driver.platform
    with unit_of_work(platform.engine) as connection:
        connected = list_connections(connection)
    tenants = [Tenant(one.org_id, one.id) for one in connected if one.psp is Psp.STRIPE]
    month = seed_closed_month(
        platform.owner,
        platform.engine,
        tenants,
        driver.now,
        platform.settings.partition_retention_days,
    ).month
    before = in_ledger(platform.engine, month)
    driver.carry()
    driver.archive(month)
    found = in_archive(client, month)
    return {
        "archived": _dropped(platform, month),
        "archive_queried_rows": _rows(found),
        "archive_is_what_the_ledger_had": bool(before) and found == before,
        "archived_rows_left": sum(_rows(in_ledger(platform.engine, month)).values()),
    }


def in_ledger(engine: Engine, month: Month) -> Sums:
    """What the large tables hold of a month."""
    bounds = {"low": id_floor(month.start), "high": id_floor(month.plus(1).start)}
    with unit_of_work(engine) as connection:
        return _sums(connection.execute(query("demo", "month_sums"), bounds))


def in_archive(client: Client, month: Month) -> Sums:
    """What ClickHouse reads of it in the bucket. Raises the driver's errors."""
    return _sums(client.query(_ARCHIVED, parameters={"month": str(month)}).result_rows)


def _sums(rows: Iterable[Any]) -> Sums:
    return {tuple(row[:3]): (int(row[3]), int(row[4])) for row in rows}


def _rows(sums: Sums) -> dict[str, int]:
    return {
        name: sum(count for (table, *_), (count, _) in sums.items() if table == name)
        for name in PARTITIONED
    }


def _dropped(platform: Platform, month: Month) -> dict[str, int]:
    """Rows of the month's manifests, where it was verified and dropped, by table."""
    with unit_of_work(platform.owner) as connection:
        known = records.read(connection)
    return {
        target.relation: record.rows or 0
        for target, record in known.items()
        if target.month == month and record.state is ArchiveState.DROPPED
    }
