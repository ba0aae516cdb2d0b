"""One closed earlier month, for the archive to take.

Written through the ordinary tables as tinko_worker, so that history, versions and row security are
the real ones. All of it is older than the retention and than the window of disputes, and nothing of
it is open: `tinko archive run` takes the whole month.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, insert

from tinko_pipelines.core.archival.model import DISPUTE_WINDOW
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month, month_of
from tinko_pipelines.demo.closed_debt import ClosedDebt, Tenant
from tinko_pipelines.demo.closed_rows import rows_of

# the days of the month on which debts begin: what follows stays within the month
_DAYS = timedelta(days=20)


@dataclass
class ClosedMonth:
    """What was written: rows by table, and the minor units that were recovered, by currency."""

    month: Month
    rows: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)


def closed_month(now: datetime, retention_days: int) -> Month:
    """The latest month that is older than the retention, and whose captures, up to a month later,
    cannot be disputed any more at business time `now`."""
    age = max(timedelta(days=retention_days), DISPUTE_WINDOW + timedelta(days=62))
    return month_of(now - age).plus(-1)


def seed_closed_month(
    owner: Engine,
    worker: Engine,
    tenants: Sequence[Tenant],
    now: datetime,
    retention_days: int,
    debts: int = 200,
    month: Month | None = None,
) -> ClosedMonth:
    """Write `debts` closed debts of each tenant into the month that `closed_month` says, or into
    the one that is given.

    `owner` makes the month's partitions where they are missing. Call it once for a month.
    """
    found = ClosedMonth(month or closed_month(now, retention_days))
    partitions.ensure(owner, found.month.start, ahead=0)
    for tenant in tenants:
        rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        for number in range(debts):
            debt = ClosedDebt(tenant, number, found.month.start + _DAYS * number / debts)
            for table, row in rows_of(debt):
                rows[table].append(row)
            if debt.paid:
                found.recovered[debt.currency] += debt.due
        with unit_of_work(worker) as connection:
            for table, values in rows.items():
                connection.execute(insert(table), values)
                found.rows[table.name] += len(values)
    return found
