"""Rows of binary COPY into Arrow: column by column over all rows at once, not row by row.

A field's place in a row follows from the lengths before it, so one walk over the columns, with all
rows abreast, finds every value. Strings are then gathered in C by way of Arrow's string views,
which may point into the bytes that came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tinko_pipelines.core.archival.columns import EPOCH_2000, Column

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
# an Arrow view of a string: of 12 bytes at most it holds them, a longer one's first 4 and its place
_INLINE = 12
_VIEW = np.dtype([("length", "<i4"), ("low", "<u8"), ("high", "<u4")])
# what of the bytes is the value's own, by its length; the last of each for longer ones
_LOW = np.array([2 ** (8 * min(n, 8)) - 1 for n in range(_INLINE + 1)] + [2**32 - 1], np.uint64)
_HIGH = np.array([2 ** (8 * max(0, n - 8)) - 1 for n in range(_INLINE + 1)] + [0], np.uint32)
# after the last row: where a null or a short value is the last, more is read than it has
_SLACK = 16
_JSONB_VERSION = 1
# of an array: dimensions, whether there are nulls, the elements' type; then length and lower bound
_ARRAY_HEAD, _ONE_DIMENSION = 12, 20


class RowsMalformed(ValueError):
    """Rows that are not of the columns that were asked for."""


@dataclass(frozen=True)
class Field:
    """One column of some rows: where in `data` each value stands, and how many bytes it has.

    Nulls are `~valid` and of length 0; `valid` is None where there are none.
    """

    data: Bytes
    at: Places
    lengths: Places
    valid: NDArray[np.bool_] | None = None

    @property
    def validity(self) -> pa.Buffer | None:
        return None if self.valid is None else _bits(self.valid)

    def require(self, right: Any) -> None:
        """Raises RowsMalformed where a value is not as it must be."""
        if not (right if self.valid is None else right | ~self.valid).all():
            raise RowsMalformed("a value is not of its column's type")


def join(rows: Sequence[pa.BinaryArray]) -> pa.BinaryArray:
    """Rows behind one another, with the room after them that `fields` would have to make."""
    whole = pa.concat_arrays([*rows, pa.array([bytes(_SLACK)])])
    return whole.slice(0, len(whole) - 1)


def decode(rows: pa.BinaryArray, columns: Sequence[Column]) -> pa.RecordBatch:
    """The rows as typed columns, in memory of their own.

    Raises RowsMalformed where they are not rows of these columns, or a time is infinite.
    """
    found = zip(columns, fields(rows, len(columns)), strict=True)
    arrays = [_values(column, field) for column, field in found]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def one_of(rows: pa.BinaryArray, columns: Sequence[Column], place: int) -> pa.Array:
    """The values of `columns[place]` alone. Raises RowsMalformed."""
    return _values(columns[place], next(islice(fields(rows, len(columns)), place, None)))


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    return pa.schema([(one.name, DECODERS[one.kind].arrow) for one in columns])


def _values(column: Column, field: Field) -> pa.Array:
    decoder = DECODERS[column.kind]
    if field.valid is not None and not field.valid.any():
        return pa.nulls(len(field.at), decoder.arrow)
    values = decoder.of(field)
    if isinstance(decoder.arrow, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(decoder.arrow, values)
    return values


def fields(rows: pa.BinaryArray, count: int) -> Iterator[Field]:
    """Every column of rows of `count` fields, in their order. Raises RowsMalformed."""
    _, offsets, held = rows.buffers()
    ends = np.frombuffer(offsets, np.int32)[rows.offset : rows.offset + len(rows) + 1]
    data = np.frombuffer(held, np.uint8)
    if len(data) < int(ends[-1]) + _SLACK:
        data = np.concatenate([data, np.zeros(_SLACK, np.uint8)])
    at = ends[:-1].astype(np.int64)
    if (_gather(data, ">i2", at) != count).any():
        raise RowsMalformed(f"a row has not {count} fields")
    at += 2
    for _ in range(count):
        field = _field(data, at)
        yield field
        at = field.at + field.lengths
    if (at != ends[1:]).any():
        raise RowsMalformed("a row is longer or shorter than its fields")


def _field(data: Bytes, at: Places) -> Field:
    """The values whose lengths stand at `at`."""
    lengths = _gather(data, ">i4", at).astype(np.int64)
    if not len(lengths) or lengths.min() >= 0:
        return Field(data, at + 4, lengths)
    valid = lengths >= 0
    return Field(data, at + 4, np.where(valid, lengths, 0), valid)


def _gather(data: Bytes, kind: str, at: Places) -> Any:
    """Items of numpy's `kind`, which begin at any byte."""
    width = np.dtype(kind).itemsize
    anywhere: Any = np.ndarray((len(data) - width + 1,), kind, data, 0, (1,))
    return anywhere[at]


