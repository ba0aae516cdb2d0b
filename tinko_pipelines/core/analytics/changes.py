"""What changed in the ledger, read as Arrow: pages of whole transactions, one ahead of its taker.

ADBC reads Postgres's binary COPY in C. Each page is one statement, read to its end before it is
handed on, so that no transaction waits for whoever takes it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql

from tinko_pipelines.core.analytics.relations import Relation
from tinko_pipelines.core.db.engine import libpq_url
from tinko_pipelines.core.db.queries import query

_LOWEST_KEY = "00000000-0000-0000-0000-000000000000"
# one Arrow batch for a page, as far as it goes
_HINT_BYTES = str(64 * 1024 * 1024)
_DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive changes of a relation. `gone` are its tombstones; all transactions below
    `below` are in this page or one before."""

    gone: tuple[pa.Table, ...]
    rows: pa.Table
    below: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """One connection of ADBC that sees every tenant."""

    connection: Any

    @classmethod
    @contextmanager
    def of(cls, engine: Engine) -> Iterator[Ledger]:
        """Raises adbc_driver_manager.Error where Postgres is away."""
        # a driver that not every process of ours needs
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]  # noqa: PLC0415

        dsn = libpq_url(engine.url.render_as_string(hide_password=False))
        with dbapi.connect(dsn, autocommit=True) as connection:
            yield cls(connection)

    def ahead(self, relation: Relation, low: int, high: int, size: int) -> Iterator[Page]:
        """`pages`, the next of which is read while the last is worked on."""
        with closing(self.pages(relation, low, high, size)) as pages, ThreadPoolExecutor(1) as hand:
            coming = hand.submit(next, pages, None)
            while (page := coming.result()) is not None:
                coming = hand.submit(next, pages, None)
                yield page

    def pages(
        self, relation: Relation, low: int, high: int, size: int
    ) -> Generator[Page, None, None]:
        """The changes with versions in [low, high), by (row_version, key), about `size` at a time.

        A page ends where a transaction does, so that the same rows make the same pages wherever
        one begins; a transaction of more than `size` rows takes several, and only the last of them
        is `below` it. A row that changes in the meantime leaves the range: its new version lies
        past `high`.
        """
        after = low, _LOWEST_KEY
        while low < high:
            found = self._read(relation, low, high, after, size + 1)
            rows, below = found, high
            if len(found) > size:
                rows, below = _whole(found, size)
                inside = rows["row_version"][-1].as_py() == below
                after = below, rows[relation.key][-1].as_py() if inside else _LOWEST_KEY
            yield Page(tuple(self._gone(relation, low, below, size)), rows, below)
            low = below

    def _gone(self, relation: Relation, low: int, high: int, size: int) -> Iterator[pa.Table]:
        """Tombstones with versions in [low, high)."""
        if not relation.leaves:
            return
        after = low, _LOWEST_KEY
        while low < high:
            found = self._read(relation.deletions(), low, high, after, size)
            if len(found):
                yield found
            if len(found) < size:
                return
            after = found["row_version"][-1].as_py(), found[relation.key][-1].as_py()

    def _read(
        self, relation: Relation, low: int, high: int, after: tuple[int, str], size: int
    ) -> pa.Table:
        values = {
            "relation": relation.name,
            "low": low,
            "high": high,
            "after_version": after[0],
            "after_key": after[1],
            "size": size,
        }
        asked = query("analytics", relation.query)
        named = {name: values[name] for name in asked.compile().params}
        # COPY takes no parameters
        statement = asked.bindparams(**named).compile(
            dialect=_DIALECT, compile_kwargs={"literal_binds": True}
        )
        with self.connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": _HINT_BYTES}
            )
            cursor.execute(str(statement).rstrip("; \n"))
            return relation.typed(cursor.fetch_arrow_table())


def _whole(found: pa.Table, size: int) -> tuple[pa.Table, int]:
    """The first `size` rows or fewer, up to where a transaction ends, and the next transaction;
    `size` rows of a single one, and that one, where it is larger."""
    last = found["row_version"][size]
    end = pc.index(found["row_version"], last).as_py()
    return found.slice(0, end or size), last.as_py()
