"""The columns of a partition: how each kind is hashed in SQL, and over what was read back.

A kind that is not here cannot be verified, and what cannot be verified is not archived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from tinko_pipelines.core.archival import hashing
from tinko_pipelines.core.archival.hashing import Hashes
from tinko_pipelines.core.errors import SettingsError

# microseconds from 1970, where Arrow counts from, to 2000, where Postgres does
EPOCH_2000 = 946_684_800_000_000
_BETWEEN = "\x1f"  # of the elements of an array; the ids in them are printable
_READ = text(
    "select attname, format_type(atttypid, null) as kind from pg_attribute"
    " where attrelid = to_regclass(:name) and attnum > 0 and not attisdropped order by attnum"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what Postgres calls its type."""

    name: str
    kind: str

    @property
    def sql(self) -> str:
        """The 8-byte hash of the value under the row's `seed`, in SQL."""
        return KINDS[self.kind].sql.format(f'"{self.name}"')

    def hashes(self, values: pa.Array, seeds: Hashes) -> Hashes:
        """The same of values without nulls, as Arrow has them."""
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        return KINDS[self.kind].arrow(values, seeds)


@dataclass(frozen=True, slots=True)
class Kind:
    sql: str
    arrow: Callable[[pa.Array, Hashes], Hashes]


def read_columns(connection: Connection, table: str) -> list[Column]:
    """The columns of `table` in their order. Raises SettingsError for a kind without a hash."""
    found = [Column(row.attname, row.kind) for row in connection.execute(_READ, {"name": table})]
    for one in found:
        if one.kind not in KINDS:
            raise SettingsError(
                f"{table}.{one.name} is {one.kind}: core/archival has no hash of it"
            )
    return found


def seeds_of(ids: pa.Array) -> Hashes:
    """What binds every value to its row: the hash of the row's id."""
    plain = ids.storage if isinstance(ids, pa.ExtensionArray) else ids
    return _uuid(plain, np.zeros(len(plain), np.uint64))


def _uuid(values: pa.Array, seeds: Hashes) -> Hashes:
    return hashing.hash_fixed(fixed_bytes(values), 16, seeds)


def fixed_bytes(values: pa.Array) -> NDArray[np.uint8]:
    """The bytes of a fixed-size binary array, one value behind the other."""
    width = values.type.byte_width
    data = np.frombuffer(values.buffers()[1], np.uint8)
    return data[values.offset * width : (values.offset + len(values)) * width]


def _text(values: pa.Array, seeds: Hashes) -> Hashes:
    large = pa.types.is_large_string(values.type)
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64 if large else np.int32)
    ends = ends[values.offset : values.offset + len(values) + 1]
    flat = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    first, last = int(ends[0]), int(ends[-1])
    return hashing.hash_bytes(flat[first:last], ends[:-1] - first, np.diff(ends), seeds)


def _bytes(values: pa.Array, seeds: Hashes) -> Hashes:
    digests = [hashlib.sha256(one).hexdigest() for one in values.to_pylist()]
    return _text(pa.array(digests, pa.string()), seeds)


def _words(values: pa.Array, seeds: Hashes) -> Hashes:
    counts = pc.cast(pc.list_value_length(values), pa.string())
    joined = pc.binary_join(values, _BETWEEN)
    return _text(pc.binary_join_element_wise(counts, joined, _BETWEEN), seeds)


def _instant(values: pa.Array, seeds: Hashes) -> Hashes:
    if values.type.unit != "us":
        raise TypeError(f"{values.type} is not in microseconds")
    return hashing.hash_int64(_int64(values) - EPOCH_2000, seeds)


def _int64(values: pa.Array) -> NDArray[np.int64]:
    # a copy: what Arrow gives may be read-only and is reinterpreted
    return np.array(pc.cast(values, pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _bigint(values: pa.Array, seeds: Hashes) -> Hashes:
    return hashing.hash_int64(_int64(values), seeds)


def _integer(values: pa.Array, seeds: Hashes) -> Hashes:
    return hashing.hash_int32(_int64(values).astype(np.uint32), seeds)


KINDS: Mapping[str, Kind] = {
    "uuid": Kind("uuid_hash_extended({0}, seed)", _uuid),
    "text": Kind("hashtextextended({0}, seed)", _text),
    "jsonb": Kind("hashtextextended({0}::text, seed)", _text),
    "bytea": Kind("hashtextextended(encode(sha256({0}), 'hex'), seed)", _bytes),
    "text[]": Kind(
        "hashtextextended(cardinality({0})::text || chr(31)"
        " || array_to_string({0}, chr(31)), seed)",
        _words,
    ),
    "timestamp with time zone": Kind(
        "timestamp_hash_extended({0} at time zone 'UTC', seed)", _instant
    ),
    "bigint": Kind("hashint8extended({0}, seed)", _bigint),
    "integer": Kind("hashint4extended({0}, seed)", _integer),
    "boolean": Kind("hashint4extended({0}::int, seed)", _integer),
}


def select_list(columns: list[Column]) -> str:
    return ", ".join(f'"{one.name}"' for one in columns)


def plain(value: Any) -> Any:
    """An Arrow array's storage, where it is of an extension type."""
    return value.storage if isinstance(value, pa.ExtensionArray) else value
