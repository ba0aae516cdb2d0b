"""Checksums of a month, column by column, made on both sides by different means.

In Postgres: SQL over the values that the partition holds. Here: over the values that were read
back from S3. They share no code and no conversion, so a column that was converted wrongly, cut,
moved to another row, doubled or lost differs. A checksum is the sum, modulo 2^64, of each value's
hash under a seed that is the hash of its row's id; nulls are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from tinko_pipelines.core.archival import hashing
from tinko_pipelines.core.archival.columns import Column, seeds_of

_MODULUS = 1 << 64


@dataclass(frozen=True, slots=True)
class Checksums:
    """`values` by column: how many are not null, and 16 hex digits."""

    rows: int
    values: dict[str, tuple[int, str]]

    def differences(self, other: Checksums) -> list[str]:
        """What differs, in words: the rows, and each column. Empty where they agree."""
        found = [] if self.rows == other.rows else [f"{self.rows} rows against {other.rows}"]
        for name in sorted({*self.values, *other.values}):
            mine, theirs = self.values.get(name), other.values.get(name)
            if mine != theirs:
                found.append(f"{name}: {_said(mine)} against {_said(theirs)}")
        return found


def _said(value: tuple[int, str] | None) -> str:
    return "nothing" if value is None else f"{value[0]} values of checksum {value[1]}"


def _digits(sums: int) -> str:
    return f"{sums % _MODULUS:016x}"


def in_postgres(connection: Connection, table: str, columns: Sequence[Column]) -> Checksums:
    """The checksums of a table that the connection's role may read, as Postgres makes them."""
    parts = [f'count("{one.name}"), coalesce(sum({one.sql}), 0)::text' for one in columns]
    statement = (
        f"select count(*), {', '.join(parts)}"
        f" from (select *, uuid_hash_extended(id, 0) as seed from {table}) as seeded"
    )
    row: Sequence[Any] = connection.execute(text(statement.replace(":", r"\:"))).one()
    rows, found = row[0], row[1:]
    pairs = zip(found[::2], found[1::2], strict=True)
    return Checksums(
        rows,
        {
            one.name: (count, _digits(int(sums)))
            for one, (count, sums) in zip(columns, pairs, strict=True)
        },
    )


@dataclass
class Adding:
    """Adds up what is read back, batch by batch."""

    columns: Sequence[Column]
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        """Raises KeyError where a column is missing."""
        seeds = seeds_of(batch.column("id"))
        self.rows += len(batch)
        for one in self.columns:
            values = batch.column(one.name)
            of_rows = seeds
            if values.null_count:
                of_rows = seeds[pc.is_valid(values).to_numpy(zero_copy_only=False)]
                values = values.drop_null()
            self.counts[one.name] = self.counts.get(one.name, 0) + len(values)
            hashed = hashing.total(one.hashes(values, of_rows)) if len(values) else 0
            self.sums[one.name] = self.sums.get(one.name, 0) + hashed

    def done(self) -> Checksums:
        return Checksums(
            self.rows,
            {
                one.name: (self.counts.get(one.name, 0), _digits(self.sums.get(one.name, 0)))
                for one in self.columns
            },
        )


def in_arrow(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Checksums:
    """The checksums of `batches`, whatever their order."""
    adding = Adding(columns)
    for batch in batches:
        adding.add(batch)
    return adding.done()
