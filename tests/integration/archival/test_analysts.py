"""Analysts read archived months in S3 through ClickHouse, and never see the bucket's keys."""

import json

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.integration.analytics.conftest import ClickHouseServer
from tests.integration.archival.stage import TENANTS, archivist, contents, seed
from tests.s3 import SECRET
from tinko_pipelines.core.archival.analysts import offer
from tinko_pipelines.core.archival.manifest import manifest_key
from tinko_pipelines.core.archival.restore import restore
from tinko_pipelines.core.archival.run import run


@pytest.fixture
def clickhouse(tmp_path):
    server = ClickHouseServer(tmp_path / "clickhouse")
    server.start()
    yield server
    server.kill()


def test_archived_months_are_read_in_s3_until_they_come_back(database, s3, clickhouse):
    targets = seed(database, debts=5)
    target, store = targets["attempts"], s3.store()
    before, work = contents(database, target), archivist(database, store)
    run(work, {target, targets["inbox_events"]})
    writer, settings = clickhouse.address.client(), s3.settings(store.bucket)
    months = offer(work, writer, settings)
    month = str(target.month)
    assert months == {
        "attempts": [month], "inbox_events": [month], "notification_deliveries": []
    }  # fmt: skip
    reader = clickhouse_connect.get_client(
        host="127.0.0.1", port=clickhouse.port, username="tinko_reader", password=""
    )
    rows = reader.query(
        "select id, org_id, amount_minor, month from archive.attempts where state = 'succeeded'"
    ).result_rows
    assert {one[0] for one in rows} < set(before)
    assert {one[3] for one in rows} == {month}
    manifest = json.loads(store.get(manifest_key(target)))
    by_org = dict(
        reader.query("select org_id, count() from archive.attempts group by org_id").result_rows
    )
    assert by_org == {one.org_id: manifest["rows"] // len(TENANTS) for one in TENANTS}
    described = reader.query("describe table archive.inbox_events").result_columns[0]
    assert "body" not in described
    assert "event_type" in described
    _keys_stay_hidden(reader, s3.url, store.bucket)
    restore(work, target)
    assert offer(work, writer, settings)["attempts"] == []
    assert reader.query("exists table archive.attempts").result_rows == [(0,)]


def _keys_stay_hidden(reader, url, bucket):
    for look in (
        "show create table archive.attempts",
        "select create_table_query, engine_full from system.tables where database = 'archive'",
        "select * from system.named_collections",
        "explain plan actions = 1 select id from archive.attempts",
    ):
        assert SECRET not in str(reader.query(look).result_rows)
    for reach in (
        "select * from s3(tinko_archive, filename = 'archive/**.parquet')",
        f"select * from s3('{url}/{bucket}/archive/**.parquet')",
        "insert into archive.attempts (state) values ('x')",
        "create table archive.mine engine = S3(tinko_archive, filename = 'x', format = 'CSV')",
        "alter named collection tinko_archive set url = 'http://127.0.0.1:1/'",
    ):
        with pytest.raises(DatabaseError):
            reader.command(reach)
