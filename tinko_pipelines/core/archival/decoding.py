"""Rows of binary COPY into Arrow: column by column over all rows at once, not row by row.

A field's place in a row follows from the lengths before it, so one walk over the columns, with all
rows abreast, finds every value. It reads each field's length and first bytes at once: a value of a
fixed length is whole by then, and a short text too. Texts are then gathered in C by way of Arrow's
string views, which may point into the bytes that came.
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
_VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("buffer", "<u4"), ("place", "<u4")])
# after the last row: where a null or a short value is the last, more is read than it has
_SLACK = 20
_JSONB_VERSION = 1
# of an array: dimensions, whether there are nulls, the elements' type; then length and lower bound
_ARRAY_HEAD, _ONE_DIMENSION = 12, 20


def _reading(*first: tuple[str, str]) -> np.dtype[Any]:
    """A field's length, and the first bytes of its value."""
    return np.dtype([("length", ">i4"), *first])


_LENGTH, _TEXT = _reading(), _reading(("first", f"V{_INLINE}"))


class RowsMalformed(ValueError):
    """Rows that are not of the columns that were asked for."""


@dataclass(frozen=True)
class Field:
    """One column of some rows: where in `data` each value stands, and how many bytes it has.

    `read` is the length and what its decoder reads with it. Nulls are `~valid` and of length 0;
    `valid` is None where there are none.
    """

    data: Bytes
    at: Places
    lengths: Places
    read: Any
    valid: NDArray[np.bool_] | None = None

    @property
    def validity(self) -> pa.Buffer | None:
        return None if self.valid is None else _bits(self.valid)

    def require(self, right: Any) -> None:
        """Raises RowsMalformed where a value is not as it must be."""
        if not (right if self.valid is None else right | ~self.valid).all():
            raise RowsMalformed("a value is not of its column's type")


def decode(
    rows: pa.BinaryArray, columns: Sequence[Column], order: Places | None = None
) -> pa.RecordBatch:
    """The rows, or those that `order` names, as typed columns in memory of their own.

    Raises RowsMalformed where they are not rows of these columns, or a time is infinite.
    """
    found = zip(columns, fields(rows, columns, order), strict=True)
    arrays = [_values(column, field) for column, field in found]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def one_of(rows: pa.BinaryArray, columns: Sequence[Column], place: int) -> pa.Array:
    """The values of `columns[place]` alone. Raises RowsMalformed."""
    return _values(columns[place], next(islice(fields(rows, columns), place, None)))


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    return pa.schema([(one.name, DECODERS[one.kind].arrow) for one in columns])


def _stored(kind: pa.DataType) -> pa.DataType:
    """What values of an extension type, as UUIDs and JSON are in Arrow, are kept as."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


@dataclass(frozen=True, slots=True)
class Decoder:
    """`reads`: what the walk reads of each field; `of` makes Arrow of all of them."""

    arrow: pa.DataType
    reads: np.dtype[Any]
    of: Callable[[Field], pa.Array]


def _values(column: Column, field: Field) -> pa.Array:
    decoder = DECODERS[column.kind]
    if field.valid is not None and not field.valid.any():
        return pa.nulls(len(field.at), decoder.arrow)
    values = decoder.of(field)
    if _stored(decoder.arrow) is not decoder.arrow:
        return pa.ExtensionArray.from_storage(decoder.arrow, values)
    return values


def fields(
    rows: pa.BinaryArray, columns: Sequence[Column], order: Places | None = None
) -> Iterator[Field]:
    """Every column of the rows, or of those that `order` names. Raises RowsMalformed."""
    _, offsets, held = rows.buffers()
    ends = np.frombuffer(offsets, np.int32)[rows.offset : rows.offset + len(rows) + 1]
    data = np.frombuffer(held, np.uint8)
    if len(data) < int(ends[-1]) + _SLACK:
        data = np.concatenate([data, np.zeros(_SLACK, np.uint8)])
    starts, stops = ends[:-1], ends[1:]
    if order is not None:
        starts, stops = starts[order], stops[order]
    at = starts.astype(np.int64)
    if (_gather(data, ">i2", at) != len(columns)).any():
        raise RowsMalformed(f"a row has not {len(columns)} fields")
    at += 2
    for column in columns:
        field = _field(data, at, DECODERS[column.kind].reads)
        yield field
        at = field.at + field.lengths
    if (at != stops).any():
        raise RowsMalformed("a row is longer or shorter than its fields")


def _field(data: Bytes, at: Places, reads: np.dtype[Any]) -> Field:
    """The values whose lengths stand at `at`."""
    read = _gather(data, reads, at)
    lengths = read["length"].astype(np.int64)
    if not len(lengths) or lengths.min() >= 0:
        return Field(data, at + 4, lengths, read)
    valid = lengths >= 0
    return Field(data, at + 4, np.maximum(lengths, 0), read, valid)


def _gather(data: Bytes, kind: Any, at: Places) -> Any:
    """Items of numpy's `kind`, which begin at any byte."""
    width = np.dtype(kind).itemsize
    anywhere: Any = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))
    return anywhere[at].view(kind)


