"""A stream of rows into Parquet files, one organisation each, in bounded memory.

Rows of all organisations come mixed, as Postgres's binary COPY has them. Each batch is decoded in
the order of its organisations, so that each one's share is a slice. Slices wait to become a row
group; when all that waits is too much, the largest organisations are written, and the little that
is left is copied out of the batches it came in. A file that is full, or one too many that are open,
is closed and handed on.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tinko_pipelines.core.archival import decoding
from tinko_pipelines.core.archival.columns import Column, plain

_MEBIBYTE = 1024 * 1024
GROUP_ROWS = 65_536
WAITING_BYTES = 64 * _MEBIBYTE
# what may wait on, so that small organisations have row groups of some size
LEFT_BYTES = WAITING_BYTES // 8
FILE_BYTES = 16 * _MEBIBYTE
OPEN_FILES = 64
# of what is read back, at once
READ_BYTES = 8 * _MEBIBYTE
# few different values: the rest is not worth a dictionary
_FEW = 0.05
_LEVEL = 1
# what is looked for by ranges; for the rest, smallest and largest values cost and tell nothing
_WITH_STATISTICS = frozenset({"id", "created_at", "occurred_at", "received_at", "at"})


@dataclass(frozen=True, slots=True)
class Part:
    """A finished file of one organisation."""

    org_id: uuid.UUID
    number: int
    path: Path
    rows: int
    bytes: int
    sha256: str


@dataclass
class _File:
    path: Path
    number: int
    writer: pq.ParquetWriter
    rows: int = 0


@dataclass
class _Waiting:
    """One organisation's rows."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0


@dataclass
class PartWriter:
    """Writes rows of `columns` into `folder` and gives every finished file to `hand_on`, which
    owns it."""

    folder: Path
    columns: Sequence[Column]
    hand_on: Callable[[Part], None]
    file_bytes: int = FILE_BYTES
    _waiting: dict[bytes, _Waiting] = field(default_factory=dict)
    _waiting_bytes: int = 0
    _open: OrderedDict[bytes, _File] = field(default_factory=OrderedDict)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _options: dict[str, Any] = field(default_factory=dict)

    def write(self, batch: pa.BinaryArray) -> None:
        """Take rows as binary COPY has them. Raises decoding.RowsMalformed."""
        for org, rows in split(batch, self.columns):
            waiting = self._waiting.setdefault(org, _Waiting())
            waiting.batches.append(rows)
            waiting.rows += len(rows)
            waiting.bytes += rows.nbytes
            self._waiting_bytes += rows.nbytes
        if self._waiting_bytes > WAITING_BYTES:
            self._write_most()

    def close(self) -> None:
        """Write what waits and hand on every file."""
        for org in list(self._waiting):
            self._write_group(org)
        for org in list(self._open):
            self._close(org)

    def abandon(self) -> None:
        """Leave everything: the folder goes."""
        for one in self._open.values():
            one.writer.close()
        self._open.clear()

    def _write_most(self) -> None:
        for org in sorted(self._waiting, key=lambda one: -self._waiting[one].bytes):
            if self._waiting_bytes <= LEFT_BYTES:
                break
            self._write_group(org)
        for left in self._waiting.values():
            # a slice holds the whole batch
            left.batches = [one.take(pa.array(np.arange(len(one)))) for one in left.batches]

    def _write_group(self, org: bytes) -> None:
        waiting = self._waiting.pop(org)
        self._waiting_bytes -= waiting.bytes
        rows = pa.Table.from_batches(waiting.batches)
        if not self._options:
            self._options = options_for(waiting.batches[0])
        file = self._file(org)
        file.writer.write_table(rows, GROUP_ROWS)
        file.rows += len(rows)
        if file.path.stat().st_size >= self.file_bytes:
            self._close(org)

    def _file(self, org: bytes) -> _File:
        if org in self._open:
            self._open.move_to_end(org)
            return self._open[org]
        if len(self._open) >= OPEN_FILES:
            self._close(next(iter(self._open)))
        number = self._numbers[org] = self._numbers.get(org, 0) + 1
        path = self.folder / f"{org.hex()}-{number:04d}.parquet"
        writer = pq.ParquetWriter(path, decoding.schema_of(self.columns), **self._options)
        self._open[org] = _File(path, number, writer)
        return self._open[org]

    def _close(self, org: bytes) -> None:
        file = self._open.pop(org)
        file.writer.close()
        size = file.path.stat().st_size
        org_id = uuid.UUID(bytes=org)
        self.hand_on(Part(org_id, file.number, file.path, file.rows, size, sha256_of(file.path)))


def split(
    rows: pa.BinaryArray, columns: Sequence[Column]
) -> Iterator[tuple[bytes, pa.RecordBatch]]:
    """The rows by organisation, in their order: slices of one batch."""
    place = [one.name for one in columns].index("org_id")
    orgs = decoding.one_of(rows, columns, place).storage.dictionary_encode()
    codes = orgs.indices.to_numpy()
    decoded = decoding.decode(rows, columns, np.argsort(codes, kind="stable"))
    ends = np.cumsum(np.bincount(codes))
    for number, name in enumerate(orgs.dictionary.to_pylist()):
        start = int(ends[number - 1]) if number else 0
        yield name, decoded.slice(start, int(ends[number]) - start)


def options_for(sample: pa.RecordBatch) -> dict[str, Any]:
    """How a file like `sample` is written: dictionaries for few different values, differences for
    other times and numbers, zstd."""
    few = [name for name in sample.schema.names if _is_few(sample.column(name))]
    ascending = {
        one.name: "DELTA_BINARY_PACKED"
        for one in sample.schema
        if one.name not in few and (pa.types.is_timestamp(one.type) or pa.types.is_int64(one.type))
    }
    return {
        "compression": "zstd",
        "compression_level": _LEVEL,
        "use_dictionary": few,
        "column_encoding": ascending or None,
        "write_statistics": [one for one in sample.schema.names if one in _WITH_STATISTICS],
    }


def _is_few(column: pa.Array) -> bool:
    if pa.types.is_nested(column.type):
        return False
    sample = plain(column).slice(0, 20_000)
    return bool(pc.count_distinct(sample).as_py() <= max(2, _FEW * len(sample)))


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def batches_of(path: Path, rows: int = 32_768) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, some at a time: so many, or fewer where they are wide.

    A row group is no larger than what once waited in memory, and no more of them are decoded at
    once than make up `rows`, or `READ_BYTES` as they are stored.
    """
    with pq.ParquetFile(path) as file:
        for groups in _together(file.metadata, rows):
            for batch in file.iter_batches(rows, groups, use_threads=False):
                yield from _narrow(batch)


def _together(metadata: pq.FileMetaData, rows: int) -> Iterator[list[int]]:
    """Row groups that follow each other and are small enough to be read as one."""
    groups: list[int] = []
    waiting = stored = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        large = waiting + group.num_rows > rows or stored + group.total_byte_size > READ_BYTES
        if groups and large:
            yield groups
            groups, waiting, stored = [], 0, 0
        groups.append(number)
        waiting, stored = waiting + group.num_rows, stored + group.total_byte_size
    if groups:
        yield groups


def _narrow(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, or copies of its parts where it is large: who reads it makes several of each."""
    parts = -(-batch.nbytes // READ_BYTES)
    if parts <= 1:
        yield batch
        return
    size = max(1, len(batch) // parts)
    for start in range(0, len(batch), size):
        yield batch.take(pa.array(np.arange(start, min(start + size, len(batch)))))
