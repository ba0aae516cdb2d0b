"""The Parquet lake on a real S3: what readers find there, and each target on its own."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from tests.proofs.sink_kills import lake_of
from tests.s3 import ACCESS, SECRET
from tinko_pipelines.core.analytics import lake, sink, watermark
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable
from tinko_pipelines.core.analytics.lake import Lake
from tinko_pipelines.core.analytics.relations import ATTEMPTS, OBLIGATIONS, RELATIONS

START = datetime(2026, 9, 28, 9, tzinfo=UTC)


@pytest.fixture
def store(s3):
    return s3.store()


def read(store, relation):
    """The rows of now, as DuckDB reads them."""
    versions = lake_of(store, relation)
    assert versions.schema == lake.schema(relation)
    return duckdb.sql(lake.newest(relation, "versions")).to_arrow_table()


def test_every_relation_is_there_typed_and_readable(engine, clock, ledger, store):
    debt = ledger.failed_debt(START, recovered=True)
    ledger.decision(debt, uuid.uuid4(), START)
    ledger.message(debt, uuid.uuid4(), START)
    ledger.line(1, START)
    ledger.organisation("Asia/Kolkata")
    carried = sink.run(engine, Lake(store), clock)
    for relation in RELATIONS:
        found = read(store, relation)
        assert len(found) == carried[relation.name]
        for field in relation.schema:
            assert field.nullable or not found[field.name].null_count
        said = json.loads(store.get(f"{lake.folder(relation)}/_position.json"))
        assert said["row_count"] == carried[relation.name]
        assert said["position"] > 0
    (key,) = (one for one in store.sizes("lake/table=attempts/") if one.endswith(".parquet"))
    file = pq.ParquetFile(pa.BufferReader(store.get(key)))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_newest_version_counts_and_what_is_gone_is_gone(engine, clock, ledger, store):
    debt = ledger.failed_debt(START, recovered=True)
    stranger = ledger.attempt(debt, START + timedelta(minutes=1))
    sink.run(engine, Lake(store), clock)
    with engine.begin() as connection:
        connection.execute(text("update obligations set state = 'paid', paid_minor = 7"))
        connection.execute(text("delete from attempts where id = :id"), {"id": stranger})
    sink.run(engine, Lake(store), clock)
    assert read(store, OBLIGATIONS)["paid_minor"].to_pylist() == [7]
    assert str(stranger) not in read(store, ATTEMPTS)["id"].to_pylist()
    # deleted and written again in one transaction: it is there
    ledger.attempt(debt, START + timedelta(minutes=1), id=stranger)
    with engine.begin() as connection:
        row = connection.execute(
            text("delete from attempts where id = :id returning *"), {"id": stranger}
        ).one()
        names = ", ".join(row._mapping)
        values = ", ".join(f":{name}" for name in row._mapping)
        connection.execute(
            text(f"insert into attempts ({names}) values ({values})"), dict(row._mapping)
        )
    sink.run(engine, Lake(store), clock)
    assert str(stranger) in read(store, ATTEMPTS)["id"].to_pylist()


def test_a_batch_that_is_carried_again_is_the_same_object(engine, clock, ledger, store):
    for minute in range(10):
        ledger.failed_debt(START + timedelta(minutes=minute))
    sink.carry(engine, Lake(store), ATTEMPTS, clock, batch_rows=4)
    before = store.sizes("lake/table=attempts/0")
    assert len(before) == 3
    watermark.rewind(engine, "s3")
    again = sink.carry(engine, Lake(store), ATTEMPTS, clock, batch_rows=4)
    assert again.rows == 10
    assert store.sizes("lake/table=attempts/0") == before


def test_clickhouse_reads_it_where_it_lies(engine, client, clock, ledger, store, s3):
    debt = ledger.debt(START)
    sink.run(engine, Lake(store), clock)
    with engine.begin() as connection:
        connection.execute(text("update obligations set paid_minor = 5"))
    sink.run(engine, Lake(store), clock)
    objects = (
        f"s3('{s3.url}/{store.bucket}/lake/table=obligations/*.parquet', '{ACCESS}', '{SECRET}')"
    )
    found = client.query(
        f"select id, paid_minor from ({lake.newest(OBLIGATIONS, objects)})"
    ).result_rows
    assert found == [(str(debt), 5)]


def test_one_that_is_away_keeps_no_other_waiting(
    engine, client, clock, ledger, store, s3, clickhouse_server
):
    settings = s3.settings(
        store.bucket, analytics_sink_type="both", clickhouse_url=clickhouse_server.url
    )
    ledger.debt(START)
    clickhouse_server.kill()
    with pytest.raises(AnalyticsUnavailable):
        sink.run_wanted(engine, clock, settings)
    assert len(read(store, OBLIGATIONS)) == 1
    assert watermark.waiting(engine, ["s3", "clickhouse"])
    assert not watermark.waiting(engine, ["s3"])
    clickhouse_server.start()
    carried = sink.run_wanted(engine, clock, settings)
    assert (carried["clickhouse"]["obligations"], carried["s3"]["obligations"]) == (1, 0)
    assert not watermark.waiting(engine, ["s3", "clickhouse"])
    # a deletion alone is something to carry
    with engine.begin() as connection:
        connection.execute(text("delete from obligations"))
    assert watermark.waiting(engine, ["s3"])


def test_the_assets_carry_and_carry_again(
    engine, ledger, store, s3, monkeypatch, postgres, database
):
    from tinko_pipelines.defs.analytics.carrying import carry_to_lake
    from tinko_pipelines.defs.analytics.resources import LakeResource
    from tinko_pipelines.defs.platform import Platform

    settings = s3.settings(
        store.bucket,
        analytics_sink_type="s3",
        database_worker_url=postgres.url("tinko_worker", database),
    )
    monkeypatch.setattr(Platform, "settings", settings)
    monkeypatch.setattr(Platform, "engine", engine)
    monkeypatch.setattr("tinko_pipelines.defs.analytics.resources.get_settings", lambda: settings)
    ledger.debt(START)

    def carried(**config) -> int:
        result = dg.materialize(
            [carry_to_lake],
            resources={"platform": Platform(), "lake": LakeResource()},
            run_config={"ops": {"carry_to_lake": {"config": config}}},
        )
        (made,) = result.asset_materializations_for_node("carry_to_lake")[6:7]
        assert made.asset_key.path == ["lake", "obligations"]
        return made.metadata["dagster/row_count"].value

    assert (carried(), carried(), carried(again=True)) == (1, 0, 1)
    assert len(store.sizes("lake/table=obligations/0")) == 1
