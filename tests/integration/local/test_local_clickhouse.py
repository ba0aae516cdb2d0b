"""The ClickHouse server over chDB, through ClickHouse's own Python client."""

import threading
from datetime import UTC, datetime

import clickhouse_connect
import httpx
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tinko_pipelines.local import probes

PASSWORD = "w:riter/password"
AWKWARD = "a'b\\c\t\n\\N ₹ {x:String} \\'"


@pytest.fixture(scope="module")
def house(serve, free_port, tmp_path_factory):
    port = free_port()
    server = serve(
        "tinko_pipelines.local.chserver",
        f"--data={tmp_path_factory.mktemp('clickhouse')}",
        f"--port={port}",
        ready=probes.http(port, "/ping"),
        CHSERVER_WRITER_PASSWORD=PASSWORD,
    )
    server.port, server.url = port, f"http://127.0.0.1:{port}/"
    return server


def client(house, user, password=""):
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=house.port, username=user, password=password, database="tinko"
    )


@pytest.fixture
def writer(house):
    with client(house, "tinko_writer", PASSWORD) as found:
        yield found


@pytest.fixture
def reader(house):
    with client(house, "tinko_reader") as found:
        yield found


@pytest.fixture
def table(writer, request):
    name = "t_" + "".join(c if c.isalnum() else "_" for c in request.node.name)[:60]
    writer.command(
        f"create table {name} (i UInt64, s String, at DateTime64(6, 'UTC'))"
        " engine = MergeTree order by i"
    )
    yield name
    writer.command(f"drop table {name}")


def count(where, table):
    return where.query(f"select count() from {table}").result_rows[0][0]


def test_arrow_goes_in_and_out(writer, reader, table):
    rows = 200_000
    data = pa.table(
        {
            "i": pa.array(range(rows), pa.uint64()),
            "s": pa.array([AWKWARD] * rows),
            "at": pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * rows, pa.timestamp("us", "UTC")),
        }
    )
    writer.insert_arrow(table, data)
    found = reader.query_arrow(f"select i, s from {table} order by i limit 3 offset 7")
    assert found["i"].to_pylist() == [7, 8, 9]
    assert count(reader, table) == rows
    assert reader.query(f"select distinct s from {table}").result_rows == [(AWKWARD,)]


def test_native_rows_go_in_and_the_summary_counts_them(writer, reader, table):
    at = datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=UTC)
    done = writer.insert(table, [[1, AWKWARD, at], [2, "", at]], column_names=["i", "s", "at"])
    assert done.written_rows == 2
    found = reader.query(f"select i, s, toString(at) from {table} order by i").result_rows
    assert found == [
        (1, AWKWARD, "2026-03-04 05:06:07.891000"),
        (2, "", "2026-03-04 05:06:07.891000"),
    ]


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
@pytest.mark.parametrize(
    ("fmt", "block"),
    [
        ("JSONEachRow", b'{"i":7,"s":"a;b"}\n{"i":8,"s":"insert into t format CSV"}\n'),
        ("CSV", b'7,"a;b"\n8,"x"\n'),
    ],
)
def test_raw_inserts_in_every_encoding(writer, table, fmt, block, compression):
    from tinko_pipelines.local.chserver.coding import encode

    body = encode(block, compression) if compression else block
    writer.raw_insert(
        table, column_names=["i", "s"], insert_block=body, fmt=fmt, compression=compression
    )
    assert count(writer, table) == 2


def test_an_insert_of_many_blocks_arrives_whole(writer, table):
    # the client compresses each of its blocks apart
    rows = [[number, "x" * 700, datetime(2026, 1, 2, tzinfo=UTC)] for number in range(20_000)]
    writer.insert(table, rows, column_names=["i", "s", "at"])
    assert count(writer, table) == len(rows)


def test_values_and_selects_insert_as_plain_statements(writer, table):
    writer.command(f"insert into {table} (i, s) values (1, 'a;b'), (2, 'into outfile')")
    writer.command(f"insert into {table} (i) select number from numbers(5)")
    assert count(writer, table) == 7


def test_bad_rows_are_refused_and_nothing_of_them_is_kept(writer, table):
    with pytest.raises(DatabaseError, match="code: 27"):
        writer.raw_insert(
            table, column_names=["i"], insert_block=b'{"i":1}\n{"i":"x"}\n', fmt="JSONEachRow"
        )
    assert count(writer, table) == 0


@pytest.mark.parametrize("value", [AWKWARD, "", "\\N", "\\", "NULL", "'; drop table t; --"])
def test_parameters_are_bound_and_come_back_as_they_were(reader, value):
    found = reader.query("select {v:String}", parameters={"v": value}).result_rows
    assert found == [(value,)]


def test_typed_parameters(reader):
    found = reader.query(
        "select {n:UInt8} + 1, {d:Date}, {l:Array(String)}",
        parameters={"n": 41, "d": "2026-02-28", "l": ["a'b", "₹"]},
    ).result_rows
    assert found[0][0] == 42
    assert str(found[0][1]) == "2026-02-28"
    assert found[0][2] == ["a'b", "₹"]


