"""Checksums notice whatever can go wrong with a column on its way."""

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tinko_pipelines.core.archival import hashing
from tinko_pipelines.core.archival.checksums import in_arrow
from tinko_pipelines.core.archival.columns import KINDS, Column

COLUMNS = [
    Column("id", "uuid"), Column("word", "text"), Column("at", "timestamp with time zone"),
    Column("amount", "bigint"), Column("body", "bytea"), Column("words", "text[]"),
    Column("yes", "boolean"), Column("tries", "integer"), Column("document", "jsonb"),
]  # fmt: skip
START = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

MICROSECOND = timedelta(microseconds=1)


def instants(*values):
    return pa.array(values, pa.timestamp("us", "UTC"))


def rows(**changed):
    values = {
        "id": pa.array([uuid.UUID(int=one).bytes for one in (1, 2, 3)], pa.uuid()),
        "word": pa.array(["one", None, "two – ₹"], pa.string()),
        "at": instants(START, START + MICROSECOND, None),
        "amount": pa.array([1, -1, 2**40], pa.int64()),
        "body": pa.array([b"\x00\xff", b"", None], pa.binary()),
        "words": pa.array([["a", "b"], [], ["a\x1e"]], pa.list_(pa.string())),
        "yes": pa.array([True, False, None], pa.bool_()),
        "tries": pa.array([0, 7, -3], pa.int32()),
        "document": pa.array(['{"a": 1}', None, "[]"], pa.json_()),
    }
    return pa.record_batch(values | changed)


def sums(*batches):
    return in_arrow(batches, COLUMNS)


def test_order_and_batches_do_not_matter():
    whole = rows()
    parts = [whole.slice(2, 1), whole.slice(0, 2)]
    assert sums(*parts) == sums(whole)
    assert sums(whole.take(pa.array([2, 0, 1]))) == sums(whole)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("word", pa.array(["one", None, "two – Rs"])),
        ("word", pa.array(["one", "", "two – ₹"])),  # '' is not null
        ("word", pa.array(["two – ₹", None, "one"])),  # moved to another row
        ("at", instants(START.replace(microsecond=678000), START + MICROSECOND, None)),
        ("at", instants(START + timedelta(hours=5.5), START + MICROSECOND, None)),
        ("amount", pa.array([1, 1, 2**40], pa.int64())),
        ("amount", pa.array([1, -1, 0], pa.int64())),  # cut to four bytes
        ("body", pa.array([b"\x00", b"", None], pa.binary())),
        ("words", pa.array([["a b"], [], ["a\x1e"]], pa.list_(pa.string()))),
        ("words", pa.array([["a", "b"], [""], ["a\x1e"]], pa.list_(pa.string()))),
        ("yes", pa.array([True, True, None], pa.bool_())),
        ("tries", pa.array([0, 7, 3], pa.int32())),
        ("document", pa.array(['{"a":1}', None, "[]"], pa.json_())),
        ("id", pa.array([uuid.UUID(int=one).bytes for one in (1, 2, 4)], pa.uuid())),
    ],
)  # fmt: skip
def test_a_changed_column_differs_and_is_named(column, values):
    changed = sums(rows(**{column: values}))
    wrong = sums(rows()).differences(changed)
    assert any(one.startswith(f"{column}:") for one in wrong), wrong
    if column != "id":
        assert len(wrong) == 1


def test_a_lost_and_a_doubled_row_differ():
    whole = rows()
    assert sums(whole).differences(sums(whole.slice(0, 2)))[0] == "3 rows against 2"
    twice = sums(whole, whole.slice(0, 1))
    assert len(sums(whole).differences(twice)) >= 2
    # one lost, another doubled: the count is right and nothing else
    swapped = sums(whole.slice(0, 2), whole.slice(0, 1))
    assert "id:" in " ".join(sums(whole).differences(swapped))


def test_a_timestamp_of_another_unit_is_no_checksum():
    wrong = pa.array([START] * 3, pa.timestamp("ms", "UTC"))
    with pytest.raises(TypeError, match="microseconds"):
        sums(rows(at=wrong))


def test_sums_do_not_overflow():
    highest = np.full(5, 2**63 - 1, np.uint64)
    lowest = np.full(5, 2**63, np.uint64)
    assert hashing.total(highest) == 5 * (2**63 - 1)
    assert hashing.total(lowest) == -5 * 2**63


def test_every_kind_of_column_is_in_this_test():
    assert {one.kind for one in COLUMNS} == set(KINDS)
