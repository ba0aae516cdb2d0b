"""Splitting what a ClickHouse client sends."""

import pytest

from tinko_pipelines.local.chserver.errors import EngineError
from tinko_pipelines.local.chserver.statement import Statement, read_statement, writes_a_file

BINARY = bytes(range(256))


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        (b"select 1", b"", Statement("select 1")),
        (b"", b"select 1", Statement("select 1")),
        (
            b"INSERT INTO t (a, b) FORMAT Native",
            BINARY,
            Statement("INSERT INTO t (a, b)", "Native", BINARY),
        ),
        (
            b"",
            b"insert into `select` (`format`) format Parquet\n" + BINARY,
            Statement("insert into `select` (`format`)", "Parquet", BINARY),
        ),
        (
            b"",
            b"-- format CSV\ninsert /* values */ into t settings x = 'values'"
            b" format JSONEachRow {}",
            Statement(
                "-- format CSV\ninsert /* values */ into t settings x = 'values'",
                "JSONEachRow",
                b"{}",
            ),
        ),
        (
            b"insert into t select a from u format Null",
            b"",
            Statement("insert into t select a from u format Null"),
        ),
        (
            b"insert into t values",
            b"(1, 'format CSV')",
            Statement("insert into t values\n(1, 'format CSV')"),
        ),
        (b"select 'insert into t format CSV'", b"", Statement("select 'insert into t format CSV'")),
    ],
)
def test_statement_and_data_are_told_apart(query, body, expected):
    assert read_statement(query, body) == expected


def test_data_keeps_every_byte_behind_one_line_break():
    found = read_statement(b"", b"insert into t format TSV\n\n\ta\n")
    assert found.data == b"\n\ta\n"


@pytest.mark.parametrize(("query", "body"), [(b"", b""), (b"  ", b"\n"), (b"select \xff", b"")])
def test_nothing_to_run_is_a_syntax_error(query, body):
    with pytest.raises(EngineError) as caught:
        read_statement(query, body)
    assert (caught.value.code, caught.value.status) == (62, 400)


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("select 1 into outfile 'x'", True),
        ("select 1 INTO\nOutFile 'x'", True),
        ("select '\\' into outfile' , 1 into /* ' */ outfile 'x'", True),
        ("select 'into outfile'", False),
        ("select 1 -- into outfile", False),
        ("select `outfile` from t", False),
    ],
)
def test_into_outfile_is_seen_where_it_is_said(sql, writes):
    assert writes_a_file(sql) is writes
