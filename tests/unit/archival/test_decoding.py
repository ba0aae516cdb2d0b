"""Binary COPY's rows come out as the values that went in, whatever stands beside them."""

import json
import struct
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.archival.columns import KINDS, Column, plain
from tinko_pipelines.core.archival.decoding import (
    DECODERS,
    RowsMalformed,
    decode,
    one_of,
    schema_of,
)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONG, _SHORT = 2**63, 2**31


def array(words):
    if not words:
        return struct.pack(">iii", 0, 0, 25)
    return struct.pack(">iiiii", 1, 0, 25, len(words), 1) + b"".join(
        field(one, str.encode) for one in words
    )


def field(value, encode):
    if value is None:
        return struct.pack(">i", -1)
    body = encode(value)
    return struct.pack(">i", len(body)) + body


# a kind: how Postgres writes it, and what it may be; lengths around 12 are Arrow's own boundary
words = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
KINDS_IN_ROWS = {
    "uuid": (lambda value: value.bytes, st.uuids()),
    "text": (str.encode, words),
    "jsonb": (lambda value: b"\1" + value.encode(), st.builds(json.dumps, words)),
    "bytea": (bytes, st.binary(max_size=20)),
    "text[]": (array, st.lists(words, max_size=3)),
    "timestamp with time zone": (
        lambda value: struct.pack(">q", (value - _EPOCH) // _MICROSECOND),
        st.datetimes(timezones=st.just(UTC)),
    ),
    "bigint": (lambda value: struct.pack(">q", value), st.integers(-_LONG, _LONG - 1)),
    "integer": (lambda value: struct.pack(">i", value), st.integers(-_SHORT, _SHORT - 1)),
    "boolean": (lambda value: bytes([value]), st.booleans()),
}
COLUMNS = [Column(kind, kind) for kind in KINDS_IN_ROWS]
row = st.tuples(*(st.none() | values for _, values in KINDS_IN_ROWS.values()))


def encoded(values):
    fields = (
        field(one, encode) for one, (encode, _) in zip(values, KINDS_IN_ROWS.values(), strict=True)
    )
    return struct.pack(">h", len(values)) + b"".join(fields)


def test_every_kind_that_is_hashed_is_decoded():
    assert KINDS.keys() == DECODERS.keys() == KINDS_IN_ROWS.keys()


def python(values):
    found = plain(values).to_pylist()
    return (
        [uuid.UUID(bytes=one) if one else one for one in found]
        if "uuid" in str(values.type)
        else found
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(row, max_size=8), st.integers(0, 3), st.randoms())
def test_rows_come_out_as_they_went_in(values, left_out, random):
    rows = pa.array([encoded(one) for one in values], pa.binary())[left_out:]
    values = values[left_out:]
    order = random.sample(range(len(values)), random.randint(0, len(values)))
    for asked, wanted in (None, values), (order, [values[one] for one in order]):
        found = decode(rows, COLUMNS, None if asked is None else np.array(asked, np.int64))
        found.validate(full=True)
        assert found.schema == schema_of(COLUMNS)
        came = [python(column) for column in found.columns]
        assert [list(one) for one in zip(*came, strict=True)] == [list(one) for one in wanted]
    assert python(one_of(rows, COLUMNS, 3)) == [one[3] for one in values]


ONE = (uuid.UUID(int=7), "a", '{"b": 1}', b"c", ["d", "e"], _EPOCH, 1, 2, True)


@pytest.mark.parametrize(
    "broken",
    [
        encoded(ONE)[:-1],
        encoded(ONE) + b"\0",
        struct.pack(">h", 8) + encoded(ONE)[2:],
        encoded(ONE).replace(b"\1{", b"\2{"),
        encoded(ONE).replace(struct.pack(">i", 16), struct.pack(">i", 15), 1),
        encoded(ONE).replace(struct.pack(">ii", 2, 1), struct.pack(">ii", 1, 1)),
    ],
    ids=["cut", "longer", "fewer fields", "jsonb version", "uuid of 15 bytes", "an element less"],
)
def test_what_is_no_row_of_these_columns_is_refused(broken):
    rows = pa.array([encoded(ONE), broken, encoded(ONE)], pa.binary())
    with pytest.raises(RowsMalformed):
        decode(rows, COLUMNS)