def _bits(values: Any) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))


def _fixed(kind: str, arrow: pa.DataType, of: Callable[[Any], Any] = pa.py_buffer) -> Any:
    """How values of one length are decoded: read as numpy's `kind`, laid out by `of`."""
    length = np.dtype(kind).itemsize

    def decoder(field: Field) -> pa.Array:
        field.require(field.lengths == length)
        values = of(_gather(field.data, kind, field.at))
        return pa.Array.from_buffers(arrow, len(field.at), [field.validity, values])

    return decoder


def _numbers(values: Any) -> pa.Buffer:
    return pa.py_buffer(values.astype(values.dtype.newbyteorder("=")))


def _instants(field: Field) -> pa.Array:
    field.require(field.lengths == 8)
    values = _gather(field.data, ">i8", field.at).astype(np.int64)
    ends = np.iinfo(np.int64)
    field.require((values != ends.min) & (values != ends.max))  # the infinite ones
    held = [field.validity, pa.py_buffer(values + EPOCH_2000)]
    return pa.Array.from_buffers(_INSTANT, len(values), held)


def _text(field: Field) -> pa.Array:
    return pc.cast(_views(field, pa.string_view()), pa.string())


def _bytea(field: Field) -> pa.Array:
    return pc.cast(_views(field, pa.binary_view()), pa.binary())


def _jsonb(field: Field) -> pa.Array:
    """A version, then text."""
    field.require(field.data[field.at] == _JSONB_VERSION)
    lengths = np.maximum(field.lengths - 1, 0)
    return _text(Field(field.data, field.at + 1, lengths, field.valid))


def _views(field: Field, kind: pa.DataType) -> pa.Array:
    """Values of any length: nothing of the longer ones is copied yet.

    https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
    """
    kinds = np.minimum(field.lengths, _INLINE + 1)
    views = np.empty(len(field.at), _VIEW)
    views["length"] = field.lengths
    views["low"] = _gather(field.data, "<u8", field.at) & _LOW[kinds]
    high = _gather(field.data, "<u4", field.at + 8) & _HIGH[kinds]
    views["high"] = np.where(kinds > _INLINE, field.at, high)
    held = [field.validity, pa.py_buffer(views), pa.py_buffer(field.data)]
    return pa.Array.from_buffers(kind, len(views), held)


def _words(field: Field) -> pa.Array:
    """Arrays of one dimension at most; each has its elements one after the other."""
    dimensions = _gather(field.data, ">i4", field.at)
    field.require((dimensions == 0) | (dimensions == 1))
    some = dimensions == 1
    if field.valid is not None:
        some &= field.valid
    counts = np.zeros(len(field.at), np.int64)
    counts[some] = _gather(field.data, ">i4", field.at[some] + _ARRAY_HEAD)
    ends = np.concatenate([[0], np.cumsum(counts)])
    at, lengths = np.zeros(ends[-1], np.int64), np.zeros(ends[-1], np.int64)
    valid = np.ones(ends[-1], bool)
    here = field.at + _ONE_DIMENSION
    for number in range(int(counts.max(initial=0))):
        rows = np.flatnonzero(counts > number)
        one = _field(field.data, here[rows])
        places = ends[rows] + number
        at[places], lengths[places] = one.at, one.lengths
        if one.valid is not None:
            valid[places] = one.valid
        here[rows] = one.at + one.lengths
    field.require((counts == 0) | (here == field.at + field.lengths))
    words = _text(Field(field.data, at, lengths, None if valid.all() else valid))
    held = [field.validity, pa.py_buffer(ends.astype(np.int32))]
    return pa.Array.from_buffers(_WORDS, len(counts), held, children=[words])


@dataclass(frozen=True, slots=True)
class Decoder:
    arrow: pa.DataType
    of: Callable[[Field], pa.Array]


_INSTANT, _WORDS = pa.timestamp("us", "UTC"), pa.list_(pa.string())
DECODERS: Mapping[str, Decoder] = {
    "uuid": Decoder(pa.uuid(), _fixed("V16", pa.binary(16))),
    "text": Decoder(pa.string(), _text),
    "jsonb": Decoder(pa.json_(pa.string()), _jsonb),
    "bytea": Decoder(pa.binary(), _bytea),
    "text[]": Decoder(_WORDS, _words),
    "timestamp with time zone": Decoder(_INSTANT, _instants),
    "bigint": Decoder(pa.int64(), _fixed(">i8", pa.int64(), _numbers)),
    "integer": Decoder(pa.int32(), _fixed(">i4", pa.int32(), _numbers)),
    "boolean": Decoder(pa.bool_(), _fixed("u1", pa.bool_(), _bits)),
}
