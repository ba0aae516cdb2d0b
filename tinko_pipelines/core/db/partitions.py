"""Monthly partitions, made ahead of need and taken off when they are archived (rule 15).

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
_PENDING = text(
    "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
    " where i.inhparent = to_regclass(:parent) and i.inhdetachpending"
)


_NAMED = text(
    "select relname from pg_class where relkind = 'r' and relname ~ :pattern"
    " and relnamespace = cast('public' as regnamespace)"
)


@dataclass(frozen=True, slots=True, order=True)
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

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def month_of(at: datetime) -> Month:
    return Month(at.astimezone(UTC).year, at.astimezone(UTC).month)


def month_in(partition: str, table: str) -> Month | None:
    """The month that the name of a partition of `table` says; None for another name."""
    year, _, month = partition.removeprefix(f"{table}_").partition("_")
    if partition.startswith(f"{table}_") and len(year) == 4 and (year + month).isdecimal():
        return Month(int(year), int(month))
    return None


def wanted(at: datetime, ahead: int = MONTHS_AHEAD) -> Iterator[tuple[str, Month]]:
    """Table and month of every partition that should stand at `at`: this month and `ahead`."""
    for table in PARTITIONED:
        for offset in range(ahead + 1):
            yield table, month_of(at).plus(offset)


def standing(connection: Connection, table: str) -> list[str]:
    """Names of the partitions of `table`, those being detached included, oldest first."""
    return sorted(connection.scalars(LIST, {"parent": table}))


def apart(connection: Connection, table: str) -> list[Month]:
    """Months whose table stands apart from `table`: detached, or not attached yet."""
    attached = set(standing(connection, table))
    tables = connection.scalars(_NAMED, {"pattern": f"^{table}_[0-9]{{4}}_[0-9]{{2}}$"})
    months = [month_in(name, table) for name in tables if name not in attached]
    return sorted(one for one in months if one is not None)


def missing(connection: Connection, at: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Names of the wanted partitions that do not stand."""
    there = {name for table in PARTITIONED for name in standing(connection, table)}
    names = [month.partition(table) for table, month in wanted(at, ahead)]
    return [name for name in names if name not in there]


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
            # one transaction: a kill between the statements leaves nothing behind
            with owner.begin() as connection:
                make(connection, table, month)
                attach(connection, table, month)
            made.append(name)
    return made


def make(connection: Connection, table: str, month: Month) -> None:
    """A table like a partition of `table`, apart from it: nobody but the owner sees it."""
    name = month.partition(table)
    connection.execute(text(f"create table {name} (like {table} including all excluding identity)"))


def attach(connection: Connection, table: str, month: Month) -> None:
    """Attach the table that stands apart as the month's partition, in the caller's transaction.

    Raises sqlalchemy OperationalError when the parent's lock is not had within two seconds.
    """
    low, high = id_floor(month.start), id_floor(month.plus(1).start)
    connection.execute(text("set local lock_timeout = '2s'"))
    connection.execute(
        text(
            f"alter table {table} attach partition {month.partition(table)}"
            f" for values from ('{low}') to ('{high}')"
        )
    )


def detach(owner: Engine, table: str, month: Month, *, lock_timeout: str = "60s") -> None:
    """Take the month's partition off without holding anybody up; it stands apart afterwards.

    Raises sqlalchemy OperationalError when a reader that was there before does not end within
    `lock_timeout`. The detach is then pending: new readers see the table without the month, and
    `finalize_pending` ends it.
    """
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"set lock_timeout = '{lock_timeout}'"))
        connection.execute(
            text(f"alter table {table} detach partition {month.partition(table)} concurrently")
        )


def finalize_pending(owner: Engine, *, lock_timeout: str = "60s") -> list[str]:
    """End every detach that a kill left pending; returns the names of what stands apart now.

    Postgres detaches nothing further from a table while one is pending. Raises sqlalchemy
    OperationalError as `detach` does.
    """
    ended = []
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"set lock_timeout = '{lock_timeout}'"))
        for table in PARTITIONED:
            for name in connection.scalars(_PENDING, {"parent": table}).all():
                connection.execute(text(f"alter table {table} detach partition {name} finalize"))
                ended.append(name)
    return ended


def exists(connection: Connection, name: str) -> bool:
    """Whether a table of this name stands, attached or apart."""
    return connection.scalar(text("select to_regclass(:name)"), {"name": name}) is not None
