"""Reading a request of ClickHouse's HTTP interface."""

import base64
import gzip

import pytest

from tinko_pipelines.local.chserver import coding
from tinko_pipelines.local.chserver.errors import EngineError
from tinko_pipelines.local.chserver.profiles import READER, WRITER
from tinko_pipelines.local.chserver.request import (
    Users,
    credentials,
    read_parameters,
    read_query,
)

USERS = Users("s3cret")


def basic(text):
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "parameters", "expected"),
    [
        (basic("tinko_writer:a:b"), {}, ("tinko_writer", "a:b")),
        ({"x-clickhouse-user": "u", "x-clickhouse-key": "k"}, {"user": "other"}, ("u", "k")),
        ({}, {"user": "u", "password": "p"}, ("u", "p")),
        ({}, {}, ("default", "")),
        ({"authorization": "Basic !!!"}, {}, ("", "")),
    ],
)
def test_credentials_are_found_where_clients_put_them(headers, parameters, expected):
    assert credentials(headers, parameters) == expected


def test_each_user_gets_its_profile():
    assert USERS.profile("tinko_writer", "s3cret") is WRITER
    assert USERS.profile("tinko_reader", "") is READER
    assert USERS.profile("default", "") is READER


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("tinko_writer", ""),
        ("tinko_writer", "S3cret"),
        ("tinko_reader", "x"),
        ("root", ""),
        ("", ""),
    ],
)
def test_wrong_credentials_are_refused_as_clickhouse_does(name, password):
    with pytest.raises(EngineError) as caught:
        USERS.profile(name, password)
    assert (caught.value.code, caught.value.status) == (516, 403)


def test_parameters_become_settings_bindings_and_the_rest():
    parameters = read_parameters(
        b"query=select+{a:UInt8}&param_a=4&database=tinko&max_threads=1&session_id=x&query_id=q"
    )
    query = read_query(parameters, {}, b"", "made")
    assert query.statement.sql == "select {a:UInt8}"
    assert (query.database, query.format, query.query_id) == ("tinko", "TabSeparated", "q")
    assert query.params == {"a": "4"}
    assert query.settings == {"max_threads": "1"}


def test_utf8_survives_the_address():
    assert read_parameters(b"query=%E2%82%B9")["query"] == "₹"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_bodies_are_decoded_and_answers_encoded_back(encoding):
    body = coding.encode(b"select 1", encoding)
    query = read_query({}, {"content-encoding": encoding}, body, "id")
    assert query.statement.sql == "select 1"
    assert coding.choose(f"br, {encoding};q=0.5") == encoding


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_a_body_may_be_compressed_part_by_part_and_not_cut_off(encoding):
    parts = [coding.encode(one, encoding) for one in (b"select ", b"1" * 500)]
    assert coding.decode(b"".join(parts), encoding) == b"select " + b"1" * 500
    with pytest.raises(EngineError):
        coding.decode(b"".join(parts)[:-5], encoding)


@pytest.mark.parametrize(
    ("parameters", "headers", "body", "code"),
    [
        ({"decompress": "1"}, {}, b"select 1", 48),
        ({}, {"content-encoding": "br"}, b"select 1", 48),
        ({}, {"content-encoding": "gzip"}, b"select 1", 271),
        ({}, {"content-encoding": "gzip"}, gzip.compress(b"select 1", mtime=0)[:-9], 271),
    ],
)
def test_what_cannot_be_read_is_an_error_of_its_own(parameters, headers, body, code):
    with pytest.raises(EngineError) as caught:
        read_query(parameters, headers, body, "id")
    assert caught.value.code == code
