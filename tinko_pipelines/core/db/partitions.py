"""Monthly partitions, made ahead of need (DESIGN.md rule 15).

A partition is made apart and attached under a lock timeout: `PARTITION OF` would wait on every
open reader, and every writer would wait behind it. There is no default partition, so a missing
one is an error at insert; `missing` says so months before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.ids import id_floor

MONTHS_AHEAD = 3
LIST = text(
    "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
    " where i.inhparent = to_regclass(:parent)"
)


@dataclass(frozen=True, slots=True)
class Month:
    year: int
    month: int

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def plus(self, months: int) -> Month:
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    def partition(self, table: str) -> str:
        return f"{table}_{self.year:04d}_{self.month:02d}"


def month_of(at: datetime) -> Month:
    return Month(at.astimezone(UTC).year, at.astimezone(UTC).month)


def wanted(at: datetime, ahead: int = MONTHS_AHEAD) -> Iterator[tuple[str, Month]]:
    """Table and month of every partition that should stand at `at`: this month and `ahead`."""
    for table in PARTITIONED:
        for offset in range(ahead + 1):
            yield table, month_of(at).plus(offset)


def missing(connection: Connection, at: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Names of the wanted partitions that do not stand."""
    standing = {
        name for table in PARTITIONED for name in connection.scalars(LIST, {"parent": table})
    }
    names = [month.partition(table) for table, month in wanted(at, ahead)]
    return [name for name in names if name not in standing]


def ensure(owner: Engine, at: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make and attach what is missing at `at`; returns the names made. Safe to run twice.

    `owner` connects as tinko_owner. Raises sqlalchemy OperationalError when a lock on the parent
    is not had within two seconds: the next run tries again, no writer was held up.
    """
    with owner.connect() as connection:
        absent = set(missing(connection, at, ahead))
    made = []
    for table, month in wanted(at, ahead):
        name = month.partition(table)
        if name in absent:
            _make(owner, table, name, month)
            made.append(name)
    return made


def _make(owner: Engine, table: str, name: str, month: Month) -> None:
    bounds = f"from ('{id_floor(month.start)}') to ('{id_floor(month.plus(1).start)}')"
    # one transaction: a kill between the statements leaves nothing behind
    with owner.begin() as connection:
        connection.execute(text("set local lock_timeout = '2s'"))
        connection.execute(
            text(f"create table {name} (like {table} including all excluding identity)")
        )
        connection.execute(text(f"alter table {table} attach partition {name} for values {bounds}"))
