"""The DDL on the real engine: applied once, never edited, and the server's part parses."""

from __future__ import annotations

import shutil

import pytest

from tinko_pipelines.core.analytics import schema
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.dbt import PROJECT
from tinko_pipelines.core.analytics.errors import AnalyticsSchemaChanged, AnalyticsUnavailable
from tinko_pipelines.core.analytics.relations import RELATIONS

# some hundred rows each
SMALL = {"policy_versions", "rule_versions", "organisations", "connections"}
SERVER_FILES = sorted((schema.DDL / "server").glob("*.sql"))


def test_applied_once_and_recorded(client):
    assert schema.apply(client) == []
    recorded = client.query("select name from tinko.schema_versions final order by version")
    assert [row[0] for row in recorded.result_rows] == [one.name for one in schema.versions()]


def test_every_column_is_commented_and_tenants_come_first(client):
    bare = client.query(
        "select table, name from system.columns where database = 'tinko' and comment = ''"
    ).result_rows
    assert bare == []
    keys = client.query(
        "select name, sorting_key, partition_key from system.tables where database = 'tinko'"
        f" and name in ({', '.join(repr(one.name) for one in RELATIONS)})"
    ).result_rows
    assert len(keys) == len(RELATIONS)
    for name, sorting, partition in keys:
        assert sorting.split(", ")[0] == "org_id"
        assert partition.startswith("toYYYYMM(") or name in SMALL


def test_a_cut_off_run_is_run_again(client, tmp_path):
    folder = tmp_path / "clickhouse"
    shutil.copytree(schema.DDL, folder)
    (folder / "0099_two.sql").write_text(
        "create table if not exists tinko.one (a UInt8) engine = MergeTree order by a;\n"
        "create table tinko.one (a UInt8) engine = MergeTree order by a;\n"
    )
    with pytest.raises(AnalyticsUnavailable, match="already exists"):
        schema.apply(client, folder)
    (folder / "0099_two.sql").write_text(
        "create table if not exists tinko.one (a UInt8) engine = MergeTree order by a;\n"
    )
    assert schema.apply(client, folder) == ["0099_two.sql"]
    assert schema.apply(client, folder) == []


def test_an_edited_file_is_refused(client, tmp_path):
    folder = tmp_path / "clickhouse"
    shutil.copytree(schema.DDL, folder)
    path = folder / "0003_sink_positions.sql"
    path.write_text(path.read_text().replace("row_count UInt64", "row_count UInt32"))
    with pytest.raises(AnalyticsSchemaChanged, match="0003_sink_positions"):
        schema.apply(client, folder)


@pytest.mark.parametrize("path", SERVER_FILES, ids=lambda path: path.stem)
def test_the_engine_parses_the_servers_users_quotas_and_policies(client, path):
    found = schema.statements(path.read_text())
    assert found
    hashes = dict.fromkeys(["writer_sha256", "reader_sha256", "org_sha256"], "0" * 64)
    for statement in found:
        assert client.query(f"explain ast {statement}", parameters=hashes).result_rows


def test_every_carried_table_has_a_row_policy():
    policies = (schema.DDL / "server" / "02_row_policies.sql").read_text()
    models = [path.stem for path in (PROJECT / "models").rglob("*.sql")]
    tables = [name for name in models if not name.startswith("stg_")]
    for table in ["reopened_days", *(relation.name for relation in RELATIONS), *tables]:
        assert policies.count(f"tinko.{table},") + policies.count(f"tinko.{table}\n") == 2, table


def test_a_store_that_is_away_is_a_typed_error():
    with pytest.raises(AnalyticsUnavailable, match=r"connecting to 127\.0\.0\.1:9"):
        ClickHouseAddress("127.0.0.1", 9, "nobody", "").client()
