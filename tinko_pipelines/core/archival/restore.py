"""Bring a month back: out of the bucket into a table, summed up by Postgres, then attached.

All of it is one transaction, so a kill leaves nothing behind. The rows come as they were: no
trigger sees them, so their versions stand and no history is written twice.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import Connection

from tinko_pipelines.core.archival import checksums, records, verify
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.columns import (
    Column,
    fixed_bytes,
    plain,
    read_columns,
    select_list,
)
from tinko_pipelines.core.archival.exclusive import exclusive
from tinko_pipelines.core.archival.manifest import Manifest
from tinko_pipelines.core.archival.model import ArchiveNotVerified, ArchiveState, Target
from tinko_pipelines.core.archival.run import end_pending
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_FORM = csv.WriteOptions(include_header=False, quoting_style="all_valid")


def restore(archivist: Archivist, target: Target) -> Manifest:
    """Attach the month again, with every row that its manifest speaks of.

    Raises NotFound where the month was never archived, Conflict where it is not gone,
    ArchiveNotVerified where the bucket or what was loaded is not what was verified,
    ArchiveStoreError, ArchiveBusy.
    """
    store, point = archivist.store, archivist.point
    if store is None:
        raise InvalidInput("S3_BUCKET is not set: there is nowhere to restore from")
    with exclusive(archivist.owner) as lock:
        end_pending(archivist)
        with unit_of_work(archivist.owner) as connection:
            record = records.read(connection).get(target)
        if record is None:
            raise NotFound(f"{target} was never archived")
        if record.state is not ArchiveState.DROPPED:
            raise Conflict(f"{target} is {record.state} and not dropped: it need not come back")
        found = verify.load_manifest(store, record)
        lock.require()
        # one object after the other is read within the transaction: the table that is written is
        # nobody's yet, and all or nothing of it is to come
        with unit_of_work(archivist.owner) as connection:
            partitions.make(connection, target.relation, target.month)
            columns = _known(connection, target, found)
            point("restoring")
            for batch in verify.read_parts(store, target, found.parts):
                load(connection, target.partition, columns, batch)
            point("loaded")
            there = checksums.in_postgres(connection, target.partition, columns)
            verify.require_equal(target, there, found.checksums)
            partitions.attach(connection, target.relation, target.month)
            records.move(connection, target, "restored", archivist.wall.now())
            point("attaching")
        point("restored")
    return found


def _known(connection: Connection, target: Target, found: Manifest) -> list[Column]:
    """The archived columns, which the table must still have; newer ones get their defaults."""
    there = set(read_columns(connection, target.partition))
    gone = [one.name for one in found.columns if one not in there]
    if gone:
        raise ArchiveNotVerified(
            f"{target.relation} has no {', '.join(gone)} any more, or of another type: read the"
            " month through ClickHouse instead"
        )
    return list(found.columns)


def load(
    connection: Connection, table: str, columns: Sequence[Column], batch: pa.RecordBatch
) -> None:
    """COPY a batch into a table of the owner's."""
    texts = pa.table({one.name: _text_of(batch.column(one.name), one.kind) for one in columns})
    body = io.BytesIO()
    csv.write_csv(texts, body, _FORM)
    raw: Any = connection.connection.driver_connection
    statement = f"copy {table} ({select_list(list(columns))}) from stdin (format csv)"
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(body.getvalue())


def _text_of(values: pa.Array, kind: str) -> pa.Array:
    """Values as Postgres reads them in CSV, where a null is nothing at all."""
    values = plain(values)
    if kind == "uuid":
        return _uuids(values)
    if kind == "bytea":
        return pa.array([None if one is None else f"\\x{one.hex()}" for one in values.to_pylist()])
    if kind == "text[]":
        return pa.array([None if one is None else _literal(one) for one in values.to_pylist()])
    if kind == "timestamp with time zone":
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return pc.cast(values, pa.string())


def _uuids(values: pa.Array) -> pa.Array:
    """32 hex digits each; Postgres needs no hyphens."""
    data = fixed_bytes(values)
    digits = np.empty(len(data) * 2, np.uint8)
    digits[0::2], digits[1::2] = _HEX[data >> 4], _HEX[data & 15]
    ends = np.arange(len(values) + 1, dtype=np.int32) * 32
    whole = pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(digits))
    return pc.if_else(pc.is_valid(values), whole, None) if values.null_count else whole


def _literal(words: Sequence[str | None]) -> str:
    quoted = (
        "NULL" if one is None else '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for one in words
    )
    return "{" + ",".join(quoted) + "}"
