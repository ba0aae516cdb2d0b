"""Our hash is Postgres's hash, for every length and every kind of column."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tinko_pipelines.core.archival import checksums
from tinko_pipelines.core.archival.columns import KINDS, Column, read_columns
from tinko_pipelines.core.archival.copying import copy_rows
from tinko_pipelines.core.archival.decoding import RowsMalformed, decode
from tinko_pipelines.core.db.engine import libpq_url, unit_of_work

_TABLE = """
    create table sample (id uuid, a text, b bytea, c text[], d timestamptz, e bigint, f integer,
        g boolean, h jsonb)
"""
_ROWS = """
    insert into sample
    select
        md5(n::text)::uuid, repeat(chr(97 + n % 26), n), decode(repeat('0f', n), 'hex'),
        case when n % 3 > 0 then string_to_array(repeat('x,', n), ',') end,
        timestamptz '1999-12-31 23:59:59.999999+00' + (n - 30) * interval '1 hour 1.000001 s',
        (n - 30)::bigint * 4294967297, n - 30, case when n % 3 > 0 then n % 2 = 0 end,
        case when n % 4 > 0 then jsonb_build_object('n', n, 'w', repeat('₹', n)) end
    from generate_series(0, 60) as n
"""


@pytest.fixture
def sample(database):
    with unit_of_work(database.owner) as connection:
        connection.execute(text(_TABLE))
        connection.execute(text(_ROWS))
    return database


def test_every_kind_and_length_comes_to_the_same(sample):
    with unit_of_work(sample.owner) as connection:
        columns = read_columns(connection, "sample")
        postgres = checksums.in_postgres(connection, "sample", columns)
    assert {one.kind for one in columns} == set(KINDS)
    url = libpq_url(sample.url("tinko_owner"))
    whole = [decode(rows, columns) for rows in copy_rows(url, "sample", columns)]
    assert len(whole) == 1
    # a row that is larger than a batch is to be comes alone
    by_ones = [decode(rows, columns) for rows in copy_rows(url, "sample", columns, 1)]
    assert len(by_ones) == 61
    for batches in (whole, by_ones):
        for one in batches:
            one.validate(full=True)
        assert postgres.differences(checksums.in_arrow(batches, columns)) == []


def test_no_row_is_no_batch(sample):
    with unit_of_work(sample.owner) as connection:
        connection.execute(text("truncate sample"))
        columns = read_columns(connection, "sample")
    assert list(copy_rows(libpq_url(sample.url("tinko_owner")), "sample", columns)) == []


@pytest.mark.parametrize(
    "value",
    [("d", "'infinity'"), ("d", "'-infinity'"), ("c", "array[['a', 'b'], ['c', 'd']]")],
)
def test_what_parquet_cannot_say_is_refused(sample, value):
    name, said = value
    with unit_of_work(sample.owner) as connection:
        connection.execute(text(f"update sample set {name} = {said} where f = 7"))
        columns = read_columns(connection, "sample")
    [rows] = copy_rows(libpq_url(sample.url("tinko_owner")), "sample", columns)
    with pytest.raises(RowsMalformed):
        decode(rows, columns)


def test_any_text_comes_to_the_same(database):
    columns = [Column("id", "uuid"), Column("a", "text")]
    words = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1)

    @settings(max_examples=15)
    @given(words)
    def same(values):
        ids = [index.to_bytes(16, "big") for index in range(len(values))]
        batch = pa.record_batch(
            {"id": pa.array(ids, pa.uuid()), "a": pa.array(values, pa.string())}
        )
        with unit_of_work(database.owner) as connection:
            connection.execute(text("create temporary table sample (id uuid, a text)"))
            for key, value in zip(ids, values, strict=True):
                connection.execute(
                    text("insert into sample values (cast(:id as uuid), :a)"),
                    {"id": key.hex(), "a": value},
                )
            postgres = checksums.in_postgres(connection, "sample", columns)
            connection.execute(text("drop table sample"))
        assert postgres == checksums.in_arrow([batch], columns)

    same()