READER_REFUSED = [
    ("insert into tinko.x values (1)", 164),
    ("create table tinko.y (i Int8) engine = Memory", 164),
    ("drop database tinko", 164),
    ("set readonly = 0", 164),
    ("kill query where 1", 164),
    ("system flush logs", 164),
    ("select 1; select 2", 62),
    ("select * from s3('http://127.0.0.1:1/bucket/key', 'CSV')", 497),
    ("with 1 as a select * from (select * from url('http://127.0.0.1:1/', 'CSV', 'a Int8'))", 497),
    ("select * from `eval`('select 1')", 497),
    ("describe table iceberg('http://127.0.0.1:1/b/k')", 497),
    ("explain select * from s3('http://127.0.0.1:1/bucket/key', 'CSV')", 497),
    ("select file('/etc/passwd')", 497),
    ("select * from file('/etc/passwd', 'LineAsString')", 497),
    ("select * from remote('127.0.0.1', system.one)", 497),
    ("select 1 settings readonly = 0", 164),
    ("select 1 settings max_execution_time = 600", 164),
    ("select number from numbers(1000001)", 396),
    ("select groupArray(number) from numbers(300000000)", 241),
    ("select count() from numbers(600000000) where number % 7", 158),
]


@pytest.mark.parametrize(("sql", "code"), READER_REFUSED)
def test_readers_are_refused(house, sql, code):
    answer = httpx.post(house.url, content=sql, timeout=60)
    assert answer.headers.get("x-clickhouse-exception-code") == str(code), answer.text
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


@pytest.mark.parametrize("user", [("tinko_writer", PASSWORD), ("tinko_reader", "")])
@pytest.mark.parametrize(
    "tail",
    ["into outfile '{}'", "/* ' */ INTO OUTFILE '{}' truncate", "format CSV into outfile '{}'"],
)
def test_nobody_writes_files(house, tmp_path, user, tail):
    target = tmp_path / "out"
    for head in ("select 1", "explain select 1"):
        answer = httpx.post(house.url, auth=user, content=f"{head} {tail.format(target)}")
        assert answer.status_code >= 400
    assert not target.exists()


def test_multiple_statements_are_refused_to_writers_too(writer, table):
    with pytest.raises(DatabaseError, match="Multi-statements are not allowed"):
        writer.command(f"select 1; truncate table {table}")


@pytest.mark.parametrize(
    "auth", [("tinko_writer", "wrong"), ("tinko_writer", ""), ("nobody", ""), ("tinko_reader", "x")]
)
def test_wrong_credentials_are_refused(house, auth):
    answer = httpx.post(house.url, auth=auth, content="select 1")
    assert answer.status_code == 403
    assert answer.headers["x-clickhouse-exception-code"] == "516"


def test_a_client_without_a_user_is_a_reader(house):
    assert httpx.get(house.url, params={"query": "select 1 + 1"}).text == "2\n"
    answer = httpx.post(house.url, content="create database mine")
    assert answer.headers["x-clickhouse-exception-code"] == "164"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("select * from nowhere", 404, 60),
        ("selec 1", 400, 62),
        ("select 1 / x", 404, 47),
        ("select throwIf(1)", 500, 395),
        ("select 1 format Nope", 404, 73),
    ],
)
def test_errors_are_clickhouses_own(house, sql, status, code):
    answer = httpx.post(house.url, content=sql)
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (
        status,
        str(code),
    )
    assert "(version 2" in answer.text


def test_settings_reach_the_query_and_stay_within_it(writer):
    sql = "select value from system.settings where name = 'max_threads'"
    before = writer.query(sql).result_rows
    assert writer.query(sql, settings={"max_threads": 1}).result_rows == [("1",)]
    writer.command("set max_threads = 1")
    assert writer.query(sql).result_rows == before


def test_databases_are_chosen_per_request(house, writer, reader):
    writer.command("create database if not exists `other``s`")
    assert reader.command("select currentDatabase()") == "tinko"
    asked = {"query": "select currentDatabase()", "database": "other`s"}
    assert httpx.get(house.url, params=asked).text == "other`s\n"


def test_answers_are_compressed_on_request(house):
    asked = {"query": "select repeat('a', 100000)", "enable_http_compression": "1"}
    for encoding in ("gzip", "deflate"):
        answer = httpx.get(house.url, params=asked, headers={"accept-encoding": encoding})
        assert answer.headers["content-encoding"] == encoding
        assert int(answer.headers["content-length"]) < 10_000
        assert answer.text == "a" * 100_000 + "\n"


def test_many_clients_at_once(house, writer, table):
    def work(number):
        with client(house, "tinko_writer", PASSWORD) as mine:
            for step in range(10):
                key = number * 1000 + step
                mine.insert(table, [[key, "x"]], column_names=["i", "s"])
                assert mine.query(
                    f"select s from {table} where i = {{i:UInt64}}", parameters={"i": key}
                ).result_rows == [("x",)]

    errors = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count(writer, table) == 80


def test_a_kill_keeps_what_was_answered(house):
    with client(house, "tinko_writer", PASSWORD) as before:
        before.command("create table kept (i UInt64) engine = MergeTree order by i")
    for number in range(3):
        with client(house, "tinko_writer", PASSWORD) as mine:
            mine.insert("kept", [[i] for i in range(1000)], column_names=["i"])
        house.kill()
        house.start()
        with client(house, "tinko_reader") as after:
            assert count(after, "kept") == 1000 * (number + 1)


def test_it_stops_when_asked(house):
    house.process.terminate()
    assert house.process.wait(30) in (0, -15)
    house.start()