def _packed(values: Any) -> Any:
    return np.packbits(values, bitorder="little")


def _bits(values: Any) -> pa.Buffer:
    return pa.py_buffer(_packed(values))


def _fixed(
    kind: str, arrow: pa.DataType, of: Callable[[Any], Any] = np.ascontiguousarray
) -> Decoder:
    """How values of one length are decoded: read as numpy's `kind`, laid out by `of`."""
    length = np.dtype(kind).itemsize

    def decoder(field: Field) -> pa.Array:
        field.require(field.lengths == length)
        held = [field.validity, pa.py_buffer(of(field.read["value"]))]
        return pa.Array.from_buffers(_stored(arrow), len(field.at), held)

    return Decoder(arrow, _reading(("value", kind)), decoder)


def _numbers(values: Any) -> Any:
    return values.astype(values.dtype.newbyteorder("="))


def _instants(field: Field) -> pa.Array:
    field.require(field.lengths == 8)
    values = field.read["value"].astype(np.int64)
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
    field.require(field.read["version"] == _JSONB_VERSION)
    lengths, at = np.maximum(field.lengths - 1, 0), field.at + 1
    return _text(Field(field.data, at, lengths, _gather(field.data, _TEXT, at - 4), field.valid))


def _views(field: Field, kind: pa.DataType) -> pa.Array:
    """Values of any length, to be cast: nothing of the longer ones is copied yet. What the bytes
    of a view behind a short value or a null hold is not asked by a cast.

    https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
    """
    views = field.read.view(_VIEW)
    views["length"] = field.lengths
    longer = field.lengths > _INLINE
    if longer.any():
        np.copyto(views["buffer"], 0, where=longer)
        np.copyto(views["place"], field.at, where=longer, casting="unsafe")
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
        one = _field(field.data, here[rows], _LENGTH)
        places = ends[rows] + number
        at[places], lengths[places] = one.at, one.lengths
        if one.valid is not None:
            valid[places] = one.valid
        here[rows] = one.at + one.lengths
    field.require((counts == 0) | (here == field.at + field.lengths))
    read = _gather(field.data, _TEXT, at - 4)
    words = _text(Field(field.data, at, lengths, read, None if valid.all() else valid))
    held = [field.validity, pa.py_buffer(ends.astype(np.int32))]
    return pa.Array.from_buffers(_WORDS, len(counts), held, children=[words])


_INSTANT, _WORDS = pa.timestamp("us", "UTC"), pa.list_(pa.string())
DECODERS: Mapping[str, Decoder] = {
    "uuid": _fixed("V16", pa.uuid()),
    "text": Decoder(pa.string(), _TEXT, _text),
    "jsonb": Decoder(pa.json_(pa.string()), _reading(("version", "u1")), _jsonb),
    "bytea": Decoder(pa.binary(), _TEXT, _bytea),
    "text[]": Decoder(_WORDS, _LENGTH, _words),
    "timestamp with time zone": Decoder(_INSTANT, _reading(("value", ">i8")), _instants),
    "bigint": _fixed(">i8", pa.int64(), _numbers),
    "integer": _fixed(">i4", pa.int32(), _numbers),
    "boolean": _fixed("u1", pa.bool_(), _packed),
}
