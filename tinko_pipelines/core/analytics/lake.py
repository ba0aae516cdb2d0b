"""The Parquet lake: every batch is one object of S3_BUCKET, under the name of what is in it.

    lake/table=<relation>/<last row_version>-<token>.parquet
    lake/table=<relation>/_position.json

Objects are never changed or deleted: a batch that is carried again writes the same object again.
Every object has all columns of its relation and `is_deleted`; a tombstone has only its key, its
organisation and its version. A reader takes, of all rows of a key, the one with the highest
row_version (of a deletion and a row in one transaction: the row), and leaves it out where
`is_deleted` is 1: `newest`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable
from tinko_pipelines.core.analytics.relations import Relation
from tinko_pipelines.core.analytics.relations.relation import IS_DELETED
from tinko_pipelines.core.archival.files import options_for
from tinko_pipelines.core.archival.model import ArchiveStoreError
from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.errors import SettingsError

if TYPE_CHECKING:
    from tinko_pipelines.core.archival.store import ArchiveStore

ROOT = "lake"
# what readers look for by ranges
_WITH_STATISTICS = ["org_id", "row_version", "is_deleted"]


@dataclass(frozen=True, slots=True)
class Lake:
    """A target of the sink over any S3."""

    store: ArchiveStore
    name: ClassVar[str] = "s3"

    @classmethod
    def over(cls, store: ArchiveStore | None) -> Lake:
        """The lake in a bucket. Raises SettingsError where no bucket is set."""
        if store is None:
            raise SettingsError("S3_BUCKET is not set: there is no lake")
        return cls(store)

    def accept(self, relation: Relation, table: pa.Table, token: str) -> None:
        key = object_key(relation, table, token)
        body = parquet(whole(relation, table))
        with _reaching(f"carrying {len(table)} rows of {relation.name} to the lake"):
            self.store.put(key, body, "application/vnd.apache.parquet")

    def report(self, relation: Relation, position: int, rows: int) -> None:
        """Beside the objects; readers of Parquet pass over a name that begins so."""
        said = {
            "relation": relation.name,
            "position": position,
            "row_count": rows,
            "carried_at": WallClock().now().isoformat(),
        }
        with _reaching(f"reporting the position of {relation.name} to the lake"):
            self.store.put(f"{folder(relation)}/_position.json", json.dumps(said).encode())


def folder(relation: Relation) -> str:
    """Where a relation's objects lie in the bucket."""
    return f"{ROOT}/table={relation.name}"


def object_key(relation: Relation, table: pa.Table, token: str) -> str:
    """The object of a batch. By its beginning, who has read up to a version lists what came after.

    `table` is in the order of row_version.
    """
    last = table["row_version"][-1].as_py()
    return f"{folder(relation)}/{last:020d}-{token}.parquet"


def schema(relation: Relation) -> pa.Schema:
    """The columns of every object of a relation."""
    return pa.schema([*(field.with_nullable(True) for field in relation.schema), IS_DELETED])


def whole(relation: Relation, table: pa.Table) -> pa.Table:
    """Rows, or tombstones, with every column of the lake."""
    missing = pa.scalar(0, IS_DELETED.type)
    columns = [
        table[field.name]
        if field.name in table.column_names
        else pa.repeat(missing if field == IS_DELETED else pa.scalar(None, field.type), len(table))
        for field in schema(relation)
    ]
    return pa.Table.from_arrays(columns, schema=schema(relation))


def parquet(table: pa.Table) -> bytes:
    """`table` as one Parquet file with zstd."""
    sample = table.slice(0, 20_000).combine_chunks().to_batches()[0]
    made = pa.BufferOutputStream()
    options = options_for(sample) | {"write_statistics": _WITH_STATISTICS}
    pq.write_table(table, made, **options)
    body: bytes = made.getvalue().to_pybytes()
    return body


def newest(relation: Relation, objects: str) -> str:
    """SQL for the rows of `relation` as they are now: of DuckDB, ClickHouse and Athena.

    `objects` is what stands behind `from`: a table over `lake/table=<relation>/*.parquet`.
    """
    names = ", ".join(f'"{name}"' for name in relation.schema.names)
    return (
        f"select {names} from ("
        f"select *, row_number() over (partition by {relation.key}"
        f" order by row_version desc, is_deleted asc) as nth from {objects}"
        ") as versions where nth = 1 and is_deleted = 0"
    )


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    try:
        yield
    except ArchiveStoreError as error:
        raise AnalyticsUnavailable(f"{what}: {error.detail}") from error
